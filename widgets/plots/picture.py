"""What is in one plot: both sides' series, the shared scale, limits and changes."""

from __future__ import annotations

import math
from typing import Final, Literal

import msgspec

from canary.rollout.change.change import ANNOTATING
from canary.rollout.evidence import metric_evidence as evidence
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from widgets.plots.axes import Scale, choose_scale
from widgets.plots.series import ColumnGrid, Metric, PlotSeries, SeriesCache, make_grid
from widgets.plots.values import show_value, value_in

_BOTH: Final[tuple[evidence.Metric, ...]] = ("slow", "errors")
_CONCERN: Final[dict[Metric, tuple[evidence.Metric, ...]]] = {
    "error_ratio": ("errors",),
    "success_ratio": ("errors",),
    "p50_ms": _BOTH,
    "p95_ms": _BOTH,
    "p99_ms": _BOTH,
    "confidence": ("score",),
}
"""Which proofs are marked in a plot of a metric."""

_SHORT: Final[dict[evidence.Metric, str]] = {"errors": "5xx", "slow": "slow", "score": "score"}


NOW_STEP_S: Final = 10.0


def plotted_now(now: float) -> float:
    """The moment that a plot is drawn for: the next whole ten seconds, unix time.

    A column is a minute or most of one: drawn anew each second, all of it would stay as it was.
    Ahead, not behind: what becomes stale is hatched seconds early rather than late.
    """
    return math.ceil(now / NOW_STEP_S) * NOW_STEP_S


class Limit(msgspec.Struct, frozen=True):
    """A horizontal line at `value`."""

    value: float
    kind: Literal["warning", "critical"]


class EndLabel(msgspec.Struct, frozen=True):
    """What a line is named by at its end: a side's value of the judged window, as text.

    `is_judged`: the value is there and may be believed.
    """

    value: str
    is_judged: bool = True


class Picture(msgspec.Struct, frozen=True):
    """All that is in one plot. Times are unix seconds; `masked` are (from, to) periods.

    `set_apart` are the periods after a change that the evidence leaves out, `detected` the moments
    at which it has proven a regression, each with the short name of what got worse; `marks` those
    that a person has marked. `ends` name both lines, Legacy's first. `is_canary_idle`: it is
    meant to have no traffic, so that its numbers may well be old.
    """

    metric: Metric
    grid: ColumnGrid
    legacy: PlotSeries
    canary: PlotSeries
    scale: Scale
    now: float
    limits: tuple[Limit, ...] = ()
    masked: tuple[tuple[float, float], ...] = ()
    changes: tuple[float, ...] = ()
    marks: tuple[float, ...] = ()
    set_apart: tuple[tuple[float, float], ...] = ()
    detected: tuple[tuple[float, str], ...] = ()
    stale_after_s: float = 300.0
    is_canary_idle: bool = False
    ends: tuple[EndLabel, EndLabel] | None = None


class PlotMaker(msgspec.Struct):
    """Makes pictures from snapshots, and remembers what keeps them steady and cheap."""

    cache: SeriesCache = msgspec.field(default_factory=SeriesCache)
    scales: dict[tuple[Metric, float], Scale] = msgspec.field(default_factory=dict)

    def picture(
        self,
        metric: Metric,
        snapshot: Snapshot,
        plan: Plan | None,
        *,
        now: float,
        window_s: float,
        columns: int,
    ) -> Picture:
        """The picture of `metric` over the last `window_s` seconds in `columns` columns."""
        grid = make_grid(now, window_s, columns, snapshot.speed)
        legacy = self.cache.series("legacy", metric, snapshot.legacy.samples, grid)
        canary = self.cache.series("canary", metric, snapshot.canary.samples, grid)
        limits = find_limits(metric, plan)
        scale = choose_scale(
            metric,
            [*legacy.known, *canary.known],
            [limit.value for limit in limits],
            self.scales.get((metric, window_s)),
        )
        self.scales[metric, window_s] = scale
        changes = find_changes(snapshot, grid)
        delay_s = snapshot.ingest_delay_s or 180.0
        is_idle = snapshot.traffic.is_all_on_legacy
        return Picture(
            metric=metric,
            grid=grid,
            legacy=legacy,
            canary=canary,
            scale=scale,
            now=now,
            limits=limits,
            masked=tuple((at, min(now, at + delay_s)) for at in changes),
            changes=changes,
            marks=tuple(m.at for m in snapshot.marks if grid.start < m.at <= grid.end),
            set_apart=find_set_apart(snapshot, grid),
            detected=find_detections(metric, snapshot, grid),
            stale_after_s=plan.metrics.stale_after_s if plan else 300.0,
            ends=(_end(metric, snapshot.legacy), _end(metric, snapshot.canary, is_idle=is_idle)),
            is_canary_idle=is_idle,
        )


def _end(metric: Metric, view: SideView, *, is_idle: bool = False) -> EndLabel:
    value = value_in(view.window, metric)
    if is_idle:
        return EndLabel("–" if value is None else show_value(metric, value))
    return EndLabel(show_value(metric, value), value is not None and view.data == "ok")


def find_limits(metric: Metric, plan: Plan | None) -> tuple[Limit, ...]:
    """The alert limits of a metric in the plan; those of p95 only on p95."""
    if plan is None:
        return ()
    field_name = (
        metric if metric in ("error_ratio", "p95_ms", "success_ratio", "confidence") else ""
    )
    warning = getattr(plan.alerts.warning, field_name, None) if field_name else None
    critical = getattr(plan.alerts.critical, field_name, None) if field_name else None
    lines: list[Limit] = []
    if warning is not None:
        lines.append(Limit(warning, "warning"))
    if critical is not None:
        lines.append(Limit(critical, "critical"))
    return tuple(lines)


def find_changes(snapshot: Snapshot, grid: ColumnGrid) -> tuple[float, ...]:
    """When the split was changed, as far as it is in the grid, oldest first."""
    done = (c for c in snapshot.changes if c.outcome and c.outcome.state == "done")
    moments = {c.outcome.at for c in done if c.outcome and c.kind not in ANNOTATING}
    if snapshot.traffic.record is not None:
        moments.add(snapshot.traffic.record.entered_at)
    return tuple(sorted(at for at in moments if grid.start < at <= grid.end))


def find_set_apart(snapshot: Snapshot, grid: ColumnGrid) -> tuple[tuple[float, float], ...]:
    """The seconds after the last change in which the request log still answers for before."""
    view = snapshot.evidence
    if view is None or view.began_at is None or view.set_apart_until is None:
        return ()
    if view.set_apart_until <= grid.start or view.began_at > grid.end:
        return ()
    return ((view.began_at, view.set_apart_until),)


def find_detections(
    metric: Metric, snapshot: Snapshot, grid: ColumnGrid
) -> tuple[tuple[float, str], ...]:
    """When a regression was proven that concerns a plot of `metric`, as far as it is in the grid,
    oldest first: now, and at earlier splits. What is counted of requests concerns their latency
    too: whoever fails early is fast.
    """
    view = snapshot.evidence
    if view is None:
        return ()
    moments = [(d.at, d.metric) for d in view.earlier]
    moments += [
        (m.detected_at, m.metric)
        for m in view.metrics
        if m.verdict == "rollback" and m.detected_at is not None
    ]
    concern = _CONCERN.get(metric, ())
    found = {(at, _SHORT[of]) for at, of in moments if of in concern}
    return tuple(sorted((at, name) for at, name in found if grid.start < at <= grid.end))
