"""A server of Cloud Run v2 and Cloud Monitoring v3 that answers what it was given, over gRPC.

It checks what the real one would refuse (one metric type a filter, an aligner and a reducer that
fit, a period of at least a minute) and gives its series in pages of two.
"""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from google.cloud.monitoring_v3.types import (
    Aggregation,
    ListMetricDescriptorsRequest,
    ListMetricDescriptorsResponse,
    ListTimeSeriesRequest,
    ListTimeSeriesResponse,
)
from google.cloud.run_v2.types import GetServiceRequest, Service

from tests.independent.raw_metrics import Raw, group

PAGE = 2
_WANTED = {
    "container/instance_count": Aggregation.Aligner.ALIGN_MEAN,
}


@dataclass
class World:
    """What the server has, and the metrics it refuses with a status."""

    services: dict[str, Any]
    series: list[Raw]
    refused: dict[str, grpc.StatusCode] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@contextmanager
def serving(world: World) -> Iterator[str]:
    """The address of a server of `world`, on a loop of its own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server, port = asyncio.run_coroutine_threadsafe(_start(world), loop).result(10)
    try:
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(server.stop(None), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _start(world: World) -> tuple[grpc.aio.Server, int]:
    server = grpc.aio.server()
    answers = _Answers(world)
    server.add_generic_rpc_handlers(
        (
            grpc.method_handlers_generic_handler(
                "google.cloud.run.v2.Services",
                {"GetService": _unary(answers.get_service, GetServiceRequest, Service)},
            ),
            grpc.method_handlers_generic_handler(
                "google.monitoring.v3.MetricService",
                {
                    "ListTimeSeries": _unary(
                        answers.list_time_series, ListTimeSeriesRequest, ListTimeSeriesResponse
                    ),
                    "ListMetricDescriptors": _unary(
                        answers.list_descriptors,
                        ListMetricDescriptorsRequest,
                        ListMetricDescriptorsResponse,
                    ),
                },
            ),
        )
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    return server, port


def _unary(handler: Any, request: Any, response: Any) -> Any:
    return grpc.unary_unary_rpc_method_handler(
        handler,
        request_deserializer=request.deserialize,
        response_serializer=response.serialize,
    )


class _Answers:
    def __init__(self, world: World) -> None:
        self._world = world

    async def get_service(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        name = request.name.rpartition("/")[2]
        if name not in self._world.services:
            await context.abort(grpc.StatusCode.NOT_FOUND, f"no service {name}")
        return self._world.services[name]

    async def list_descriptors(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Any:
        return ListMetricDescriptorsResponse()

    async def list_time_series(
        self, request: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> Any:
        metrics = re.findall(r'metric\.type = "([^"]+)"', request.filter)
        if len(metrics) != 1:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "one metric type, please")
        (metric,) = metrics
        self._world.asked.append(metric)
        if metric in self._world.refused:
            await context.abort(self._world.refused[metric], "refused for this test")
        await self._check(metric, request.aggregation, context)
        # Cloud Run's own metrics tell services by "service_name", custom ones by "job".
        services = re.search(r'(?:service_name|job) = (one_of\([^)]*\)|"[^"]+")', request.filter)
        assert services is not None
        wanted = set(re.findall(r'"([^"]+)"', services[1]))
        found = group(
            [s for s in self._world.series if s.metric == metric and s.service in wanted],
            list(request.aggregation.group_by_fields),
            int(request.interval.start_time.timestamp()),
            int(request.interval.end_time.timestamp()),
        )
        at = int(request.page_token or 0)
        more = str(at + PAGE) if at + PAGE < len(found) else ""
        return ListTimeSeriesResponse(time_series=found[at : at + PAGE], next_page_token=more)

    async def _check(
        self, metric: str, wanted: Any, context: grpc.aio.ServicerContext[Any, Any]
    ) -> None:
        """Refuse what the real one would, and what would not give the numbers of this world."""
        usual = Aggregation.Aligner.ALIGN_DELTA
        aligner = _WANTED.get(metric.removeprefix("run.googleapis.com/"), usual)
        fits = (
            wanted.alignment_period.total_seconds() == 60
            and wanted.per_series_aligner == aligner
            and wanted.cross_series_reducer == Aggregation.Reducer.REDUCE_SUM
        )
        if not fits:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"{metric} so? {wanted}")
