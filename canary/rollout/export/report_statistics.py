"""The Mann–Whitney comparison of a report: by how much Canary's minutes lie above Legacy's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Final

import msgspec

from canary.rollout.evidence.mann_whitney import Shift, estimate_shift
from canary.rollout.export.report import Bar, Bars, Block, Paragraph, Section, Table
from canary.rollout.measure.samples import Distribution, Sample, Window
from canary.rollout.text import NO_DATA, format_count, format_milliseconds, format_score

MOST_MINUTES: Final = 2_880
"""Of longer stages an even choice of minutes is compared: ranks take their time."""

RATIO_SCALE: Final = 10_000.0
"""Ratios and scores differ by less than the search's tolerance; so many times they don't."""

_LEAST_P: Final = 0.0001

_Value = Callable[[Sample], float | None]
METRICS: Final[tuple[tuple[str, str, _Value], ...]] = (
    ("error ratio", "error_ratio", lambda s: s.responses.error_ratio if s.responses else None),
    ("p95", "p95_ms", lambda s: s.latency.percentile(0.95) if s.latency else None),
    (
        "confidence",
        "confidence",
        lambda s: s.confidence.mean if s.confidence and s.confidence.count else None,
    ),
)


class ShiftRow(msgspec.Struct, frozen=True):
    """One metric: a value a minute of each side, and the shift of Canary's against Legacy's.

    `p_value` None: not computed, or a side has no minutes.
    """

    name: str
    metric: str
    legacy: tuple[float, ...]
    canary: tuple[float, ...]
    shift: Shift | None
    p_value: float | None = None


def compare_minutes(legacy: Sequence[Sample], canary: Sequence[Sample]) -> tuple[ShiftRow, ...]:
    """A row for each metric; samples of the stage, oldest first."""
    rows = []
    for name, metric, value in METRICS:
        sides = [
            _thin([v for s in side if (v := value(s)) is not None]) for side in (legacy, canary)
        ]
        scale = 1.0 if metric == "p95_ms" else RATIO_SCALE
        shift = estimate_shift(sides[1], sides[0], scale=scale)
        rows.append(ShiftRow(name, metric, tuple(sides[0]), tuple(sides[1]), shift))
    return tuple(rows)


def with_p_values(rows: Sequence[ShiftRow], p_values: Sequence[float | None]) -> list[ShiftRow]:
    """The rows with their p-values, in the same order."""
    return [
        msgspec.structs.replace(row, p_value=p)
        for row, p in zip(rows, p_values, strict=True)
    ]  # fmt: skip


def shift_section(rows: Sequence[ShiftRow], note: str) -> Section:
    """The section: `note` says why there are no p-values, "" when there are."""
    shown = tuple(
        (
            row.name,
            f"{format_count(len(row.legacy))} / {format_count(len(row.canary))}",
            NO_DATA if row.shift is None else _signed(row.metric, row.shift.estimate),
            NO_DATA if row.shift is None else _interval(row.metric, row.shift),
            NO_DATA if row.p_value is None else format_p(row.p_value),
        )
        for row in rows
    )
    head = ("a period's", "periods L / C", "Canary − Legacy", "95 % interval", "p")
    blocks: list[Block] = [
        Paragraph(
            "Mann–Whitney over reported periods: the Hodges–Lehmann shift, as Kayenta estimates it."
            " Periods that follow each other are alike, so this describes the stage; what is"
            " proven is under Evidence. pt: points of a hundred."
        ),
        Table(head, shown),
    ]
    return Section("Shift", (*blocks, Paragraph(note)) if note else tuple(blocks))


def format_p(value: float) -> str:
    """A p-value with two figures; never 0, which no p-value is, and never with an exponent."""
    if value < _LEAST_P:
        return f"< {_LEAST_P:.4f}"
    return "> 0.99" if value > 0.99 else f"{value:.2g}"


def _thin(values: list[float]) -> list[float]:
    step = -(-len(values) // MOST_MINUTES) or 1
    return values[::step]


def _interval(metric: str, shift: Shift) -> str:
    return f"{_signed(metric, shift.low)} … {_signed(metric, shift.high)}"


def _signed(metric: str, value: float) -> str:
    """A difference with its sign and unit: "+0.12 pt" (points of a hundred), "−4.0 ms"."""
    sign = "−" if value < 0 else "+"
    size = abs(value)
    if metric == "error_ratio":
        return f"{sign}{size * 100:.3f} pt"
    return f"{sign}{size:.3f}" if metric == "confidence" else f"{sign}{format_milliseconds(size)}"


# Both sides' distributions as bars for a report: few buckets, shares of each side's own values.

MOST_BARS: Final = 20
_Say = Callable[[float], str]


def draw_distributions(legacy: Window, canary: Window) -> tuple[Section, ...]:
    """Latency and confidence, each a section."""
    return (
        _section("Latency", legacy.latency_ms, canary.latency_ms, format_milliseconds),
        _section(
            "Confidence",
            legacy.confidence_distribution,
            canary.confidence_distribution,
            format_score,
        ),
    )


def _section(
    title: str, legacy: Distribution | None, canary: Distribution | None, say: _Say
) -> Section:
    blocks: list[Block] = [_count(name, d) for name, d in (("Legacy", legacy), ("Canary", canary))]
    if legacy is not None and canary is not None and legacy.bounds == canary.bounds:
        blocks.append(Bars("", make_bars(legacy, canary, say)))
        return Section(title, tuple(blocks))
    if legacy is not None and canary is not None:
        blocks.append(Paragraph("The sides use different buckets; they are shown one by one."))
    if legacy is not None:
        blocks.append(Bars("Legacy", make_bars(legacy, None, say)))
    if canary is not None:
        blocks.append(Bars("Canary", make_bars(None, canary, say)))
    return Section(title, tuple(blocks))


def _count(name: str, distribution: Distribution | None) -> Paragraph:
    if distribution is None or not sum(distribution.counts):
        return Paragraph(f"{name}: {NO_DATA}.")
    return Paragraph(f"{name}: {format_count(sum(distribution.counts))} values.")


def make_bars(
    legacy: Distribution | None, canary: Distribution | None, say: _Say
) -> tuple[Bar, ...]:
    """Neighbouring buckets joined to at most MOST_BARS; empty ends left out; empty: no values.

    The sides, where there are both, must have the same bounds.
    """
    known = legacy if legacy is not None else canary
    if known is None:
        return ()
    sides = [list(d.counts) if d is not None else [] for d in (legacy, canary)]
    both = [a + b for a, b in zip_longest(*sides, fillvalue=0)]
    used = [index for index, count in enumerate(both) if count]
    if not used:
        return ()
    first, last = used[0], used[-1]
    width = -(-(last - first + 1) // MOST_BARS)
    bars = []
    for start in range(first, last + 1, width):
        end = min(start + width, last + 1)
        shares = [_share(counts, start, end) for counts in sides]
        bars.append(Bar(_label(known.bounds, start, end - 1, say), shares[0], shares[1]))
    return tuple(bars)


def _share(counts: list[int], start: int, end: int) -> float | None:
    whole = sum(counts)
    return sum(counts[start:end]) / whole if whole else None


def _label(bounds: tuple[float, ...], first: int, last: int, say: _Say) -> str:
    """The range of buckets `first` to `last`: bucket 0 lies below bounds[0], the last above all."""
    if first == 0:
        return f"< {say(bounds[last])}" if last < len(bounds) else "all"
    if last >= len(bounds):
        return f"≥ {say(bounds[first - 1])}"
    return f"{say(bounds[first - 1])} – {say(bounds[last])}"
