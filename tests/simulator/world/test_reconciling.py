"""A service while a change is put into effect, as the real one was recorded.

Source: GoogleCloudPlatform/k8s-config-connector, runservicebasic/_vcr_cassettes/tf.yaml, 2024-04:
PATCH of a template, then GET once its operation is done.
"""

from typing import Any

from google.cloud import run_v2

from tests.simulator.local_cloud import local_cloud

State = run_v2.Condition.State


def conditions(service: Any) -> dict[str, tuple[Any, Any]]:
    return {c.type_: (c.state, c.last_transition_time) for c in service.conditions}


async def test_a_change_is_pending_while_its_sub_conditions_stay() -> None:
    async with local_cloud() as cloud:
        before = await cloud.get()
        cloud.advance(60)
        operation = await cloud.set_variable("25")
        during = await cloud.get()
        cloud.advance(30)
        after = await operation.result()
    assert during.reconciling
    assert (during.generation, during.observed_generation) == (
        before.generation + 1,
        before.generation,
    )
    terminal = during.terminal_condition
    assert terminal.state == State.CONDITION_PENDING
    assert terminal.last_transition_time == before.terminal_condition.last_transition_time
    assert conditions(during) == conditions(before)
    assert {state for state, _ in conditions(during).values()} == {State.CONDITION_SUCCEEDED}
    assert [s.revision for s in during.traffic_statuses] == [""]
    assert during.etag == after.etag
    routes, known = conditions(after)["RoutesReady"], conditions(before)["RoutesReady"]
    assert routes[1] > known[1]
    assert conditions(after)["ConfigurationsReady"] == conditions(before)["ConfigurationsReady"]
    assert after.terminal_condition.last_transition_time >= routes[1]


async def test_what_moves_no_traffic_leaves_the_routes_as_they_were() -> None:
    async with local_cloud() as cloud:
        before = await cloud.get()
        cloud.advance(60)
        wanted = run_v2.Service(name=before.name, etag=before.etag)
        wanted.annotations = {**before.annotations, "team/note": "x"}
        operation = await cloud.update(wanted, "annotations")
        cloud.advance(30)
        after = await operation.result()
    assert conditions(after) == conditions(before)
