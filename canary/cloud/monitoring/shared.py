"""Requests and latency of all services of a project in two ListTimeSeries.

A filter may have 2 048 characters (cloud.google.com/monitoring/api/v3/filters), which name some
forty services: for more they are asked for in several, and for very many all of the project are
read and told apart here. Each rollout then gets its own as a Reading, as if it had asked alone.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from canary.cloud.connection.calls import ask, demand_whole
from canary.cloud.connection.clients import Connection
from canary.cloud.monitoring.queries import Query, Role, build_request, quote
from canary.cloud.monitoring.reader import SOURCE
from canary.cloud.monitoring.timeseries import (
    Columns,
    Defects,
    PeriodGrid,
    Side,
    SideOf,
    build_samples,
    read_distributions,
    read_responses,
)
from canary.cloud.run.listing import ListedServices, Place
from canary.cloud.run.sides import find_sides, read_past, side_of_revision
from canary.cloud.views import Reading, SpoiltValue
from canary.rollout.errors import (
    CanaryError,
    CloudError,
    Malformed,
    NotFound,
    Rejected,
    Unavailable,
)
from canary.rollout.plan.confidence import find_confidence_source
from canary.rollout.plan.plan import Plan

READ_TIMEOUT_S: Final = 30.0
LONGEST_FILTER: Final = 2048
MOST_FILTERS: Final = 4
"""For a metric. Two metrics in four filters and the score are nine readings a minute, of the twelve
that a list may take; more services than that are cheaper to read as the whole project."""
PERIOD_S: Final = 60
FIRST_SPAN_S: Final = 4500.0
"""What is read first: the window of the gates, the watch, and how late points are."""

AGAIN_S: Final = 900.0
"""Points of the newest minutes arrive late: so far back is read each time."""

LATE_S: Final = 600.0
"""So late may a minute be: of what was read last, that much is read again."""

ELSEWHERE: Final[tuple[Role, ...]] = ("cpu", "memory", "instances")
"""What a list does not show, and does not ask for."""

_METRICS: Final[Mapping[Role, str]] = {
    "responses": "run.googleapis.com/request_count",
    "latency": "run.googleapis.com/request_latencies",
}
_GROUP: Final = (
    "resource.label.location",
    "resource.label.service_name",
    "resource.label.revision_name",
)


ScoreSource = tuple[str, str, str]
"""(metric, resource type, the label that tells the side)."""


class _Tick(msgspec.Struct, frozen=True):
    """One reading of everything: series by role and place; an error where a role has none."""

    grid: PeriodGrid
    series: dict[str, dict[Place, list[Any]]]
    errors: dict[str, CloudError]
    scores: dict[ScoreSource, list[Any] | CloudError]


class SharedMetrics:
    """Reads for all; `plans` are those that it reads for. One reading serves one tick."""

    def __init__(self, connection: Connection, project: str) -> None:
        self._connection = connection
        self._project = project
        self._tick: _Tick | None = None
        self._read_until: int | None = None
        """Up to where all was read without an error; None: that is still to be done."""
        self.calls = 0

    async def read_all(
        self, places: Iterable[Place], now: float, *, whole: bool, scores: Iterable[ScoreSource]
    ) -> None:
        """Read the newest minutes of all services; as far back as is ever shown where that is
        asked for by `whole`, and where the last good reading is too long ago.

        `scores`: where the plans' confidence metrics are, each asked for once.
        """
        end = int(now // PERIOD_S) * PERIOD_S
        is_due = self._read_until is None or end - self._read_until > AGAIN_S - LATE_S
        span = FIRST_SPAN_S if whole or is_due else AGAIN_S
        grid = PeriodGrid(int((end - span) // PERIOD_S) * PERIOD_S, end, PERIOD_S)
        wanted = sorted(places)
        roles: tuple[Role, ...] = ("responses", "latency")
        answers = await asyncio.gather(*(self._read_role(role, wanted, grid) for role in roles))
        series: dict[str, dict[Place, list[Any]]] = {}
        errors: dict[str, CloudError] = {}
        for role, answer in zip(roles, answers, strict=True):
            if isinstance(answer, CloudError):
                errors[role] = answer
            else:
                series[role] = answer
        if not errors:
            self._read_until = end
        elif whole:
            self._read_until = None
        wanted_scores = sorted(set(scores))
        found = await asyncio.gather(*(self._read_scores(each, grid) for each in wanted_scores))
        self._tick = _Tick(grid, series, errors, dict(zip(wanted_scores, found, strict=True)))

    def reading(
        self, side_of: SideOf, places: Iterable[Place], plan: Plan, score_side_of: SideOf
    ) -> Reading:
        """What one rollout would have been answered. Raises the error when nothing was read."""
        tick = self._tick
        if tick is None:
            raise Unavailable("Nothing was read yet.", source=SOURCE)
        if len(tick.errors) == len(_METRICS):
            raise next(iter(tick.errors.values()))
        columns: dict[Side, Columns] = {"legacy": Columns(), "canary": Columns()}
        spoilt, failures = list[SpoiltValue](), [*tick.errors.values()]
        unread = dict(tick.errors)
        absent: dict[str, CloudError] = {role: _not_asked(role) for role in ELSEWHERE}
        scores = None if (source := score_source(plan)) is None else tick.scores.get(source)
        if isinstance(scores, CloudError):
            (absent if isinstance(scores, NotFound) else unread)["confidence"] = scores
        elif scores is not None:
            of_scores = read_distributions(scores, score_side_of, tick.grid, Defects())
            for side, column in columns.items():
                column.confidence = of_scores[side]
        mine = list(places)
        for role, parse in (("responses", read_responses), ("latency", read_distributions)):
            if role in tick.errors:
                continue
            series = [one for place in mine for one in tick.series[role].get(place, ())]
            defects = Defects()
            parsed: Any = parse(series, side_of, tick.grid, defects)
            for side, column in columns.items():
                setattr(column, role, parsed[side])
            spoilt += [SpoiltValue(side, role, float(end)) for side, end in sorted(defects.spoilt)]
            if defects.reasons:
                failures.append(
                    Malformed(f"Some points of {role} are left out: {defects}.", source=SOURCE)
                )
        return Reading(
            legacy=build_samples(columns["legacy"], tick.grid),
            canary=build_samples(columns["canary"], tick.grid),
            failures=tuple(failures),
            calls=0,
            unread=unread,
            absent=absent,
            spoilt=tuple(spoilt),
        )

    async def _read_scores(self, source: ScoreSource, grid: PeriodGrid) -> list[Any] | CloudError:
        metric, resource, label = source
        text = f"metric.type = {quote(metric)} AND resource.type = {quote(resource)}"
        group = (label.replace(".labels.", ".label."),)
        answer: list[Any] | CloudError = []
        for aligner in ("ALIGN_DELTA", "ALIGN_SUM"):  # the second for a gauge
            query = Query("confidence", metric, text, aligner, "REDUCE_SUM", group)
            try:
                answer = await self._read_series(query, grid)
            except Rejected as error:
                answer = error
            except CloudError as error:
                return error
            except CanaryError as error:
                return Unavailable(error.message, remedy=error.remedy, source=SOURCE)
            else:
                return answer
        return answer

    async def _read_role(
        self, role: Role, places: list[Place], grid: PeriodGrid
    ) -> dict[Place, list[Any]] | CloudError:
        metric = _METRICS[role]
        group = (*_GROUP, *(("metric.label.response_code_class",) if role == "responses" else ()))
        queries = [
            Query(role, metric, text, "ALIGN_DELTA", "REDUCE_SUM", group)
            for text in build_filters(metric, places)
        ]
        try:
            answers = await asyncio.gather(*(self._read_series(q, grid) for q in queries))
        except CloudError as error:
            return error
        except CanaryError as error:
            return Unavailable(error.message, remedy=error.remedy, source=SOURCE)
        found: dict[Place, list[Any]] = defaultdict(list)
        for one in (one for series in answers for one in series):
            labels = one.resource.labels
            found[(labels["location"], labels["service_name"])].append(one)
        return found

    async def _read_series(self, query: Query, grid: PeriodGrid) -> list[Any]:
        doing = f"reading {query.metric} of {self._project}"
        client, types = await self._connection.api("metrics")
        request = build_request(types, self._project, query, grid)

        async def read_pages() -> list[Any]:
            found: list[Any] = []
            pager = await client.list_time_series(
                types.ListTimeSeriesRequest.wrap(request), retry=None, timeout=READ_TIMEOUT_S
            )
            async for page in pager.pages:
                self.calls += 1
                raw = type(page).pb(page)
                demand_whole(raw, SOURCE, doing)
                found.extend(raw.time_series)
            return found

        series: list[Any] = await ask(read_pages, SOURCE, doing)
        return series


class SharedReader:
    """What one rollout's observer reads its metrics with: its part of what was read for all."""

    def __init__(self, metrics: SharedMetrics, plan: Plan, listed: ListedServices) -> None:
        self._metrics = metrics
        self._plan = plan
        self._listed = listed

    async def read(self, start: float, end: float, period_s: int = PERIOD_S) -> Reading:
        """What of (start, end] was read for all, in minutes, whatever `period_s` is."""
        found = self._metrics.reading(
            self._side_of(), places_of(self._plan), self._plan, self._score_side_of
        )
        if period_s != PERIOD_S:
            raise ValueError("what is read for all is read in minutes")
        return msgspec.structs.replace(
            found,
            legacy=tuple(s for s in found.legacy if start <= s.start and s.end <= end),
            canary=tuple(s for s in found.canary if start <= s.start and s.end <= end),
        )

    async def ingest_delay_s(self) -> float | None:
        """It is not asked for each: the default is used."""
        return None

    def _score_side_of(self, one: Any) -> Side | None:
        """Which side a series of the confidence metric belongs to, by the label of the plan's."""
        source = find_confidence_source(self._plan)
        if source is None:
            return None
        owner, _, label = source.label.partition(".labels.")
        value = getattr(one, owner).labels[label]
        target = self._plan.target
        if not target.shares_one_service:
            sides: dict[str, Side] = {target.legacy: "legacy", target.canary: "canary"}
            return sides.get(value)
        message = self._listed.find(target.region, self._plan.router_service)
        found = find_sides(target.router.candidate, message, read_past(self._plan, message))
        is_revision = value.startswith(f"{self._plan.router_service}-")
        return side_of_revision(value, found.candidate, found.stable) if is_revision else None

    def _side_of(self) -> SideOf:
        target = self._plan.target
        if not target.shares_one_service:
            sides: dict[str, Side] = {target.legacy: "legacy", target.canary: "canary"}
            return lambda one: sides.get(one.resource.labels["service_name"])
        message = self._listed.find(target.region, self._plan.router_service)
        found = find_sides(target.router.candidate, message, read_past(self._plan, message))
        return lambda one: side_of_revision(
            one.resource.labels["revision_name"], found.candidate, found.stable
        )


