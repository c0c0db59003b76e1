"""From what was observed to one Snapshot. Pure: no clock, no I/O; the same in, the same out.

Everything that judges is asked here, on the same windows: the tree, the alerts, the gates. What is
not known stays None; no judgement is made on it. Last known traffic stays while Cloud Run is away,
and `sources` say how old it is.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.observe.journal_view import journal_events, view_change
from canary.engine.observe.position import (
    Redeployed,
    RunFacts,
    differences_of,
    irreversible_of,
    known_record,
    split_changes,
    stage_of,
    standing_of,
    view_stage,
    view_traffic,
)
from canary.engine.observe.readiness import (
    ReadinessFeed,
    away_for_s,
    find_rollback_readiness,
    is_retired,
)
from canary.engine.observe.replay import VerdictTransition
from canary.engine.observe.series import (
    Reduce,
    Spans,
    data_age_s,
    newest_data_end,
    place_windows,
    reduce_part,
)
from canary.rollout.change.change import Side
from canary.rollout.change.hold import find_hold
from canary.rollout.change.marks import Mark, format_mark, name_author
from canary.rollout.decision.gates import (
    NO_EVIDENCE,
    Gate,
    StageEvidence,
    check_gates,
    regression_gates,
)
from canary.rollout.decision.guard import GuardView
from canary.rollout.decision.readiness import AWAY_S, Readiness, judge_readiness
from canary.rollout.decision.tree import IDLE, Decision, Watch, decide, find_alerts, judge_data
from canary.rollout.evidence.view import EvidenceView, advise
from canary.rollout.failures.view import FailuresView
from canary.rollout.measure.burn import Burn, find_burn
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.freeze import find_freeze
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import (
    Event,
    OperatorSession,
    Presence,
    SideView,
    Snapshot,
    SourceView,
    StageView,
    find_presence,
)
from canary.rollout.text import format_duration
from canary.store.journal import Entry

EVENTS_SHOWN = 500
SLACK_S = 300.0
"""A clock may be set back by so much and still be the same clock."""


class Observed(msgspec.Struct, frozen=True):
    """All that is known at one moment, before anything is judged.

    `run` None: Cloud Run has never answered. Samples are oldest first; `entries` and `events` in
    any order. `watch` is the watch after the newest sample. `changes` are the known times at which
    the split changed, ascending. `comparison` is the evidence beside the tree. `rights` is what was
    asked about rollback readiness (None: nothing), `others` who else is here, `guard` how automatic
    rollback stands. `turned` is the newest turn of the verdict in the replay, None before any.
    """

    run: RunFacts | None = None
    legacy: tuple[Sample, ...] = ()
    canary: tuple[Sample, ...] = ()
    watch: Watch = IDLE
    changes: tuple[float, ...] = ()
    entries: tuple[Entry, ...] = ()
    events: tuple[Event, ...] = ()
    sources: tuple[SourceView, ...] = ()
    evidence: StageEvidence = NO_EVIDENCE
    ingest_delay_s: float | None = None
    scenario: str = ""
    speed: float = 1.0
    backfilled: bool = False
    comparison: EvidenceView | None = None
    failures: FailuresView | None = None
    rights: ReadinessFeed | None = None
    others: tuple[OperatorSession, ...] = ()
    guard: GuardView | None = None
    turned: VerdictTransition | None = None


class _Moment(msgspec.Struct, frozen=True):
    """What every part of the judgement is asked with."""

    plan: Plan
    observed: Observed
    now: float
    spans: Spans
    changed_at: float | None
    reduce: Reduce


FindBurn = Callable[..., Burn]


def assemble(
    plan: Plan,
    observed: Observed,
    now: float,
    reduce: Reduce = reduce_part,
    burn: FindBurn = find_burn,
) -> Snapshot:
    """The snapshot at `now` (cloud time). `reduce` may remember windows between two calls, `burn`
    what it found.
    """
    moment = _begin(plan, observed, now, reduce)
    legacy, canary = _view_side(moment, "legacy"), _view_side(moment, "canary")
    decision = decide(plan, canary.window, canary.data, observed.watch, now)
    decision = _unless_unset(decision, observed, now)
    stage = view_stage(plan, observed.run, now)
    return Snapshot(
        rollout=plan.name,
        provider=plan.provider,
        project=plan.target.project,
        region=plan.target.region,
        as_of=now,
        window_s=plan.metrics.window_minutes * 60.0,
        stage=stage,
        traffic=view_traffic(plan, observed.run),
        legacy=legacy,
        canary=canary,
        decision=decision,
        gates=_check_gates(moment, canary, stage, decision),
        alerts=find_alerts(plan, stage.index or 0, canary.window, canary.data),
        sources=observed.sources,
        changes=tuple(view_change(e) for e in observed.entries),
        events=_order(observed.events, observed.entries, _marks_of(observed.run)),
        standing=standing_of(plan, observed.run),
        speed=observed.speed,
        ingest_delay_s=observed.ingest_delay_s,
        scenario=observed.scenario,
        backfilled=observed.backfilled,
        evidence=observed.comparison,
        failures=observed.failures,
        advice=advise(observed.comparison, plan.evidence) if observed.comparison else None,
        readiness=_judge_readiness(moment, legacy, canary),
        presence=_find_presence(observed),
        guard=observed.guard,
        missing_rights=(observed.rights.missing_rights or ()) if observed.rights else (),
        retired=observed.run is not None and is_retired(plan, observed.run),
        hold=find_hold(observed.run.router.hold, now) if observed.run is not None else None,
        freeze=find_freeze(plan.freeze, now) if plan.freeze else None,
        irreversible=irreversible_of(observed.run),
        verdict_since=_find_since(observed, decision),
        differences=differences_of(plan, observed.run),
        marks=_marks_of(observed.run),
        burn=_find_burn(plan, observed, legacy, canary, burn),
    )


def _find_since(observed: Observed, decision: Decision) -> float | None:
    """When the verdict became what it is; None where that turn is not of this split any more."""
    turned = observed.turned
    if turned is None or turned.verdict != decision.verdict:
        return None
    is_past = bool(observed.changes) and turned.at <= observed.changes[-1]
    return None if is_past else turned.at


def _judge_readiness(moment: _Moment, legacy: SideView, canary: SideView) -> Readiness | None:
    run, observed = moment.observed.run, moment.observed
    if run is None or is_retired(moment.plan, run):
        return None
    windows = (legacy.window, canary.window)
    seen = (observed.rights, observed.sources, observed.entries, windows)
    return judge_readiness(
        find_rollback_readiness(moment.plan, run, *seen, moment.now, observed.speed)
    )


def _find_presence(observed: Observed) -> Presence:
    router = observed.run.router if observed.run is not None else None
    ours = frozenset(e.change.id for e in observed.entries)
    if router is None:
        return Presence(observed.others)
    return find_presence(
        observed.others, router.record, router.history, reconciling=router.reconciling, ours=ours
    )


def _unless_unset(decision: Decision, observed: Observed, now: float) -> Decision:
    """No "go on" where nobody knows which split the numbers are of.

    That is before Cloud Run has answered, and when it has been away for longer than a hiccup:
    somebody may have moved the split meanwhile.
    """
    if decision.verdict != "continue":
        return decision
    away_s = away_for_s(observed.sources, now, observed.speed)
    if observed.run is None:
        reason = "Cloud Run has not answered yet: what is set is not known."
    elif away_s > AWAY_S:
        reason = (
            f"Cloud Run has not answered for {format_duration(away_s)}: what is set is not known."
        )
    else:
        return decision
    return msgspec.structs.replace(decision, verdict="no_data", reason=reason)


def known_changes(
    run: RunFacts | None,
    entries: Iterable[Entry],
    moved_at: Iterable[float],
    now: float,
    redeployed: Redeployed | None = None,
) -> tuple[float, ...]:
    """The times at which the split changed, ascending; none later than now.

    A record from the future (another host's clock is ahead) counts as "just now": then nothing is
    judged, which is what is known. This host's own journal can only be from the future when the
    embedded cloud has lost its state; that change was in another world.
    """
    ours = (e for e in entries if e.outcome is not None and e.outcome.at <= now + SLACK_S)
    return tuple(sorted({min(at, now) for at in split_changes(run, ours, moved_at, redeployed)}))


def _begin(plan: Plan, observed: Observed, now: float, reduce: Reduce) -> _Moment:
    changed_at = observed.changes[-1] if observed.changes else None
    record = known_record(plan, observed.run)
    newest = (newest_data_end(observed.legacy), newest_data_end(observed.canary))
    entered_at = record.entered_at if record is not None else None
    spans = place_windows(plan, newest, now, changed_at, entered_at)
    return _Moment(plan, observed, now, spans, changed_at, reduce)


def _view_side(moment: _Moment, side: Side) -> SideView:
    plan, spans, now = moment.plan, moment.spans, moment.now
    observed = moment.observed
    samples = observed.legacy if side == "legacy" else observed.canary
    window = moment.reduce(samples, spans.tree_start, spans.end)
    state = _state_of(observed.run, side)
    # With the router `revisions` both sides are one service, whose `revision` is the candidate.
    shared = plan.target.shares_one_service and side == "legacy"
    return SideView(
        service=plan.target.legacy if side == "legacy" else plan.target.canary,
        window=window,
        criteria_window=moment.reduce(samples, spans.criteria_start, spans.end),
        data=judge_data(window, plan, now, moment.changed_at),
        data_age_s=data_age_s(samples, now),
        revision=state.revision if state is not None and not shared else "",
        scale=state.scale if state is not None else None,
        ready=state.ready if state is not None else None,
        samples=samples,
    )


def _state_of(run: RunFacts | None, side: Side) -> ServiceState | None:
    if run is None:
        return None
    return run.legacy if side == "legacy" else run.canary


def _check_gates(
    moment: _Moment, canary: SideView, where: StageView, decision: Decision
) -> tuple[Gate, ...]:
    plan, window, evidence = moment.plan, canary.criteria_window, moment.observed.evidence
    stage = stage_of(plan, moment.observed.run)
    if stage is None:
        return ()
    data = judge_data(window, plan, moment.now, moment.changed_at)
    gates = check_gates(
        plan,
        stage,
        window,
        data,
        where.soaked_hours,
        evidence,
        decision.verdict,
        where.entered_at,
        moment.now,
    )
    # Where nothing is asked (stage 0, the last stage) nothing is closed either.
    comparison = moment.observed.comparison
    return gates + regression_gates(comparison, plan.evidence.on_regression) if gates else gates


def _find_burn(
    plan: Plan, observed: Observed, legacy: SideView, canary: SideView, find: FindBurn
) -> Burn | None:
    """How fast the service burns its budget; None where the plan has no objective."""
    if plan.slo.objective is None:
        return None
    share = observed.run.router.percent if observed.run is not None else None
    dark = ("stale", "missing")
    is_blind = (share != 100 and legacy.data in dark) or (share != 0 and canary.data in dark)
    least = plan.slo.min_requests
    sides = (legacy.samples, canary.samples)
    return find(plan.slo.objective, least, *sides, is_blind=is_blind)


def _marks_of(run: RunFacts | None) -> tuple[Mark, ...]:
    return run.canary.marks if run is not None and run.canary is not None else ()


def _order(
    events: Sequence[Event], entries: Sequence[Entry], marks: Sequence[Mark]
) -> tuple[Event, ...]:
    """All events, newest first; of the same moment the one that was said later comes first."""
    noted = [Event(m.at, "info", format_mark(m), name_author(m)) for m in marks]
    merged = [*reversed(events), *journal_events(entries), *noted]
    return tuple(sorted(merged, key=lambda e: -e.at)[:EVENTS_SHOWN])
