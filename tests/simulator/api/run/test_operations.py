"""Long-running operations, and what outlives the process."""

import pytest
from google.api_core import exceptions
from google.longrunning import operations_pb2

from canary.simulator.api.apis import open_apis
from canary.simulator.config import Config
from canary.simulator.wire.messages import UpdateServiceRequest
from canary.simulator.world.world import World
from tests.simulator.local_cloud import LEGACY, PARENT, START, local_cloud


async def wait(cloud, name, timeout_s):
    request = operations_pb2.WaitOperationRequest(name=name)
    request.timeout.FromMilliseconds(round(timeout_s * 1000))
    answer = await cloud.services.wait_operation(request)
    # google-cloud-run 0.16 leaves this one answer undecoded.
    return operations_pb2.Operation.FromString(answer) if isinstance(answer, bytes) else answer


async def test_an_operation_tells_its_target_while_it_runs():
    async with local_cloud() as cloud:
        operation = await cloud.set_variable("25")
        assert operation.metadata.name == LEGACY
        assert not operation.operation.done


async def test_waiting_returns_as_soon_as_the_operation_is_done():
    async with local_cloud() as cloud:
        operation = await cloud.set_variable("25")
        cloud.advance(12.1)
        assert (await wait(cloud, operation.operation.name, 30.0)).done


async def test_waiting_ends_with_its_timeout():
    async with local_cloud() as cloud:
        operation = await cloud.set_variable("25")
        assert not (await wait(cloud, operation.operation.name, 0.01)).done


async def test_an_unknown_operation_is_not_found():
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.NotFound):
            await cloud.services.get_operation({"name": f"{PARENT}/operations/none"})


def restart(path, after_s):
    """Return the world and APIs of a process that starts with the state another left."""
    world = World(Config(state_path=str(path), speed=1.0), monotonic=lambda: 0.0)
    apis = open_apis(world)
    world.clock.advance(after_s)
    world.settle()
    return world, apis


def test_a_change_that_was_under_way_settles_after_a_restart(tmp_path):
    path = tmp_path / "state"
    world = World(
        Config(state_path=str(path), speed=1.0, start_unix=START, soaked_hours=1.0),
        monotonic=lambda: 0.0,
    )
    service = open_apis(world).state.services["ion-api"]
    request = UpdateServiceRequest(service=service)
    request.service.template.revision = ""
    variables = {one.name: one for one in request.service.template.containers[0].env}
    variables["CANARY_TRAFFIC_PERCENTAGE"].value = "50"
    world.close()
    world, apis = restart(path, 0.0)
    name = apis.run.update_service(request).name
    world.close()
    world, apis = restart(path, 12.1)
    record = apis.state.operations[name.rpartition("/")[2]]
    assert record.done
    assert world.timeline.split_at(world.clock.now()) == 50
    world.close()


def test_services_are_as_they_were_after_a_restart(tmp_path):
    path = tmp_path / "state"
    world, apis = restart(path, 0.0)
    before = apis.state.services["ion-api"]
    world.close()
    world, apis = restart(path, 0.0)
    assert apis.state.services["ion-api"] == before
    world.close()
