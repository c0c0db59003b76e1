"""The plan's limits as the steps of colour that a panel of Grafana's knows. Pure."""

from __future__ import annotations

from canary.rollout.grafana_panels import Steps
from canary.rollout.plan import Plan, Thresholds


def rising_steps(plan: Plan, name: str) -> Steps:
    """Limits that are passed upwards: green below the warning, red above the critical."""
    warning, critical = _limit(plan.alerts.warning, name), _limit(plan.alerts.critical, name)
    steps: list[tuple[str, float | None]] = [("green", None)]
    steps += [("yellow", warning)] if warning is not None else []
    steps += [("red", critical)] if critical is not None else []
    return tuple(steps)


def success_steps(plan: Plan) -> Steps:
    """Limits that are passed downwards: red at the bottom."""
    warning, critical = plan.alerts.warning.success_ratio, plan.alerts.critical.success_ratio
    return _upwards(critical, warning)


def confidence_steps(plan: Plan) -> Steps:
    """The alerts' limits if the plan has them, else the least and the most that a stage asks."""
    warning, critical = plan.alerts.warning.confidence, plan.alerts.critical.confidence
    asked = [s.criteria.min_confidence for s in plan.stages if s.criteria is not None]
    if warning is None and critical is None and asked:
        critical, warning = min(asked), max(asked)
    return _upwards(critical, warning)


def _upwards(critical: float | None, warning: float | None) -> Steps:
    """Red below the critical, yellow below the warning, green above."""
    if critical is None and warning is None:
        return (("green", None),)
    steps: list[tuple[str, float | None]] = [("red" if critical is not None else "yellow", None)]
    if critical is not None and warning is not None and warning > critical:
        steps.append(("yellow", critical))
    best = warning if warning is not None else critical
    return (*steps, ("green", best))


def _limit(thresholds: Thresholds, name: str) -> float | None:
    value: float | None = getattr(thresholds, name)
    return value
