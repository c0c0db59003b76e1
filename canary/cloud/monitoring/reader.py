"""Cloud Monitoring v3: both sides' samples of an interval, in six ListTimeSeries.

Only what is asked for by `start` and `end` is read; how often, and what is new, is the caller's
matter. One metric that cannot be read does not lose the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from canary.cloud.connection.calls import ask, demand_whole
from canary.cloud.connection.clients import Connection
from canary.cloud.monitoring.queries import (
    ESSENTIAL,
    Query,
    Role,
    build_query,
    build_request,
    quote,
    roles_of,
    side_label,
)
from canary.cloud.monitoring.timeseries import (
    Columns,
    Defects,
    PeriodGrid,
    Side,
    SideOf,
    build_samples,
    read_distributions,
    read_instances,
    read_means,
    read_responses,
)
from canary.cloud.run.sides import side_of_revision
from canary.cloud.views import Reading, SpoiltValue
from canary.rollout.errors import (
    CanaryError,
    CloudError,
    Malformed,
    NotFound,
    Rejected,
    Unavailable,
)
from canary.rollout.plan.confidence import CLOUD_RUN, find_confidence_source
from canary.rollout.plan.plan import Plan

SOURCE = "Cloud Monitoring"
READ_TIMEOUT_S = 20.0
_LATENCY_METRIC = "run.googleapis.com/request_latencies"

_Column = Mapping[Side, Mapping[int, Any]]
_Parse = Callable[[Any, SideOf, PeriodGrid, Defects], _Column]
_PARSERS: dict[Role, _Parse] = {
    "responses": read_responses,
    "latency": read_distributions,
    "confidence": read_distributions,
    "cpu": read_means,
    "memory": read_means,
    "instances": read_instances,
}


class _Answer:
    """What came of one metric: its series, or the error, and the calls it took."""

    def __init__(self, metric: str) -> None:
        self.metric = metric
        self.series: list[Any] = []
        self.error: CloudError | None = None
        self.calls = 0


class MonitoringReader:
    """Reads the metrics of one plan through a Connection (which the caller closes)."""

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        *,
        timeout_s: float = READ_TIMEOUT_S,
        roles: Sequence[Role] | None = None,
    ) -> None:
        """`roles` None: all that there are for this plan."""
        self._connection = connection
        self._plan = plan
        self._timeout_s = timeout_s
        self._roles = roles_of(plan) if roles is None else tuple(roles)
        self._aligners: dict[Role, str] = {}
        self._candidate: str | None = None
        self._stable = ""

    async def read(self, start: float, end: float, period_s: int = 60) -> Reading:
        """Return both sides' samples over (start, end], unix seconds.

        Both ends are cut down to a multiple of `period_s` (60 or more), so that periods are the
        same whenever they are asked for and the newest one is over. With a `period_s` above 60 the
        caller keeps `end` as far in the past as data takes to arrive, or the newest period lacks
        its last minutes.
        Raises the first error when no metric at all could be read; otherwise those that could
        not, or had defects, are in `failures`, those that are not there in `absent`. Nothing to
        ask (start ≥ end): an empty Reading.
        """
        grid = PeriodGrid(_floor(start, period_s), _floor(end, period_s), period_s)
        if grid.start >= grid.end:
            return Reading((), (), (), 0)
        roles = self._roles
        side_of, answers = await asyncio.gather(
            self._sides(), asyncio.gather(*(self._read_role(role, grid) for role in roles))
        )
        if isinstance(side_of, CloudError):
            raise side_of
        found = dict(zip(roles, answers, strict=True))
        of_confidence = self._confidence_sides(side_of)
        if (mine := found.get("confidence")) is not None:
            mine.error = mine.error or self._sideless(mine, of_confidence)
        return _put_together(found, side_of, of_confidence, grid)

    async def close(self) -> None:
        """Nothing of its own is open: the connection is the caller's."""

    async def ingest_delay_s(self) -> float | None:
        """How long Cloud Run's request metrics take to become visible; None when not said."""
        client, types = await self._connection.api("metrics")
        request = types.ListMetricDescriptorsRequest(
            name=f"projects/{self._plan.target.project}",
            filter=f"metric.type = {quote(_LATENCY_METRIC)}",
        )
        descriptor = await self._first_descriptor(client, request)
        if descriptor is None or not descriptor.metadata.HasField("ingest_delay"):
            return None
        delay = descriptor.metadata.ingest_delay
        return float(delay.seconds + delay.nanos / 1e9)

    async def _read_role(self, role: Role, grid: PeriodGrid) -> _Answer:
        query = build_query(self._plan, role, self._aligners.get(role, ""))
        answer = _Answer(query.metric)
        try:
            try:
                await self._fetch(query, grid, answer)
            except Rejected as exc:
                other = await self._other_aligner(role, query, exc)
                await self._fetch(build_query(self._plan, role, other), grid, answer)
                self._aligners[role] = other
        except CloudError as exc:
            answer.series, answer.error = [], exc
        return answer

    async def _fetch(self, query: Query, grid: PeriodGrid, answer: _Answer) -> None:
        """Read all pages of a query into `answer.series`.

        A page that fails, or says that it lacks something, loses them all: 5xx that are missing
        beside 2xx that are there would be a false green.
        """
        client, types = await self._connection.api("metrics")
        request = build_request(types, self._plan.target.project, query, grid)
        doing = f"reading {query.metric}"

        async def read_pages() -> list[Any]:
            series: list[Any] = []
            answer.calls += 1
            pager = await client.list_time_series(
                types.ListTimeSeriesRequest.wrap(request), retry=None, timeout=self._timeout_s
            )
            pages = 0
            async for page in pager.pages:
                answer.calls += 1 if pages else 0
                pages += 1
                raw = type(page).pb(page)
                demand_whole(raw, SOURCE, doing)
                series.extend(raw.time_series)
            return series

        answer.series = await _ask(read_pages, doing)

    async def _other_aligner(self, role: Role, query: Query, refusal: Rejected) -> str:
        """For a metric of the application's own that is a gauge; raises what was refused if not."""
        if role != "confidence" or query.aligner != "ALIGN_DELTA":
            raise refusal
        client, types = await self._connection.api("metrics")
        request = types.ListMetricDescriptorsRequest(
            name=f"projects/{self._plan.target.project}",
            filter=f"metric.type = {quote(query.metric)}",
        )
        descriptor = await self._first_descriptor(client, request)
        kinds = types.metric_pb2.MetricDescriptor
        if descriptor is None or descriptor.value_type != kinds.DISTRIBUTION:
            raise Rejected(
                f"{query.metric} is no distribution, so its mean cannot be judged.",
                remedy="Write it as a distribution, or name another confidence_metric.",
                source=SOURCE,
            ) from refusal
        if descriptor.metric_kind != kinds.GAUGE:
            raise refusal
        return "ALIGN_SUM"

    async def _first_descriptor(self, client: Any, request: Any) -> Any:
        async def read() -> Any:
            pager = await client.list_metric_descriptors(
                request, retry=None, timeout=self._timeout_s
            )
            return await anext(aiter(pager), None)

        return await _ask(read, "reading a metric's descriptor")

    def _confidence_sides(self, side_of: SideOf) -> SideOf:
        """How a series of the confidence metric tells its side: by the label of the plan's."""
        source = find_confidence_source(self._plan)
        own = f"resource.labels.{side_label(self._plan)}"
        if source is None or (source.resource, source.label) == (CLOUD_RUN, own):
            return side_of
        owner, _, label = source.label.partition(".labels.")
        target = self._plan.target
        if not target.shares_one_service:
            sides: dict[str, Side] = {target.legacy: "legacy", target.canary: "canary"}
            return lambda one: sides.get(getattr(one, owner).labels[label])
        candidate, stable = self._candidate or "", self._stable
        service = self._plan.router_service

        def tell(one: Any) -> Side | None:
            value = getattr(one, owner).labels[label]
            # What names no revision of the service is of both sides, or of neither.
            is_revision = value == candidate or value.startswith(f"{service}-")
            return side_of_revision(value, candidate, stable) if is_revision else None

        return tell

    def _sideless(self, answer: _Answer, side_of: SideOf) -> CloudError | None:
        """Why no series of the confidence metric can be told to be a side's; None otherwise."""
        source = find_confidence_source(self._plan)
        if source is None or not answer.series or any(side_of(one) for one in answer.series):
            return None
        of_what = "revision" if self._plan.target.shares_one_service else "service"
        return Malformed(
            f"{answer.metric}: {source.label} names no {of_what} of the plan's, so the sides cannot"
            " be told apart.",
            remedy=f"Write the {of_what}'s name (K_{of_what.upper()}) there, or set"
            " metrics.confidence_label.",
            source=SOURCE,
        )

    async def _sides(self) -> SideOf | CloudError:
        """Return how a series' side is told; an error if the candidate was never known."""
        target = self._plan.target
        if not target.shares_one_service:
            sides: dict[str, Side] = {target.legacy: "legacy", target.canary: "canary"}
            return lambda one: sides.get(one.resource.labels["service_name"])
        try:
            from canary.cloud.run.client import RunClient

            sides_now = await RunClient(self._connection, self._plan).sides()
            self._candidate = sides_now.candidate or self._candidate
            self._stable = sides_now.stable
        except CloudError as exc:
            if self._candidate is None:
                return exc
        candidate = self._candidate
        if candidate is None:
            return Malformed(
                f"No revision of {self._plan.router_service} has the tag"
                f" {target.router.candidate!r}, so its metrics cannot be told apart.",
                remedy="Deploy the candidate with that tag, or name its revision in the plan.",
                source="Cloud Run",
            )
        label = side_label(self._plan)
        stable = self._stable
        return lambda one: side_of_revision(one.resource.labels[label], candidate, stable)


