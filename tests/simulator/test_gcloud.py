"""The real gcloud against the embedded cloud: what it changes is what everybody sees."""

import asyncio
import os
import shutil

import pytest
from google.api_core.exceptions import NotFound

from tests.simulator.local_cloud import CANARY, LEGACY, LEGACY_REVISION
from tests.simulator.rest_cloud import RestCloud, rest_cloud

GCLOUD = shutil.which("gcloud")

pytestmark = pytest.mark.skipif(GCLOUD is None, reason="gcloud is not installed")


def environment(cloud: RestCloud, directory: os.PathLike[str]) -> dict[str, str]:
    """Return what makes gcloud speak to this cloud, and to nothing else.

    It puts the region before the override's host name, which no address on loopback survives; its
    own proxy settings lead any host name to loopback, so the name need not resolve.
    """
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(directory),
        "CLOUDSDK_CONFIG": str(directory),
        "CLOUDSDK_API_ENDPOINT_OVERRIDES_RUN": "http://run.localhost/",
        "CLOUDSDK_PROXY_TYPE": "http_no_tunnel",
        "CLOUDSDK_PROXY_ADDRESS": "127.0.0.1",
        "CLOUDSDK_PROXY_PORT": str(cloud.port),
        "CLOUDSDK_AUTH_ACCESS_TOKEN": "alice@example.com",
        "CLOUDSDK_CORE_PROJECT": "naeda-genesis",
        "CLOUDSDK_RUN_REGION": "us-central1",
        "CLOUDSDK_CORE_DISABLE_PROMPTS": "1",
        "CLOUDSDK_CORE_DISABLE_USAGE_REPORTING": "1",
    }


@pytest.fixture
def gcloud(tmp_path):
    """Return a function that runs `gcloud run …` and returns (exit code, what it said)."""

    async def run(cloud: RestCloud, *arguments: str) -> tuple[int | None, str]:
        process = await asyncio.create_subprocess_exec(
            GCLOUD or "gcloud",
            "run",
            *arguments,
            env=environment(cloud, tmp_path),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), 60)
        except BaseException:
            process.kill()
            await process.wait()
            raise
        return process.returncode, said.decode(errors="replace")

    return run


async def test_update_traffic_moves_the_share_under_another_etag_and_author(gcloud):
    async with rest_cloud("revisions", running=True) as cloud:
        before = await cloud.get()
        code, said = await gcloud(
            cloud, "services", "update-traffic", "ion-api", "--to-revisions=ion-api-00002-can=25"
        )
        assert code == 0, said
        after = await cloud.get()
        assert (cloud.percent, after.last_modifier) == (25, "alice@example.com")
        assert after.etag != before.etag
        assert after.generation == before.generation + 1


@pytest.mark.long
async def test_update_traffic_by_tag_keeps_the_tag_and_makes_no_revision(gcloud):
    async with rest_cloud("revisions", running=True) as cloud:
        code, said = await gcloud(
            cloud, "services", "update-traffic", "ion-api", "--to-tags=canary=50"
        )
        assert code == 0, said
        after = await cloud.get()
        assert cloud.percent == 50
        assert {target.tag for target in after.traffic} == {"", "canary"}
        assert after.latest_created_revision.endswith("ion-api-00002-can")


async def test_an_environment_variable_moves_the_share_through_a_new_revision(gcloud):
    async with rest_cloud("env", running=True) as cloud:
        annotations = dict((await cloud.get()).annotations)
        code, said = await gcloud(
            cloud, "services", "update", "ion-api",
            "--update-env-vars=CANARY_TRAFFIC_PERCENTAGE=40",
        )  # fmt: skip
        assert code == 0, said
        after = await cloud.get()
        assert (cloud.percent, after.last_modifier) == (40, "alice@example.com")
        assert not after.latest_ready_revision.endswith(LEGACY_REVISION)
        assert dict(after.annotations) == annotations


@pytest.mark.long
async def test_min_of_the_service_needs_no_revision(gcloud):
    async with rest_cloud("env", running=True) as cloud:
        code, said = await gcloud(cloud, "services", "update", "ion-api", "--min=3")
        assert code == 0, said
        after = await cloud.get()
        assert after.scaling.min_instance_count == 3
        assert after.latest_created_revision.endswith(LEGACY_REVISION)
        assert cloud.world.timeline.scale_at(cloud.now, "ion-api") == (3, 10)


async def test_a_refusal_of_the_api_is_what_gcloud_says(gcloud):
    async with rest_cloud("env", running=True, scenario="denied") as cloud:
        code, said = await gcloud(cloud, "services", "update", "ion-api", "--min=3")
        assert code == 1
        assert "run.services.update" in said
        assert (await cloud.get(LEGACY)).scaling.min_instance_count == 1


@pytest.mark.long
async def test_a_deleted_service_is_gone_for_everybody(gcloud):
    async with rest_cloud("env", running=True) as cloud:
        code, said = await gcloud(cloud, "services", "delete", "ion-api-canary")
        assert code == 0, said
        with pytest.raises(NotFound):
            await cloud.get(CANARY)


async def test_describe_and_the_lists_show_what_is_there(gcloud):
    async with rest_cloud("env", running=True) as cloud:
        code, said = await gcloud(cloud, "services", "describe", "ion-api", "--format=export")
        assert code == 0, said
        assert "CANARY_TRAFFIC_PERCENTAGE" in said
        code, said = await gcloud(cloud, "services", "list", "--format=value(metadata.name)")
        assert (code, said.split()) == (0, ["ion-api", "ion-api-canary"])
        code, said = await gcloud(
            cloud, "revisions", "list", "--service=ion-api", "--format=value(metadata.name)"
        )
        assert (code, said.split()) == (0, [LEGACY_REVISION])
