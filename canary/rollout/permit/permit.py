"""Whether a change is permitted now, and if not, why not in one sentence.

Asked by the screen (greyed keys), by the shell, and once more when a change is confirmed.

- A promotion needs every gate met, which includes fresh and sufficient data, and no drift.
- Going back needs neither metrics nor gates: it is never refused for lack of them, nor because
  another change is in flight (a promotion that is stuck is a reason to roll back). Only when Legacy
  was deleted there is nothing to go back to.
- A hold of a person and a freeze of the plan block promotion and nothing else. A freeze gives way
  to force and a reason, as gates do; a hold is released first, so that it is said who ended it.
- What a final approval has left undone is a promotion's rest: what blocks the one blocks the other.
- Whatever was decided on a split that has changed since is refused. What else was changed on the
  service refuses a promotion, and never hinders going back.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec
from msgspec import UNSET

from canary.rollout.change.change import (
    ANNOTATING,
    GOING_BACK,
    Change,
    Guard,
    Kind,
    SetTraffic,
    goes_on,
)
from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.decision.gates import DATA_WORDS, Gate, unmet, verdict_gate
from canary.rollout.decision.guard import Cause, Seen, Trigger
from canary.rollout.decision.tree import SEVERITY
from canary.rollout.errors import (
    Conflict,
    GateNotMet,
    IllegalTransition,
    ReadOnly,
    UsageError,
)
from canary.rollout.permit.standstill import check_held, check_thawed, why_held
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import find_hindrance, find_rolled_back_revision
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_duration, format_limit, format_value, sanitize

RETIRED: Final = "Legacy has been retired: there is nothing to go back to."


def authorize(
    change: Change, snapshot: Snapshot, *, read_only: bool, force: bool | None = None
) -> None:
    """Let the change pass, or raise; nothing is changed by asking.

    `force` (default: what the change says of itself) overrides gates, never a conflict; it needs
    the change's reason. Raises ReadOnly, UsageError (force without a reason), Conflict (the split
    or the stage is not what it was decided on), GateNotMet (naming every gate) and
    IllegalTransition (back to a Legacy that was retired).
    """
    forced = change.forced if force is None else force
    if read_only:
        raise ReadOnly(
            "This console is read-only: nothing can be changed from here.",
            remedy="Start it without --read-only, with the right to change the service.",
        )
    if forced and not change.reason.strip():
        raise UsageError("Gates are overridden only with a reason.", remedy="Give --reason TEXT.")
    if goes_on(change):
        check_held(snapshot)  # first: a hold has touched the service, too
    _check_unchanged(change, snapshot)
    if change.kind in GOING_BACK:
        _check_legacy_exists(snapshot)
        return
    if change.kind in ANNOTATING:
        return
    _check_alone(snapshot, change)
    if goes_on(change):
        _check_going_on(change, snapshot, forced=forced)
    if change.kind == "retire" and not forced:
        _check_retirement(change)


def _check_going_on(change: Change, snapshot: Snapshot, *, forced: bool) -> None:
    """Of a promotion, and of what one has left undone."""
    if change.kind == "promote":
        _check_not_rolled_back(change, snapshot)
    if not forced:
        check_thawed(snapshot)
        _check_served(snapshot)
    _check_no_drift(snapshot)
    if not forced:
        _check_gates(promotion_gates(snapshot))


def authorize_intent(change: Change, *, read_only: bool = False) -> None:
    """The same question of an intent from the journal, answered by the evidence that it carries.

    The second lock on the door, for the process that carries changes out and sees no metrics.
    Raises ReadOnly, UsageError or GateNotMet.
    """
    if read_only:
        raise ReadOnly("Changes are refused here: read-only.")
    if change.forced and not change.reason.strip():
        raise UsageError("Gates were overridden without a reason.")
    if change.kind == "retire" and not change.forced:
        _check_retirement(change)
    if change.kind == "promote" and not change.forced and change.evidence.gates_unmet:
        names = ", ".join(change.evidence.gates_unmet)
        raise GateNotMet(f"The promotion was asked for with gates not met: {names}.")


def why_not(kind: Kind, snapshot: Snapshot | None, read_only: bool) -> str | None:
    """Why `kind` can do nothing now, in one sentence; None when it can. For keys and menus."""
    if read_only:
        return "This console is read-only."
    if snapshot is None or snapshot.standing is None:
        return "Cloud Run has not answered yet: what is set is not known."
    if snapshot.missing_rights:
        tried = " `canary rollback` in a shell tries it even so." if kind in GOING_BACK else ""
        return f"{format_missing_rights(snapshot.missing_rights)}{tried}"
    reason = _why_pointless(kind, snapshot)
    if kind in ANNOTATING:
        return _why_not_written(kind, snapshot)
    if reason is not None or kind in GOING_BACK:
        return reason
    flying = _in_flight(snapshot)
    if flying is not None:
        return f"Another change is in flight: {flying}."
    return _why_not_on(snapshot) if kind == "promote" else None


def why_not_completed(snapshot: Snapshot | None, read_only: bool) -> str | None:
    """Why what a final approval has left undone cannot be done now; None when it can."""
    reason = why_not("scale", snapshot, read_only)
    return _why_not_on(snapshot) if reason is None and snapshot is not None else reason


def why_not_change(change: Change, snapshot: Snapshot, read_only: bool) -> str | None:
    """Why a change that is asked about can do nothing now; None when it can."""
    if change.kind != "promote" and goes_on(change):
        return why_not_completed(snapshot, read_only)
    return why_not(change.kind, snapshot, read_only)


def _why_not_written(kind: Kind, snapshot: Snapshot) -> str | None:
    if kind == "release" and snapshot.hold is None:
        return "Nothing is held."
    if kind == "clear_irreversible" and snapshot.irreversible is None:
        return "Nothing is marked irreversible."
    return None


def _why_not_on(snapshot: Snapshot) -> str | None:
    hindrance, drift = find_hindrance(snapshot.traffic), snapshot.traffic.drift
    if hindrance is not None and not snapshot.traffic.reconciling:
        return hindrance.said
    if drift is not None and drift.is_plans:
        return "The plan was changed since: adopt the present split first."
    if drift is not None:
        return "The split was changed elsewhere: adopt or revert it first."
    held = why_held(snapshot)
    if held:
        return held
    gates = promotion_gates(snapshot)
    return f"Blocked: {', '.join(map(_format_open, gates))}." if gates else None


def _format_open(gate: Gate) -> str:
    """A gate that blocks: of the soak how far it is, of all others the name."""
    if gate.id != "soak_hours" or gate.observed is None or gate.limit is None:
        return gate.label
    soaked, required = (format_duration(h * 3600) for h in (gate.observed, gate.limit))
    return f"{gate.label} {soaked} of {required}"


def format_missing_rights(rights: tuple[str, ...]) -> str:
    """Why a console is read-only that was not asked to be; `rights` as in the snapshot."""
    return (
        f"Read-only: this identity lacks {', '.join(rights)}."
        " `canary doctor` names the roles that are missing."
    )


def promotion_gates(snapshot: Snapshot) -> tuple[Gate, ...]:
    """The gates that forbid a promotion now; empty when it may go on.

    From stage 0 nothing is measured yet and nothing is asked, unless the tree advises against it.
    """
    closed = unmet(snapshot.gates)
    verdict = snapshot.decision.verdict
    measured = bool(snapshot.gates)
    wrong = verdict != "continue" if measured else SEVERITY[verdict] > SEVERITY["no_data"]
    blind = measured and snapshot.canary.data != "ok"
    if (wrong or blind) and not any(g.id == "verdict" for g in closed):
        gate = msgspec.structs.replace(verdict_gate(verdict), observed=None)
        if blind:
            words = DATA_WORDS[snapshot.canary.data]
            gate = msgspec.structs.replace(gate, state="no_data", evidence=words)
        closed += (gate,)
    return closed + _unsettled(snapshot)


def _unsettled(snapshot: Snapshot) -> tuple[Gate, ...]:
    """No promotion on top of a change that is not served yet, or never was."""
    traffic = snapshot.traffic
    if traffic.reconciling or traffic.in_doubt:
        unserved = traffic.is_unserved or traffic.split_trouble
        why = "it is not served" if unserved else "it failed"
        why = "still settling" if traffic.reconciling else why
        return (Gate("in_effect", "last change in effect", 0.0, "=", 1.0, "not_met", why, False),)
    hindrance = find_hindrance(traffic)
    if hindrance is None:
        return ()
    why = hindrance.said
    return (Gate("follows", "traffic follows what is set", 0.0, "=", 1.0, "not_met", why, False),)


def _why_pointless(kind: Kind, snapshot: Snapshot) -> str | None:
    """Why `kind` leads nowhere from where the rollout stands."""
    if snapshot.retired and kind in GOING_BACK:
        return RETIRED
    stage, traffic = snapshot.stage.index, snapshot.traffic
    if kind == "promote" and stage and not snapshot.gates:
        return f"Stage {stage} is the last one."
    if kind == "step_back" and stage is not None and stage <= 1:
        return "There is no stage before this one; roll back all takes all to Legacy."
    if kind == "rollback_all" and stage == 0 and traffic.is_all_on_legacy:
        return None if traffic.drift is not None else "All traffic is on Legacy already."
    served = not traffic.is_unserved and not traffic.others
    if kind == "revert" and not served and traffic.record is not None:
        return None
    if kind in ("adopt", "revert") and traffic.drift is None and traffic.record is not None:
        return "The split is what the record says."
    if kind == "revert" and traffic.drift is not None and traffic.drift.is_plans:
        return "The split is what the record says; the plan was changed: adopt it."
    if kind == "revert" and traffic.record is None:
        return "There is no stage record to revert to."
    return None


def holds(kind: Kind, guard: Guard, now: Guard) -> bool:
    """Whether what a change of `kind` was decided on still holds.

    Going back asks for share and record alone: another tool may touch the service every second, and
    who insists on the etag then never goes back.
    """
    if kind not in GOING_BACK:
        return (guard.etag, guard.percent) == (now.etag, now.percent)
    unknown = UNSET in (guard.record, now.record)
    same_record = unknown or guard.record == now.record
    return same_record and guard.percent == now.percent


def _check_unchanged(change: Change, snapshot: Snapshot) -> None:
    """Refuse what was decided on another state of the service than the newest that is known."""
    guard = next((s.guard for s in change.steps if isinstance(s, SetTraffic)), None)
    now = snapshot.traffic.guard
    if guard is None or now is None or holds(change.kind, guard, now):
        return
    was = "unknown" if guard.percent is None else f"{guard.percent} %"
    shown = "unknown" if now.percent is None else f"{now.percent} %"
    by = snapshot.traffic.last_modifier
    raise Conflict(
        f"The service was changed meanwhile{f' by {by}' if by else ''}:"
        f" Canary had {was} when this was decided and has {shown} now.",
        remedy="Look again, then ask again.",
    )


def _check_legacy_exists(snapshot: Snapshot) -> None:
    """The one thing that forbids going back: all traffic would go to what is gone."""
    if snapshot.retired:
        raise IllegalTransition(RETIRED, remedy="Go on with Canary, or deploy Legacy again first.")


def _check_alone(snapshot: Snapshot, change: Change) -> None:
    flying = _in_flight(snapshot, besides=change.id)
    if flying is not None:
        raise Conflict(
            f"Another change is in flight: {flying}.", remedy="Wait for it to end, then ask again."
        )


def _in_flight(snapshot: Snapshot, besides: str = "") -> str | None:
    going = (c for c in snapshot.changes if c.outcome is None and c.id != besides)
    open_ones = (c for c in going if c.kind != "note")
    first = next(open_ones, None)
    return None if first is None else f"{first.title}, {first.author}"


def _check_no_drift(snapshot: Snapshot) -> None:
    drift = snapshot.traffic.drift
    if drift is not None and drift.is_plans:
        raise Conflict(
            f"The record says {drift.recorded_percent} %, the plan has {drift.plan_has}: it was"
            " changed since.",
            remedy="Adopt the present split (`canary adopt`), then promote; or roll back.",
        )
    if drift is not None:
        raise Conflict(
            f"The split is {drift.actual_percent} %, the record says {drift.recorded_percent} %:"
            " it was changed elsewhere.",
            remedy="Adopt the present split or revert it, then promote.",
        )


AUTOMATIC: Final = "automatic rollback: "
"""How the reason of what automatic rollback did begins, in the record."""


def _format_automatic(snapshot: Snapshot) -> str:
    """What automatic rollback did last, if nobody has moved the split since; else ""."""
    record = snapshot.traffic.record
    if record is None or record.move not in GOING_BACK or not record.reason.startswith(AUTOMATIC):
        return ""
    return f"The last move was an {sanitize(record.reason, 200)}."


def find_reason_needed(snapshot: Snapshot) -> str:
    """Why a promotion takes a reason: the revision was rolled back, or automatic rollback was what
    moved last; "" where it needs none.
    """
    return find_rolled_back_revision(snapshot) or _format_automatic(snapshot)


def _check_not_rolled_back(change: Change, snapshot: Snapshot) -> None:
    """After an automatic rollback, and of a revision that was rolled back, somebody says why."""
    said = find_reason_needed(snapshot)
    if said and not change.reason.strip():
        raise GateNotMet(
            f"{said} Promoting it again takes a reason.",
            remedy="Deploy what mends it, or give --reason TEXT.",
        )


def _check_served(snapshot: Snapshot) -> None:
    """A share that is set and does not serve is no stage to stand on, nor to go on from."""
    hindrance = find_hindrance(snapshot.traffic)
    if hindrance is not None and not snapshot.traffic.reconciling:
        raise GateNotMet(hindrance.said, remedy=hindrance.remedy)


def _check_retirement(change: Change) -> None:
    """What is against it was found when it was built, and rides in its evidence."""
    if change.evidence.gates_unmet:
        raise GateNotMet(
            f"Legacy must not be deleted now: {', '.join(change.evidence.gates_unmet)}.",
            remedy="`canary retire plan` says why; --force and a reason override it.",
        )


def _check_gates(closed: tuple[Gate, ...]) -> None:
    if closed:
        names = ", ".join(f"{g.label} ({g.state.replace('_', ' ')})" for g in closed)
        raise GateNotMet(
            f"Not every gate is met: {names}.",
            remedy="Wait until they are, or override them with --force and a reason.",
        )


# What automatic rollback would act on: from one Snapshot to a cause, or to why none. Pure.
#
# Only what may be judged counts: fresh, sufficient data of Canary from after the last change.
#
# =====================  ============================================
# trigger                what is done
# =====================  ============================================
# a critical limit       roll back all
# a watch overdue        one stage back
# the stage's own limit  one stage back
# a proven regression    one stage back, where the plan says so
# =====================  ============================================
#
# From the first stage, one stage back is roll back all. The share is never raised: after somebody
# lowered it by hand, "one stage back" may be more than there is, and nothing is done.


def find_cause(plan: Plan, snapshot: Snapshot) -> Seen:
    """The cause to act on now, if any."""
    data, standing = snapshot.canary.data, snapshot.standing
    if data != "ok" or snapshot.decision.data != "ok":
        state = data if data != "ok" else snapshot.decision.data
        return Seen(None, "data stale" if state == "stale" else DATA_WORDS[state])
    share = standing.most_percent if standing is not None else None
    if standing is None or share is None:
        return Seen(None, "the present share is not known")
    found = _find_trigger(snapshot)
    if found is None or share == 0:
        return Seen(None)
    trigger, said = found
    kind: Literal["step_back", "rollback_all"] = (
        "rollback_all" if trigger == "critical" or standing.stage <= 1 else "step_back"
    )
    if kind == "step_back" and plan.percent_of(standing.stage - 1) >= share:
        return Seen(None, "the share was lowered by hand already")
    going = next((c for c in snapshot.changes if c.outcome is None and c.kind in GOING_BACK), None)
    if going is not None:
        return Seen(None, f"a rollback is in flight: {going.author}")
    cause = Cause(f"{_entry_of(snapshot)}:{trigger}", kind, trigger, said)
    if snapshot.irreversible is not None:
        return Seen(cause, stands_down=format_irreversible(snapshot.irreversible))
    return Seen(cause)


def _find_trigger(snapshot: Snapshot) -> tuple[Trigger, str] | None:
    decision = snapshot.decision
    if decision.verdict == "rollback_all":
        return "critical", decision.reason
    if decision.verdict == "rollback_stage":
        return "overdue", decision.reason
    own = next((a for a in snapshot.alerts if a.scope == "stage"), None)
    if own is None:
        advice = snapshot.advice
        # "Worse now" alone never acts: bursts in Canary alone can fool the quick test.
        acts = advice is not None and advice.action == "rollback" and advice.tier == "proven"
        return ("regression", advice.text) if advice is not None and acts else None
    shown, limit = format_value(own.id, own.observed), format_limit(own.id, own.limit)
    return "stage", f"beyond the stage's own limit: {own.id.replace('_', ' ')} {shown} ({limit})"


def _entry_of(snapshot: Snapshot) -> str:
    """Which entry into which stage this is: the change that made it, else what is known of it."""
    record = snapshot.traffic.record
    if record is None:
        return f"unrecorded {snapshot.traffic.canary_percent}"
    return record.change or f"{record.stage} since {record.entered_at:.0f}"
