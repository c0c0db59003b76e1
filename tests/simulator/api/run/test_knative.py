"""Cloud Run's v1 REST: another door to the services that the gRPC clients see."""

import copy

import pytest

from tests.simulator.local_cloud import CANARY_REVISION, LEGACY_REVISION
from tests.simulator.rest_cloud import rest_cloud

SPACE = "/apis/serving.knative.dev/v1/namespaces/naeda-genesis"
SERVICE = f"{SPACE}/services/ion-api"


async def read(cloud):
    answer = await cloud.rest.get(SERVICE)
    assert answer.status_code == 200
    return answer.json()


def split(service, canary_percent):
    changed = copy.deepcopy(service)
    changed["spec"]["traffic"] = [
        {"revisionName": LEGACY_REVISION, "percent": 100 - canary_percent},
        {"revisionName": CANARY_REVISION, "percent": canary_percent, "tag": "canary"},
    ]
    return changed


async def test_a_service_looks_like_the_one_that_grpc_shows():
    async with rest_cloud("revisions") as cloud:
        shown, service = await read(cloud), await cloud.get()
        assert shown["metadata"]["resourceVersion"] == service.etag
        assert shown["metadata"]["annotations"]["run.googleapis.com/maxScale"] == "10"
        served = {one["revisionName"]: one["percent"] for one in shown["status"]["traffic"]}
        assert served == {LEGACY_REVISION: 90, CANARY_REVISION: 10}
        assert shown["status"]["conditions"][0]["status"] == "True"


async def test_what_was_read_can_be_put_back_and_changes_nothing():
    async with rest_cloud("revisions") as cloud:
        before = await read(cloud)
        answer = await cloud.rest.put(SERVICE, json=before)
        assert answer.status_code == 200, answer.text
        assert answer.json()["metadata"]["generation"] == before["metadata"]["generation"]


async def test_a_put_reconciles_until_its_operation_is_done():
    async with rest_cloud("revisions") as cloud:
        put = (await cloud.rest.put(SERVICE, json=split(await read(cloud), 50))).json()
        assert put["status"]["conditions"][0]["status"] == "Unknown"
        operation = put["metadata"]["annotations"]["run.googleapis.com/operation-id"]
        cloud.advance(60)
        wait = f"/v1/projects/naeda-genesis/locations/us-central1/operations/{operation}:wait"
        done = (await cloud.rest.post(wait, json={"timeout": "1s"})).json()
        assert done["done"]
        assert done["response"]["status"]["conditions"][0]["status"] == "True"
        assert cloud.percent == 50


async def test_of_two_who_read_the_same_version_the_second_is_refused():
    async with rest_cloud("revisions") as cloud:
        seen = await read(cloud)
        assert (await cloud.rest.put(SERVICE, json=split(seen, 50))).status_code == 200
        refused = await cloud.rest.put(SERVICE, json=split(seen, 25))
        assert refused.status_code == 409
        assert refused.json()["error"]["status"] == "ABORTED"


async def test_a_dry_run_checks_and_changes_nothing():
    async with rest_cloud("revisions") as cloud:
        before = await read(cloud)
        asked = {"dryRun": "all"}
        answer = await cloud.rest.put(SERVICE, json=split(before, 50), params=asked)
        assert answer.json()["spec"]["traffic"][1]["percent"] == 50
        assert await read(cloud) == before
        wrong = await cloud.rest.put(SERVICE, json=split(before, 101), params=asked)
        assert wrong.status_code == 400


@pytest.mark.parametrize(
    ("token", "author"),
    [
        ("bob@example.com", "bob@example.com"),
        ("ya29.secret", "gcloud@naeda-genesis.iam.gserviceaccount.com"),
    ],
)
async def test_the_author_is_the_account_that_the_token_names(token, author):
    async with rest_cloud("revisions") as cloud:
        headers = {"authorization": f"Bearer {token}"}
        await cloud.rest.put(SERVICE, json=split(await read(cloud), 50), headers=headers)
        assert (await cloud.get()).last_modifier == author


