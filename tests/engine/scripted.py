"""Cloud Monitoring by a script: the real reader and parser, with the wire's answers made up.

What is measured is fixed for each minute from the start; the script says what of it can be seen
when, and which question fails when.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, cast

import msgspec

from canary.cloud.connection.client_modules import load_api
from canary.cloud.monitoring.queries import ROLES, Query, Role
from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.monitoring.timeseries import PeriodGrid
from canary.rollout.errors import NotFound, Unavailable
from canary.rollout.plan.plan import Plan

BEGIN = 1_772_373_600
"""The first minute begins here; a multiple of an hour."""
INGEST_S = 150.0
_BOUNDS = [100.0, 200.0, 400.0, 800.0, 1600.0, 3200.0]


class Fails(msgspec.Struct, frozen=True):
    """These metrics cannot be read between two minutes of the script."""

    roles: frozenset[Role]
    first: int
    last: int


class Script(msgspec.Struct, frozen=True):
    """What goes wrong. Minutes are counted from BEGIN, sides by their service's name.

    `bursts`: Canary fails for 30 %. `silent`: nobody asks that side. `late`: so many seconds more
    until this value is seen. `spoilt`: from the second minute on the value of the first is NaN.
    `restarts`: the console begins again. `moves`: the split changes.
    """

    fails: tuple[Fails, ...] = ()
    bursts: tuple[tuple[int, int], ...] = ()
    silent: tuple[tuple[str, int, int], ...] = ()
    late: dict[tuple[str, Role, int], int] = {}
    spoilt: tuple[tuple[str, int, int], ...] = ()
    restarts: frozenset[int] = frozenset()
    moves: tuple[int, ...] = ()
    absent: frozenset[Role] = frozenset()


class ScriptedReader(MonitoringReader):
    """The adapter, of which only the call over the network is replaced."""

    def __init__(self, plan: Plan, script: Script) -> None:
        super().__init__(cast("Any", None), plan)
        self.now = float(BEGIN)
        self._script = script
        self._services = (plan.target.legacy, plan.target.canary)

    async def ingest_delay_s(self) -> float | None:
        return INGEST_S

    async def _fetch(self, query: Query, grid: PeriodGrid, answer: Any) -> None:
        minute = (self.now - BEGIN) / 60
        if query.role in self._script.absent:
            raise NotFound(f"Cannot find metric(s) that match type = {query.metric}.")
        if any(query.role in f.roles and f.first <= minute < f.last for f in self._script.fails):
            raise Unavailable(f"{query.metric}: the service is unavailable.")
        answer.calls += 1
        for service in self._services:
            answer.series += self._series(service, query.role, grid)

    def _series(self, service: str, role: Role, grid: PeriodGrid) -> list[Any]:
        first = max(0, (grid.start - BEGIN) // 60)
        ends = range(BEGIN + 60 * first + 60, grid.end + 1, 60)
        minutes = [(end, (end - BEGIN) // 60 - 1) for end in ends]
        seen = [(end, m) for end, m in minutes if self._is_seen(service, role, end, m)]
        labels = {"responses": "response_code_class", "instances": "state"}.get(role, "")
        kinds = {"responses": ("2xx", "5xx"), "instances": ("active", "idle")}.get(role, ("",))
        return [
            _one(
                service,
                labels,
                kind,
                [(end, self._value(service, role, kind, m)) for end, m in seen],
            )
            for kind in kinds
        ]

    def _is_seen(self, service: str, role: Role, end: int, minute: int) -> bool:
        if any(s == service and a <= minute < b for s, a, b in self._script.silent):
            return False
        late = self._script.late.get((service, role, minute), 0)
        return end + INGEST_S + late <= self.now

    def _value(self, service: str, role: Role, kind: str, minute: int) -> Any:
        is_canary = service == self._services[1]
        burst = is_canary and any(a <= minute < b for a, b in self._script.bursts)
        spoilt = any(
            s == service and m == minute and self.now >= BEGIN + 60 * at
            for s, m, at in self._script.spoilt
        )
        total = 100 + minute % 7
        if role == "responses":
            errors = round(total * 0.3) if burst else minute % 2
            return (
                math.nan
                if spoilt and kind == "5xx"
                else (errors if kind == "5xx" else total - errors)
            )
        if role == "instances":
            return 1 + minute % 3
        return (0, 0, total - 3, 3 if not burst else 0, 0 if not burst else 3)


def _one(service: str, label: str, kind: str, values: list[tuple[int, Any]]) -> Any:
    types = load_api("metrics").types
    kind_of = types.ListTimeSeriesResponse
    series = kind_of.pb(kind_of()).time_series.add()
    series.resource.labels["service_name"] = service
    if label:
        series.metric.labels[label] = kind
    series.points.extend(_point(end, value) for end, value in reversed(values))
    return series


@cache
def _point(end: int, value: int | float | tuple[int, ...]) -> Any:
    """One value of the wire; the same few are asked for again and again."""
    types = load_api("metrics").types
    kind_of = types.ListTimeSeriesResponse
    point = kind_of.pb(kind_of()).time_series.add().points.add()
    point.interval.end_time.seconds = end
    if isinstance(value, tuple):
        spread = point.value.distribution_value
        spread.count, spread.mean = sum(value), 0.3
        spread.bucket_counts.extend(value)
        spread.bucket_options.explicit_buckets.bounds.extend(_BOUNDS)
    elif isinstance(value, float):
        point.value.double_value = value
    else:
        point.value.int64_value = value
    return point


ALL_ROLES = ROLES
