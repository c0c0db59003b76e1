"""Artifact Registry over REST: the images that the services run, and how they are deleted."""

import pytest

from canary.simulator.world.images import by_digest, digest_of
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
        assert {one["name"].rpartition("/")[2] for one in tags} == {"v1", "v2"}
        images = (await read(cloud, f"{SHELF}/dockerImages"))["dockerImages"]
        deployed = (await cloud.get(CANARY)).template.containers[0].image
        tagged = {one["uri"]: one["tags"] for one in images if one["tags"]}
        assert tagged[by_digest(deployed)] == ["v2"]
        assert len(images) == 8


async def test_a_version_with_a_tag_is_deleted_by_force_or_without_its_tag():
    async with rest_cloud() as cloud:
        refused = await cloud.rest.delete(LEGACY_VERSION)
        assert (refused.status_code, refused.json()["error"]["status"]) == (
            400,
            "FAILED_PRECONDITION",
        )
        assert (await cloud.rest.delete(f"{PACKAGE}/tags/v1")).status_code == 200
        assert (await cloud.rest.delete(LEGACY_VERSION)).status_code == 200
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 404
        other = LEGACY_VERSION.replace(
            digest_of(LEGACY_IMAGE), digest_of(LEGACY_IMAGE.replace("v1", "v2"))
        )
        assert (await cloud.rest.delete(other, params={"force": "true"})).status_code == 200
        assert await read(cloud, f"{PACKAGE}/tags") == {}


async def test_a_deletion_is_an_operation_that_is_done_after_a_while():
    async with rest_cloud() as cloud:
        deletion = (await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})).json()
        assert not deletion["done"]
        cloud.advance(8)
        assert (await read(cloud, f"/v1/{deletion['name']}"))["done"]


async def test_a_deleted_package_takes_all_with_it():
    async with rest_cloud() as cloud:
        assert [one["displayName"] for one in (await read(cloud, f"{SHELF}/packages"))["packages"]]
        assert (await cloud.rest.delete(PACKAGE)).status_code == 200
        assert await read(cloud, f"{SHELF}/packages") == {}
        assert (await cloud.rest.get(f"{PACKAGE}/versions")).status_code == 404


async def test_versions_come_in_pages_newest_first():
    async with rest_cloud() as cloud:
        found, token = [], ""
        while True:
            page = await read(
                cloud, f"{PACKAGE}/versions", pageSize=3, pageToken=token, view="FULL"
            )
            found += page["versions"]
            token = page.get("nextPageToken", "")
            if not token:
                break
        assert len({one["name"] for one in found}) == 8
        times = [one["createTime"] for one in found]
        assert times == sorted(times, reverse=True)
        assert sum("relatedTags" in one for one in found) == 2


async def test_what_was_deleted_stays_so_after_a_restart(tmp_path):
    path = str(tmp_path / "cloud.db")
    async with rest_cloud(state_path=path) as cloud:
        await cloud.rest.delete(LEGACY_VERSION, params={"force": "true"})
    async with rest_cloud(state_path=path) as cloud:
        assert (await cloud.rest.get(LEGACY_VERSION)).status_code == 404
        assert len((await read(cloud, f"{PACKAGE}/versions"))["versions"]) == 7


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
        (f"{PLACE}/repositories/other/packages", 404),
        (f"{SHELF}/packages/other", 404),
        (f"{PACKAGE}/versions/sha256:0", 404),
        (f"{PLACE}/operations/none", 404),
        ("/v1/projects/other/locations/us-central1/repositories/ion/packages", 403),
        (f"{SHELF}/packages?pageToken=AA", 400),
        (f"{SHELF}/packages?pageSize=-1", 400),
    ],
)
async def test_what_is_not_there_is_refused(path, status):
    async with rest_cloud() as cloud:
        assert (await cloud.rest.get(path)).status_code == status
