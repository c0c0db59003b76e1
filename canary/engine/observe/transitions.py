"""Turns as lines of the event log: of the verdict, of the stage record, of the split."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.engine.observe.event_log import EventLog, Severity
from canary.engine.observe.position import (
    Redeployed,
    RunFacts,
    find_drift,
    irreversible_of,
)
from canary.engine.observe.replay import VerdictTransition
from canary.rollout.change.hold import format_hold, name_holder
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import format_verdict
from canary.rollout.decision.readiness import ReadinessState
from canary.rollout.decision.tree import Verdict
from canary.rollout.evidence.completeness import Completeness
from canary.rollout.evidence.dismissal import Dismissal
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.evidence.state import EvidenceState
from canary.rollout.evidence.verdict import MetricVerdict, Word, judge, judge_words
from canary.rollout.export.evidence_document import NAMES, PROVEN, proof
from canary.rollout.export.notification import Notification, place_of
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.tables import EvidenceSettings
from canary.rollout.snapshot.snapshot import Event, Snapshot, SourceState
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import format_head
from canary.rollout.text import (
    format_clock,
    format_duration,
    format_percent,
    format_ratio,
    format_score,
    sanitize,
)

VERDICT_SEVERITY: Final[dict[Verdict, Severity]] = {
    "continue": "good",
    "no_data": "warning",
    "watch": "warning",
    "rollback_stage": "critical",
    "rollback_all": "critical",
}


def transition_events(transitions: Iterable[VerdictTransition]) -> tuple[Event, ...]:
    """A line for each turn of the verdict, in the given order."""
    return tuple(
        Event(t.at, VERDICT_SEVERITY[t.verdict], f"{format_verdict(t.verdict)}: {t.reason}")
        for t in transitions
    )


def log_run_changes(
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
    _log_record(log, before, after, is_ours)
    _log_drift(log, before, after, now)
    _log_hold(log, before, after, is_ours)
    _log_mark(log, before, after, now)
    error = after.router.record_error
    if error and (before is None or before.router.record_error != error):
        log.say(now, "warning", error)


def _log_record(
    log: EventLog, before: RunFacts | None, after: RunFacts, is_ours: Callable[[str], bool]
) -> None:
    record = after.router.record
    known = before.router.record if before is not None else None
    if record is None or record == known or (record.change and is_ours(record.change)):
        return
    by = f"{record.by}@{record.host}" if record.host else record.by
    log.say(record.written_at, "info", _format_move(record), by)


def _format_move(record: StageRecord) -> str:
    stage = f"stage {record.stage}" if record.stage else "all traffic is on Legacy"
    why = f": {record.reason}" if record.reason else ""
    shares = format_percent(record.percent)
    if record.previous_percent is not None:
        shares = f"{format_percent(record.previous_percent)} → {shares}"
    how = f" ({record.move.replace('_', ' ')})" if record.move else ""
    return f"{stage}, {shares}{how}{why}"


def log_redeployed(log: EventLog, before: Redeployed | None, after: Redeployed | None) -> None:
    """Say that Canary was deployed anew: soak and windows have begun again."""
    if after is None or (before is not None and before.revision == after.revision):
        return
    text = (
        f"Canary was deployed anew in the middle of the stage: {after.revision} is Canary since"
        f" {format_clock(after.at)}; soak and windows begin anew"
    )
    log.say(after.at, "warning", text)


def _log_hold(
    log: EventLog, before: RunFacts | None, after: RunFacts, is_ours: Callable[[str], bool]
) -> None:
    hold, known = after.router.hold, before.router.hold if before is not None else None
    if hold is None or hold == known or (hold.change and is_ours(hold.change)):
        return
    if hold.released:
        why = f": {hold.reason}" if hold.reason else ""
        log.say(hold.at, "info", f"the hold is released{why}", name_holder(hold))
    else:
        log.say(hold.at, "info", format_hold(hold, hold.at), name_holder(hold))


def _log_mark(log: EventLog, before: RunFacts | None, after: RunFacts, now: float) -> None:
    """Whoever marked it: it is what a person must know before anything is rolled back."""
    mark, known = irreversible_of(after), irreversible_of(before)
    if mark is not None and (known is None or known.what != mark.what):
        log.say(mark.at or now, "warning", format_marked(mark))
    elif mark is None and known is not None:
        log.say(now, "info", f"no longer marked irreversible: {known.what}")


def _log_drift(log: EventLog, before: RunFacts | None, after: RunFacts, now: float) -> None:
    drift, known = find_drift(after), find_drift(before)
    if drift is not None:
        if known is None or known.actual_percent != drift.actual_percent:
            text = (
                f"drift: the split is {format_percent(drift.actual_percent)},"
                f" the record says {format_percent(drift.recorded_percent)}"
            )
            log.say(drift.at if drift.at is not None else now, "warning", text, drift.by)
    elif known is not None:
        log.say(now, "info", f"drift ended: {format_percent(after.router.percent)} as recorded")


# What the event log says of the evidence: what is proven now, and what a change has withdrawn.

_SCORE: Final[Metric] = "score"


def log_transitions(
    events: EventLog,
    now: float,
    before: Sequence[Word],
    state: EvidenceState,
    settings: EvidenceSettings,
    *,
    invalid: str = "",
) -> bool:
    """Say what `state` proves and had not been proven `before`, at the moment of the proof. True
    when any verdict is another.
    """
    after = judge_words(state, invalid)
    if after == tuple(before):
        return False
    for was, new in zip(before, judge(state, settings, invalid), strict=False):
        name = NAMES[new.metric]
        if was == new.verdict:
            continue
        if was in ("worse_now", "pass") and new.verdict not in ("rollback", "worse_now"):
            what = "worse now" if was == "worse_now" else "no worse than 2×"
            events.say(state.judged_end or now, "info", f"evidence: no longer {what}: {name}")
        if new.verdict == "worse_now":
            text = f"evidence: Canary is worse now: {name} {proof(new)}"
            events.say(new.worse_at or now, "warning", text)
        elif new.verdict == "rollback":
            text = f"evidence: {PROVEN}: {name} {proof(new)}"
            events.say(new.detected_at or now, "critical", text)
        elif new.verdict == "pass":
            text = f"evidence: Canary is proven to be no worse: {name} {_both(new)}"
            events.say(new.passed_at or now, "good", text)
    return True


def log_withdrawn(events: EventLog, before: EvidenceState, after: EvidenceState) -> None:
    """Say that a proof ends with the split that it is of. Says nothing when there was none."""
    if not before.proven:
        return
    what = ", ".join(f"{NAMES[d.metric]} at {format_clock(d.at)}" for d in before.proven)
    text = (
        f"evidence: split changed ({_share(before)} → {_share(after)}), comparison restarted;"
        f" the regression that was proven ({what}) is no longer advised on"
    )
    events.say(after.began_at, "info", text)


def dismissal_events(dismissals: Iterable[Dismissal]) -> tuple[Event, ...]:
    """A line for each proof that a person has dismissed, by whom and why."""
    return tuple(
        Event(
            each.at,
            "warning",
            f"dismissed: the proof that Canary is worse"
            f" ({', '.join(NAMES[metric] for metric in each.metrics)})"
            f"{f': {sanitize(each.reason, 120)}' if each.reason else ''}",
            sanitize(each.by, 60),
        )
        for each in dismissals
    )


def log_completeness(
    events: EventLog, now: float, before: Completeness, after: Completeness
) -> bool:
    """Say when the log has stepped aside for Cloud Monitoring, and when it is judged again. True
    when either was said.
    """
    if bool(after.short) == bool(before.short):
        return False
    if after.short:
        what = f"{after.why}; Cloud Monitoring's minutes are judged instead"
        events.say(now, "warning", f"evidence: the request log is incomplete: {what}")
    else:
        events.say(now, "good", "evidence: the request log is whole again")
    return True


def _share(state: EvidenceState) -> str:
    return format_percent(round(state.share * 100, 2))


def _both(verdict: MetricVerdict) -> str:
    shown = format_score if verdict.metric == _SCORE else format_ratio
    return f"{shown(verdict.canary_ratio)} against Legacy's {shown(verdict.legacy_ratio)}"


# When nothing can be judged any more, and when it can again: said once each.


class NoData:
    """Whether the last snapshot could be judged, and whether the log was told that it could not."""

    def __init__(self, log: EventLog, plan: Plan) -> None:
        self._log = log
        self._plan = plan
        self._blind: bool | None = None
        self._said = False

    def note(self, snapshot: Snapshot) -> None:
        """Remember how the snapshot that went out was."""
        self._blind = snapshot.decision.verdict == "no_data"

    def say(self, snapshot: Snapshot, metrics: SourceState, run: SourceState) -> bool:
        """Say when nothing can be judged any more, and when it can again. True when it was said.

        Turns between judged verdicts come from the replay, which finds the same after a restart.
        Before the first answer, and with nobody on Canary, silence is no news.
        """
        blind = snapshot.decision.verdict == "no_data"
        if blind == self._blind or "never" in (metrics, run):
            return False
        if snapshot.traffic.is_all_on_legacy:
            return False
        if not blind and not self._said:
            return False
        self._said = blind
        state = find_state(snapshot, self._plan)
        said = format_head(state)
        text = f"{said}: {snapshot.decision.reason}" if blind else f"data again: {said}"
        self._log.say(snapshot.as_of, "warning" if blind else "info", text)
        return True


# Says once when this host's clock is off, and once when it is right again.


class SkewWatch:
    """Compares what a SystemClock has learned from answers with what was said last."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._said = False

    def look(self, clock: CloudClock) -> None:
        """Write a line when it turns; the embedded cloud's clock is right by definition."""
        if not isinstance(clock, SystemClock) or clock.skew_s is None:
            return
        if bool(clock.skew_s) == self._said:
            return
        self._said = bool(clock.skew_s)
        if self._said:
            text = f"{skew_words(clock.skew_s)}: the console goes by the cloud's"
            self._log.say(clock.now(), "warning", text)
        else:
            self._log.say(clock.now(), "good", "this host's clock agrees with the cloud's again")


