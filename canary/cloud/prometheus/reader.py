"""Both sides' requests and latency from a Prometheus, as Cloud Monitoring's reader gives them.

What Prometheus does not know of Cloud Run (instances, processor, memory, the application's score)
is absent, with the reason, or comes from the second source that the plan names.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Mapping
from typing import Any, Final, Protocol

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.monitoring.timeseries import SIDES, Columns, Defects, PeriodGrid, build_samples
from canary.cloud.prometheus.answers import (
    SOURCE,
    Series,
    SideOf,
    read_bound,
    read_latency,
    read_responses,
)
from canary.cloud.prometheus.client import PrometheusClient
from canary.cloud.prometheus.queries import Queries, build_queries
from canary.cloud.run.client import RunClient
from canary.cloud.run.sides import side_of_revision
from canary.cloud.views import Reading, SpoiltValue
from canary.rollout.change.change import Side
from canary.rollout.errors import CanaryError, CloudError, Malformed, NotFound, Unavailable
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import Plan

EVALUATION_S: Final = 5.0
"""So long after a scrape at the latest its values can be asked for."""

LOOKBACK_S: Final = 900
"""Asked for before what is wanted: a counter that was away for less is known again."""

ELSEWHERE: Final = ("confidence", "cpu", "memory", "instances")


class SecondSource(Protocol):
    """Where what Prometheus does not know comes from."""

    async def read(self, start: float, end: float, period_s: int = 60) -> Reading:
        """Both sides over (start, end]; raises CanaryError when nothing could be read."""


class Facts(msgspec.Struct, frozen=True):
    """`sides` have requests; `top_bound_ms` is the last finite bound of a classic histogram (None:
    native, or there is none): a percentile beyond it is "at least" that.
    """

    version: str
    series: int
    sides: tuple[Side, ...]
    top_bound_ms: float | None
    has_latency: bool


class PrometheusReader:
    """Reads the metrics of one plan. `second` gives what is not in Prometheus, where there is one.

    The connection (which the caller closes) tells the revisions of both sides, where the sides are
    revisions.
    """

    def __init__(
        self, connection: Connection, plan: Plan, second: SecondSource | None = None
    ) -> None:
        self._plan = plan
        self._connection = connection
        self._client = PrometheusClient(plan)
        self._second = second
        self._sides: tuple[str, str] = ("", "")

    async def read(self, start: float, end: float, period_s: int = 60) -> Reading:
        """Both sides' samples over (start, end], unix seconds; cut down to whole periods.

        The newest period is left out until a scrape interval after its end. Raises the first error
        when neither requests nor latency could be read. Nothing to ask: an empty Reading.
        """
        whole = _floor(end - self.delay_s, period_s)
        grid = PeriodGrid(_floor(start, period_s), whole, period_s)
        if grid.start >= grid.end:
            return Reading((), (), (), 0)
        side_of, queries = await self._prepare()
        wide = _widen(grid)
        requests, latency, more = await asyncio.gather(
            _try(self._ask(queries.requests, queries.native, wide, "reading requests")),
            _try(self._ask(queries.latency, queries.native, wide, "reading latency")),
            self._read_second(start, end, period_s),
        )
        found = _put_together(requests, latency, side_of, queries, grid)
        return _join(found, more)

    async def inspect(self, now: float) -> Facts:
        """What the server has of the sides in the newest minutes, for `canary doctor`."""
        side_of, queries = await self._prepare()
        end = _floor(now - self.delay_s, 60)
        grid = PeriodGrid(end - 600, end, 60)
        requests = await self._ask(queries.requests, queries.native, grid, "reading requests")
        latency = await self._ask(queries.latency, queries.native, grid, "reading latency")
        texts = {one.labels.get("le", "+Inf") for one in latency}
        bounds = [bound for bound in map(read_bound, texts) if bound not in (None, math.inf)]
        found = {side_of(one.labels) for one in requests if one.values or one.histograms}
        return Facts(
            version=await self._client.version(),
            series=len(requests) + len(latency),
            sides=tuple(side for side in SIDES if side in found),
            top_bound_ms=max(bounds) * queries.bound_ms if bounds else None,
            has_latency=bool(latency),
        )

    @property
    def delay_s(self) -> float:
        """How long after its end a period is whole: the last scrape before it, and its evaluation.

        A boundary's value is that of the last scrape before it, so nothing is lost by asking
        sooner but the scrape that is just under way.
        """
        return self._plan.metrics.scrape_s + EVALUATION_S

    async def ingest_delay_s(self) -> float | None:
        """How late a period can be read."""
        return self.delay_s

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        await self._client.close()

    async def _ask(self, query: str, native: str, grid: PeriodGrid, doing: str) -> list[Series]:
        series: list[Series] = []
        if query:
            series = await self._client.query_range(
                query, grid.start, grid.end, grid.period_s, doing
            )
        if not series and native:
            series = await self._client.query_range(
                native, grid.start, grid.end, grid.period_s, doing
            )
        return series

    async def _prepare(self) -> tuple[SideOf, Queries]:
        """How a series' side is told, and the queries for it."""
        plan, metrics, target = self._plan, self._plan.metrics, self._plan.target
        legacy, canary = metrics.legacy_side, metrics.canary_side
        if target.shares_one_service and (legacy is None or canary is None):
            return await self._prepare_revisions()
        values = legacy or target.legacy, canary or target.canary
        queries = build_queries(plan, values)
        sides: dict[str, Side] = {values[0]: "legacy", values[1]: "canary"}
        return (lambda labels: sides.get(labels.get(queries.side_label, ""))), queries

    async def _prepare_revisions(self) -> tuple[SideOf, Queries]:
        try:
            now = await RunClient(self._connection, self._plan).sides()
            self._sides = now.stable, now.candidate or self._sides[1]
        except CloudError:
            if not self._sides[1]:
                raise
        stable, candidate = self._sides
        if not candidate:
            raise Malformed(
                f"No revision of {self._plan.router_service} has the tag"
                f" {self._plan.target.router.candidate!r}, so its metrics cannot be told apart.",
                remedy="Deploy the candidate with that tag, or name its revision in the plan.",
                source="Cloud Run",
            )
        queries = build_queries(self._plan, (stable, candidate))

        def tell(labels: Mapping[str, str]) -> Side | None:
            return side_of_revision(labels.get(queries.side_label, ""), candidate, stable)

        return tell, queries

    async def _read_second(self, start: float, end: float, period_s: int) -> Reading:
        if self._second is None:
            return Reading((), (), (), 0, absent={role: _absent(role) for role in ELSEWHERE})
        try:
            return await self._second.read(start, end, period_s)
        except CloudError as error:
            return Reading((), (), (error,), 0, unread=dict.fromkeys(ELSEWHERE, error))