def score_source(plan: Plan) -> ScoreSource | None:
    """Where the plan's confidence metric is, as it is asked for; None: it has none."""
    source = find_confidence_source(plan)
    if source is None:
        return None
    return plan.metrics.confidence_metric, source.resource, source.label


def places_of(plan: Plan) -> tuple[Place, ...]:
    """Where the services of a plan are that take traffic."""
    target = plan.target
    if target.shares_one_service:
        return ((target.region, plan.router_service),)
    return tuple((target.region, name) for name in dict.fromkeys((target.legacy, target.canary)))


def build_filters(metric: str, places: list[Place]) -> list[str]:
    """Filters that name these services, each no longer than may be; a single one for all where that
    would take too many.
    """
    base = f'metric.type = {quote(metric)} AND resource.type = "cloud_run_revision"'
    head, tail = f"{base} AND resource.labels.service_name = one_of(", ")"
    found, size = list[list[str]](), LONGEST_FILTER
    for name in dict.fromkeys(quote(name) for _, name in places):
        size += len(name) + 2
        if size > LONGEST_FILTER:
            found.append([])
            size = len(head) + len(tail) + len(name)
        found[-1].append(name)
    if not 0 < len(found) <= MOST_FILTERS:
        return [base]
    return [f"{head}{', '.join(names)}{tail}" for names in found]


def _not_asked(role: str) -> CloudError:
    return NotFound(f"{role} is not read for a list of rollouts.", source=SOURCE)
