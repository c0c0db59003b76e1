"""The wishes that move the split: name of the action → change, or why not."""

from __future__ import annotations

from collections.abc import Callable

from canary.rollout.change import moves
from canary.rollout.change.change import Change, Kind, Request, Standing
from canary.rollout.errors import GateNotMet
from canary.rollout.permit import permit
from canary.rollout.snapshot.snapshot import Snapshot
from tui.actions.approval import is_half_way, prepare_completion
from tui.actions.pending import Pending, Situation, make_request, pin

KINDS: dict[str, Kind] = {
    "promote": "promote",
    "step_back": "step_back",
    "rollback_all": "rollback_all",
    "adopt": "adopt",
    "revert": "revert",
    "scale": "scale",
}
"""Actions that change the cloud → the kind of change they ask for."""

NOT_LOOKED: str = "Cloud Run has not answered yet: nothing can be changed until it has."


def why_not(action: str, situation: Situation) -> str | None:
    """Why an action can do nothing now; None when it can. Actions that only look always can."""
    if action.startswith("stage_"):
        return _why_not_stage(int(action.removeprefix("stage_")), situation)
    kind = KINDS.get(action)
    if kind is None:
        return None
    if situation.snapshot is None:
        return NOT_LOOKED
    if action == "promote" and is_half_way(situation):
        kind = "scale"
    return permit.why_not(kind, situation.snapshot, situation.read_only)


def prepare(action: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """Build the change of an action that moves the split (`stage_N` included).

    Raises CanaryError with the reason when it is not permitted or not possible.
    """
    reason = why_not(action, situation)
    snapshot = situation.snapshot
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or NOT_LOOKED)
    if action == "promote" and is_half_way(situation):
        return prepare_completion(situation, new_id)
    request = make_request(situation, snapshot, new_id)
    change = _build(action, situation, snapshot.standing, request)
    return pin(situation, snapshot, change)


def _build(action: str, situation: Situation, standing: Standing, request: Request) -> Change:
    plan = situation.plan
    if action.startswith("stage_"):
        target = int(action.removeprefix("stage_"))
        if target == standing.stage + 1:
            return moves.promote(plan, standing, request)
        return moves.step_back(plan, standing, request, target)
    match KINDS[action]:
        case "promote":
            return moves.promote(plan, standing, request)
        case "step_back":
            return moves.step_back(plan, standing, request)
        case "rollback_all":
            return moves.rollback_all(plan, standing, request)
        case "adopt":
            return moves.adopt(plan, standing, request)
        case "revert":
            return moves.revert(plan, standing, request)
        case kind:
            raise AssertionError(f"{kind} does not move the split")


def _why_not_stage(target: int, situation: Situation) -> str | None:
    snapshot: Snapshot | None = situation.snapshot
    if snapshot is None or snapshot.standing is None:
        return NOT_LOOKED
    at = snapshot.standing.stage
    if target == at:
        return f"The rollout is at stage {target} already."
    if target > at + 1:
        return f"Stage {target} is entered from stage {target - 1}: the next one is {at + 1}."
    kind: Kind = "promote" if target == at + 1 else "step_back"
    return permit.why_not(kind, snapshot, situation.read_only)