def _put_together(
    requests: list[Series] | CloudError,
    latency: list[Series] | CloudError,
    side_of: SideOf,
    queries: Queries,
    grid: PeriodGrid,
) -> Reading:
    """The samples of what was answered; raises the first error when there is nothing else."""
    wide = _widen(grid)
    unread: dict[str, CloudError] = {}
    failures, spoilt = list[CloudError](), list[SpoiltValue]()
    columns: dict[Side, Columns] = {"legacy": Columns(), "canary": Columns()}
    for role, answer in (("responses", requests), ("latency", latency)):
        if isinstance(answer, CloudError):
            unread[role] = answer
            continue
        defects = Defects()
        parsed: dict[Side, Any]
        if role == "responses":
            parsed = read_responses(answer, side_of, wide, queries.status_label, defects)
        else:
            parsed = read_latency(answer, side_of, wide, queries.bound_ms, defects)
        for side, column in columns.items():
            inside = {end: v for end, v in parsed[side].items() if end > grid.start}
            setattr(column, role, inside)
        mine = sorted((s, end) for s, end in defects.spoilt if end > grid.start)
        spoilt += [SpoiltValue(side, role, float(end)) for side, end in mine]
        if defects.reasons:
            failures.append(_report(role, defects))
    if len(unread) == len(("responses", "latency")):
        raise next(iter(unread.values()))
    return Reading(
        legacy=build_samples(columns["legacy"], grid),
        canary=build_samples(columns["canary"], grid),
        failures=(*unread.values(), *failures),
        calls=2,
        unread=unread,
        spoilt=tuple(spoilt),
    )


def _join(found: Reading, more: Reading) -> Reading:
    """What Prometheus said, and beside it what only the second source knows."""
    sides: dict[Side, tuple[Sample, ...]] = {}
    for side in SIDES:
        mine: dict[float, Sample] = {s.end: s for s in getattr(found, side)}
        for other in getattr(more, side):
            base = mine.get(other.end) or Sample(other.start, other.end)
            mine[other.end] = msgspec.structs.replace(
                base, **{role: getattr(other, role) for role in (*ELSEWHERE, "instances_active")}
            )
        sides[side] = tuple(mine[end] for end in sorted(mine))
    theirs = {role: e for role, e in more.unread.items() if role in ELSEWHERE}
    return Reading(
        legacy=sides["legacy"],
        canary=sides["canary"],
        failures=(*found.failures, *more.failures),
        calls=found.calls + more.calls,
        unread={**found.unread, **theirs},
        absent=more.absent,
        spoilt=(*found.spoilt, *(s for s in more.spoilt if s.role in ELSEWHERE)),
    )


def _widen(grid: PeriodGrid) -> PeriodGrid:
    """With the periods before that are only compared with."""
    more = math.ceil(LOOKBACK_S / grid.period_s) * grid.period_s
    return PeriodGrid(grid.start - more, grid.end, grid.period_s)


async def _try(asked: Awaitable[list[Series]]) -> list[Series] | CloudError:
    try:
        return await asked
    except CloudError as error:
        return error
    except CanaryError as error:
        return Unavailable(error.message, remedy=error.remedy, source=SOURCE)


def _absent(role: str) -> CloudError:
    return NotFound(
        f"Prometheus does not know Cloud Run's {role}.",
        remedy='metrics.others = "monitoring" takes it from Cloud Monitoring.',
        source=SOURCE,
    )


def _report(role: str, defects: Defects) -> Malformed:
    return Malformed(
        f"Some values of {role} cannot be used and are left out: {defects}.",
        remedy="What needs them is shown as no data.",
        source=SOURCE,
    )


def _floor(at: float, period_s: int) -> int:
    return int(at // period_s) * period_s
