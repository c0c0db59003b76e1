"""The value of a metric in a window, and how it is written."""

from __future__ import annotations

from canary.rollout.measure.samples import Window
from canary.rollout.text import NO_DATA, format_rate, format_value
from widgets.plots.series import Metric

NAMES: dict[Metric, str] = {
    "requests_per_s": "requests/s",
    "error_ratio": "error",
    "success_ratio": "success",
    "p50_ms": "p50",
    "p95_ms": "p95",
    "p99_ms": "p99",
    "confidence": "confidence",
    "cpu": "cpu",
    "memory": "memory",
    "instances": "instances",
}


def value_in(window: Window, metric: Metric) -> float | None:
    """The window's value of a metric; requests/s from the count and the window's length."""
    if metric == "requests_per_s":
        seconds = window.end - window.start
        return None if window.requests is None or seconds <= 0 else window.requests / seconds
    value: float | None = getattr(window, metric)
    return value


def show_value(metric: Metric, value: float | None) -> str:
    """A value in the manner of its metric; "no data" for None."""
    if metric == "requests_per_s":
        return format_rate(value)
    if metric == "instances":
        return NO_DATA if value is None else f"{value:.0f}"
    return format_value(metric, value)
