"""`canary diff`: what Canary runs otherwise than Legacy, for people and programs."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from canary.cli.opening import PlanSource, demand_cloud_run, find_plan, look, open_session
from canary.cli.options import plan_options
from canary.cli.output import complain, print_json, print_table, say
from canary.engine.jobs.checklist import open_checklists
from canary.engine.person import this_person
from canary.engine.session import Session
from canary.rollout.change.stage_record import next_stage
from canary.rollout.errors import CanaryError
from canary.rollout.snapshot.differences import Differences, label_of, summarize
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.status import EXIT_NO_DATA
from canary.rollout.text import sanitize


@click.command()
@click.option("--all", "whole", is_flag=True, help="Show what is the same, too.")
@plan_options
def diff(whole: bool, as_json: bool, config: str | None) -> int:
    """Show what Canary runs otherwise than Legacy: image, environment, secrets, sizes …

    Of environment variables only the names are read, of secrets names and versions. Exits 0, and 30
    where a side is not known.
    """
    source = find_plan(config)
    snapshot = asyncio.run(_look(source))
    found = snapshot.differences
    if found is None:
        complain("What both sides run is not known: one of them could not be read.")
    if as_json:
        print_json(None if found is None else difference_document(found))
    elif found is not None:
        _print(found, whole=whole)
    return EXIT_NO_DATA if found is None else 0


async def _look(source: PlanSource) -> Snapshot:
    async with open_session(source, need_metrics=False) as session:
        snapshot = await look(session)
        demand_cloud_run(snapshot)
        if snapshot.differences is not None:
            _note(session, snapshot)
        return snapshot


def _note(session: Session, snapshot: Snapshot) -> None:
    """Tick it on the next stage's checklist; that it cannot be noted takes nothing from it."""
    stage = snapshot.stage.index
    following = next_stage(session.plan, stage) if stage is not None else None
    if following is None or session.plan.console.read_only:
        return
    try:
        with open_checklists(session) as lists:
            lists.note_differences(following, this_person(session.plan), snapshot.as_of)
    except CanaryError as error:
        complain(str(error))


def difference_document(found: Differences) -> dict[str, Any]:
    """All rows, the same ones too, as plain values."""
    return {
        "legacy": sanitize(found.legacy),
        "canary": sanitize(found.canary),
        "summary": summarize(found),
        "unknown": found.unknown or None,
        "rows": [
            {
                "group": row.group,
                "field": row.field,
                "legacy": row.legacy,
                "canary": row.canary,
                "differs": row.differs,
            }
            for row in found.rows
        ],
    }


def _print(found: Differences, *, whole: bool) -> None:
    say(summarize(found))
    if found.unknown:
        say(f"? {found.unknown}")
    say()
    shown = found.rows if whole else found.differing
    head = ("", "", f"legacy {sanitize(found.legacy)}", f"canary {sanitize(found.canary)}")
    body = [("≠" if row.differs else "", label_of(row), row.legacy, row.canary) for row in shown]
    print_table([head, *body])