def _put_together(
    answers: Mapping[Role, _Answer], side_of: SideOf, of_confidence: SideOf, grid: PeriodGrid
) -> Reading:
    """Both sides' samples of all answers; raises the first error when there is nothing else."""
    errors: dict[str, CloudError] = {
        role: a.error for role, a in answers.items() if a.error is not None
    }
    if len(errors) == len(answers):
        raise next(iter(errors.values()))
    absent = {role: e for role, e in errors.items() if _is_absent(role, e)}
    unread = {role: e for role, e in errors.items() if role not in absent}
    failures, spoilt = [*unread.values()], list[SpoiltValue]()
    columns: dict[Side, Columns] = {"legacy": Columns(), "canary": Columns()}
    for role, answer in answers.items():
        defects = Defects()
        sides = of_confidence if role == "confidence" else side_of
        series = answer.series if answer.error is None else []
        parsed = _PARSERS[role](series, sides, grid, defects)
        for side, column in columns.items():
            setattr(column, role, parsed[side])
        spoilt += [SpoiltValue(side, role, float(end)) for side, end in sorted(defects.spoilt)]
        if defects.reasons:
            failures.append(_report(answer.metric, defects))
    return Reading(
        legacy=build_samples(columns["legacy"], grid),
        canary=build_samples(columns["canary"], grid),
        failures=tuple(failures),
        calls=sum(a.calls for a in answers.values()),
        unread=unread,
        absent=absent,
        spoilt=tuple(spoilt),
    )


def _is_absent(role: str, error: CloudError) -> bool:
    """Whether a metric that need not exist does not, or never answers to a question like this."""
    return role not in ESSENTIAL and isinstance(error, NotFound | Rejected)


def _floor(at: float, period_s: int) -> int:
    return int(at // period_s) * period_s


async def _ask(call: Callable[[], Awaitable[Any]], doing: str) -> Any:
    try:
        return await ask(call, SOURCE, doing)
    except CloudError:
        raise
    except CanaryError as error:
        raise Unavailable(error.message, remedy="It is tried again.", source=SOURCE) from error


def _report(metric: str, defects: Defects) -> Malformed:
    return Malformed(
        f"Some points of {metric} cannot be used and are left out: {defects}.",
        remedy="What needs them is shown as no data.",
        source=SOURCE,
    )
