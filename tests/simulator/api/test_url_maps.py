"""The load balancer's URL map over REST: fingerprint, weights, operations."""

import pytest

from canary.simulator.config import RouterConfig
from canary.simulator.world.url_map_rules import merge_patch, percent_of
from tests.simulator.rest_cloud import rest_cloud

GLOBAL = "/compute/v1/projects/naeda-genesis/global"
MAP = f"{GLOBAL}/urlMaps/ion-api-map"
BACKENDS = "projects/naeda-genesis/global/backendServices"


def weights(legacy, canary):
    return {
        "weightedBackendServices": [
            {"backendService": f"{BACKENDS}/ion-api-backend", "weight": legacy},
            {"backendService": f"{BACKENDS}/ion-api-canary-backend", "weight": canary},
        ]
    }


async def fingerprint(cloud):
    return (await cloud.rest.get(MAP)).json()["fingerprint"]


async def patch(cloud, legacy, canary, **more):
    body = {"fingerprint": await fingerprint(cloud), "defaultRouteAction": weights(legacy, canary)}
    return await cloud.rest.patch(MAP, json=body | more)


async def test_the_map_begins_with_the_share_of_the_stage():
    async with rest_cloud("url-map", percent=25) as cloud:
        shown = (await cloud.rest.get(MAP)).json()
        weighted = shown["defaultRouteAction"]["weightedBackendServices"]
        assert [entry["weight"] for entry in weighted] == [750, 250]
        assert cloud.percent == 25


@pytest.mark.parametrize(
    ("legacy", "canary", "percent"),
    [(50, 50, 50), (1000, 0, 0), (0, 1000, 100), (0, 1, 100), (3, 1, 25), (875, 125, 12)],
)
async def test_the_weights_are_the_split_once_the_operation_is_done(legacy, canary, percent):
    async with rest_cloud("url-map") as cloud:
        before = await fingerprint(cloud)
        operation = (await patch(cloud, legacy, canary)).json()
        assert (operation["status"], cloud.percent) == ("PENDING", 10)
        assert await fingerprint(cloud) == before
        cloud.advance(8)
        polled = (await cloud.rest.get(f"{GLOBAL}/operations/{operation['name']}")).json()
        assert (polled["status"], polled["progress"], cloud.percent) == ("DONE", 100, percent)
        assert await fingerprint(cloud) != before


async def test_the_stage_record_is_a_line_of_the_description_and_changes_with_the_weights():
    async with rest_cloud("url-map", record='{"stage":2}') as cloud:
        shown = (await cloud.rest.get(MAP)).json()
        assert 'canary-console/record={"stage":2}' in shown["description"].splitlines()
        await patch(cloud, 750, 250, description="mine")
        cloud.advance(8)
        assert ((await cloud.rest.get(MAP)).json()["description"], cloud.percent) == ("mine", 25)


async def test_requests_follow_the_weights():
    async with rest_cloud("url-map", speed=1e6) as cloud:
        await patch(cloud, 0, 1000)
        cloud.advance(8)
        answer = await cloud.rest.get("/health")
        assert answer.headers["x-canary-service"] == "ion-api-canary"


@pytest.mark.parametrize("sent", [None, "AAAAAAAAAAA="])
async def test_a_fingerprint_that_is_not_the_present_one_is_refused(sent):
    async with rest_cloud("url-map") as cloud:
        body = {"fingerprint": sent, "defaultRouteAction": weights(500, 500)}
        refused = await cloud.rest.patch(MAP, json=body)
        assert refused.status_code == 412
        assert refused.json()["error"]["errors"][0]["reason"] == "conditionNotMet"


async def test_of_two_who_read_the_same_fingerprint_the_second_is_refused():
    async with rest_cloud("url-map") as cloud:
        seen = await fingerprint(cloud)
        await patch(cloud, 500, 500)
        body = {"fingerprint": seen, "defaultRouteAction": weights(0, 1000)}
        early = await cloud.rest.patch(MAP, json=body)
        assert (early.status_code, early.json()["error"]["errors"][0]["reason"]) == (
            400,
            "resourceNotReady",
        )
        cloud.advance(8)
        assert (await cloud.rest.patch(MAP, json=body)).status_code == 412
        assert cloud.percent == 50


