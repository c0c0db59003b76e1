"""What stands in the matrix, as text: both sides in one unit, their ratio, the alarm limit's share.

Pure. A row has one unit and one number of decimals, so that its two values can be compared by eye.
What is not known is said in a word, and never is a share, a ratio or a zero.
"""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.decision.tree import DataState
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.plan.plan import Plan, Thresholds
from canary.rollout.snapshot.snapshot import SideView
from canary.rollout.text import NO_DATA, AtLeast, format_count, format_milliseconds, format_rate

RowMetric = Literal["error_ratio", "p95_ms", "success_ratio", "confidence"]
ROWS: Final[dict[RowMetric, str]] = {
    "error_ratio": "errors",
    "p95_ms": "p95",
    "success_ratio": "success",
    "confidence": "score",
}
"""The rows that have an alarm limit or a gate, and their names."""

BELOW: Final = frozenset({"success_ratio", "confidence"})
"""Metrics whose limit is a least value."""

DATA_MARKS: Final[dict[DataState, tuple[str, str]]] = {
    "thin": ("?", "too few"),
    "stale": ("?", "stale"),
    "missing": ("?", NO_DATA),
    "masked": ("◌", "settles"),
}
"""Glyph and word of a side whose numbers may not be judged, short enough for a column."""

_MOST_PERCENT = 999


def state_of(view: SideView, now: float, plan: Plan | None) -> DataState:
    """What the side's data is at `now`: it ages while no newer snapshot comes."""
    age_s = view.window.age_s(now)
    limit_s = plan.metrics.stale_after_s if plan is not None else 300.0
    is_old = view.data in ("ok", "thin") and age_s is not None and age_s > limit_s
    return "stale" if is_old else view.data


def has_enough(window: Window, metric: RowMetric) -> bool:
    """Whether enough values are behind the metric for it to be judged at all."""
    if metric == "p95_ms":
        return window.latency_count >= MIN_COUNT_FOR_TAIL
    if metric == "confidence":
        return window.confidence_count >= MIN_COUNT_FOR_TAIL
    return window.requests is not None and window.requests > 0


def pair(metric: RowMetric, canary: Window, legacy: Window) -> tuple[str, str]:
    """Both sides' values in one unit and with the same decimals; few requests as "3 of 12"."""
    both = (canary, legacy)
    known = [v for w in both if (v := _shown_value(metric, w)) is not None]
    texts = [_value_text(metric, w, known) for w in both]
    return texts[0], texts[1]


def _shown_value(metric: RowMetric, window: Window) -> float | None:
    """The value as far as it is shown as such, and not counted instead."""
    value: float | None = getattr(window, metric)
    if value is None or not math.isfinite(value):
        return None
    return value if _count(metric, window) >= MIN_COUNT_FOR_TAIL else None


def _count(metric: RowMetric, window: Window) -> int:
    if metric == "p95_ms":
        return window.latency_count
    return window.confidence_count if metric == "confidence" else window.requests or 0


def _value_text(metric: RowMetric, window: Window, known: list[float]) -> str:
    value: float | None = getattr(window, metric)
    if value is None or not math.isfinite(value):
        return NO_DATA
    count = _count(metric, window)
    if count < MIN_COUNT_FOR_TAIL:
        return f"{count} only" if metric in ("p95_ms", "confidence") else _counted(metric, window)
    if metric == "confidence":
        return f"{value:.2f}"
    return _milliseconds(value, known) if metric == "p95_ms" else _percent(value, known)


def _counted(metric: RowMetric, window: Window) -> str:
    """How many of how many requests: a percentage of a dozen says more than is known."""
    ratio: float = getattr(window, metric) or 0.0
    requests = window.requests or 0
    return f"{format_count(round(ratio * requests))} of {format_count(requests)}"


def _percent(value: float, known: list[float]) -> str:
    """Two decimals below 10 %, else one, as the greatest of the row asks; never a false zero."""
    decimals = 2 if max(known) * 100 < 9.995 or any(0 < v < 0.0005 for v in known) else 1
    least = 10.0**-decimals
    hundred = value * 100
    if 0 < hundred < least / 2:
        return f"<{least:g} %"
    if 100 - least / 2 <= hundred < 100:
        return f">{100 - least:.{decimals}f} %"
    return f"{hundred:.{decimals}f} %"


