"""Requests by response code, minute by minute: what there is of failures without the request log.

Asked for only then: by code there are several times as many time series as by class, and each
costs.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

import msgspec

from canary.cloud.connection.calls import ask, demand_whole
from canary.cloud.connection.clients import Connection
from canary.cloud.monitoring.queries import build_query, build_request, side_label
from canary.cloud.monitoring.timeseries import PeriodGrid, Side
from canary.cloud.run.sides import side_of_revision
from canary.rollout.failures.statuses import StatusMinute
from canary.rollout.plan.plan import Plan

SOURCE: Final = "Cloud Monitoring"
MINUTE_S: Final = 60
WITHIN_S: Final = 10.0


async def read_statuses(
    connection: Connection,
    plan: Plan,
    since: float,
    until: float,
    *,
    sides: tuple[str | None, str] = (None, ""),
) -> tuple[StatusMinute, ...]:
    """Both sides' requests by response code, of the minutes in [since, until), oldest first; those
    that are not there yet are left out. Raises CanaryError.

    `sides` are Canary's and Legacy's revisions where they share a service.
    """
    grid = PeriodGrid(
        int(since // MINUTE_S) * MINUTE_S, int(until // MINUTE_S) * MINUTE_S, MINUTE_S
    )
    if grid.start >= grid.end:
        return ()
    usual = build_query(plan, "responses")
    query = msgspec.structs.replace(
        usual, group_by=(usual.group_by[0], "metric.label.response_code")
    )
    client, types = await connection.api("metrics")
    request = build_request(types, plan.target.project, query, grid)
    doing = "reading requests by response code"

    async def read_pages() -> list[Any]:
        series: list[Any] = []
        pager = await client.list_time_series(
            types.ListTimeSeriesRequest.wrap(request), retry=None, timeout=WITHIN_S
        )
        async for page in pager.pages:
            raw = type(page).pb(page)
            demand_whole(raw, SOURCE, doing)
            series.extend(raw.time_series)
        return series

    return _minutes(await ask(read_pages, SOURCE, doing), plan, sides)


def _minutes(
    series: list[Any], plan: Plan, sides: tuple[str | None, str]
) -> tuple[StatusMinute, ...]:
    counts: dict[float, dict[Side, Counter[str]]] = {}
    for one in series:
        side = _side_of(one, plan, sides)
        code = one.metric.labels["response_code"]
        if side is None or not code:
            continue
        for point in one.points:
            end = float(point.interval.end_time.seconds)
            kind = point.value.WhichOneof("value")
            number = getattr(point.value, kind) if kind in ("int64_value", "double_value") else 0
            both = counts.setdefault(end, {"legacy": Counter(), "canary": Counter()})
            both[side][code] += round(number)
    return tuple(
        StatusMinute(end - MINUTE_S, end, dict(both["legacy"]), dict(both["canary"]))
        for end, both in sorted(counts.items())
    )


def _side_of(one: Any, plan: Plan, sides: tuple[str | None, str]) -> Side | None:
    name = one.resource.labels[side_label(plan)]
    if plan.target.shares_one_service:
        return side_of_revision(name, *sides)
    known: dict[str, Side] = {plan.target.legacy: "legacy", plan.target.canary: "canary"}
    return known.get(name)
