"""What a plot is about, in a line: the metric, Canary against Legacy, the limit's share; and which
of the metrics decided."""

from __future__ import annotations

from typing import Final

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_limit
from widgets.panels.matrix_cells import (
    BELOW,
    DATA_MARKS,
    ROWS,
    RowMetric,
    Scope,
    compared,
    limit_share,
    percent_of_limit,
    state_of,
)

_PROVEN: Final[dict[str, RowMetric]] = {
    "errors": "error_ratio",
    "slow": "p95_ms",
    "score": "confidence",
}
_STEADY: Final = 0.1
"""By how much more of its limit another metric must use before it takes the first place."""


def find_decisive(snapshot: Snapshot, plan: Plan | None, last: RowMetric | None) -> RowMetric:
    """The metric that decided: whose limit is passed, or is proven worse, or is nearest its limit.

    `last` is the one before; it stays while nothing is passed and none is much nearer, since plots
    that change places are hard to read.
    """
    scopes = ("critical", "warning", "stage")
    passed = [a.id for scope in scopes for a in snapshot.alerts if a.scope == scope]
    proven = snapshot.advice.metrics if snapshot.advice is not None else ()
    for found in (*passed, *(_PROVEN.get(name, "") for name in proven)):
        for metric in ROWS:
            if metric == found:
                return metric
    shares = {} if plan is None else {m: _share(m, snapshot, plan) for m in ROWS}
    nearest = max(ROWS, key=lambda m: shares.get(m, -1.0))
    if last is None or shares.get(nearest, -1.0) > shares.get(last, -1.0) + _STEADY:
        return nearest
    return last


def _share(metric: RowMetric, snapshot: Snapshot, plan: Plan) -> float:
    found = limit_share(metric, snapshot.canary.window, plan)
    return -1.0 if found is None else found.share


def in_order(decisive: RowMetric) -> tuple[RowMetric, ...]:
    """All metrics, the decisive one first, the others in the matrix' order."""
    return (decisive, *(metric for metric in ROWS if metric != decisive))


def heading_parts(
    metric: RowMetric, snapshot: Snapshot, plan: Plan | None, now: float
) -> tuple[str, ...]:
    """ "p95", "canary ×0.49 of legacy", "3 % of warning 20 s"; the first alone while Canary's data
    cannot be judged, with the reason behind it.
    """
    state = state_of(snapshot.canary, now, plan)
    if snapshot.traffic.is_all_on_legacy:
        return ROWS[metric], "all traffic is on Legacy"
    if state != "ok":
        return ROWS[metric], f"canary {DATA_MARKS[state][1]}"
    more = (_against(metric, snapshot, plan, now), _limit(metric, snapshot, plan))
    return (ROWS[metric], *(part for part in more if part))


def _against(metric: RowMetric, snapshot: Snapshot, plan: Plan | None, now: float) -> str:
    if state_of(snapshot.legacy, now, plan) != "ok":
        return ""
    said = compared(metric, snapshot.canary.window, snapshot.legacy.window)
    if said == "same":
        return "canary as legacy"
    return f"canary {said} of legacy" if said.startswith(("×", ">")) else said and f"canary {said}"


def _limit(metric: RowMetric, snapshot: Snapshot, plan: Plan | None) -> str:
    """The next limit that is not passed; of those that are, the critical one."""
    if plan is None:
        return ""
    scopes: tuple[Scope, ...] = ("warning", "critical")
    found = [(s, limit_share(metric, snapshot.canary.window, plan, s)) for s in scopes]
    there = [(scope, share) for scope, share in found if share is not None]
    if not there:
        return ""
    ahead = [(scope, share) for scope, share in there if share.share <= 1]
    scope, share = ahead[0] if ahead else there[-1]
    limit = format_limit(metric, getattr(getattr(plan.alerts, scope), metric))
    least = "≥ " if metric in BELOW else ""
    return f"{percent_of_limit(share)} of {scope} {least}{limit}"
