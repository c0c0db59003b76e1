"""A shift handed over: at most one screen of Markdown for whoever comes next. Pure.

Where it stands, what changed in the shift, what is open, what comes next and when, links.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from canary.rollout.change.hold import format_hold
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.marks import find_todos, format_mark, name_author
from canary.rollout.decision.gates import gate_glyph
from canary.rollout.permit.standstill import why_held
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.timeline_changes import Row, link_of, numbers_of
from canary.rollout.snapshot.notices import format_drift, format_going_back
from canary.rollout.snapshot.snapshot import Snapshot, find_unfinished
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import COMMANDS
from canary.rollout.text import (
    format_age,
    format_clock,
    format_duration,
    format_limit,
    format_percent,
    format_timestamp,
    format_value,
    sanitize,
)
from canary.rollout.trials.jobs import JobsView

MOST_ROWS: Final = 14
SHIFT_S: Final = 8 * 3_600.0
MOST_TODOS: Final = 5
"""So many of the notes that say what is to be done are listed: it is one screen."""
_ACT: Final = ("roll_back_all", "roll_back_stage", "proven_worse", "rollback_not_possible")
"""States in which nothing but the act that they call for is next."""
_FIRST: Final = ("change", "hold", "note", "guard", "drift", "proof", "trial", "revision")
"""Kinds of rows that are told before transitions of the state, where there is no room for all."""


def make_handover(
    snapshot: Snapshot,
    plan: Plan,
    rows: Sequence[Row],
    *,
    now: float,
    since: float,
    jobs: JobsView | None = None,
    unrecorded: str = "",
) -> str:
    """The handover at `now` (cloud time) of what happened from `since` on.

    `rows` are the timeline's, oldest first; `unrecorded` says why there are none.
    """
    lines = [
        f"# Handover {sanitize(snapshot.rollout)}, {format_timestamp(now)}",
        "",
        *_stands(snapshot, plan, now),
        "",
        f"**In the last {format_duration(now - since)}**",
        *_changed(rows, unrecorded, now),
        "",
        "**Open**",
        *(list(_open(snapshot, jobs)) or ["- nothing"]),
        "",
        "**Next**",
        *_next(snapshot, plan, rows, now),
    ]
    links = [link for link in (link_of(plan),) if link]
    lines += ["", *(f"<{link}>" for link in links)] if links else []
    return "\n".join(lines) + "\n"


def _stands(snapshot: Snapshot, plan: Plan, now: float) -> Iterator[str]:
    state = find_state(snapshot, plan)
    cause = f": {sanitize(state.cause, 200)}" if state.cause else ""
    stage = snapshot.stage
    where = f"stage {stage.index}, " if stage.index else ""
    if stage.index is None:
        where = "stage not known, "
    soaked = None if stage.soaked_hours is None else stage.soaked_hours * 3600
    soak = f", soaked {format_duration(soaked)}" if stage.index and soaked is not None else ""
    if soak and stage.soak_hours is not None:
        soak += f" of {format_duration(stage.soak_hours * 3600)}"
    local = " (LOCAL CLOUD)" if snapshot.provider == "local" else ""
    yield f"**{state.glyph} {state.word}**{cause}"
    share = format_percent(snapshot.traffic.canary_percent)
    yield f"- {where}{share} Canary{soak}; {snapshot.project}/{snapshot.region}{local}"
    age_s = snapshot.data_age_s
    data = "no data" if age_s is None else f"data {format_age(age_s + now - snapshot.as_of)} old"
    yield f"- {'; '.join(filter(None, [numbers_of(snapshot), data]))}"
    if going_back := format_going_back(snapshot.readiness):
        yield f"- {going_back}"


def _changed(rows: Sequence[Row], unrecorded: str, now: float) -> Iterator[str]:
    if unrecorded:
        yield f"- not known: {unrecorded}"
    elif not rows:
        yield "- nothing changed"
    first = [row for row in rows if row.kind in _FIRST]
    rest = [row for row in rows if row.kind not in _FIRST and row.kind != "gate"]
    room = max(0, MOST_ROWS - len(first))
    told = sorted([*first[-MOST_ROWS:], *rest[max(0, len(rest) - room) :]], key=lambda row: row.at)
    for row in told:
        who = f" – {row.who}" if row.who else ""
        data = f" ({row.data})" if row.kind == "change" and row.data else ""
        yield f"- {_moment(row.at, now)} {row.event}{who}{data}"
    if len(told) < len(rows):
        yield f"- and {len(rows) - len(told)} more: `canary timeline`"


def _moment(at: float, now: float) -> str:
    """The time of day; of another day than today's with its date."""
    stamp = format_timestamp(at)
    return format_clock(at) if stamp[:10] == format_timestamp(now)[:10] else f"{stamp[5:16]}Z"


