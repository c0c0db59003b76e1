"""The gRPC side: the APIs' methods on one loopback port, without generated stubs.

On request of the fault table answers come in a bad shape: what a client must survive.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Awaitable, Callable
from email.utils import formatdate
from typing import Any

import grpc
import grpc.aio
import msgspec

from canary.simulator.api.apis import Apis, open_apis
from canary.simulator.api.crowd import Crowd, member_config
from canary.simulator.api.logging import LoggingApi, suffer
from canary.simulator.wire import messages
from canary.simulator.wire import messages as m
from canary.simulator.wire.calls import ApiError
from canary.simulator.wire.peers import REFUSAL, Doorkeeper
from canary.simulator.world.services.services import ServiceChanges
from canary.simulator.world.traffic.scenarios import SCENARIOS
from canary.simulator.world.world import World


class Truncated:
    """An answer of which only the first part arrives."""

    def __init__(self, response: Any) -> None:
        data = response.SerializeToString()
        self.data = data[: -max(1, len(data) // 3)]


def serialize(response: Any) -> bytes:
    """Return the bytes of an answer."""
    data: bytes = response.data if isinstance(response, Truncated) else response.SerializeToString()
    return data


def spoil(response: Any, shape: str) -> Any:
    """Return the answer with a defect; as it is when the shape means nothing for it.

    For all: `truncated` (its bytes end too early).

    For lists: `unreachable` (they name what they could not reach, where they have the field).

    For ListTimeSeries: `empty` (no series), `nan` (not-a-number values), `unordered` (oldest
    point first), `cut` (series without points), `duplicate` (every point twice), `partial` (the
    5xx are missing, and `execution_errors` admits it), `half` (a page whose next one fails).
    """
    if shape == "truncated":
        return Truncated(response)
    if shape == "unreachable" and "unreachable" in response.DESCRIPTOR.fields_by_name:
        response.unreachable.append("projects/-/locations/-")
    if not isinstance(response, messages.ListTimeSeriesResponse):
        return response
    if shape in ("empty", "partial"):
        return messages.ListTimeSeriesResponse() if shape == "empty" else _without_errors(response)
    if shape == "half":
        response.next_page_token = "no-such-page"  # noqa: S105 - of pages
    for series in response.time_series:
        _spoil_points(series, shape)
    return response


def _without_errors(response: Any) -> Any:
    """What ListTimeSeriesResponse documents: OK, what there is, and an admission beside it."""
    kept = [s for s in response.time_series if s.metric.labels["response_code_class"] != "5xx"]
    if len(kept) == len(response.time_series):
        return response
    partial = messages.ListTimeSeriesResponse(time_series=kept)
    partial.execution_errors.add(code=14, message="Some of the data could not be read.")
    return partial


def _spoil_points(series: Any, shape: str) -> None:
    points = list(series.points)
    if shape == "nan":
        for point in points:
            if point.value.HasField("distribution_value"):
                point.value.distribution_value.mean = math.nan
            else:
                point.value.double_value = math.nan
        return
    shaped = {
        "unordered": points[::-1],
        "cut": [],
        "duplicate": [point for point in points for _ in range(2)],
    }.get(shape, points)
    copies = messages.TimeSeries(points=shaped)
    del series.points[:]
    series.points.extend(copies.points)


SERVICES = "google.cloud.run.v2.Services"
REVISIONS = "google.cloud.run.v2.Revisions"
JOBS = "google.cloud.run.v2.Jobs"
OPERATIONS = "google.longrunning.Operations"
METRICS = "google.monitoring.v3.MetricService"
ALERTS = "google.monitoring.v3.AlertPolicyService"

LEAST_PING_MS = 30_000

_OPTIONS = (
    # Two simulators on one port would each get half of the calls.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
    # Google's front ends: a client that pings more often is told GOAWAY, "too_many_pings".
    ("grpc.http2.min_recv_ping_interval_without_data_ms", LEAST_PING_MS),
)

Handler = Callable[[Any], Any | Awaitable[Any]]


def methods_of(apis: Apis) -> dict[str, dict[str, Handler]]:
    """Return what answers each method, by service and method: `XRequest` in, its answer out."""
    run, operations, monitoring, alerts = apis.run, apis.operations, apis.monitoring, apis.alerts
    return {
        SERVICES: {
            "GetService": run.get_service,
            "ListServices": run.list_services,
            "UpdateService": run.update_service,
            "DeleteService": run.delete_service,
            "TestIamPermissions": run.test_iam_permissions,
        },
        REVISIONS: {
            "GetRevision": run.get_revision,
            "ListRevisions": run.list_revisions,
        },
        JOBS: {"ListJobs": run.list_jobs},
        OPERATIONS: {
            "GetOperation": operations.get,
            "WaitOperation": operations.wait,
        },
        METRICS: {
            "ListTimeSeries": monitoring.list_time_series,
            "ListMetricDescriptors": monitoring.list_metric_descriptors,
            "CreateTimeSeries": monitoring.create_time_series,
        },
        ALERTS: {
            "ListAlertPolicies": alerts.list_policies,
            "GetAlertPolicy": alerts.get,
            "CreateAlertPolicy": alerts.create,
            "UpdateAlertPolicy": alerts.update,
            "DeleteAlertPolicy": alerts.delete,
        },
    }


def open_others(world: World) -> list[tuple[World, Apis]]:
    """The rollouts beside the first, at its clock; none unless the configuration has some."""
    found = []
    for number in range(1, world.config.rollouts):
        base = msgspec.structs.replace(world.config, start_unix=world.clock.now(), rollouts=1)
        other = World(member_config(base, number, SCENARIOS))
        other.clock = world.clock
        found.append((other, open_apis(other)))
    return found


async def start_grpc(world: World, apis: Apis | None = None) -> tuple[grpc.aio.Server, int]:
    """Serve the world's APIs on loopback; return the server and its port.

    `apis` are opened here when no other protocol serves them too.

    The port is `config.grpc_port`, or a free one for 0. Raises RuntimeError when it is taken.
    The caller stops the server.
    """
    server = grpc.aio.server(options=_OPTIONS)
    apis = apis or open_apis(world)
    door = Doorkeeper()
    others = open_others(world)
    answers = Crowd((world, apis), others).methods(methods_of) if others else methods_of(apis)
    for service, methods in answers.items():
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(
                _guard(world, apis.changes, f"/{service}/{name}", answer, door),
                request_deserializer=getattr(m, f"{name}Request").FromString,
                response_serializer=serialize,
            )
            for name, answer in methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    server.add_generic_rpc_handlers((LoggingApi(world, door).handler(),))
    port = door.port = server.add_insecure_port(f"127.0.0.1:{world.config.grpc_port}")
    await server.start()
    return server, port


def _guard(
    world: World, changes: ServiceChanges, path: str, answer: Handler, door: Doorkeeper
) -> Callable[[Any, grpc.aio.ServicerContext[Any, Any]], Awaitable[Any]]:
    """Return a servicer method: faults first, then the answer or its refusal."""

    async def serve(request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        if not door.admits_grpc(context.peer()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)
        world.calls[path.rpartition("/")[2]] += 1
        # As Google's front end does: the one thing that tells a caller how its clock stands.
        now = formatdate(world.clock.now(), usegmt=True)
        await context.send_initial_metadata((("date", now),))
        fault = world.fault_for(path)
        if fault is not None and not fault.after_apply:
            await suffer(fault, context)
        if fault is not None and fault.deletes:
            changes.delete_by_others(fault.deletes)
        world.present_fault = fault
        try:
            response = answer(request)
            if inspect.isawaitable(response):
                response = await response
        except ApiError as refusal:
            await context.abort(refusal.code, refusal.message)
        finally:
            world.present_fault = None
        if fault is not None and fault.after_apply:
            await suffer(fault, context)
        return spoil(response, fault.shape) if fault is not None and fault.shape else response

    return serve
