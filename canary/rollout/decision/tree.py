"""The decision tree: Canary's window → go on, watch, roll back, or no data. It advises.

Read top to bottom, the first answer wins:

1. error ratio beyond critical → roll back everything
2. p95 beyond critical → roll back everything
3. success ratio beyond critical → roll back everything
4. a warning is being watched → watch for `watch_minutes`; not cleared by then → one stage back
5. otherwise → go on

"Beyond" is strict. A node without enough fresh data answers "no data"; a later critical node may
still say roll back, but nothing after it can say go on.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.plan.plan import Alerts, Plan, Thresholds
from canary.rollout.text import AtLeast, format_limit, format_value

Verdict = Literal["continue", "watch", "rollback_stage", "rollback_all", "no_data"]
NodeOutcome = Literal["yes", "no", "no_data", "not_reached"]
DataState = Literal["ok", "thin", "stale", "missing", "masked"]
"""ok; too few requests; too old; nothing there; nothing yet from after the last change."""

SEVERITY: dict[Verdict, int] = {
    "continue": 0,
    "no_data": 1,
    "watch": 2,
    "rollback_stage": 3,
    "rollback_all": 4,
}
"""How bad a verdict is; a rise is a change for the worse (bell, webhook)."""


class Node(msgspec.Struct, frozen=True):
    """One question of the tree and its answer.

    `observed` is None without data, `limit` in the same unit. `margin` is how far the value is from
    passing the limit, in the value's own unit: positive is the safe side.
    """

    id: str
    question: str
    observed: float | None
    limit: float | None
    outcome: NodeOutcome
    margin: float | None = None
    note: str = ""


class Alert(msgspec.Struct, frozen=True):
    """A limit that is passed now. `scope` is "warning", "critical" or "stage"."""

    id: str
    scope: Literal["warning", "critical", "stage"]
    observed: float
    limit: float


class Decision(msgspec.Struct, frozen=True):
    """The verdict, the path walked to it, and why in one sentence."""

    verdict: Verdict
    path: tuple[Node, ...]
    reason: str
    data: DataState = "ok"
    watch: Watch | None = None


def judge_data(window: Window, plan: Plan, now: float, changed_at: float | None) -> DataState:
    """Whether a side's window may be judged at all.

    `changed_at` is the last change of the split: a window that holds nothing from after it is
    "masked", since Cloud Monitoring shows a change only minutes later.
    """
    age_s = window.age_s(now)
    if age_s is None:
        just_changed = changed_at is not None and now - changed_at < plan.metrics.stale_after_s
        return "masked" if just_changed else "missing"
    if age_s > plan.metrics.stale_after_s:
        return "stale"
    if window.requests is None:
        return "missing"
    if window.requests < plan.metrics.min_requests:
        return "thin"
    return "ok"


def decide(plan: Plan, canary: Window, data: DataState, watch: Watch, now: float) -> Decision:
    """Walk the tree over Canary's window. `watch` is the state of the one-hour watch at `now`."""
    critical = _critical_nodes(plan.alerts, canary, data)
    warned = next((n for n in critical if n.outcome == "yes"), None)
    if warned is not None:
        path = (*_until(critical, warned), _watch_node(plan, watch, now, reached=False))
        return Decision("rollback_all", path, _why_critical(warned), data, watch)
    blind = next((n for n in critical if n.outcome == "no_data"), None)
    # A plan without critical limits has no blind node; silence still is not "go on".
    seeing = blind is None and data == "ok" and not undecided_limits(plan.alerts.warning, canary)
    node = _watch_node(plan, watch, now, reached=True, seeing=seeing)
    if not seeing:
        return Decision("no_data", (*critical, node), _why_no_data(plan, data, blind), data, watch)
    path = (*critical, node)
    if node.outcome == "no":
        return Decision("continue", path, "All thresholds are OK.", data, watch)
    if watch.overdue:
        return Decision("rollback_stage", path, node.note, data, watch)
    return Decision("watch", path, node.note, data, watch)


def find_alerts(plan: Plan, stage: int, canary: Window, data: DataState) -> tuple[Alert, ...]:
    """Every limit passed now, worst scope first; empty without data that may be judged.

    The stage's own automatic-rollback limits count as scope "stage"; they feed automatic rollback
    and do not alter the tree.
    """
    if data != "ok":
        return ()
    own = plan.stage(stage).automatic_rollback if 1 <= stage <= len(plan.stages) else None
    scopes: tuple[tuple[Literal["critical", "stage", "warning"], Thresholds | None], ...] = (
        ("critical", plan.alerts.critical),
        ("stage", own),
        ("warning", plan.alerts.warning),
    )
    return tuple(
        Alert(metric, scope, value, limit)
        for scope, limits in scopes
        if limits is not None
        for metric, value, limit in passed_limits(limits, canary)
    )


def passed_limits(limits: Thresholds, window: Window) -> list[tuple[str, float, float]]:
    """(metric, observed, limit) of each limit that the window is strictly beyond."""
    rows = (
        ("error_ratio", window.error_ratio, limits.error_ratio, 1),
        ("p95_ms", _trusted_p95(window), limits.p95_ms, 1),
        ("success_ratio", window.success_ratio, limits.success_ratio, -1),
        ("confidence", _trusted_confidence(window), limits.confidence, -1),
    )
    return [
        (metric, value, limit)
        for metric, value, limit, sign in rows
        if value is not None and limit is not None and (value - limit) * sign > 0
    ]


