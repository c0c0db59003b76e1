"""Samples as they are kept: each version of one apart, with the frame that showed it first. Pure.

A sample that arrives late, or says something else later, is one more version: what the screen knew
at a moment are the newest versions up to that moment's frame. Bucket bounds are kept once, by
number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import isfinite
from typing import Any, Final

import msgspec

from canary.rollout.measure.samples import Distribution, Responses, Sample

KEPT_BEFORE_S: Final = 7 * 86_400.0
"""Samples reach so far back behind a frame: no plot and no window reaches further."""

BUCKET_S: Final = 6 * 3_600.0
"""The samples of so long lie together, by the time at which they end."""

Samples = tuple[Sample, ...]


class Packed(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One version of a sample. `frame` is counted within its segment; `side` 0 is Legacy.

    `body` None: the sample was taken away. Otherwise responses, latency, confidence, gauges.
    """

    frame: int
    side: int
    since: float
    until: float
    body: list[Any] | None = None


class Version(msgspec.Struct, frozen=True, gc=False):
    """A version unpacked: (start, end) of one side is `sample` from that frame on; None: gone."""

    frame: int
    side: int
    since: float
    until: float
    sample: Sample | None


def bucket_of(until: float) -> int:
    """The number of the bucket that a sample belongs to."""
    return int(until // BUCKET_S)


def find_changes(before: Samples, after: Samples) -> tuple[list[Sample], list[Sample]]:
    """What is new or another in `after`, and what is gone; both oldest first.

    What fell off the old end is not gone: it was merely too old.
    """
    if before is after:
        return [], []
    if not before or not after:
        return list(after), list(before)
    skip = 0
    while skip < len(before) and before[skip].end < after[0].end:
        skip += 1  # too old now
    first = 0
    most = min(len(before) - skip, len(after))
    while first < most and before[skip + first] is after[first]:
        first += 1
    known = {(s.start, s.end): s for s in before[skip + first :]}
    changed = []
    for sample in after[first:]:
        old = known.pop((sample.start, sample.end), None)
        if old is not sample and old != sample:
            changed.append(sample)
    return changed, list(known.values())


def pack(
    frame: int, side: int, sample: Sample, number_of: Callable[[tuple[float, ...]], int]
) -> Packed:
    """A version of a sample; `number_of` names the bounds of a distribution."""
    r = sample.responses
    counts = None
    if r is not None:
        counts = [r.ok_2xx, r.redirect_3xx, r.client_4xx, r.server_5xx, r.other, r.refused]
    body = [
        counts,
        _pack_distribution(sample.latency, number_of),
        _pack_distribution(sample.confidence, number_of),
        [sample.cpu, sample.memory, sample.instances, sample.instances_active],
    ]
    return Packed(frame, side, sample.start, sample.end, body)


def _pack_distribution(
    d: Distribution | None, number_of: Callable[[tuple[float, ...]], int]
) -> list[Any] | None:
    if d is None:
        return None
    return [number_of(d.bounds), list(d.counts), d.count, d.mean, d.sum_squared_deviation]


def unpack(packed: Packed, bounds_of: Callable[[int], tuple[float, ...]]) -> Version:
    """The version. Raises ValueError, TypeError or LookupError for what is none."""
    sample, body = None, packed.body
    if not (packed.since < packed.until and isfinite(packed.since) and isfinite(packed.until)):
        raise ValueError("a sample ends before it begins")
    if body is not None:
        counts, latency, confidence, gauges = body
        responses = None
        if counts is not None:
            if min(counts) < 0:
                raise ValueError("a sample counts less than nothing")
            responses = Responses(*map(int, counts))
        cpu, memory, instances, active = (None if g is None else float(g) for g in gauges)
        sample = Sample(
            packed.since,
            packed.until,
            responses,
            _unpack_distribution(latency, bounds_of),
            _unpack_distribution(confidence, bounds_of),
            cpu,
            memory,
            instances,
            active,
        )
    return Version(packed.frame, packed.side, packed.since, packed.until, sample)


def _unpack_distribution(
    body: list[Any] | None, bounds_of: Callable[[int], tuple[float, ...]]
) -> Distribution | None:
    if body is None:
        return None
    number, counts, count, mean, squares = body
    bounds = bounds_of(number)
    counted = len(counts) <= len(bounds) + 1 and min(counts, default=0) >= 0 <= count
    if not (counted and isfinite(mean) and isfinite(squares)):
        raise ValueError("a distribution does not add up")
    return Distribution(bounds, tuple(counts), int(count), float(mean), float(squares))


def join_versions(versions: Iterable[Version]) -> tuple[Samples, Samples]:
    """Legacy's and Canary's samples, oldest first, of versions in the order they were shown in."""
    known: tuple[dict[tuple[float, float], Sample], dict[tuple[float, float], Sample]] = ({}, {})
    for version in versions:
        side = known[1 if version.side else 0]
        key = (version.until, version.since)
        if version.sample is None:
            side.pop(key, None)
        else:
            side[key] = version.sample
    legacy, canary = (tuple(side[key] for key in sorted(side)) for side in known)
    return legacy, canary


def newest_data_end(samples: Sequence[Sample]) -> float | None:
    """The end of the newest sample that has requests or latencies in it; None without any."""
    for sample in reversed(samples):
        if sample.responses is not None or sample.latency is not None:
            return sample.end
    return None
