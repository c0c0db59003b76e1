"""What a person may ask for in a state, by the product's own rules; guards can be taken out."""

from __future__ import annotations

from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request, Standing
from canary.rollout.change.stage_record import Move
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from tests.search.world import BACKUP, Cloud, request_of, standing_of

KINDS = ("promote", "step_back", "rollback_all", "adopt", "revert", "backup", "canary_down")


def ask(plan: Plan, cloud: Cloud, kind: str, name: str, without: frozenset[str]) -> Change | None:
    """The change; None where it is not permitted, or nothing is to be done."""
    if "served" in without and kind == "promote" and cloud.percent == 100:
        cloud = cloud._replace(served=100)
    return build(plan, standing_of(plan, cloud), kind, name, without)


def build(
    plan: Plan, standing: Standing, kind: str, name: str, without: frozenset[str]
) -> Change | None:
    """As `ask`, from where the rollout stands."""
    request = request_of(name)
    try:
        match kind:
            case "promote":
                return _promote(plan, standing, request, without)
            case "step_back" if "never more" in without:
                return moves._move(plan, standing, request, "step_back", standing.stage - 1)
            case "backup":
                if standing.percent != 100 or standing.limits_legacy == BACKUP:
                    return None
                return moves.scale(plan, standing, request, "legacy", BACKUP)
            case "canary_down":
                if standing.limits_canary == BACKUP or standing.percent:
                    return None
                return moves.scale(plan, standing, request, "canary", BACKUP)
            case "adopt" | "revert" if standing.percent == standing.recorded:
                return None
            case _:
                made = getattr(moves, kind)
                return made(plan, standing, request)  # type: ignore[no-any-return]
    except CanaryError:
        return None


def _promote(
    plan: Plan, standing: Standing, request: Request, without: frozenset[str]
) -> Change | None:
    if standing.percent != standing.recorded:
        return None  # drift: permit refuses it
    if moves.is_final(plan, standing.stage) and standing.percent == 100:
        return moves.complete_approval(plan, standing, request)
    if standing.in_doubt:
        return None  # permit: the last change is not in effect
    if "plan" in without:
        kind: Move = "promote"
        return moves._move(plan, standing, request, kind, standing.stage + 1)
    return moves.promote(plan, standing, request)
