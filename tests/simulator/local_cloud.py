"""The embedded cloud in the test's own event loop, with Google's own clients on it.

The clock stands still until a test advances it.
"""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
from google.cloud import monitoring_v3, run_v2
from google.cloud.monitoring_v3.services.metric_service.transports import (
    MetricServiceGrpcAsyncIOTransport,
)
from google.cloud.run_v2.services.revisions.transports import RevisionsGrpcAsyncIOTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcAsyncIOTransport

from canary.simulator.api.grpc_server import start_grpc
from canary.simulator.config import Config, RouterConfig
from canary.simulator.world.world import World

START = 1_760_000_040.0  # a full minute
PARENT = "projects/naeda-genesis/locations/us-central1"
LEGACY = f"{PARENT}/services/ion-api"
CANARY = f"{PARENT}/services/ion-api-canary"
LEGACY_REVISION, CANARY_REVISION = "ion-api-00001-leg", "ion-api-00002-can"
TO_REVISION = run_v2.TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION


class LocalCloud:
    """A world, and one client of each kind."""

    def __init__(self, world: World, channel: grpc.aio.Channel) -> None:
        self.world = world
        self.channel = channel
        self.services = run_v2.ServicesAsyncClient(
            transport=ServicesGrpcAsyncIOTransport(channel=channel)
        )
        self.revisions = run_v2.RevisionsAsyncClient(
            transport=RevisionsGrpcAsyncIOTransport(channel=channel)
        )
        self.metrics = monitoring_v3.MetricServiceAsyncClient(
            transport=MetricServiceGrpcAsyncIOTransport(channel=channel)
        )

    @property
    def now(self) -> float:
        return self.world.clock.now()

    def advance(self, cloud_s: float) -> None:
        self.world.clock.advance(cloud_s)

    async def get(self, name: str = LEGACY) -> run_v2.Service:
        return await self.services.get_service(name=name, retry=None)

    async def update(
        self, service: run_v2.Service, *paths: str, validate_only: bool = False
    ) -> Any:
        request = run_v2.UpdateServiceRequest(service=service, validate_only=validate_only)
        if paths:
            request.update_mask = {"paths": list(paths)}
        return await self.services.update_service(request=request, retry=None)

    async def set_variable(self, value: str) -> Any:
        """Begin the change that an env router needs: the template without its revision's name."""
        service = await self.get()
        return await self.update(with_variable(service, value), "template")

    async def series(self, metric: str, **options: Any) -> list[monitoring_v3.TimeSeries]:
        request = query(self.now, metric, **options)
        pager = await self.metrics.list_time_series(request, retry=None)
        return [one async for one in pager]


def with_variable(service: run_v2.Service, value: str) -> run_v2.Service:
    """Return a minimal Service with the router's variable set."""
    changed = run_v2.Service(name=service.name, etag=service.etag, template=service.template)
    changed.template.revision = ""
    for variable in changed.template.containers[0].env:
        if variable.name == "CANARY_TRAFFIC_PERCENTAGE":
            variable.value = value
    return changed


def split(service: run_v2.Service, canary_percent: int) -> run_v2.Service:
    """Return a minimal Service with other traffic between its two revisions."""
    return run_v2.Service(
        name=service.name,
        etag=service.etag,
        traffic=[
            {"type_": TO_REVISION, "revision": LEGACY_REVISION, "percent": 100 - canary_percent},
            {
                "type_": TO_REVISION,
                "revision": CANARY_REVISION,
                "percent": canary_percent,
                "tag": "canary",
            },
        ],
    )


def query(now: float, metric: str, **options: Any) -> monitoring_v3.ListTimeSeriesRequest:
    """Return a request for both sides; `metric` without a slash-dot host is Cloud Run's."""
    metric_type = metric if ".googleapis.com/" in metric else f"run.googleapis.com/{metric}"
    minutes, end = options.pop("minutes", 30), int(options.pop("end", now))
    # A metric of the application's own is on `generic_task`, whose `job` is the service.
    label = "job" if metric.startswith("custom.") else "service_name"
    where = options.pop("where", f'resource.labels.{label} = one_of("ion-api","ion-api-canary")')
    aggregation = {
        "alignment_period": {"seconds": options.pop("period_s", 60)},
        "per_series_aligner": options.pop("aligner", "ALIGN_DELTA"),
        "cross_series_reducer": options.pop("reducer", "REDUCE_SUM"),
        "group_by_fields": options.pop("group_by", [f"resource.label.{label}"]),
    }
    if options.pop("raw", False):
        aggregation = {}
    return monitoring_v3.ListTimeSeriesRequest(
        name="projects/naeda-genesis",
        filter=f'metric.type = "{metric_type}"' + (f" AND {where}" if where else ""),
        interval={"start_time": {"seconds": end - minutes * 60}, "end_time": {"seconds": end}},
        aggregation=aggregation,
        **options,
    )


@contextlib.asynccontextmanager
async def local_cloud(
    router: RouterConfig | str = "env", **settings: Any
) -> AsyncIterator[LocalCloud]:
    """Yield a fresh cloud with three hours of history (other Config fields by keyword)."""
    router = RouterConfig(kind=router) if isinstance(router, str) else router
    # What a policy takes to be written is slept by the wall, and no claim of these tests.
    defaults: dict[str, Any] = {
        "start_unix": START,
        "soaked_hours": 1.0,
        "speed": 1.0,
        "policy_write_s": 0.0,
    }
    config = Config(router=router, **(defaults | settings))
    world = World(config, monotonic=lambda: 0.0)
    server, port = await start_grpc(world)
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
    try:
        yield LocalCloud(world, channel)
    finally:
        await channel.close()
        await server.stop(None)
        world.close()
