"""`canary recover`: what became of a change whose end is not known, and what to do about it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import click

from canary.cli.change.text import (
    EXITS,
    describe_change,
    format_end,
    format_unreadable,
    outcome_document,
    unreadable_document,
)
from canary.cli.opening import PlanSource, find_plan, open_session, read_changes
from canary.cli.options import chosen_read_only, plan_options
from canary.cli.output import act, print_json, say
from canary.engine.person import this_person
from canary.rollout.errors import ReadOnly, RecordError, UsageError
from canary.rollout.text import format_iso_time, format_timestamp, sanitize
from canary.store.entries import Unreadable

if TYPE_CHECKING:
    from canary.engine.change.recovery import Finding, How
    from canary.engine.session import Session
    from canary.rollout.change.change import Outcome
    from canary.store.journal import Entry, Journal

EXIT_OPEN = 5


@click.command()
@click.argument("change_id", metavar="[ID]", required=False)
@click.option("--verify", "verifies", is_flag=True, help="Look what became of it (the default).")
@click.option("--resume", "resumes", is_flag=True, help="Resume it; it never acts twice.")
@click.option("--abandon", "abandons", is_flag=True, help="Abandon it; what was sent stays.")
@plan_options
def recover(
    change_id: str | None,
    verifies: bool,
    resumes: bool,
    abandons: bool,
    as_json: bool,
    config: str | None,
) -> int:
    """Check the status of, resume, or abandon a change whose end is not known.

    Without an ID: list them. A change is sent again only where the guard from before still holds.
    Exits as a change does; 5 while its end is still not known.
    """
    if verifies + resumes + abandons > 1:
        raise UsageError("--verify, --resume and --abandon exclude each other.")
    source = find_plan(config, acts=resumes or abandons)
    if change_id is None:
        if resumes or abandons:
            raise UsageError("Which change?", remedy="`canary recover` lists them with their ids.")
        return _list(source, as_json)
    if chosen_read_only() and (resumes or abandons):
        raise ReadOnly("Changes are neither resumed nor abandoned here: read-only.")
    if resumes or abandons:
        act()
    how: How = "resume" if resumes else "abandon" if abandons else "verify"
    return asyncio.run(_recover(source, change_id, how, as_json))


def _list(source: PlanSource, as_json: bool) -> int:
    from canary.engine.change.recovery import unresolved

    entries = read_changes(source.plan, unresolved)
    if as_json:
        print_json([_listed(entry) for entry in entries])
    for entry in () if as_json else entries:
        if isinstance(entry, Unreadable):
            say(format_unreadable(entry))
            continue
        at, what = format_timestamp(entry.change.created_at), describe_change(entry.change)
        say(f"{entry.change.id}  {at}  {what}  by {sanitize(entry.change.author, 80)}")
    if not entries and not as_json:
        say("No pending changes.")
    return EXIT_OPEN if entries else 0


def _listed(entry: Entry | Unreadable) -> dict[str, Any]:
    if isinstance(entry, Unreadable):
        return unreadable_document(entry)
    change = entry.change
    return {
        "id": change.id,
        "kind": change.kind,
        "what": describe_change(change),
        "by": str(change.author),
        "asked_at": format_iso_time(change.created_at),
        "outcome": entry.outcome.state if entry.outcome is not None else None,
    }


async def _recover(source: PlanSource, change_id: str, how: How, as_json: bool) -> int:
    from canary.engine.change.recovery import Recovery, find_entry

    async with open_session(source, need_metrics=False) as session:
        journal = session.journal
        if journal is None:
            raise session.journal_error or RecordError("The journal is not open.")
        entry = find_entry(journal, change_id)
        recovery = Recovery(source.plan, session.cloud.router, journal, session.clock)
        found = await recovery.recover(entry.change.id, how, str(this_person(source.plan)))
        outcome = found.outcome
        if found.state == "resumed":
            outcome = await _carry_on(source, session, journal, entry)
    if as_json:
        print_json(_document(entry, found, outcome))
    else:
        say(format_end(found if outcome is None else outcome))
    if outcome is None:
        return EXIT_OPEN
    return 0 if how == "abandon" and outcome.state == "abandoned" else EXITS[outcome.state]


async def _carry_on(
    source: PlanSource, session: Session, journal: Journal, entry: Entry
) -> Outcome:
    from canary.engine.change.executor import CloudClients
    from canary.engine.change.in_process import carry_on_here
    from canary.store.stage_file import stage_file_path

    cloud_clients = CloudClients.of(session.cloud)
    path = stage_file_path(source.path, source.plan.record.file)
    return await carry_on_here(
        entry.change, cloud_clients, journal, plan=source.plan, stage_file=path
    )


def _document(entry: Entry, found: Finding, outcome: Outcome | None) -> dict[str, Any]:
    return {
        "id": entry.change.id,
        "kind": entry.change.kind,
        "found": found.state,
        "message": sanitize(found.message, 1000),
        "remedy": sanitize(found.remedy, 500),
        "outcome": outcome_document(outcome),
    }
