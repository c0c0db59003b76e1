"""`canary note`: mark this moment, with or without words; and what was noted before."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import click

from canary.cli.change.moves import options_of
from canary.cli.change.run_change import run_change
from canary.cli.opening import demand_cloud_run, find_plan, look, open_session
from canary.cli.options import plan_options
from canary.cli.output import print_json, say
from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request, Standing
from canary.rollout.change.marks import Mark, find_todos, format_mark, name_author
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_iso_time, format_timestamp, sanitize


@click.command()
@click.argument("text", required=False, default="")
@click.option("--list", "listed", is_flag=True, help="Show what was noted, newest first.")
@click.option("--dry-run", is_flag=True, help="Show what would be written; write nothing.")
@plan_options
def note(text: str, listed: bool, **given: Any) -> int:
    """Note TEXT for everybody: in events, plots and reports. Without it, the notes are shown.

    "TODO: …" is listed at the handover until a note says "DONE: …" with the same words. The last 20
    ride on Canary's service; this host's journal (`canary log`) has its own for longer.
    """
    if listed or not text.strip():
        return _show(given["config"], as_json=given["as_json"])
    more = {"yes": True, "force": False, "reason": ""}
    return run_change(partial(_note, text), options_of({**given, **more}), need_metrics=False)


def _note(text: str, plan: Plan, standing: Standing, request: Request) -> Change:
    return moves.note(plan, standing, request, text)


def _show(config: str | None, *, as_json: bool) -> int:
    marks = asyncio.run(_read(config))
    todo = set(find_todos(marks))
    if as_json:
        print_json([_document(mark, is_open=mark in todo) for mark in marks])
        return 0
    for mark in marks:
        still = "  still open" if mark in todo else ""
        say(f"{format_timestamp(mark.at)}  {format_mark(mark)}  by {name_author(mark)}{still}")
    if not marks:
        say("Nothing was noted.")
    return 0


async def _read(config: str | None) -> tuple[Mark, ...]:
    async with open_session(find_plan(config), need_metrics=False) as session:
        snapshot = await look(session)
        demand_cloud_run(snapshot)
        return snapshot.marks


def _document(mark: Mark, *, is_open: bool) -> dict[str, object]:
    return {
        "at": format_iso_time(mark.at),
        "text": sanitize(mark.text),
        "by": name_author(mark),
        "todo": mark.is_todo,
        "open": is_open,
    }
