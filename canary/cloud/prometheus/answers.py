"""What a Prometheus answered to `query_range` → series, and series → both sides' columns. Pure.

An answer that carries warnings, or is no matrix, is no answer: it may lack the very series that
matter. What cannot be a count is left out with the period it is of, and reported. Source of the
format: prometheus.io/docs/prometheus/latest/querying/api ("Range queries", "Native histograms").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec

from canary.cloud.monitoring.timeseries import SIDES, Defects, PeriodGrid
from canary.cloud.prometheus.counters import Growth, add_growth
from canary.rollout.change.change import Side
from canary.rollout.errors import Malformed, Unavailable
from canary.rollout.measure.samples import Distribution, Responses
from canary.rollout.text import sanitize

SOURCE: Final = "Prometheus"
SideOf = Callable[[Mapping[str, str]], Side | None]

_WRONG: Final = "of periods in which a value is no count"
_CLASSES: Final = {"2": 0, "3": 1, "4": 2, "5": 3}
_FINEST: Final = 3
"""Native buckets are merged to eight to a doubling: finer than any limit is."""

_LEAST_EXPONENT, _MOST_EXPONENT = -10, 12
"""2**-10 s is 1 ms, 2**12 s more than an hour: native buckets beyond are under- and overflow."""


class Series(msgspec.Struct, frozen=True):
    """Labels, plain values by time, and native histograms by time (unix seconds)."""

    labels: dict[str, str]
    values: dict[int, float]
    histograms: dict[int, Native]


class Native(msgspec.Struct, frozen=True):
    """A native histogram at one time: (upper bound in s, values in that bucket), cumulative in
    time and not over buckets; `count` is of all.
    """

    count: float
    buckets: tuple[tuple[float, float, float], ...]


def read_matrix(document: Mapping[str, Any], doing: str) -> list[Series]:
    """The series of an answer. Raises Unavailable for one with warnings, Malformed otherwise."""
    warnings = document.get("warnings")
    if warnings:
        said = sanitize("; ".join(map(str, warnings)) if isinstance(warnings, list) else warnings)
        raise Unavailable(
            f"{SOURCE} answered with a warning, so something may be missing ({doing}): {said}.",
            remedy="It is asked again; what needs it is no data until then.",
            source=SOURCE,
        )
    data = document.get("data")
    if document.get("status") != "success" or not isinstance(data, dict):
        raise _malformed("it does not say that it succeeded", doing)
    if data.get("resultType") != "matrix" or not isinstance(data.get("result"), list):
        raise _malformed("it is no matrix", doing)
    try:
        return [_read_series(one) for one in data["result"]]
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as exc:
        raise _malformed(f"{type(exc).__name__}: {exc}", doing) from exc


def read_responses(
    series: Sequence[Series], side_of: SideOf, grid: PeriodGrid, label: str, defects: Defects
) -> dict[Side, dict[int, Responses]]:
    """Counts by class of status, added up over instances. `label` has a code or a class."""
    ends = _ends(grid)
    columns: dict[Side, dict[int, Responses]] = {"legacy": {}, "canary": {}}
    for side in SIDES:
        mine = [one for one in series if side_of(one.labels) == side]
        alive = _alive(mine, ends)
        tallies: dict[int, list[int]] = {}
        for one in mine:
            index = _CLASSES.get(one.labels.get(label, "")[:1], 4)
            grown = add_growth([_counts(one)], ends, alive)
            _note(grown, side, defects)
            for end, (count,) in grown.whole.items():
                tallies.setdefault(end, [0, 0, 0, 0, 0])[index] += round(count)
        spoilt = {end for mine_too, end in defects.spoilt if mine_too == side}
        columns[side] = {
            end: Responses(*found) for end, found in sorted(tallies.items()) if end not in spoilt
        }
    return columns


def read_latency(
    series: Sequence[Series], side_of: SideOf, grid: PeriodGrid, bound_ms: float, defects: Defects
) -> dict[Side, dict[int, Distribution]]:
    """Distributions in ms, added up over instances, of classic or native histograms."""
    ends = _ends(grid)
    columns: dict[Side, dict[int, Distribution]] = {"legacy": {}, "canary": {}}
    for side in SIDES:
        mine = [one for one in series if side_of(one.labels) == side]
        native = [one for one in mine if one.histograms]
        bounds, vectors = _native_vectors(native) if native else _classic_vectors(mine, defects)
        alive = _alive(mine, ends)
        grown = add_growth(vectors, ends, alive)
        _note(grown, side, defects)
        bounds_ms = tuple(bound * bound_ms for bound in bounds)
        columns[side] = {
            end: _distribution(bounds_ms, below) for end, below in sorted(grown.whole.items())
        }
    return columns


def _distribution(bounds_ms: tuple[float, ...], below: Sequence[float]) -> Distribution:
    """From growth cumulated over buckets; counts are whole, and never negative."""
    whole = [round(value) for value in below]
    counts = [max(0, now - before) for before, now in zip([0, *whole], whole, strict=False)]
    return Distribution(bounds_ms, tuple(counts), sum(counts))


def _classic_vectors(
    series: Iterable[Series], defects: Defects
) -> tuple[tuple[float, ...], list[dict[int, list[float]]]]:
    """The `_bucket` series put together: one vector over bounds for each process and time.

    Processes whose bounds are others than most have, or that lack a bucket, are left out and
    reported: their counts cannot be added to the rest.
    """
    groups: dict[tuple[tuple[str, str], ...], dict[float, dict[int, float]]] = {}
    for one in series:
        key = tuple(sorted((k, v) for k, v in one.labels.items() if k != "le"))
        bound = read_bound(one.labels.get("le", ""))
        if bound is None:
            defects.note("without a bound in `le`")
            continue
        groups.setdefault(key, {})[bound] = one.values
    layouts = [tuple(sorted(group)) for group in groups.values()]
    if not layouts:
        return (), []
    usual = max(layouts, key=layouts.count)
    if not math.isinf(usual[-1]):
        defects.note("without the bucket le=+Inf")
        return (), []
    vectors = []
    for group in groups.values():
        if tuple(sorted(group)) != usual:
            defects.note("with a bucket layout of its own")
            continue
        times = set.intersection(*(set(values) for values in group.values()))
        vectors.append({at: [group[bound][at] for bound in usual] for at in times})
    return usual[:-1], vectors


def read_bound(text: str) -> float | None:
    """The bound that a label gives; None: it is none."""
    try:
        found = float(text)
    except ValueError:
        return None
    return None if math.isnan(found) or found == -math.inf else found


def _native_vectors(
    series: Sequence[Series],
) -> tuple[tuple[float, ...], list[dict[int, list[float]]]]:
    """Native histograms on one layout: 2**(k/2**schema) s, the coarsest schema there is."""
    schema = min(
        (_schema(native) for one in series for native in one.histograms.values()), default=_FINEST
    )
    steps = 2**schema if schema >= 0 else 1
    first, last = _LEAST_EXPONENT * steps, _MOST_EXPONENT * steps
    bounds = tuple(2.0 ** (k / steps) for k in range(first, last + 1))
    vectors = [
        {at: _below(native, bounds) for at, native in one.histograms.items()} for one in series
    ]
    return bounds, vectors


def _below(native: Native, bounds: Sequence[float]) -> list[float]:
    found, index, total = [0.0] * (len(bounds) + 1), 0, 0.0
    for _, upper, count in sorted(native.buckets, key=lambda bucket: bucket[1]):
        # A bound is a power, and comes as its shortest text: compared with a little room.
        while index < len(bounds) and bounds[index] * (1 + 1e-9) < upper:
            found[index] = total
            index += 1
        total += count
    for rest in range(index, len(bounds)):
        found[rest] = total
    found[-1] = native.count
    return found


def _schema(native: Native) -> int:
    """How many buckets to a doubling, as a power of 2, told by the widths; at most _FINEST."""
    found = _FINEST
    for lower, upper, _ in native.buckets:
        doublings = math.log2(upper / lower) if 0 < lower < upper < math.inf else 0.0
        if 0 < doublings < math.inf:
            found = min(found, round(-math.log2(doublings)))
    return max(found, 0)


def _counts(one: Series) -> dict[int, list[float]]:
    if one.histograms:
        return {at: [native.count] for at, native in one.histograms.items()}
    return {at: [value] for at, value in one.values.items()}


def _alive(series: Iterable[Series], ends: Sequence[int]) -> dict[int, bool]:
    """At which ends anything of a side was scraped."""
    seen = {at for one in series for at in (*one.values, *one.histograms)}
    return {end: end in seen for end in ends}


def _ends(grid: PeriodGrid) -> list[int]:
    return list(range(grid.start, grid.end + 1, grid.period_s))


def _note(grown: Growth, side: Side, defects: Defects) -> None:
    defects.spoilt |= {(side, end) for end in grown.unknown}
    for _ in grown.wrong:
        defects.note(_WRONG)


def _read_series(one: Mapping[str, Any]) -> Series:
    labels = {str(k): str(v) for k, v in one["metric"].items()}
    values = {round(float(at)): float(value) for at, value in one.get("values", ())}
    histograms = {round(float(at)): _read_native(h) for at, h in one.get("histograms", ())}
    return Series(labels, values, histograms)


def _read_native(given: Mapping[str, Any]) -> Native:
    buckets = []
    for _, lower, upper, count in given.get("buckets", ()):
        buckets.append((float(lower), float(upper), float(count)))
    return Native(float(given["count"]), tuple(buckets))


def _malformed(why: str, doing: str) -> Malformed:
    return Malformed(
        f"{SOURCE} gave an answer that cannot be used ({doing}): {sanitize(why, 200)}.",
        source=SOURCE,
    )
