"""Failing requests that were asked for, put beside the minutes that Cloud Monitoring counts. Pure.

The tail of the request log counts all requests itself; a list of failing ones does not say of how
many they are. What is newer than the newest minute is listed and not compared.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from canary.rollout.failures.groups import FailuresState
from canary.rollout.failures.requests import FailedRequest, FailureWindow
from canary.rollout.measure.samples import Sample

UNCOUNTED = "Cloud Monitoring has not counted it yet"


def gather_failures(
    requests: Sequence[FailedRequest],
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    since: float,
    now: float,
) -> FailuresState:
    """The state of [since, now], cloud time; `requests` in any order."""
    state = FailuresState()
    state.begin(since)
    for window in _windows(sorted(requests, key=lambda r: r.at), legacy, canary, since, now):
        state.add(window)
    state.seen_since = since
    return state


def _windows(
    requests: Sequence[FailedRequest],
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    since: float,
    now: float,
) -> Iterator[FailureWindow]:
    other = {(s.start, s.end): s for s in canary}
    left, end = list(requests), since
    for sample in legacy:
        pair = other.get((sample.start, sample.end))
        if sample.start < since or pair is None:
            continue
        if sample.responses is None or pair.responses is None:
            continue
        before = tuple(r for r in left if r.at <= sample.start)
        inside = tuple(r for r in left if sample.start < r.at <= sample.end)
        left = [r for r in left if r.at > sample.end]
        if before:
            yield FailureWindow(end, sample.start, 0, 0, before, unfit=UNCOUNTED)
        refused = [sum(r.refused and r.side == side for r in inside) for side in _SIDES]
        yield FailureWindow(
            sample.start,
            sample.end,
            sample.responses.total + refused[0],
            pair.responses.total + refused[1],
            inside,
        )
        end = sample.end
    if left or end < now:
        yield FailureWindow(end, now, 0, 0, tuple(left), unfit=UNCOUNTED)


_SIDES = ("legacy", "canary")
