"""The HTTP side: the services, the router in front, the control side. Over real sockets."""

import asyncio
import json
from random import Random

import httpx
import pytest

from canary.simulator.config import Config, RouterConfig
from canary.simulator.control.http_server import start_http
from canary.simulator.control.http_services import answer, count_answer
from canary.simulator.control.ownership import Leases
from canary.simulator.endpoints import bind
from canary.simulator.world.timeline import Removed, Scale, Split
from canary.simulator.world.traffic.behaviour import STARTUP_S
from canary.simulator.world.world import World
from tests.simulator.rest_cloud import PLAIN

START = 1_750_000_000.0
FAST = 1e6
"""Speed of a cloud whose answers take no time on the wall."""


class Cloud:
    """A world with its HTTP side, and a client."""

    def __init__(self, world, endpoints, leases, client):
        self.world, self.endpoints, self.leases, self.client = world, endpoints, leases, client

    async def get(self, url, path):
        return await self.client.get(url + path)

    async def post(self, path, body):
        return await self.client.post(f"{self.endpoints.router}/_cloud/{path}", json=body)


@pytest.fixture
async def open_cloud():
    """Return a function that opens a cloud; all are closed in the end."""
    opened = []

    async def open_one(**config):
        settings = Config(start_unix=START, speed=FAST, **config)
        world = World(settings, monotonic=lambda: 0.0)
        world.endpoints, listeners = bind(settings)
        leases = Leases(lambda: None, first_s=3600.0, grace_s=3600.0)
        runners = await start_http(world, leases, listeners)
        client = httpx.AsyncClient(verify=PLAIN)
        opened.append((client, runners, leases))
        return Cloud(world, world.endpoints, leases, client)

    yield open_one
    for client, runners, leases in opened:
        await client.aclose()
        for runner in runners:
            await runner.cleanup()
        leases.stop()


async def test_each_service_answers_as_itself(open_cloud):
    cloud = await open_cloud()
    for name, url in cloud.endpoints.services.items():
        given = await cloud.get(url, "/health")
        assert (given.status_code, given.json()["service"]) == (200, name)
        assert given.headers["x-canary-service"] == name
        assert given.headers["x-canary-revision"].startswith(f"{name}-00001")


@pytest.mark.parametrize("path", ["/chat", "/api/v2/recommend/personalized"])
async def test_an_answer_carries_a_confidence(open_cloud, path):
    cloud = await open_cloud(scenario="error-spike", scenario_params={"ratio": 0.0})
    answers = [await cloud.get(cloud.endpoints.services["ion-api-canary"], path) for _ in range(5)]
    scores = [a.json()["confidence"] for a in answers if a.status_code == 200]
    assert scores
    assert all(0.0 < score < 1.0 for score in scores)


async def test_a_path_that_no_service_has_is_not_found(open_cloud):
    cloud = await open_cloud()
    assert (await cloud.get(cloud.endpoints.router, "/nothing")).status_code == 404


@pytest.mark.parametrize(("percent", "share"), [(0, 0.0), (25, 0.25), (100, 1.0)])
async def test_the_router_splits_by_the_share_that_holds_now(open_cloud, percent, share):
    cloud = await open_cloud(percent=50)
    cloud.world.append(Split(START, percent))
    answers = [await cloud.get(cloud.endpoints.router, "/health") for _ in range(200)]
    canary = sum(a.headers["x-canary-service"] == "ion-api-canary" for a in answers)
    assert canary / 200 == pytest.approx(share, abs=0.1)


async def test_requests_that_arrive_count_in_the_metrics_of_their_minute(open_cloud):
    cloud = await open_cloud(requests_per_s=0.0)
    for _ in range(7):
        await cloud.get(cloud.endpoints.services["ion-api-canary"], "/health")
    await cloud.post("clock", {"advance_s": 60})
    now = cloud.world.clock.now()
    (minute,) = cloud.world.minutes("ion-api-canary", None, now - 60, now)
    assert minute.responses == {200: 7}
    assert minute.latency.count == 7


async def test_an_error_scenario_fails_requests_but_not_the_health_check(open_cloud):
    cloud = await open_cloud(scenario="error-spike", scenario_params={"ratio": 0.4})
    url = cloud.endpoints.services["ion-api-canary"]
    codes = [(await cloud.get(url, "/chat")).status_code for _ in range(60)]
    assert 5 < codes.count(500) < 45
    assert (await cloud.get(url, "/health")).status_code == 200


async def test_a_service_that_fails_as_a_whole_fails_its_health_check(open_cloud):
    cloud = await open_cloud(scenario="error-spike", scenario_params={"ratio": 0.5})
    health = await cloud.get(cloud.endpoints.services["ion-api-canary"], "/health")
    assert health.status_code == 503


async def test_with_far_too_few_instances_the_front_answers_429(open_cloud):
    cloud = await open_cloud(percent=0, requests_per_s=400.0)
    cloud.world.append(Scale(START, "ion-api", 0, 1))
    url = cloud.endpoints.services["ion-api"]
    answers = [await cloud.get(url, "/chat") for _ in range(40)]
    refused = [a for a in answers if a.status_code == 429]
    assert len(refused) > 20
    assert refused[0].text == "Rate exceeded."