async def test_the_same_request_twice_is_one_change():
    async with rest_cloud("url-map") as cloud:
        body = {"fingerprint": await fingerprint(cloud), "defaultRouteAction": weights(500, 500)}
        asked = {"requestId": "5f1c2c0e-8d1b-4a6c-9d7e-000000000001"}
        first = await cloud.rest.patch(MAP, json=body, params=asked)
        cloud.advance(8)
        assert cloud.percent == 50
        again = await cloud.rest.patch(MAP, json=body, params=asked)
        assert (again.status_code, again.json()["name"]) == (200, first.json()["name"])


@pytest.mark.parametrize(
    "changed",
    [
        {"defaultRouteAction": weights(0, 0)},
        {"defaultRouteAction": weights(0, 1001)},
        {"defaultRouteAction": weights(0, -1)},
        {"defaultRouteAction": weights(0, "5")},
        {"defaultRouteAction": {"weightedBackendServices": []}},
        {"defaultRouteAction": {"weightedBackendServices": [{"backendService": "x", "weight": 1}]}},
        {"defaultRouteAction": None},
        {"defaultService": f"{BACKENDS}/ion-api-backend"},
        {"hostRules": []},
        {"description": "x" * 2049},
    ],
)
async def test_a_map_that_cannot_be_is_refused(changed):
    async with rest_cloud("url-map") as cloud:
        refused = await cloud.rest.patch(
            MAP, json={"fingerprint": await fingerprint(cloud)} | changed
        )
        assert (refused.status_code, cloud.percent) == (400, 10)


async def test_a_default_service_takes_everything():
    async with rest_cloud("url-map") as cloud:
        service = f"{BACKENDS}/ion-api-canary-backend"
        body = {"fingerprint": await fingerprint(cloud)}
        body |= {"defaultRouteAction": None, "defaultService": service}
        assert (await cloud.rest.patch(MAP, json=body)).status_code == 200
        cloud.advance(8)
        assert cloud.percent == 100


@pytest.mark.parametrize(
    ("scenario", "status", "error"),
    [("stuck-operation", "RUNNING", False), ("failing-operation", "DONE", True)],
)
async def test_operations_stick_and_fail_as_the_scenario_says(scenario, status, error):
    async with rest_cloud("url-map", scenario=scenario) as cloud:
        operation = (await patch(cloud, 500, 500)).json()
        cloud.advance(600)
        polled = (await cloud.rest.get(f"{GLOBAL}/operations/{operation['name']}")).json()
        assert (polled["status"], "error" in polled, cloud.percent) == (status, error, 10)


async def test_who_may_only_look_cannot_change():
    async with rest_cloud("url-map", scenario="denied") as cloud:
        assert (await patch(cloud, 500, 500)).status_code == 403


async def test_somebody_else_changes_the_weights_and_once_more_when_we_try_to():
    async with rest_cloud("url-map", scenario="conflict") as cloud:
        before = await fingerprint(cloud)
        cloud.advance(91)
        assert cloud.percent == 15
        assert await fingerprint(cloud) != before
        assert (await patch(cloud, 500, 500)).status_code == 412
        assert cloud.percent == 20
        assert (await patch(cloud, 500, 500)).status_code == 200


async def test_a_change_of_a_service_leaves_the_weights_alone():
    async with rest_cloud("url-map") as cloud:
        await patch(cloud, 500, 500)
        service = await cloud.get()
        service.scaling.min_instance_count = 2
        await cloud.update(service, "scaling")
        cloud.advance(60)
        assert cloud.percent == 50


async def test_the_map_outlives_the_process(tmp_path):
    path = str(tmp_path / "cloud.db")
    async with rest_cloud("url-map", state_path=path) as cloud:
        operation = (await patch(cloud, 500, 500)).json()
    async with rest_cloud("url-map", state_path=path) as cloud:
        cloud.advance(8)
        polled = (await cloud.rest.get(f"{GLOBAL}/operations/{operation['name']}")).json()
        assert (polled["status"], cloud.percent) == ("DONE", 50)


@pytest.mark.parametrize("path", [MAP, f"{GLOBAL}/operations/none"])
async def test_other_routers_have_no_map(path):
    async with rest_cloud("env") as cloud:
        assert (await cloud.rest.get(path)).status_code == 404


def test_a_patch_merges_objects_and_replaces_lists():
    merged = merge_patch({"a": {"b": 1, "c": [1, 2]}, "d": 1}, {"a": {"c": [3]}, "d": None})
    assert merged == {"a": {"b": 1, "c": [3]}}


def test_entries_of_one_backend_count_together():
    weighted = weights(1, 1)["weightedBackendServices"]
    document = {"defaultRouteAction": {"weightedBackendServices": [*weighted, weighted[1]]}}
    assert percent_of(document, RouterConfig()) == 67
