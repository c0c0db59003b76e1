"""Artifact Registry over REST: the images that the services run, and how they are deleted."""

import pytest

from canary.simulator.api.registry import by_digest, digest_of
from tests.simulator.local_cloud import CANARY
from tests.simulator.rest_cloud import rest_cloud

PLACE = "/v1/projects/naeda-genesis/locations/us-central1"
SHELF = f"{PLACE}/repositories/ion"
PACKAGE = f"{SHELF}/packages/ion-api"
LEGACY_IMAGE = "us-central1-docker.pkg.dev/naeda-genesis/ion/ion-api:v1"
LEGACY_VERSION = f"{PACKAGE}/versions/{digest_of(LEGACY_IMAGE)}"


async def read(cloud, path, **params):
    answer = await cloud.rest.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_the_images_of_both_sides_are_there_with_their_tags():
    async with rest_cloud() as cloud:
        tags = (await read(cloud, f"{PACKAGE}/tags"))["tags"]
        version_of = {one["name"].rpartition("/")[2]: one["version"] for one in tags}
        assert version_of.keys() == {"v1", "v2"}
        deployed = (await cloud.get(CANARY)).template.containers[0].image
        assert by_digest(deployed).rpartition("@")[2] == version_of["v2"].rpartition("/")[2]
        shown = await read(cloud, f"/v1/{version_of['v2']}", view="FULL")
        assert [one["name"].rpartition("/")[2] for one in shown["relatedTags"]] == ["v2"]


async def test_a_version_with_a_tag_is_deleted_by_force():
    async with rest_cloud() as cloud:
        refused = await cloud.rest.delete(LEGACY_VERSION)
        assert (refused.status_code, refused.json()["error"]["status"]) == (
            400,
            "FAILED_PRECONDITION",
        )
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 200
        for tag in ("v1", "v2"):
            image = LEGACY_IMAGE.replace("v1", tag)
            version = LEGACY_VERSION.replace(digest_of(LEGACY_IMAGE), digest_of(image))
            assert (await cloud.rest.delete(version, params={"force": "true"})).status_code == 200
            assert (await cloud.rest.get(version)).status_code == 404
        assert await read(cloud, f"{PACKAGE}/tags") == {}


async def test_a_version_without_a_tag_needs_no_force():
    async with rest_cloud() as cloud:
        older = LEGACY_VERSION.replace(digest_of(LEGACY_IMAGE), digest_of(f"{LEGACY_IMAGE}~1"))
        assert (await cloud.rest.delete(older)).status_code == 200
        assert (await cloud.rest.get(older)).status_code == 404


async def test_a_deletion_is_an_operation_that_is_done_after_a_while():
    async with rest_cloud() as cloud:
        deletion = (await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})).json()
        assert not deletion["done"]
        cloud.advance(8)
        assert (await read(cloud, f"/v1/{deletion['name']}"))["done"]


async def test_tags_come_in_pages():
    async with rest_cloud() as cloud:
        first = await read(cloud, f"{PACKAGE}/tags", pageSize=1)
        second = await read(cloud, f"{PACKAGE}/tags", pageSize=1, pageToken=first["nextPageToken"])
        assert "nextPageToken" not in second
        names = [one["name"].rpartition("/")[2] for one in first["tags"] + second["tags"]]
        assert sorted(names) == ["v1", "v2"]


async def test_what_was_deleted_stays_so_after_a_restart(tmp_path):
    path = str(tmp_path / "cloud.db")
    async with rest_cloud(state_path=path) as cloud:
        await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})
    async with rest_cloud(state_path=path) as cloud:
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 404
        assert len((await read(cloud, f"{PACKAGE}/tags"))["tags"]) == 1


async def test_who_may_only_look_cannot_delete():
    async with rest_cloud(scenario="denied") as cloud:
        refused = await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})
        assert refused.status_code == 403
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 200


async def test_an_answer_lost_after_the_deletion_leaves_it_deleted():
    async with rest_cloud() as cloud:
        fault = {"method": "DeleteVersion", "code": "UNAVAILABLE", "after_apply": True, "times": 1}
        await cloud.rest.post("/_cloud/faults", json=fault)
        lost = await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})
        assert lost.status_code == 503
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 404


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{PLACE}/repositories/other/packages/ion-api/tags", 404),
        (f"{SHELF}/packages/other/tags", 404),
        (f"{PACKAGE}/versions/sha256:0", 404),
        (f"{PLACE}/operations/none", 404),
        ("/v1/projects/other/locations/us-central1/repositories/ion/packages/ion-api/tags", 403),
        (f"{PACKAGE}/tags?pageToken=AA", 400),
        (f"{PACKAGE}/tags?pageSize=-1", 400),
    ],
)
async def test_what_is_not_there_is_refused(path, status):
    async with rest_cloud() as cloud:
        assert (await cloud.rest.get(path)).status_code == status