def _milliseconds(value: float, known: list[float]) -> str:
    """In the unit that the slower side needs, as long as the faster one is seen in it."""
    most = max(known)
    if min(known) < 10 <= most:
        return format_milliseconds(value).replace("≥ ", "≥")
    at_least = "≥" if isinstance(value, AtLeast) else ""
    if most < 999.5:
        return f"{at_least}{value:.{1 if most < 9.95 else 0}f} ms"
    decimals = 2 if most < 9_995 else 1 if most < 99_950 else 0
    return f"{at_least}{value / 1000:.{decimals}f} s"


def per_second(window: Window) -> str:
    """Requests a second with its unit: "3.1/s"."""
    seconds = window.end - window.start
    if window.requests is None or seconds <= 0:
        return NO_DATA
    return f"{format_rate(window.requests / seconds)}/s"


def compared(metric: RowMetric, canary: Window, legacy: Window) -> str:
    """Canary against Legacy: "×0.5", of ratios near 1 the difference, "+0.8 pt" (points of a
    hundred), of scores "+0.13"; "" where either is not known well enough.
    """
    if not (has_enough(canary, metric) and has_enough(legacy, metric)):
        return ""
    ours: float | None = getattr(canary, metric)
    theirs: float | None = getattr(legacy, metric)
    if ours is None or theirs is None or isinstance(ours, AtLeast) or isinstance(theirs, AtLeast):
        return ""
    if metric in BELOW:
        if metric == "success_ratio":
            points = (ours - theirs) * 100
            return _signed(points, 1 if abs(points) < 9.95 else 0, " pt")
        return _signed(ours - theirs, 2, "")
    if theirs == 0:
        return "same" if ours == 0 else "×∞"
    return times(ours / theirs)


def _signed(value: float, decimals: int, unit: str) -> str:
    rounded = round(value, decimals)
    if not rounded:
        return "same"
    return f"{'+' if rounded > 0 else '−'}{abs(rounded):.{decimals}f}{unit}"


def times(factor: float) -> str:
    """How many times as much: "×0.5", "×12", "×0.05"."""
    if factor >= _MOST_PERCENT:
        return f">×{_MOST_PERCENT}"
    if factor >= 9.95:
        return f"×{factor:.0f}"
    return f"×{factor:.1f}" if factor >= 0.095 else f"×{factor:.2f}"


class LimitShare(msgspec.Struct, frozen=True):
    """How much of the alarm limit is used: 1 at the limit, above 1 beyond it; inf of a limit of 0.

    `passed` is the worst scope of limits that the value is strictly beyond; "" for none.
    `is_least`: only a lower bound is known.
    """

    share: float
    passed: Literal["", "warning", "critical"] = ""
    is_least: bool = False


Scope = Literal["warning", "critical"]


def limit_share(
    metric: RowMetric, window: Window, plan: Plan, scope: Scope = "critical"
) -> LimitShare | None:
    """The part of a limit that Canary uses; None: no limit, or no value to judge."""
    limit: float | None = getattr(getattr(plan.alerts, scope), metric)
    value: float | None = getattr(window, metric)
    if limit is None or value is None or not has_enough(window, metric):
        return None
    used, room = (1 - value, 1 - limit) if metric in BELOW else (value, limit)
    share = used / room if room > 0 else (math.inf if used > 0 else 0.0)
    passed: Literal["", "warning", "critical"] = ""
    if is_beyond(metric, value, plan.alerts.critical):
        passed = "critical"
    elif is_beyond(metric, value, plan.alerts.warning):
        passed = "warning"
    return LimitShare(share, passed, isinstance(value, AtLeast))


def is_beyond(metric: RowMetric, value: float, limits: Thresholds) -> bool:
    """Whether the value is strictly beyond the limit of its metric, if there is one."""
    limit: float | None = getattr(limits, metric)
    return limit is not None and (value < limit if metric in BELOW else value > limit)


def percent_of_limit(found: LimitShare) -> str:
    """ "9 %"; never "100 %" but at the limit itself, and never "0 %" for more than nothing."""
    hundred = found.share * 100
    if hundred > _MOST_PERCENT:
        return f">{_MOST_PERCENT} %"
    if 0 < hundred < 1:
        return "<1 %"
    # Floating point puts a value that is its limit a hair beside it.
    whole = round(hundred) if abs(hundred - round(hundred)) < 1e-9 else hundred
    shown = math.ceil(whole) if whole > 100 else math.floor(whole) if whole > 99 else round(whole)
    return f"{'≥' if found.is_least else ''}{shown} %"
