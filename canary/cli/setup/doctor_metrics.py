"""What `canary doctor` says of a Prometheus that the numbers come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.cli.setup.doctor_host import Finding
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_duration

if TYPE_CHECKING:
    from canary.cloud.prometheus.reader import Facts
    from canary.engine.session import Session


async def look_at_metrics(plan: Plan, session: Session) -> list[Finding]:
    """Whether both sides are there, and whether a limit lies beyond what can be seen."""
    if plan.metrics.source != "prometheus":
        return []
    from canary.cloud.prometheus.reader import PrometheusReader

    what = "series in Prometheus"
    try:
        reader = PrometheusReader(session.cloud.connection, plan)
    except CanaryError as error:
        return [Finding(what, "wrong", error.message, error.remedy)]
    try:
        facts = await reader.inspect(session.clock.now())
    except CanaryError as error:
        return [Finding(what, "wrong", error.message, error.remedy)]
    finally:
        await reader.close()
    return [_of_sides(facts, what), *_of_bounds(plan, facts)]


def _of_sides(facts: Facts, what: str) -> Finding:
    version = f"version {facts.version}, " if facts.version else ""
    said = f"{version}{facts.series} series of the last ten minutes"
    missing = [side for side in ("legacy", "canary") if side not in facts.sides]
    if missing:
        none = " and ".join(side.capitalize() for side in missing)
        remedy = (
            "See that metrics.side_label, legacy_side and canary_side name what the series have."
        )
        return Finding(what, "wrong", f"{said}; none of {none}", remedy)
    if not facts.has_latency:
        remedy = "Expose a histogram, or name it in metrics.selectors.latency."
        return Finding(what, "wrong", f"{said}; no histogram of latency", remedy)
    return Finding(what, "ok", f"{said}, of both sides")


def _of_bounds(plan: Plan, facts: Facts) -> list[Finding]:
    """A limit beyond the last bound is never seen as passed: p95 is "at least" the bound."""
    if facts.top_bound_ms is None:
        return []
    limits = [t.p95_ms for t in (plan.alerts.warning, plan.alerts.critical) if t.p95_ms]
    limits += [s.criteria.max_p95_ms for s in plan.stages if s.criteria and s.criteria.max_p95_ms]
    hidden = sorted({limit for limit in limits if limit > facts.top_bound_ms})
    if not hidden:
        return []
    top = format_duration(facts.top_bound_ms / 1000.0)
    said = (
        f"the last bucket ends at {top}: limits of "
        + ", ".join(format_duration(limit / 1000.0) for limit in hidden)
        + " cannot be judged once p95 is beyond it"
    )
    remedy = "Give the histogram bounds beyond the limits, or use a native histogram."
    return [Finding("latency buckets", "wrong", said, remedy, needed=False)]
