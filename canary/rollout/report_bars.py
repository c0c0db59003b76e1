"""Both sides' distributions as bars for a report: few buckets, shares of each side's own values."""

from __future__ import annotations

from collections.abc import Callable
from itertools import zip_longest
from typing import Final

from canary.rollout import words
from canary.rollout.measure import Distribution, Window
from canary.rollout.report import Bar, Bars, Block, Paragraph, Section

MOST_BARS: Final = 20
_Say = Callable[[float], str]


def draw_distributions(legacy: Window, canary: Window) -> tuple[Section, ...]:
    """Latency and confidence, each a section."""
    return (
        _section("Latency", legacy.latency_ms, canary.latency_ms, words.milliseconds),
        _section(
            "Confidence",
            legacy.confidence_distribution,
            canary.confidence_distribution,
            words.score,
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
        return Paragraph(f"{name}: {words.NO_DATA}.")
    return Paragraph(f"{name}: {words.count(sum(distribution.counts))} values.")


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
