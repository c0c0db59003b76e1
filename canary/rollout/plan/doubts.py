"""Limits that a plan may have and that guard nothing: said, and no mistake. Pure.

A limit that can never fail is met by every Canary; one that is laxer than the critical limit of the
decision tree is never reached, since the tree has rolled everything back before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from canary.rollout.plan.plan import Criteria, Plan, Thresholds
from canary.rollout.text import format_limit

LONGEST_MS: Final = 3_600_000.0
"""Cloud Run ends a request after an hour at most."""

_CRITERIA: Final = {
    "max_error_ratio": "error_ratio",
    "max_p95_ms": "p95_ms",
    "min_success_ratio": "success_ratio",
    "min_confidence": "confidence",
}
_CEILINGS: Final = ("error_ratio", "p95_ms")


def find_doubts(plan: Plan) -> tuple[str, ...]:
    """One sentence for each limit that guards nothing, in the plan's order; empty: none."""
    found: list[str] = []
    for index, stage in enumerate(plan.stages):
        if stage.criteria is not None and index < len(plan.stages) - 1:
            found += _of_criteria(f"stages[{index}].criteria", stage.criteria, plan)
        if stage.automatic_rollback is not None:
            path = f"stages[{index}].automatic_rollback"
            found += _of_thresholds(path, stage.automatic_rollback, plan.alerts.critical)
    for scope in ("warning", "critical"):
        found += _of_thresholds(f"alerts.{scope}", getattr(plan.alerts, scope), None)
    return tuple(found)


def _of_criteria(path: str, criteria: Criteria, plan: Plan) -> Iterator[str]:
    known = {name: getattr(criteria, name) for name in _CRITERIA}
    if not any(limit is not None for limit in known.values()):
        yield f"{path} is empty: leaving the stage takes its soak alone, whatever Canary shows."
    for name, limit in known.items():
        yield from _judge(f"{path}.{name}", _CRITERIA[name], limit, plan.alerts.critical)


def _of_thresholds(path: str, limits: Thresholds, critical: Thresholds | None) -> Iterator[str]:
    for name in _CRITERIA.values():
        yield from _judge(f"{path}.{name}", name, getattr(limits, name), critical)


def _judge(path: str, name: str, limit: float | None, critical: Thresholds | None) -> Iterator[str]:
    if limit is None:
        return
    shown = format_limit(name, limit)
    most = LONGEST_MS if name == "p95_ms" else 1.0
    if (limit >= most) if name in _CEILINGS else (limit <= 0.0):
        yield f"{path} is {shown}: nothing can ever be beyond it."
        return
    hard = getattr(critical, name) if critical is not None else None
    if hard is not None and ((limit > hard) if name in _CEILINGS else (limit < hard)):
        yield (
            f"{path} is {shown}, laxer than alerts.critical.{name} ({format_limit(name, hard)}):"
            " there everything is rolled back already."
        )
