"""`canary checklist`: what goes with a move: done by whom, on which evidence, and what is open."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from canary.cli.opening import (
    PlanSource,
    demand_cloud_run,
    demand_stage,
    find_plan,
    look,
    open_session,
)
from canary.cli.options import WholeNumber, plan_options
from canary.cli.output import print_json, say
from canary.engine.person import this_person
from canary.rollout.errors import ReadOnly, UsageError
from canary.rollout.text import format_iso_time, format_timestamp, sanitize
from canary.rollout.trials.checklist import PHASES, UNSEEN, Checklist, ChecklistBook, Line


@click.command()
@click.option("--stage", type=WholeNumber(1), metavar="N", help="All lists of stage N.")
@click.option("--tick", metavar="ID", help="Tick an item, with your name.")
@click.option("--untick", metavar="ID", help="Remove your tick.")
@plan_options
def checklist(
    stage: int | None, tick: str | None, untick: str | None, as_json: bool, config: str | None
) -> int:
    """Show what goes with a move: before, during and after.

    Without --stage: the present stage's list and the next one's. What the program can know is
    ticked by itself. A list is closed when its stage is left, and stays readable.
    """
    if tick and untick:
        raise UsageError("--tick and --untick exclude each other.", remedy="Choose one.")
    source = find_plan(config, acts=bool(tick or untick))
    demand_stage(source.plan, stage)
    wish = tick or untick
    if wish and source.is_read_only:
        raise ReadOnly("Nothing is ticked here: read-only.")
    book = asyncio.run(_read(source, stage, wish, done=bool(tick)))
    lists = _choose(book, stage)
    if as_json:
        print_json({"stage": book.stage, "lists": [_document(one) for one in lists]})
    else:
        _say(lists, book)
    return 0


async def _read(
    source: PlanSource, stage: int | None, item: str | None, *, done: bool
) -> ChecklistBook:
    from canary.engine.jobs.checklist import choose, open_checklists

    async with open_session(source) as session:
        snapshot = await look(session)
        # What closed lists say needs no cloud; where the rollout stands does.
        demand_cloud_run(snapshot)
        with open_checklists(session, read_only=source.is_read_only) as lists:
            book = lists.read(snapshot)
            if item:
                chosen = choose(book, item, stage)
                lists.tick(chosen, item, this_person(source.plan), session.clock.now(), done=done)
                book = lists.read(snapshot)
            return book


def _choose(book: ChecklistBook, stage: int | None) -> tuple[Checklist, ...]:
    if stage is not None:
        return book.of(stage)
    return tuple(one for one in (book.current, book.following) if one is not None)


def _say(lists: tuple[Checklist, ...], book: ChecklistBook) -> None:
    if book.trouble:
        say(f"! {sanitize(book.trouble, 500)}")
    if not lists:
        say("There is no checklist: the stage is neither present nor next, and was never visited.")
    for index, one in enumerate(lists):
        if index:
            say()
        _print_list(one)


def _print_list(one: Checklist) -> None:
    visit = one.visit
    when = "not entered yet"
    if visit is not None:
        when = f"since {format_timestamp(visit.entered_at)}"
        if visit.left_at is not None:
            when = (
                f"{format_timestamp(visit.entered_at)} to {format_timestamp(visit.left_at)}, closed"
            )
    say(f"stage {one.stage}, {when}: {one.done} of {len(one.lines)} done")
    width = max(len(line.item.id) for line in one.lines)
    for phase in PHASES:
        say(f"  {phase}")
        for line in (each for each in one.lines if each.item.phase == phase):
            is_unseen = one.is_unseen(line)
            mark = "[?]" if is_unseen else "[x]" if line.done else "[ ]"
            said = f"{line.item.label} ({UNSEEN})" if is_unseen else _describe(line)
            say(f"    {mark} {line.item.id:<{width}}  {said}")


def _describe(line: Line) -> str:
    if not line.done:
        return f"{line.item.label}{f' ({sanitize(line.hint, 120)})' if line.hint else ''}"
    by = sanitize(line.by, 60) if line.by else "known"
    evidence = f": {sanitize(line.evidence, 160)}" if line.evidence else ""
    return f"{line.item.label}, {by} {format_timestamp(line.at)}{evidence}"


def _document(one: Checklist) -> dict[str, Any]:
    visit = one.visit
    return {
        "stage": one.stage,
        "closed": one.is_closed,
        "entered_at": format_iso_time(visit.entered_at) if visit is not None else None,
        "left_at": format_iso_time(visit.left_at) if visit is not None else None,
        "change": (visit.change or None) if visit is not None else None,
        "done": one.done,
        "of": len(one.lines),
        "items": [
            {
                "id": line.item.id,
                "phase": line.item.phase,
                "label": line.item.label,
                "done": line.done,
                "by": (line.by or "program") if line.done else None,
                "at": format_iso_time(line.at),
                "evidence": sanitize(line.evidence, 300) or None,
                "hint": sanitize(line.hint, 300) or None,
            }
            for line in one.lines
        ],
    }
