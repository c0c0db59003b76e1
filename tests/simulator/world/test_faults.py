"""The fault table."""

from email.utils import parsedate_to_datetime

import grpc
import pytest
from google.api_core.exceptions import NotFound
from google.cloud import run_v2

from canary.simulator.world.faults import Fault, FaultTable
from tests.simulator.local_cloud import CANARY, LEGACY, local_cloud, with_variable

UPDATE = "/google.cloud.run.v2.Services/UpdateService"


@pytest.mark.parametrize(
    ("pattern", "method", "covers"),
    [
        ("UpdateService", UPDATE, True),
        ("GetService", UPDATE, False),
        ("/google.cloud.run.v2.Services/*", UPDATE, True),
        ("/google.monitoring.v3.*", UPDATE, False),
        ("GetService|UpdateService", UPDATE, True),
        ("*", UPDATE, True),
        ("http:*/health", "http:ion-api-canary/health", True),
        ("http:ion-api/health", "http:ion-api-canary/health", False),
        ("http:*/chat", "http:ion-api/health", False),
    ],
)
def test_a_pattern_covers_the_methods_it_names(pattern, method, covers):
    assert Fault(method=pattern).covers(method) is covers


def test_a_fault_happens_as_often_as_it_was_asked_for():
    table = FaultTable()
    table.add(Fault(method="UpdateService", code="ABORTED", times=2))
    taken = [table.take(UPDATE) for _ in range(3)]
    assert [fault.code if fault else None for fault in taken] == ["ABORTED", "ABORTED", None]
    assert table.faults == ()


def test_a_fault_without_times_stays_until_it_is_taken_away():
    table = FaultTable()
    table.add(Fault(method="*", code="UNAVAILABLE"))
    assert all(table.take(UPDATE) for _ in range(5))
    assert table.clear() == 1
    assert table.take(UPDATE) is None


def test_another_method_does_not_use_a_fault_up():
    table = FaultTable()
    table.add(Fault(method="GetService", code="UNAVAILABLE", times=1))
    assert table.take(UPDATE) is None
    assert len(table.faults) == 1


def test_the_first_fault_that_fits_comes_first():
    table = FaultTable()
    table.add(Fault(method="UpdateService", code="ABORTED", times=1))
    table.add(Fault(method="*", code="INTERNAL"))
    assert [table.take(UPDATE).code for _ in range(2)] == ["ABORTED", "INTERNAL"]


def test_clearing_one_pattern_leaves_the_others():
    table = FaultTable()
    table.add(Fault(method="GetService"))
    table.add(Fault(method="UpdateService"))
    assert table.clear("GetService") == 1
    assert [fault.method for fault in table.faults] == ["UpdateService"]


@pytest.mark.parametrize("wrong", [{"times": 0}, {"delay_s": -0.1}, {"late_s": -1.0}])
def test_a_fault_that_could_never_happen_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        Fault(method="*", **wrong)


async def begin_update(cloud):
    return (await cloud.set_variable("25")).operation


async def is_done(cloud, operation):
    answer = await cloud.services.get_operation({"name": operation.name})
    return answer.done, answer.error.code


async def test_an_operation_can_end_late():
    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="UpdateService", late_s=300.0, times=1))
        operation = await begin_update(cloud)
        cloud.advance(299.0)
        assert await is_done(cloud, operation) == (False, 0)
        cloud.advance(30.0)
        assert await is_done(cloud, operation) == (True, 0)


async def test_an_operation_can_fail_for_one_call_alone():
    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="UpdateService", fails=True, times=1))
        operation = await begin_update(cloud)
        cloud.advance(60.0)
        done, code = await is_done(cloud, operation)
        assert (done, code) == (True, grpc.StatusCode.FAILED_PRECONDITION.value[0])


async def test_a_service_can_be_deleted_underneath_a_call():
    async with local_cloud() as cloud:
        service = await cloud.get()
        cloud.world.faults.add(Fault(method="UpdateService", deletes="ion-api", times=1))
        with pytest.raises(NotFound):
            await cloud.update(with_variable(service, "25"), "template")
        with pytest.raises(NotFound):
            await cloud.get(LEGACY)
        assert (await cloud.get(CANARY)).name == CANARY


async def test_an_answer_can_be_cut_short():
    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="GetService", shape="truncated", times=1))
        get = cloud.channel.unary_unary(
            "/google.cloud.run.v2.Services/GetService",
            request_serializer=run_v2.GetServiceRequest.serialize,
        )
        cut = await get(run_v2.GetServiceRequest(name=LEGACY))
        whole = await get(run_v2.GetServiceRequest(name=LEGACY))
        assert cut == whole[: len(cut)]
        assert 0 < len(cut) < len(whole)


async def test_every_answer_says_what_time_it_is_there():
    async with local_cloud() as cloud:
        get = cloud.channel.unary_unary(
            "/google.cloud.run.v2.Services/GetService",
            request_serializer=run_v2.GetServiceRequest.serialize,
        )
        cloud.advance(1234.0)
        call = get(run_v2.GetServiceRequest(name=LEGACY))
        date = parsedate_to_datetime((await call.initial_metadata())["date"])
        assert date.timestamp() == int(cloud.now)
        assert cloud.world.calls["GetService"] == 1