async def test_the_record_of_the_console_survives_a_put():
    async with rest_cloud("revisions", record='{"stage":2}') as cloud:
        await cloud.rest.put(SERVICE, json=split(await read(cloud), 50))
        assert (await cloud.get()).annotations["canary-console/record"] == '{"stage":2}'


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("spec", "template", "spec", "volumes"), [{"name": "v"}]),
        (("metadata", "annotations", "run.googleapis.com/vpc-access-egress"), "all"),
        (("spec", "template", "spec", "containers"), "none"),
        (("spec",), {}),
    ],
)
async def test_what_is_not_translated_is_refused_by_name(path, value):
    async with rest_cloud("revisions") as cloud:
        changed = await read(cloud)
        place = changed
        for part in path[:-1]:
            place = place[part]
        place[path[-1]] = value
        refused = await cloud.rest.put(SERVICE, json=changed)
        assert refused.status_code == 400
        assert refused.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("path", "host"),
    [
        (f"{SPACE}/services/nobody", "localhost"),
        (f"{SPACE}/revisions/nobody", "localhost"),
        ("/apis/serving.knative.dev/v1/namespaces/other/services/ion-api", "localhost"),
        (SERVICE, "europe-west1-run.localhost"),
        ("/v1/projects/naeda-genesis/locations/europe-west1/services", "run.localhost"),
    ],
)
async def test_what_is_elsewhere_is_not_found(path, host):
    async with rest_cloud() as cloud:
        assert (await cloud.rest.get(path, headers={"host": host})).status_code == 404


async def test_faults_of_cloud_run_are_faults_of_its_rest_too():
    async with rest_cloud(scenario="run-outage") as cloud:
        answer = await cloud.rest.get(SERVICE)
        assert (answer.status_code, answer.json()["error"]["status"]) == (503, "UNAVAILABLE")


async def test_an_answer_lost_after_the_change_leaves_the_change():
    async with rest_cloud("revisions") as cloud:
        seen = split(await read(cloud), 50)
        fault = {"method": "UpdateService", "code": "DEADLINE_EXCEEDED", "after_apply": True}
        await cloud.rest.post("/_cloud/faults", json=fault)
        assert (await cloud.rest.put(SERVICE, json=seen)).status_code == 504
        cloud.advance(60)
        assert cloud.percent == 50


async def test_a_revision_is_deleted_only_when_nothing_leads_to_it():
    async with rest_cloud("env") as cloud:
        before = await read(cloud)
        changed = copy.deepcopy(before)
        template = changed["spec"]["template"]
        template["metadata"]["name"] = "ion-api-00009-new"
        template["spec"]["containers"][0]["image"] += "-next"
        assert (await cloud.rest.put(SERVICE, json=changed)).status_code == 200
        latest = await cloud.rest.delete(f"{SPACE}/revisions/ion-api-00009-new")
        assert latest.status_code in (400, 409)
        serving = await cloud.rest.delete(f"{SPACE}/revisions/{LEGACY_REVISION}")
        assert serving.status_code in (400, 409)
        cloud.advance(60)
        gone = await cloud.rest.delete(f"{SPACE}/revisions/{LEGACY_REVISION}")
        assert gone.status_code == 200, gone.text
        listed = (await cloud.rest.get(f"{SPACE}/revisions")).json()["items"]
        assert LEGACY_REVISION not in [one["metadata"]["name"] for one in listed]
        assert (await cloud.rest.delete(f"{SPACE}/revisions/nobody")).status_code == 404


async def test_the_iam_policy_is_answered_for_a_service_that_there_is():
    place = "/v1/projects/naeda-genesis/locations/us-central1/services"
    async with rest_cloud("env") as cloud:
        answer = await cloud.rest.get(f"{place}/ion-api:getIamPolicy")
        assert answer.json() == {"version": 1, "etag": "ACAB"}
        assert (await cloud.rest.get(f"{place}/nobody:getIamPolicy")).status_code == 404


async def test_with_affinity_a_client_goes_where_it_was():
    async with rest_cloud("revisions", percent=50, scenario="sticky") as cloud:
        first = await cloud.rest.get("/health")
        owner = first.headers["x-canary-revision"]
        assert "GAESA" in first.cookies
        seen = {(await cloud.rest.get("/health")).headers["x-canary-revision"] for _ in range(20)}
        assert seen == {owner}
