"""Requests that really arrived over HTTP, minute by minute: they count in the same metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS, Distribution
from canary.simulator.world.traffic.sampling import bucket_of, bucket_of_ratio


class Arrived(msgspec.Struct, frozen=True):
    """What really arrived at one revision in one minute."""

    latencies: dict[int, Distribution] = {}
    """Per response code, ms over LATENCY_BOUNDS_MS; requests refused by the front are not in."""
    confidence: Distribution = Distribution()
    refused: int = 0

    @property
    def requests(self) -> int:
        """Requests that reached an instance."""
        return sum(latency.count for latency in self.latencies.values())


NOTHING = Arrived()


Listener = Callable[[float, str, str, int, float, bool], None]
"""Told of (cloud time, service, revision, response code, latency in ms, refused by the front)."""


class Arrivals:
    """What really arrived, by (end of the minute, service, revision)."""

    def __init__(self) -> None:
        self._arrived: dict[int, dict[tuple[str, str], Arrived]] = {}
        self._changed: set[tuple[int, str, str]] = set()
        self._listeners: list[Listener] = []

    def listen(self, listener: Listener) -> None:
        """Have each request that an instance answered or the front refused told."""
        self._listeners.append(listener)

    def count(
        self,
        now: float,
        service: str,
        revision: str,
        code: int,
        latency_ms: float,
        confidence: float | None,
    ) -> None:
        """Count a request that an instance answered at cloud time `now`."""
        end, before = self._at(now, service, revision)
        one = _with(
            before.latencies.get(code), bucket_of(LATENCY_BOUNDS_MS, latency_ms), latency_ms
        )
        score = before.confidence
        if confidence is not None:
            score = _with(score, bucket_of_ratio(confidence), confidence)
        after = Arrived({**before.latencies, code: one}, score, before.refused)
        self._put(end, service, revision, after)
        for listener in self._listeners:
            listener(now, service, revision, code, latency_ms, False)

    def count_refused(self, now: float, service: str, revision: str, code: int) -> None:
        """Count a request that the front refused because no instance was free."""
        end, before = self._at(now, service, revision)
        after = msgspec.structs.replace(before, refused=before.refused + 1)
        self._put(end, service, revision, after)
        for listener in self._listeners:
            listener(now, service, revision, code, 0.0, True)

    def get(self, end: int, service: str, revision: str) -> Arrived:
        """Return what arrived in the minute that ends at `end`; NOTHING if nothing did."""
        return self._arrived.get(end, {}).get((service, revision), NOTHING)

    def per_s(self, end: int, service: str, revision: str) -> float:
        """Return the requests a second that really reached a revision in a minute."""
        return self.get(end, service, revision).requests / 60.0 if self._arrived else 0.0

    def lately(self, end: int, service: str, revision: str, minutes: int) -> bool:
        """Whether a request really reached a revision in the `minutes` up to `end`."""
        if not self._arrived:
            return False
        ends = range(end, end - 60 * minutes, -60)
        return any(self.get(one, service, revision).latencies for one in ends)

    def restore(self, end: int, service: str, revision: str, value: bytes) -> None:
        """Take back what `take_changed` gave."""
        arrived = msgspec.json.decode(value, type=Arrived)
        self._arrived.setdefault(end, {})[service, revision] = arrived

    def take_changed(self) -> Iterator[tuple[int, str, str, bytes]]:
        """Yield (end, service, revision, value) of each minute changed since the last call."""
        changed, self._changed = self._changed, set()
        for end, service, revision in sorted(changed):
            yield end, service, revision, msgspec.json.encode(self.get(end, service, revision))

    def drop(self, before: int) -> None:
        """Forget the minutes that ended before a time."""
        for end in [end for end in self._arrived if end < before]:
            del self._arrived[end]
        self._changed = {key for key in self._changed if key[0] >= before}

    def _at(self, now: float, service: str, revision: str) -> tuple[int, Arrived]:
        end = int(now // 60 + 1) * 60
        return end, self.get(end, service, revision)

    def _put(self, end: int, service: str, revision: str, arrived: Arrived) -> None:
        self._arrived.setdefault(end, {})[service, revision] = arrived
        self._changed.add((end, service, revision))


def _with(before: Distribution | None, bucket: int, value: float) -> Distribution:
    """Return a distribution with one value more."""
    held = before or Distribution()
    counts = list(held.counts) + [0] * (bucket + 1 - len(held.counts))
    counts[bucket] += 1
    return Distribution(tuple(counts), held.sum + value, held.sum_sq + value * value)
