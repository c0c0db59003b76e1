"""The limits that are passed, as a cause: value, limit, how often Legacy's, since when. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from canary.rollout.decision.tree import Alert
from canary.rollout.measure.samples import Window
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_clock, format_limit, format_value

SHOWN: Final = 2
"""So many causes, or gates, are named; of more it is said how many."""
_BELOW: Final = frozenset({"success_ratio", "confidence"})
"""Metrics that are passed from above."""


def format_beyond(snapshot: Snapshot, scope: str) -> str:
    """The limits that are passed, and since when: "error ratio 8.30 % > 5 %, ×12 of Legacy, since
    14:02:11Z"; "" where none is.
    """
    passed = list(_passed(snapshot, scope))
    if not passed:
        return ""
    more = f" and {len(passed) - SHOWN} more" if len(passed) > SHOWN else ""
    since = snapshot.verdict_since if scope != "stage" else None
    when = "" if since is None else f", since {format_clock(since)}"
    return f"{'; '.join(passed[:SHOWN])}{more}{when}"


def _passed(snapshot: Snapshot, scope: str) -> Iterator[str]:
    legacy = snapshot.legacy.window if snapshot.legacy.data == "ok" else None
    for alert in snapshot.alerts:
        if alert.scope == scope:
            sign = "<" if alert.id in _BELOW else ">"
            name = alert.id.removesuffix("_ms").replace("_", " ")
            observed, limit = (
                format_value(alert.id, alert.observed),
                format_limit(alert.id, alert.limit),
            )
            yield f"{name} {observed} {sign} {limit}{_times(alert, legacy)}"


def _times(alert: Alert, legacy: Window | None) -> str:
    """How many times Legacy's value it is: ", ×12 of Legacy"; "" where that says nothing."""
    if alert.id in _BELOW or legacy is None:
        return ""
    base = getattr(legacy, alert.id, None)
    if not base or base <= 0 or alert.observed < 1.05 * base:
        return ""
    times = alert.observed / base
    return f", ×{times:.0f} of Legacy" if times >= 9.95 else f", ×{times:.1f} of Legacy"
