"""Requests that found no instance, put into the samples that leave them out.

Cloud Monitoring's request_count leaves out what the front refused (429 or 500, no instance free):
a starved Canary looks well there. The request log has them. They are added to the samples of the
same time, so that tree, gates, plots and comparison see the same failures.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

import msgspec

from canary.engine.observe.series import KEPT_S
from canary.rollout.change.change import Side
from canary.rollout.evidence.window import EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Responses, Sample
from canary.rollout.text import format_count

SAID_EVERY_S = 600.0
"""Ongoing refusals are said again so often; cloud time."""

Samples = tuple[Sample, ...]


class Refusals:
    """What the request log showed of them, by the end of its windows; at most KEPT_S of it."""

    def __init__(self) -> None:
        self._counts: dict[Side, dict[float, int]] = {"legacy": {}, "canary": {}}
        self._known: dict[Side, tuple[Samples, Samples, Samples]] = {}
        self._said_at = float("-inf")

    def note(self, window: EvidenceWindow) -> str:
        """Take a window in; a repeated one counts once. Returns what is to be said of Canary now.

        Of a sampled log counts stand for so many more. A window with entries left out counts too:
        what was seen to fail did fail.
        """
        sides: tuple[tuple[Side, SideWindow], ...]
        sides = (("legacy", window.legacy), ("canary", window.canary))
        for side, seen in sides:
            if seen.refused:
                self._add(side, window.end, round(seen.refused / window.sampled))
        count = self._counts["canary"].get(window.end)
        if not count or window.end - self._said_at < SAID_EVERY_S:
            return ""
        self._said_at = window.end
        return (
            f"Canary refuses requests for want of an instance: {format_count(count)} in"
            f" {window.end - window.start:.0f} s. They count as errors; Cloud Monitoring leaves"
            " them out. More instances for Canary help."
        )

    def _add(self, side: Side, end: float, count: int) -> None:
        counts = self._counts[side]
        if counts.get(end) == count:
            return
        counts[end] = count
        self._known.pop(side, None)
        for old in [at for at in counts if at < end - KEPT_S]:
            del counts[old]

    def overlay(self, side: Side, samples: Samples, other: Samples) -> Samples:
        """The samples of a side with its refusals in them; the same object where there are none.

        Where the side has no sample – all was refused, so nothing was counted – one is made over
        the period in which the `other` side has one. Both oldest first.
        """
        counts = self._counts[side]
        if not counts:
            return samples
        known = self._known.get(side)
        if known is None or known[0] is not samples or known[1] is not other:
            known = (samples, other, _overlaid(samples, other, counts))
            self._known[side] = known
        return known[2]


def _overlaid(samples: Samples, other: Samples, counts: dict[float, int]) -> Samples:
    added: dict[tuple[float, float], int] = {}
    present = {(s.start, s.end): s for s in samples}
    for end, count in counts.items():
        period = _period_of(samples, end) or _period_of(other, end)
        if period is not None and (period in present or _period_is_free(samples, period)):
            added[period] = added.get(period, 0) + count
    for period, count in added.items():
        sample = present.get(period) or Sample(*period)
        responses = (sample.responses or Responses()) + Responses(refused=count)
        present[period] = msgspec.structs.replace(sample, responses=responses)
    return tuple(sorted(present.values(), key=lambda s: s.end))


def _period_of(samples: Sequence[Sample], at: float) -> tuple[float, float] | None:
    """The (start, end] of the sample that `at` lies in."""
    index = bisect_left(samples, at, key=lambda s: s.end)
    if index == len(samples) or samples[index].start >= at:
        return None
    return samples[index].start, samples[index].end


def _period_is_free(samples: Sequence[Sample], period: tuple[float, float]) -> bool:
    start, end = period
    index = bisect_left(samples, start, key=lambda s: s.end)
    if index < len(samples) and samples[index].end == start:
        index += 1
    return index == len(samples) or samples[index].start >= end