def skew_words(skew_s: float) -> str:
    """In words how this host's clock stands; `skew_s` is what the cloud's is ahead of it."""
    if not skew_s:
        return "this host's clock agrees with the cloud's"
    side = "behind" if skew_s > 0 else "ahead of"
    return f"this host's clock is {format_duration(round(abs(skew_s)))} {side} the cloud's"


# The alarm before it is needed: roll back all would not work just now.


class ReadinessAlarm:
    """Says each transition of the readiness in the event log, once. What is not known yet is none:
    every change makes a revision that nobody has asked about for a moment.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._state: ReadinessState | None = None

    def look(self, snapshot: Snapshot) -> bool:
        """Say what has turned since the last look. True when something was said."""
        readiness = snapshot.readiness
        if readiness is None or readiness.state == self._state or readiness.is_only_unknown:
            return False
        was, self._state = self._state, readiness.state
        why = " ".join(readiness.reasons)
        if readiness.state == "impossible":
            text = f"ALARM: roll back all is NOT possible now: {why}"
            self._log.say(snapshot.as_of, "critical", text)
        elif was == "impossible":
            but = f", but: {why}" if why else ""
            self._log.say(snapshot.as_of, "good", f"roll back all is possible again{but}")
        elif readiness.state == "degraded" and was == "ok":
            self._log.say(snapshot.as_of, "warning", f"roll back all is possible, but: {why}")
        else:
            return False
        return True


def readiness_notice(before: str | None, snapshot: Snapshot) -> Notification | None:
    """Notify others when roll back all has become impossible, or possible again; `before` is the
    readiness that was seen before.
    """
    readiness = snapshot.readiness
    if readiness is None or readiness.state == before or readiness.is_only_unknown:
        return None
    place = place_of(snapshot.rollout, snapshot.project, snapshot.provider)
    if readiness.state == "impossible":
        why = " ".join(readiness.reasons)
        text = f"{place}: roll back all is NOT possible now: {why}"
        return Notification("readiness impossible", text, "critical")
    if before == "impossible":
        return Notification("", f"{place}: roll back all is possible again", "good")
    return None
