"""Where the rollout stands, from what Cloud Run said: stage, split, drift, standing. Pure.

The record on the router's service is the truth about the stage; without one the stage is inferred
from the share. Nothing here needs metrics, so that going back is never refused for lack of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from canary.cloud.views import ServiceState
from canary.rollout.change.change import Guard, SetTraffic, Standing
from canary.rollout.change.irreversible import Irreversible, find_irreversible
from canary.rollout.change.stage_record import (
    StageRecord,
    find_plan_drift,
    infer_stage,
    soaked_hours,
)
from canary.rollout.evidence.verdict import AFFINITY
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.differences import Differences, compare
from canary.rollout.snapshot.snapshot import Drift, StageView, TrafficView
from canary.store.journal import Entry
from canary.store.split_seen import SplitSeen


class RunFacts(msgspec.Struct, frozen=True):
    """What Cloud Run said last. `router` carries the split and the record.

    A side is None when its service could not be read (the router could). `read_at` is cloud time.
    `missing` are the services of which Cloud Run said last that they do not exist; `seen` is since
    when the split stands beside its record as it does, None: not noted.
    """

    router: ServiceState
    legacy: ServiceState | None
    canary: ServiceState | None
    read_at: float
    missing: frozenset[str] = frozenset()
    seen: SplitSeen | None = None


def see_split(known: SplitSeen | None, router: ServiceState) -> SplitSeen:
    """How the split stands beside its record; `known` when that is as before."""
    record = router.record
    recorded, change = (None, "") if record is None else (record.percent, record.change)
    if known is not None and (known.recorded, known.actual) == (recorded, router.percent):
        return known
    return SplitSeen(recorded, router.percent, router.updated_at, router.last_modifier, change)


def recall_split(kept: SplitSeen | None, router: ServiceState, now: float) -> SplitSeen | None:
    """What an earlier console saw first, if it is of this very drift; None: it says nothing.

    Of another record, or from another time of an embedded cloud, it is not.
    """
    record = router.record
    if kept is None or kept.at is None or record is None or kept.change != record.change:
        return None
    return kept if record.written_at <= kept.at <= now else None


def stage_of(plan: Plan, run: RunFacts | None) -> int | None:
    """The stage by the record, else by the share; None when neither is known."""
    if run is None:
        return None
    record = known_record(plan, run)
    if record is not None:
        return record.stage
    return None if run.router.percent is None else infer_stage(plan, run.router.percent)


def known_record(plan: Plan, run: RunFacts | None) -> StageRecord | None:
    """The record, unless it names a stage that this plan does not have."""
    record = run.router.record if run is not None else None
    if record is None or not 0 <= record.stage <= len(plan.stages):
        return None
    return record


def view_stage(plan: Plan, run: RunFacts | None, now: float) -> StageView:
    """The stage, its soak and how much of it is done; all None when Cloud Run never answered.

    The soak of a Canary that was deployed anew begins with that: the hours before are another's.
    """
    index = stage_of(plan, run)
    record, redeployed = known_record(plan, run), find_redeployed(plan, run)
    if index is None:
        return StageView(None, "not known", None)
    spec = plan.stage(index) if index else None
    began_at = record.entered_at if record is not None else None
    if redeployed is not None:
        began_at = redeployed.at
    drifting_s = _drifting_s(run, began_at, now)
    return StageView(
        index=index,
        name=f"stage {index}" if index else "all traffic is on Legacy",
        percent=record.percent if record is not None else plan.percent_of(index),
        entered_at=began_at,
        soak_hours=spec.soak_hours if spec is not None else None,
        soaked_hours=_soaked(record, redeployed, drifting_s, now),
        lost_s=_lost(record, redeployed) + drifting_s,
        redeployed=redeployed.revision if redeployed is not None else "",
    )


def _lost(record: StageRecord | None, redeployed: Redeployed | None) -> float:
    return 0.0 if record is None or redeployed is not None else record.lost_s


def _soaked(
    record: StageRecord | None, redeployed: Redeployed | None, drifting_s: float, now: float
) -> float | None:
    """Hours at the stage's share, by the revision that serves; None without a record."""
    if record is None:
        return None
    hours = soaked_hours(record, now)
    if redeployed is not None:
        hours = max(0.0, now - redeployed.at) / 3600
    return max(0.0, hours - drifting_s / 3600)


