"""What all REST APIs of the embedded cloud have in common: where they are, faults, bad bodies."""

import json
import subprocess
import sys

import httpx
import pytest

from tests.simulator.rest_cloud import rest_cloud

SERVICE = "/apis/serving.knative.dev/v1/namespaces/naeda-genesis/services/ion-api"


def test_the_readiness_line_says_where_they_are():
    config = json.dumps({"router": {"kind": "url-map"}})
    with subprocess.Popen(
        [sys.executable, "-m", "canary.simulator", config], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            ready = json.loads(process.stdout.readline())
            shown = httpx.get(ready["rest"] + SERVICE)
            assert shown.json()["metadata"]["name"] == "ion-api"
            url_map = "/compute/v1/projects/naeda-genesis/global/urlMaps/ion-api-map"
            assert httpx.get(ready["rest"] + url_map).status_code == 200
        finally:
            process.kill()


async def test_an_answer_can_be_cut_short():
    async with rest_cloud() as cloud:
        fault = {"method": "GetService", "shape": "cut", "times": 1}
        await cloud.rest.post("/_cloud/faults", json=fault)
        with pytest.raises(json.JSONDecodeError):
            (await cloud.rest.get(SERVICE)).json()
        assert (await cloud.rest.get(SERVICE)).json()


async def test_an_answer_can_be_later_than_the_caller_waits():
    async with rest_cloud() as cloud:
        fault = {"method": "GetService", "delay_s": 30.0, "times": 1}
        await cloud.rest.post("/_cloud/faults", json=fault)
        with pytest.raises(httpx.ReadTimeout):
            await cloud.rest.get(SERVICE, timeout=0.05)


@pytest.mark.parametrize("body", [b"{", b"[]", b"1", b"\xff"])
async def test_a_body_that_is_no_object_is_refused(body):
    async with rest_cloud() as cloud:
        refused = await cloud.rest.put(SERVICE, content=body)
        assert refused.status_code == 400
        assert refused.json()["error"]["message"]


async def test_the_paths_of_the_services_stay_theirs():
    async with rest_cloud(speed=1e6) as cloud:
        assert (await cloud.rest.get("/health")).headers["x-canary-service"]
        assert (await cloud.rest.get("/v1/other")).headers["x-canary-service"]