def _open(snapshot: Snapshot, jobs: JobsView | None) -> Iterator[str]:
    for change in find_unfinished(snapshot.changes):
        said = change.step or (change.outcome.state if change.outcome is not None else "")
        yield f"- {sanitize(change.title, 120)} by {sanitize(change.author, 60)}: {said}"
    yield from _written(snapshot)
    if drift := format_drift(snapshot):
        yield f"- drift: {drift}"
    for source in snapshot.sources:
        if source.state == "failing":
            since = format_clock(source.since)
            yield f"- {source.name} fails since {since}: {sanitize(source.message, 120)}"
    guards = [s for s in snapshot.presence.others if s.guards]
    if snapshot.guard is not None and snapshot.guard.armed:
        yield f"- automatic rollback is armed by {sanitize(snapshot.guard.by, 60)}"
    elif guards:
        yield f"- automatic rollback is armed by {sanitize(guards[0].user, 60)} on this host"
    else:
        yield "- automatic rollback is off"
    if jobs is not None and jobs.load_test.is_running:
        yield "- a load test runs"
    if jobs is not None and jobs.monitoring is not None and jobs.monitoring.running:
        yield f"- the monitoring loop runs, next at {format_clock(jobs.monitoring.next_at)}"


def _written(snapshot: Snapshot) -> Iterator[str]:
    """What persons have written for everybody: holds, what cannot be undone, what is to do."""
    if snapshot.hold is not None:
        yield f"- {sanitize(format_hold(snapshot.hold, snapshot.as_of), 200)}"
    elif held := why_held(snapshot):
        yield f"- {held[0].lower()}{held[1:].rstrip('.')}"
    if snapshot.irreversible is not None:
        yield f"- {format_marked(snapshot.irreversible).rstrip('.')}"
    todos = find_todos(snapshot.marks)
    for todo in todos[:MOST_TODOS]:
        yield f"- {format_mark(todo)} ({name_author(todo)})"
    if len(todos) > MOST_TODOS:
        yield f"- and {len(todos) - MOST_TODOS} more: `canary note --list`"


def _next(snapshot: Snapshot, plan: Plan, rows: Sequence[Row], now: float) -> Iterator[str]:
    state = find_state(snapshot, plan)
    command = COMMANDS.get(state.actor.action, "")
    if state.id == "off" and (back := _last_move(rows)) is not None:
        yield f"- find out why: {back}; promoting again takes a reason"
    elif state.next:
        yield f"- {sanitize(state.next, 200)}" + (f" (`{command}`)" if command else "")
    if state.id in _ACT:
        return  # neither the soak nor a gate matters now
    stage = snapshot.stage
    if stage.soak_hours is not None and stage.soaked_hours is not None and stage.index:
        left_s = (stage.soak_hours - stage.soaked_hours) * 3600
        if left_s > 0:
            yield f"- the soak is over at {format_timestamp(now + left_s)}"
    waits = [g for g in snapshot.gates if g.state != "met" and g.id != "soak_hours"]
    for gate in waits[:4]:
        if gate.comparison == "=":
            yield f"- {gate_glyph(gate)} {gate.label}: {sanitize(gate.evidence, 100) or 'not yet'}"
            continue
        observed = format_value(gate.id, gate.observed)
        limit = format_limit(gate.id, gate.limit)
        evidence = f": {sanitize(gate.evidence, 100)}" if gate.evidence else ""
        yield f"- {gate_glyph(gate)} {gate.label} {observed} {gate.comparison} {limit}{evidence}"


def _last_move(rows: Sequence[Row]) -> str | None:
    """The last move of the shift where it was a rollback of everything, with when and why."""
    moves = [row for row in rows if row.kind == "change" and "→" in row.event]
    if not moves or "rolled back all" not in moves[-1].event:
        return None
    return f"at {format_timestamp(moves[-1].at)} {moves[-1].event}"