def _drifting_s(run: RunFacts | None, began_at: float | None, now: float) -> float:
    """For how long the split has not been the record's, since the soak began; 0 if it is."""
    drift = find_drift(run)
    if drift is None or drift.at is None or began_at is None:
        return 0.0
    return max(0.0, now - max(drift.at, began_at))


class Redeployed(msgspec.Struct, frozen=True):
    """Another revision of Canary's serves than the stage was entered with, since `at`."""

    revision: str
    at: float


NEW_BY_CHANGE_S = 120.0
"""A revision that came so soon after the record was written came with that change."""


def find_redeployed(plan: Plan, run: RunFacts | None) -> Redeployed | None:
    """Whether Canary was deployed anew in the middle of the stage; None when it was not, or when
    that cannot be told.
    """
    record = known_record(plan, run)
    if run is None or run.canary is None or record is None or record.percent == 0:
        return None
    serving, since = run.canary.serving, run.canary.serving_since
    if not record.revision:
        since = run.canary.serving_created  # written by a version that did not note the revision
    if not serving or since is None or record.revision == serving or since <= record.entered_at:
        return None
    # Where the variable is Canary's own service's, each change of the share makes a revision.
    own = plan.target.router.makes_revisions and plan.router_service == plan.target.canary
    if own and since - record.written_at < NEW_BY_CHANGE_S:
        return None
    return Redeployed(serving, since)


def find_drift(run: RunFacts | None, plan: Plan | None = None) -> Drift | None:
    """The share that is set where it is not the record's; author and time of the update with which
    it was first seen. With `plan` also where the record is not the plan's, which was edited since.
    """
    if run is None or run.router.record is None or run.router.percent is None:
        return None
    record, router = run.router.record, run.router
    plan_has = "" if plan is None else find_plan_drift(plan, record)
    actual = run.router.percent
    if record.percent == actual:
        return Drift(record.percent, actual, plan_has=plan_has) if plan_has else None
    seen = see_split(run.seen, router)
    return Drift(record.percent, actual, seen.by, seen.at, plan_has)


def view_traffic(plan: Plan, run: RunFacts | None) -> TrafficView:
    """The split as Cloud Run had it when it last answered."""
    if run is None:
        return TrafficView(None)
    router = run.router
    error = router.record_error
    if router.record is not None and known_record(plan, run) is None:
        error = f"The record names stage {router.record.stage}; the plan has {len(plan.stages)}."
    return TrafficView(
        canary_percent=router.percent,
        record=router.record,
        record_error=error,
        drift=find_drift(run, plan),
        reconciling=router.reconciling,
        served_percent=router.served_percent,
        guard=_guard(run),
        last_modifier=router.last_modifier,
        updated_at=router.updated_at,
        history=router.history,
        ready=router.ready if plan.target.router.is_on_service else None,
        split_trouble=router.split_trouble,
        pinned=router.pinned,
        others=router.others,
        affinity=bool(find_invalid(run)),
    )


def standing_of(plan: Plan, run: RunFacts | None) -> Standing | None:
    """What a change is built from; None only when Cloud Run has never answered."""
    if run is None:
        return None
    stage, drift = stage_of(plan, run), find_drift(run)
    return Standing(
        stage=0 if stage is None else stage,
        percent=run.router.percent,
        guard=_guard(run),
        record=known_record(plan, run),
        scale_legacy=run.legacy.scale if run.legacy is not None else None,
        scale_canary=run.canary.scale if run.canary is not None else None,
        recorded=run.router.record.percent if run.router.record is not None else None,
        served=run.router.served_percent,
        in_doubt=is_in_doubt(plan, run.router),
        limits_legacy=run.legacy.limits if run.legacy is not None else None,
        limits_canary=run.canary.limits if run.canary is not None else None,
        others=run.router.others,
        drifted_at=drift.at if drift is not None else None,
        hold=run.router.hold,
        irreversible=run.canary.irreversible if run.canary is not None else None,
    )


