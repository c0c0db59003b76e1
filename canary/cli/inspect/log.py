"""`canary log`: the journal of this host: who changed what, when, why, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import msgspec

from canary.cli.change.text import (
    EXITS,
    describe_change,
    format_unreadable,
    outcome_document,
    unreadable_document,
)
from canary.cli.opening import find_plan, read_changes
from canary.cli.options import WholeNumber, chosen_read_only, plan_options
from canary.cli.output import print_json, say
from canary.engine.person import this_person
from canary.rollout.change.change import Change, SetTraffic
from canary.rollout.text import format_iso_time, format_timestamp, sanitize
from canary.store.entries import Unreadable
from canary.store.procedure_records import AlertWriting, read_alert_writings

if TYPE_CHECKING:
    from canary.store.journal import Entry


@click.command()
@click.option("--limit", "-n", type=WholeNumber(1, 10_000), default=20, show_default=True)
@click.option("--withdraw", "withdrawn", metavar="ID", help="Withdraw a change that waits.")
@plan_options
def log(limit: int, withdrawn: str | None, as_json: bool, config: str | None) -> int:
    """Show the changes made from this host, newest first; alert policies written, too.

    --withdraw withdraws a change of which nothing is on its way, as a rollback that waits for
    Cloud Run. What became of one that is "unknown": `canary recover`.
    """
    if withdrawn is not None:
        return _withdraw(config, withdrawn, as_json)
    kept = _read(config, limit)
    if as_json:
        print_json([_document(one) for one in kept])
        return 0
    for one in kept:
        if isinstance(one, AlertWriting):
            print_alert_writing(one)
        elif isinstance(one, Unreadable):
            say(format_unreadable(one))
        else:
            _print_entry(one)
    if not kept:
        say("No change was made from this host.")
    return 0


def _read(config: str | None, limit: int) -> tuple[Entry | AlertWriting | Unreadable, ...]:
    """The last `limit` of both records, newest first by this host's clock. What cannot be read of
    the journal comes first of all.
    """
    from canary.store.paths import state_dir

    plan = find_plan(config).plan
    kept: list[Entry | AlertWriting] = list(read_alert_writings(state_dir(plan), limit))
    rows = read_changes(plan, lambda journal: journal.rows(limit))
    kept += (row for row in rows if not isinstance(row, Unreadable))
    kept.sort(key=lambda one: one.intended_at, reverse=True)
    return (*(row for row in rows if isinstance(row, Unreadable)), *kept[:limit])


def _withdraw(config: str | None, change_id: str, as_json: bool) -> int:
    from canary.engine.change.recovery import find_entry, withdraw
    from canary.rollout.errors import ReadOnly
    from canary.store.journal import Journal
    from canary.store.paths import journal_path, state_dir

    if chosen_read_only():
        raise ReadOnly("Changes are not withdrawn here: read-only.")
    with Journal(journal_path(state_dir(find_plan(config, acts=True).plan))) as journal:
        entry = find_entry(journal, change_id)
        # The cloud's clock is not asked: Cloud Run may well be away.
        times = (entry.change.created_at, *(note.at for note in entry.notes))
        outcome = withdraw(journal, entry.change.id, str(this_person()), max(times))
    if as_json:
        print_json({"id": entry.change.id, **msgspec.to_builtins(outcome)})
    else:
        say(sanitize(outcome.message, 500))
    return 0 if outcome.state == "abandoned" else EXITS[outcome.state]


def _print_entry(entry: Entry) -> None:
    change, outcome = entry.change, entry.outcome
    state = "in flight" if outcome is None else outcome.state.replace("_", " ")
    since = entry.waiting_since
    if since is not None:
        state = "waiting"
    author, what = sanitize(change.author, 80), describe_change(change)
    say(f"{format_timestamp(change.created_at)}  {state:<9}  {what}  by {author}")
    if change.reason:
        say(f"    why: {sanitize(change.reason)}")
    if change.forced:
        gates = ", ".join(change.evidence.gates_unmet)
        say(f"    forced over: {sanitize(gates) or 'nothing'}")
    said = "" if outcome is None else f"{outcome.message} {outcome.remedy}".strip()
    if said and said.rstrip(".").casefold() != what.casefold():
        say(f"    {sanitize(said, 1000)}")
    for note in entry.notes:
        if note.state in ("verified", "not_verified", "unverified"):
            say(f"    {format_timestamp(note.at)}  {sanitize(note.detail, 500)}")
    if since is not None:
        say(
            f"    for {entry.waits_for} since {format_timestamp(since)}; `canary log --withdraw "
            f"{change.id}`"
        )
    elif outcome is None or outcome.state == "unknown":
        say(f"    `canary recover {change.id}` looks what became of it")


def _shares(change: Change) -> tuple[dict[str, Any], dict[str, Any]]:
    """Where it leads from and to: stage and share of Canary; None where it moves none."""
    split = next((s for s in change.steps if isinstance(s, SetTraffic)), None)
    before, after = (None, None) if split is None else (split.before_percent, split.percent)
    return (
        {"stage": change.from_stage, "percent": before},
        {"stage": change.to_stage, "percent": after},
    )


def _identity(
    made: Change | AlertWriting, kind: str, cloud_identity: str = "", *, automatic: bool = False
) -> dict[str, Any]:
    """What was made, and by whom."""
    user, host = made.author.user, made.author.host
    return {
        "id": made.id,
        "kind": kind,
        "rollout": made.rollout,
        "by": str(made.author),
        "who": {
            "user": user,
            "host": host,
            "cloud_identity": cloud_identity or None,
            "automatic": automatic,
        },
    }


def _document(entry: Entry | AlertWriting | Unreadable) -> dict[str, Any]:
    if isinstance(entry, AlertWriting):
        return alert_document(entry)
    if isinstance(entry, Unreadable):
        return unreadable_document(entry)
    change, outcome = entry.change, entry.outcome
    return {
        **_identity(change, change.kind, entry.cloud_identity, automatic=bool(change.cause)),
        "what": describe_change(change),
        "from": _shares(change)[0],
        "to": _shares(change)[1],
        "why": change.reason,
        "cause": change.cause,
        "intended_at": format_iso_time(entry.intended_at),
        "sent_at": format_iso_time(entry.first_at("sent")),
        "settled_at": format_iso_time(entry.settled_at),
        "waiting_since": format_iso_time(entry.waiting_since),
        "asked_at": format_iso_time(change.created_at),
        "from_stage": change.from_stage,
        "to_stage": change.to_stage,
        "reason": change.reason,
        "forced": change.forced,
        "evidence": msgspec.to_builtins(change.evidence),
        "steps": msgspec.to_builtins(change.steps),
        "notes": [{**msgspec.to_builtins(n), "at": format_iso_time(n.at)} for n in entry.notes],
        "outcome": outcome_document(outcome),
        "acknowledged": entry.acknowledged,
    }


# Alert policies that were written, as `canary log` shows them beside the changes.


def print_alert_writing(writing: AlertWriting) -> None:
    """Who wrote which policies, when, and how it ended."""
    state = "unfinished" if writing.state == "open" else writing.state
    done, wanted = len(writing.done), len(writing.wanted)
    by = sanitize(writing.author, 80)
    say(
        f"{format_timestamp(writing.asked_at)}  {state:<9}  alerts: {done} of {wanted} "
        f"written  by {by}"
    )
    for line in writing.done:
        say(f"    {sanitize(line, 400)}")
    if writing.message:
        say(f"    {sanitize(writing.message, 500)} {sanitize(writing.remedy, 500)}".rstrip())
    if writing.state != "done":
        say("    `canary alerts diff` says what is there")


def alert_document(writing: AlertWriting) -> dict[str, Any]:
    """The same with the names of a change's fields, as far as it has them."""
    outcome = {
        "state": writing.state,
        "message": writing.message,
        "at": format_iso_time(writing.ended_at),
        "percent": None,
        "remedy": writing.remedy,
    }
    return {
        **_identity(writing, "alerts"),
        "what": f"alerts: {len(writing.done)} of {len(writing.wanted)} written",
        "intended_at": format_iso_time(writing.intended_at),
        "asked_at": format_iso_time(writing.asked_at),
        "wanted": list(writing.wanted),
        "done": list(writing.done),
        "outcome": None if writing.state == "open" else outcome,
    }
