"""The tail over real gRPC, with Google's own asyncio client."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import grpc.aio
import pytest
from google.api_core.exceptions import GoogleAPICallError, PermissionDenied, ResourceExhausted
from google.cloud.logging_v2.services.logging_service_v2 import LoggingServiceV2AsyncClient
from google.cloud.logging_v2.services.logging_service_v2.transports.grpc_asyncio import (
    LoggingServiceV2GrpcAsyncIOTransport,
)
from google.cloud.logging_v2.types import TailLogEntriesRequest

from canary.simulator.api.logging import MOST_STREAMS
from canary.simulator.world.faults import Fault
from tests.simulator.local_cloud import LocalCloud, local_cloud

LOG = 'logName="projects/naeda-genesis/logs/run.googleapis.com%2Frequests"'


def client_of(cloud: LocalCloud) -> LoggingServiceV2AsyncClient:
    transport = LoggingServiceV2GrpcAsyncIOTransport(channel=cloud.channel)
    return LoggingServiceV2AsyncClient(transport=transport)


@contextlib.asynccontextmanager
async def tail(
    cloud: LocalCloud, where: str = LOG, project: str = "naeda-genesis"
) -> AsyncIterator[Any]:
    """An open stream; it has said that it is open."""
    done = asyncio.Event()

    async def requests() -> AsyncIterator[TailLogEntriesRequest]:
        yield TailLogEntriesRequest(resource_names=[f"projects/{project}"], filter=where)
        await done.wait()

    call = await client_of(cloud).tail_log_entries(requests(), retry=None, timeout=20)
    try:
        await call.initial_metadata()
        yield call
    finally:
        done.set()
        call.cancel()


async def first(call: Any) -> Any:
    answer = await anext(aiter(call))
    return type(answer).pb(answer)


async def test_nothing_is_refused_before_it_is_asked_for():
    asked = asyncio.Event()

    async def requests() -> AsyncIterator[TailLogEntriesRequest]:
        await asked.wait()
        yield TailLogEntriesRequest(resource_names=["projects/naeda-genesis"], filter=LOG)

    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="TailLogEntries", code="PERMISSION_DENIED"))
        call = await client_of(cloud).tail_log_entries(requests(), retry=None, timeout=20)
        refusal = asyncio.ensure_future(anext(aiter(call)))
        await asyncio.wait({refusal}, timeout=0.1)
        assert not refusal.done()
        asked.set()
        with pytest.raises(PermissionDenied):
            await refusal


async def test_entries_are_those_of_cloud_runs_request_log():
    async with local_cloud() as cloud, tail(cloud) as call:
        cloud.advance(10)
        entry = (await first(call)).entries[0]
    assert entry.log_name == "projects/naeda-genesis/logs/run.googleapis.com%2Frequests"
    assert entry.resource.type == "cloud_run_revision"
    assert set(entry.resource.labels) == {
        "project_id",
        "location",
        "service_name",
        "revision_name",
        "configuration_name",
    }
    assert 200 <= entry.http_request.status < 600
    assert entry.http_request.HasField("latency")
    ended = entry.timestamp.ToNanoseconds() + entry.http_request.latency.ToNanoseconds()
    assert ended <= entry.receive_timestamp.ToNanoseconds()


async def test_both_sides_come_on_one_stream():
    where = f'{LOG} AND resource.labels.service_name=("ion-api" OR "ion-api-canary")'
    async with local_cloud() as cloud, tail(cloud, where) as call:
        cloud.advance(10)
        services = {e.resource.labels["service_name"] for e in (await first(call)).entries}
    assert services == {"ion-api", "ion-api-canary"}


async def test_the_filter_selects():
    async with local_cloud() as cloud, tail(cloud, "httpRequest.status>=500") as call:
        cloud.advance(30)
        assert {e.http_request.status for e in (await first(call)).entries} <= {500, 503}


async def test_two_streams_are_shown_the_same_entries():
    async with local_cloud() as cloud, tail(cloud) as one, tail(cloud) as other:
        cloud.advance(5)
        both = await asyncio.gather(first(one), first(other))
    assert [e.insert_id for e in both[0].entries] == [e.insert_id for e in both[1].entries]


async def test_another_project_is_denied():
    async with local_cloud() as cloud:
        with pytest.raises(PermissionDenied):
            async with tail(cloud, project="elsewhere") as call:
                await first(call)


async def test_an_eleventh_stream_is_refused_and_a_closed_one_makes_room():
    async with local_cloud() as cloud, contextlib.AsyncExitStack() as held:
        streams = [await held.enter_async_context(tail(cloud)) for _ in range(MOST_STREAMS)]
        with pytest.raises(ResourceExhausted):
            async with tail(cloud) as call:
                await first(call)
        streams[0].cancel()
        async with asyncio.timeout(5):
            while True:
                with contextlib.suppress(ResourceExhausted):
                    async with tail(cloud) as call:
                        cloud.advance(5)
                        assert (await first(call)).entries
                        return


async def test_more_than_the_services_limit_is_suppressed_and_said():
    async with local_cloud(requests_per_s=4000.0) as cloud, tail(cloud) as call:
        cloud.advance(10)
        suppressed = 0
        while not suppressed:
            suppressed = sum(i.suppressed_count for i in (await first(call)).suppression_info)
    assert suppressed > 10_000


async def test_suppression_on_request_leaves_out_and_says_so():
    async with local_cloud() as cloud, tail(cloud) as call:
        cloud.world.faults.add(Fault(method="TailLogEntries", shape="suppress", times=1))
        cloud.advance(5)
        answer = await first(call)
    assert answer.suppression_info[0].suppressed_count >= 1
    assert answer.suppression_info[0].reason == 1


@pytest.mark.parametrize("code", ["UNAVAILABLE", "PERMISSION_DENIED"])
async def test_a_running_stream_is_cut_on_request(code):
    async with local_cloud() as cloud, tail(cloud) as call:
        cloud.advance(5)
        assert (await first(call)).entries
        cloud.world.faults.add(Fault(method="TailLogEntries", code=code, times=1))
        with pytest.raises(GoogleAPICallError) as caught:
            await first(call)
    assert caught.value.grpc_status_code is grpc.StatusCode[code]
