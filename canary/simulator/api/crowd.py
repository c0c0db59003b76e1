"""Many rollouts in one embedded cloud: worlds beside the first, in its project and at its clock.

The first one is whole. The others are services, revisions and their metrics, which is what a list
of rollouts reads, and what a rollback or a promotion of one of them changes; each has a seed, a
stage and a day of its own, and some have a scenario. What is asked by a service's name goes to the
world that has it; what lists goes through all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec

from canary.simulator.api.apis import Apis
from canary.simulator.config import Config
from canary.simulator.wire import messages
from canary.simulator.wire.calls import ApiError, cut_page, invalid, page_size
from canary.simulator.world.world import World

Answer = Callable[[Any], Any]

STAGES: Final = ((1, 5), (2, 10), (3, 25), (4, 50), (5, 100), (0, 0))
SCENARIOS: Final[Mapping[int, str]] = {
    3: "error-spike",
    17: "slow-burn",
    29: "stale",
    41: "error-spike",
    53: "no-data",
}
"""Which of the first hundred have one; so on for each hundred."""

TEAMS: Final = ("shop", "search", "mail")
"""Whose a rollout is: the label "team" of its services."""

PER_SECOND: Final = (2.0, 5.0, 10.0, 20.0)
POINTS_A_PAGE: Final = 10_000


def member_config(base: Config, number: int, known: Iterable[str]) -> Config:
    """The rollout of a number (1, 2, …) beside `base`; `known` are the scenarios there are."""
    legacy = f"{base.legacy}-{number:03d}"
    canary = f"{legacy}-canary"
    stage, percent = STAGES[number % len(STAGES)]
    scenario = base.crowd.get(str(number), SCENARIOS.get(number % 100, "healthy"))
    regions = base.crowd_regions or (base.region,)
    service = legacy if base.router.service == base.legacy else base.router.service
    return msgspec.structs.replace(
        base,
        region=regions[number % len(regions)],
        labels={**base.labels, "team": TEAMS[number % len(TEAMS)]},
        legacy=legacy,
        canary=canary,
        router=msgspec.structs.replace(base.router, service=service),
        record=_record_of(base.record, stage, percent),
        stage=stage,
        percent=percent,
        soaked_hours=float(number % 48),
        history_hours=float(number % 48) + 3.0,
        requests_per_s=PER_SECOND[number % len(PER_SECOND)],
        seed=base.seed + number,
        scenario=scenario if scenario in known else "healthy",
        scenario_params={},
        state_path=None,
    )


def _record_of(record: str, stage: int, percent: int) -> str:
    """The first one's record, at another stage; its placeholder of a time is no number."""
    if not record:
        return ""
    quoted = record.replace("@ENTERED_AT@", '"@ENTERED_AT@"')
    told = msgspec.json.decode(quoted)
    told.update(stage=stage, percent=percent, enabled=stage > 0)
    return msgspec.json.encode(told).decode().replace('"@ENTERED_AT@"', "@ENTERED_AT@")


class Crowd:
    """The first world's APIs, and those of the others; `methods` answers for all of them."""

    def __init__(self, first: tuple[World, Apis], others: Sequence[tuple[World, Apis]]) -> None:
        self._all = (first, *others)
        self._by_service = {
            name: apis for world, apis in self._all for name in world.config.services
        }
        self._first = first[1]

    def methods(
        self, methods_of: Callable[[Apis], Mapping[str, Mapping[str, Answer]]]
    ) -> dict[str, dict[str, Answer]]:
        """Each method of the first, asked of whoever has what it names."""
        return {
            service: {name: self._answering(methods_of, service, name) for name in methods}
            for service, methods in methods_of(self._first).items()
        }

    def _answering(
        self,
        methods_of: Callable[[Apis], Mapping[str, Mapping[str, Answer]]],
        service: str,
        name: str,
    ) -> Answer:
        each = {id(apis): methods_of(apis)[service][name] for _, apis in self._all}
        if name == "ListServices":
            return self._list_services
        if name == "ListTimeSeries":
            return self._list_time_series
        if name in ("GetOperation", "WaitOperation"):
            return lambda request: self._ask_operation(each, request)
        return lambda request: each[id(self._owner_of(request))](request)

    def _owner_of(self, request: Any) -> Apis:
        """Whose service a request names; the first's where it names none."""
        name = next(
            (
                text
                for text in (
                    getattr(request, "name", ""),
                    getattr(request, "parent", ""),
                    getattr(request, "resource", ""),
                    request.service.name if hasattr(request, "service") else "",
                )
                if "/services/" in text
            ),
            "",
        )
        service = name.partition("/services/")[2].partition("/")[0]
        return self._by_service.get(service, self._first)

    def _list_services(self, request: Any) -> Any:
        whole = messages.ListServicesRequest(parent=request.parent)
        region = request.parent.rpartition("/")[2]
        away = {name.rpartition("/")[2] for name in self._first.run.away}
        answers = [
            apis.run.list_services(whole)
            for world, apis in self._all
            if apis is self._first or region in ("-", world.config.region)
        ]
        found = [
            service
            for answer in answers
            for service in answer.services
            if service.name.split("/")[3] not in away
        ]
        found.sort(key=lambda service: service.name)
        page, following = cut_page(found, request, 100, 1000)
        return messages.ListServicesResponse(
            services=page, next_page_token=following, unreachable=answers[0].unreachable
        )

    def _list_time_series(self, request: Any) -> Any:
        """Answer one world after the other; a page's token is the number of the next one."""
        first = _read_place(request.page_token)
        most = page_size(request, POINTS_A_PAGE, 100_000)
        answer, points = messages.ListTimeSeriesResponse(), 0
        for place in range(first, len(self._all)):
            if points >= min(most, POINTS_A_PAGE):
                answer.next_page_token = f"crowd-{place}"
                break
            for series in self._series_of(place, request):
                answer.time_series.append(series)
                points += len(series.points)
        return answer

    def _series_of(self, place: int, request: Any) -> Iterator[Any]:
        world, apis = self._all[place]
        if not _may_name(request.filter, world.config.services):
            return
        asked = messages.ListTimeSeriesRequest()
        asked.CopyFrom(request)
        asked.page_token = ""
        asked.page_size = 0
        while True:
            page = apis.monitoring.list_time_series(asked)
            yield from page.time_series
            if not page.next_page_token:
                return
            asked.page_token = page.next_page_token

    def _ask_operation(self, each: Mapping[int, Answer], request: Any) -> Any:
        refusal: ApiError | None = None
        for _, apis in self._all:
            try:
                return each[id(apis)](request)
            except ApiError as error:
                refusal = refusal or error
        assert refusal is not None  # noqa: S101 - there is a first world
        raise refusal


def _may_name(wanted: str, services: Iterable[str]) -> bool:
    """Whether a filter can be of these services: it names one of them, or none at all."""
    return "service_name" not in wanted or any(f'"{name}"' in wanted for name in services)


def _read_place(token: str) -> int:
    if not token:
        return 0
    place = token.removeprefix("crowd-")
    if place == token or not place.isdecimal():
        raise invalid("The page token is invalid.")
    return int(place)