async def test_the_first_request_to_a_service_without_instances_waits_for_a_cold_start():
    world = World(Config(start_unix=START, percent=0, requests_per_s=0.0), monotonic=lambda: 0.0)
    world.append(Scale(START - 3600.0, "ion-api-canary", 0, 1))
    waits = []
    for _ in range(2):
        given = answer(world, "canary", "/health", Random(1))
        waits.append(given.wait_ms)
        count_answer(world, given)
    assert waits == [STARTUP_S * 1000.0, 0.0]


async def test_a_deleted_service_is_not_found(open_cloud):
    cloud = await open_cloud()
    cloud.world.append(Removed(START, "ion-api"))
    assert (await cloud.get(cloud.endpoints.services["ion-api"], "/health")).status_code == 404


async def test_two_revisions_share_one_address_and_the_tag_has_its_own(open_cloud):
    cloud = await open_cloud(percent=50, router=RouterConfig(kind="revisions"))
    answers = [await cloud.get(cloud.endpoints.services["ion-api"], "/health") for _ in range(60)]
    revisions = {a.headers["x-canary-revision"] for a in answers}
    assert revisions == {"ion-api-00001-leg", "ion-api-00002-can"}
    tagged = await cloud.get(cloud.endpoints.tags["canary"], "/health")
    assert tagged.headers["x-canary-revision"] == "ion-api-00002-can"


async def test_a_fault_on_a_path_happens_as_often_as_it_was_asked_for(open_cloud):
    cloud = await open_cloud()
    await cloud.post("faults", {"method": "http:*/health", "code": "UNAVAILABLE", "times": 1})
    url = cloud.endpoints.services["ion-api-canary"]
    codes = [(await cloud.get(url, "/health")).status_code for _ in range(2)]
    assert codes == [503, 200]


async def test_an_answer_lost_after_it_was_given_still_counts(open_cloud):
    cloud = await open_cloud(requests_per_s=0.0)
    fault = {"method": "http:*/health", "code": "UNAVAILABLE", "times": 1, "after_apply": True}
    await cloud.post("faults", fault)
    lost = await cloud.get(cloud.endpoints.services["ion-api-canary"], "/health")
    assert lost.status_code == 503
    end = int(START // 60 + 1) * 60
    arrived = cloud.world.traffic.arrivals.get(end, "ion-api-canary", "ion-api-canary-00001-can")
    assert arrived.requests == 1


async def test_faults_can_be_listed_and_taken_away(open_cloud):
    cloud = await open_cloud()
    await cloud.post("faults", {"method": "GetService", "code": "ABORTED"})
    url = f"{cloud.endpoints.router}/_cloud/faults"
    assert [f["method"] for f in (await cloud.client.get(url)).json()["faults"]] == ["GetService"]
    assert (await cloud.client.delete(url, params={"method": "Other"})).json()["faults"] != []
    assert (await cloud.client.delete(url)).json()["faults"] == []


async def test_the_clock_jumps_forwards_and_what_is_due_settles(open_cloud):
    cloud = await open_cloud()
    settled = []
    cloud.world.on_settle(settled.append)
    answer = await cloud.post("clock", {"advance_s": 90, "speed": 5})
    assert (answer.json()["now"], answer.json()["speed"]) == (START + 90, 5.0)
    assert settled == [START + 90]


async def test_a_scenario_is_switched_on_live_and_healthy_clears_it(open_cloud):
    cloud = await open_cloud()
    names = (await cloud.get(cloud.endpoints.router, "/_cloud/clock")).json()["scenarios"]
    for name in [*names, "healthy"]:
        assert (await cloud.post("scenario", {"name": name})).json()["scenario"] == name


async def test_the_scenarios_there_are_tell_a_name_and_a_sentence(open_cloud):
    cloud = await open_cloud()
    listed = (await cloud.get(cloud.endpoints.router, "/_cloud/scenarios")).json()
    assert listed[0] == {"name": "healthy", "about": "nothing is wrong"}
    names = (await cloud.get(cloud.endpoints.router, "/_cloud/clock")).json()["scenarios"]
    assert [one["name"] for one in listed] == names
    assert all(one["about"] for one in listed)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("clock", {"advance_s": -1}),
        ("clock", {"speed": 0}),
        ("clock", {"hurry": 1}),
        ("scenario", {"name": "storm"}),
        ("scenario", {"name": "latency", "params": {"ratio": 1}}),
        ("scenario", {}),
        ("faults", {"method": "*", "code": "NOPE"}),
        ("faults", {"method": "*", "times": 0}),
    ],
)
async def test_a_wrong_body_is_refused_with_a_reason(open_cloud, path, body):
    answer = await (await open_cloud()).post(path, body)
    assert answer.status_code == 400
    assert answer.json()["error"]


async def test_the_state_can_be_looked_at(open_cloud):
    cloud = await open_cloud()
    state = (await cloud.get(cloud.endpoints.router, "/_cloud/state")).json()
    assert (state["percent"], state["sides"]["canary"]["share"]) == (10, 0.1)
    assert json.dumps(state)


async def test_a_lease_lasts_as_long_as_its_connection(open_cloud):
    cloud = await open_cloud()
    async with cloud.client.stream("GET", f"{cloud.endpoints.router}/_cloud/lease") as lease:
        assert await anext(lease.aiter_raw()) == b"\n"
        assert cloud.leases.held == 1
    async with asyncio.timeout(10):
        while cloud.leases.held:
            # The server hears of the closed connection in one of the loop's next turns.
            await cloud.get(cloud.endpoints.router, "/_cloud/clock")
