"""Turns as lines of the event log: of the verdict, of the stage record, of the split."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from canary.engine.event_log import EventLog, Severity
from canary.engine.position import RunFacts, find_drift
from canary.engine.replay import Turn
from canary.rollout import words
from canary.rollout.decision import Verdict
from canary.rollout.progress import StageRecord
from canary.rollout.snapshot import Event

VERDICT_SEVERITY: Final[dict[Verdict, Severity]] = {
    "continue": "good",
    "no_data": "warning",
    "watch": "warning",
    "rollback_stage": "critical",
    "rollback_all": "critical",
}


def turn_events(turns: Iterable[Turn]) -> tuple[Event, ...]:
    """A line for each turn of the verdict, in the given order."""
    return tuple(
        Event(t.at, VERDICT_SEVERITY[t.verdict], f"{words.verdict(t.verdict)}: {t.reason}")
        for t in turns
    )


def say_run(
    log: EventLog,
    before: RunFacts | None,
    after: RunFacts | None,
    is_ours: Callable[[str], bool],
    now: float,
) -> None:
    """Say what is different in Cloud Run. `is_ours`: whether the journal tells of a change itself.

    A record or a drift that is found at the start is said too, with its own time.
    """
    if after is None:
        return
    _say_record(log, before, after, is_ours)
    _say_drift(log, before, after, now)
    error = after.router.record_error
    if error and (before is None or before.router.record_error != error):
        log.say(now, "warning", error)


def _say_record(
    log: EventLog, before: RunFacts | None, after: RunFacts, is_ours: Callable[[str], bool]
) -> None:
    record = after.router.record
    known = before.router.record if before is not None else None
    if record is None or record == known or (record.change and is_ours(record.change)):
        return
    by = f"{record.by}@{record.host}" if record.host else record.by
    # A revert keeps the begin of the soak, so the record itself does not say when it was written.
    at = record.entered_at if record.move != "revert" else after.router.updated_at
    log.say(at if at is not None else record.entered_at, "info", _say_move(record), by)


def _say_move(record: StageRecord) -> str:
    stage = f"stage {record.stage}" if record.stage else "everybody on Legacy"
    why = f": {record.reason}" if record.reason else ""
    shares = words.percent(record.percent)
    if record.previous_percent is not None:
        shares = f"{words.percent(record.previous_percent)} → {shares}"
    how = f" ({record.move.replace('_', ' ')})" if record.move else ""
    return f"{stage}, {shares}{how}{why}"


def _say_drift(log: EventLog, before: RunFacts | None, after: RunFacts, now: float) -> None:
    drift, known = find_drift(after), find_drift(before)
    if drift is not None:
        if known is None or known.actual_percent != drift.actual_percent:
            text = (
                f"drift: the split is {words.percent(drift.actual_percent)},"
                f" the record says {words.percent(drift.recorded_percent)}"
            )
            log.say(drift.at if drift.at is not None else now, "warning", text, drift.by)
    elif known is not None:
        log.say(now, "info", f"drift ended: {words.percent(after.router.percent)} as recorded")