def undecided_limits(limits: Thresholds, window: Window) -> list[str]:
    """Metrics of which only a lower bound is known that is within its limit: passed, or not."""
    p95, limit = _trusted_p95(window), limits.p95_ms
    undecided = isinstance(p95, AtLeast) and limit is not None and p95 <= limit
    return ["p95_ms"] if undecided else []


def _trusted_p95(window: Window) -> float | None:
    return window.p95_ms if window.latency_count >= MIN_COUNT_FOR_TAIL else None


def _trusted_confidence(window: Window) -> float | None:
    return window.confidence if window.confidence_count >= MIN_COUNT_FOR_TAIL else None


def _critical_nodes(alerts: Alerts, canary: Window, data: DataState) -> tuple[Node, ...]:
    limits = alerts.critical
    usable = data == "ok"
    return (
        _limit_node(
            "error_ratio",
            "error ratio beyond critical",
            canary.error_ratio if usable else None,
            limits.error_ratio,
            1,
        ),
        _limit_node(
            "p95_ms",
            "p95 beyond critical",
            _trusted_p95(canary) if usable else None,
            limits.p95_ms,
            1,
        ),
        _limit_node(
            "success_ratio",
            "success ratio below critical",
            canary.success_ratio if usable else None,
            limits.success_ratio,
            -1,
        ),
    )


def _limit_node(
    node_id: str, question: str, observed: float | None, limit: float | None, sign: int
) -> Node:
    if limit is None:
        return Node(node_id, question, observed, None, "no", note="no limit set")
    if observed is None:
        return Node(node_id, question, None, limit, "no_data")
    margin = (limit - observed) * sign
    if margin >= 0 and isinstance(observed, AtLeast):
        note = f"known only as {format_value(node_id, observed)}"
        return Node(node_id, question, observed, limit, "no_data", note=note)
    return Node(node_id, question, observed, limit, "yes" if margin < 0 else "no", margin)


def _until(nodes: tuple[Node, ...], hit: Node) -> tuple[Node, ...]:
    """The path up to the hit; what lies behind it was not reached."""
    index = nodes.index(hit)
    rest = (msgspec.structs.replace(n, outcome="not_reached") for n in nodes[index + 1 :])
    return (*nodes[: index + 1], *rest)


def _why_critical(node: Node) -> str:
    """As "error ratio beyond critical: 8.35 % > 5 %"."""
    sign = "<" if node.id == "success_ratio" else ">"
    value, limit = format_value(node.id, node.observed), format_limit(node.id, node.limit)
    return f"{node.question}: {value} {sign} {limit}"


def _watch_node(
    plan: Plan, watch: Watch, now: float, *, reached: bool, seeing: bool = True
) -> Node:
    question = "a warning is being watched"
    limit_s = plan.alerts.watch_minutes * 60
    if not reached:
        return Node("watch", question, None, limit_s, "not_reached")
    if watch.since is None and not seeing:
        # Without data nobody knows whether a warning limit is passed: that is not a "no".
        return Node("watch", question, None, limit_s, "no_data")
    if watch.since is None:
        return Node("watch", question, None, limit_s, "no", note="no warning")
    elapsed_s = max(0.0, now - watch.since)
    note = _watch_note(plan, watch, elapsed_s)
    return Node("watch", question, elapsed_s, limit_s, "yes", limit_s - elapsed_s, note)


def _watch_note(plan: Plan, watch: Watch, elapsed_s: float) -> str:
    minutes = int(elapsed_s // 60)
    whole = int(plan.alerts.watch_minutes)
    if watch.overdue:
        return f"The warning has not cleared within {whole} min."
    state = "warning persists" if watch.warning else "cleared for now"
    return f"Watching for {minutes} of {whole} min; {state}."


def _why_no_data(plan: Plan, data: DataState, blind: Node | None) -> str:
    question = blind.question if blind else "p95 beyond warning"
    bounded = f"{question} is not known: p95 is beyond the last bucket."
    few = blind is not None and not blind.note
    return {
        "ok": f"Too few values to answer: {question}." if few else bounded,
        "thin": f"Fewer than {plan.metrics.min_requests} Canary requests in the window.",
        "stale": f"The newest data is older than {plan.metrics.stale_after_s:.0f} s.",
        "missing": "No data of Canary in the window.",
        "masked": "All data is from before the last change of the split.",
    }[data]


# The watch of the decision tree: its clock, advanced one observation at a time.
#
# A warning opens a watch of `watch_s`. At its end: still warned → overdue (one stage back is
# advised) until the warning clears; cleared → the watch closes. While the watch runs, a warning
# that comes and goes neither restarts nor ends it: "watch closely for one hour" is meant
# literally. Observations without data neither open, clear nor close a watch: silence is not
# recovery.


class Watch(msgspec.Struct, frozen=True):
    """The watch at one moment. `since` None: nothing is being watched.

    `warning` is whether the newest judged observation was beyond a warning limit.
    """

    since: float | None = None
    warning: bool = False
    overdue: bool = False


IDLE = Watch()


def advance_watch(watch: Watch, *, warned: bool | None, at: float, watch_s: float) -> Watch:
    """The watch after an observation at `at`; `warned` None is "no data"."""
    if watch.since is None:
        return Watch(since=at, warning=True, overdue=watch_s <= 0) if warned else IDLE
    if warned is None:
        return watch
    if at - watch.since < watch_s:
        return Watch(since=watch.since, warning=warned, overdue=False)
    return Watch(since=watch.since, warning=True, overdue=True) if warned else IDLE