NOT_READ: Final = {
    "url-map": "Where the URL map's backends lead is not read: these are the plan's services.",
    "command": "What the program routes to is not known: these are the plan's services.",
}
"""What a router cannot tell of what it splits between, by its kind."""


def differences_of(plan: Plan, run: RunFacts | None) -> Differences | None:
    """What is different about Canary; None while a side is not known, or is gone."""
    if run is None or run.canary is None:
        return None
    canary = run.canary.deployed
    if plan.target.shares_one_service:
        legacy = run.router.stable_deployed
    else:
        legacy = run.legacy.deployed if run.legacy is not None else None
    if legacy is None or canary is None:
        return None
    return compare(legacy, canary, NOT_READ.get(plan.target.router.kind, ""))


def irreversible_of(run: RunFacts | None) -> Irreversible | None:
    """The step that no rollback undoes, as Canary's service and revision tell; None: none known."""
    if run is None or run.canary is None:
        return None
    canary = run.canary
    return find_irreversible(canary.irreversible, canary.deployed_mark, canary.serving)


def is_in_doubt(plan: Plan, router: ServiceState) -> bool:
    """Whether what is set may not be what serves: it is settling, the last change failed, or
    traffic does not follow.
    """
    failed = plan.target.router.is_on_service and router.ready is False
    if router.split_trouble or router.others:
        return True
    told = router.reconciling or failed or router.served_percent is not None
    return told and router.served_percent != router.percent


def split_changes(
    run: RunFacts | None,
    entries: Iterable[Entry],
    moved_at: Iterable[float],
    redeployed: Redeployed | None = None,
) -> tuple[float, ...]:
    """When the split is known to have changed, oldest first: no window may reach across one.

    From the record (when the stage was entered, and when the record was written, which of a revert
    is later), from a drift (when it was first seen), from settled changes of the journal, and from
    `moved_at`: the moments at which a share was seen to move. An adoption counts too: a few minutes
    of "masked" are cheaper than a judgement on numbers from before.
    """
    times = set(moved_at)
    if redeployed is not None:
        times.add(redeployed.at)
    if run is not None and run.router.record is not None:
        record, seen = run.router.record, see_split(run.seen, run.router)
        times |= {record.entered_at, record.written_at}
        # An older console's revert does not say when it was.
        dateless = record.move == "revert" and record.moved_at is None
        if (dateless or find_drift(run) is not None) and seen.at is not None:
            times.add(seen.at)
    times.update(at for entry in entries for at in _moved_by(entry))
    return tuple(sorted(times))


def _moved_by(entry: Entry) -> tuple[float, ...]:
    """When a journaled change moved the split; an unknown outcome may have."""
    if entry.outcome is None or entry.outcome.state not in ("done", "unknown"):
        return ()
    moves = any(
        isinstance(s, SetTraffic) and s.before_percent != s.percent for s in entry.change.steps
    )
    return (entry.outcome.at,) if moves else ()


def _guard(run: RunFacts) -> Guard:
    canary = (run.canary.serving or run.canary.revision) if run.canary is not None else ""
    router = run.router
    record = router.record.change if router.record is not None else ""
    return Guard(
        router.name,
        router.etag,
        router.percent,
        canary,
        record,
        bool(router.pinned),
        router.place,
    )


def find_invalid(run: RunFacts) -> str:
    """Why the sides cannot be compared whatever the numbers say: session affinity; "" for none."""
    sides = (run.router, run.legacy, run.canary)
    return AFFINITY if any(side is not None and side.affinity for side in sides) else ""


def share_in_effect(router: ServiceState) -> int | None:
    """The share by which the numbers are to be taken: what serves once it has settled, else what
    is set.
    """
    served = router.served_percent
    return router.percent if served is None or router.reconciling else served
