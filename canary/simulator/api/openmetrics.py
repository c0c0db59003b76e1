"""What the services tell a scraper: `GET /metrics`, OpenMetrics 1.0 text, or protobuf with native
histograms for one that asks for it (`native_histograms`).

The series are OpenTelemetry's HTTP server metric as its Prometheus exporter names it
(`http_server_request_duration_seconds`, a histogram of seconds with the status code as a label;
semantic conventions, "HTTP metrics"). They are the same minutes that Cloud Monitoring's series are
made from, cumulated, with the minute's end as their timestamp: what a scraper keeps can be held
against what Cloud Monitoring says, minute by minute and without a remainder.
A counter begins with the first minute that is asked for and has any of it, as a process does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

from aiohttp import web

from canary.simulator.api.native_histograms import CONTENT_TYPE as NATIVE_TYPE
from canary.simulator.api.native_histograms import (
    encode_family,
    encode_metric,
    spread,
    wants_native,
)
from canary.simulator.config import SideName
from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS, MINUTE_S, Minute
from canary.simulator.world.traffic.scenarios import SIDES
from canary.simulator.world.world import World

PATH = "/metrics"
CONTENT_TYPE = "application/openmetrics-text; version=1.0.0; charset=utf-8"
METRIC = "http_server_request_duration_seconds"
_Key = tuple[str, str, int]

BEGUN_BEFORE_S = 3600.0
"""Counters reach so far back from the first scrape: the services have run for a while."""


class Counters:
    """Cumulated minutes by revision and status code: bucket counts, and the sum of seconds."""

    def __init__(self) -> None:
        self.at = 0
        self._counts: dict[_Key, list[int]] = {}
        self._sums_s: dict[_Key, float] = {}
        self._native: dict[_Key, dict[int, int]] = {}
        self._present: set[tuple[str, str]] = set()

    def add(self, end: int, minutes: Iterable[Minute]) -> None:
        """Take the minutes that end at `end` on. A revision without one is not told of then."""
        self.at = end
        self._present = set()
        for minute in minutes:
            self._present.add((minute.service, minute.revision))
            for code, latency in minute.latencies.items():
                key = (minute.service, minute.revision, code)
                counts = self._counts.setdefault(key, [0] * (len(LATENCY_BOUNDS_MS) + 1))
                for index, count in enumerate(latency.counts):
                    counts[index] += count
                native = self._native.setdefault(key, {})
                for index, count in spread(latency.counts).items():
                    native[index] = native.get(index, 0) + count
                self._sums_s[key] = self._sums_s.get(key, 0.0) + latency.sum / 1000.0

    def lines(self, service: str | None = None) -> Iterator[str]:
        """The samples of one service, or of all, at the newest minute; without HELP and TYPE."""
        for key in self._told(service):
            labels = ",".join(f'{name}="{value}"' for name, value in _labels_of(key).items())
            yield from self._histogram(key, labels)

    def family(self, service: str | None = None) -> bytes:
        """The same in the protobuf format, with native histograms."""
        metrics = (
            encode_metric(
                _labels_of(key), self._counts[key], self._native[key], self._sums_s[key], self.at
            )
            for key in self._told(service)
        )
        return encode_family(METRIC, HELP, metrics)

    def _told(self, service: str | None) -> Iterator[_Key]:
        for key in sorted(self._counts):
            name, revision, _ = key
            if (service is None or name == service) and (name, revision) in self._present:
                yield key

    def _histogram(self, key: tuple[str, str, int], labels: str) -> Iterator[str]:
        total = 0
        bounds = [f"{bound_ms / 1000.0:.9g}" for bound_ms in LATENCY_BOUNDS_MS] + ["+Inf"]
        for bound, count in zip(bounds, self._counts[key], strict=True):
            total += count
            yield f'{METRIC}_bucket{{{labels},le="{bound}"}} {total} {self.at}'
        yield f"{METRIC}_sum{{{labels}}} {self._sums_s[key]:.6f} {self.at}"
        yield f"{METRIC}_count{{{labels}}} {total} {self.at}"


class Exposition:
    """Answers scrapes of one world; each service tells of itself."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._counters = Counters()

    def text(self, side: SideName | None) -> str:
        """All that a side's service has counted up to the newest minute that is over.

        None: both services', as one exporter for both would.
        """
        self._world.settle()
        self._catch_up()
        return "\n".join([*HEAD, *self._counters.lines(self._service(side)), "# EOF", ""])

    def protobuf(self, side: SideName | None) -> bytes:
        """The same in the protobuf format."""
        self._world.settle()
        self._catch_up()
        return self._counters.family(self._service(side))

    def respond(self, side: SideName | None, accept: str = "") -> web.Response:
        """The answer to `GET /metrics` in the format that `accept`, a header, asks for."""
        if wants_native(accept):
            headers = {"content-type": NATIVE_TYPE}
            return web.Response(body=self.protobuf(side), headers=headers)
        headers = {"content-type": CONTENT_TYPE}
        return web.Response(body=self.text(side).encode(), headers=headers)

    def _service(self, side: SideName | None) -> str | None:
        return None if side is None else self._world.config.service_of(side)

    def _catch_up(self) -> None:
        newest = math.floor(self._world.clock.now() / MINUTE_S) * MINUTE_S
        first = self._counters.at or newest - int(BEGUN_BEFORE_S)
        for end in range(first + MINUTE_S, newest + 1, MINUTE_S):
            self._counters.add(end, minutes_of(self._world, end))


HELP = "Duration of HTTP server requests."
HEAD = (
    f"# HELP {METRIC} {HELP}",
    f"# TYPE {METRIC} histogram",
    f"# UNIT {METRIC} seconds",
)


def _labels_of(key: _Key) -> dict[str, str]:
    name, revision, code = key
    return {
        "service_name": name,
        "revision": revision,
        "http_request_method": "GET",
        "http_response_status_code": str(code),
    }


def minutes_of(world: World, end: int) -> list[Minute]:
    """The minutes of all revisions of both sides that end at `end`."""
    services = dict.fromkeys(world.config.service_of(side) for side in SIDES)
    start = end - MINUTE_S
    return [m for name in services for m in world.traffic.minutes(name, None, start, end)]
