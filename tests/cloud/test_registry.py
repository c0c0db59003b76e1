"""Images in Artifact Registry: named, found, deleted over real REST."""

import pytest

from canary.cloud.registry import ImageRegistry, parse_image
from canary.rollout.change.change import DeleteImages
from canary.rollout.errors import (
    CanaryError,
    Denied,
    Malformed,
    NotFound,
    OutcomeUnknown,
    Unavailable,
)
from tests.embedded import DEFAULT_PLAN, Embed, Embedded

REPOSITORY = "us-central1-docker.pkg.dev/naeda-genesis/ion"
DELETE = "/google.devtools.artifactregistry.v1.ArtifactRegistry/DeleteVersion"
TAGS = "/google.devtools.artifactregistry.v1.ArtifactRegistry/ListTags"
DIGEST = "sha256:" + "0" * 64
OTHER = f"us-central1-docker.pkg.dev/other-project/ion/ion-api@{DIGEST}"


@pytest.fixture
async def cloud(embed: Embed):
    async with embed(DEFAULT_PLAN, http=True) as opened:
        yield opened


@pytest.fixture
async def registry(cloud: Embedded):
    opened = ImageRegistry(cloud.plan, cloud.endpoints)
    yield opened
    await opened.close()


async def resolved(registry: ImageRegistry, tag: str) -> str:
    name = parse_image(f"{REPOSITORY}/ion-api:{tag}")
    assert name is not None
    found = await registry.resolve(name)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("image", "parts"),
    [
        ("eu-docker.pkg.dev/p/r/i", ("eu", "p", "r", "i", "", "")),
        ("eu-docker.pkg.dev/p/r/i:v1", ("eu", "p", "r", "i", "v1", "")),
        (f"eu-docker.pkg.dev/p/r/a/b@{DIGEST}", ("eu", "p", "r", "a/b", "", DIGEST)),
        (f"eu-docker.pkg.dev/d.com:p/r/i:v1@{DIGEST}", ("eu", "d.com:p", "r", "i", "v1", DIGEST)),
        ("gcr.io/p/i:v1", None),
        ("docker.io/library/nginx", None),
        ("eu-docker.pkg.dev/p/r/i@sha256:12", None),
        ("", None),
    ],
)
def test_a_name_is_taken_apart_or_is_no_image_of_the_registry(
    image: str, parts: tuple[str, ...] | None
):
    name = parse_image(image)
    found = name and (
        name.location,
        name.project,
        name.repository,
        name.package,
        name.tag,
        name.digest,
    )
    assert found == parts


async def test_a_tag_becomes_the_digest_that_it_is_on(registry: ImageRegistry):
    legacy, canary = await resolved(registry, "v1"), await resolved(registry, "v2")
    assert legacy.startswith(f"{REPOSITORY}/ion-api@sha256:")
    assert legacy != canary


async def test_a_tag_or_package_that_is_gone_is_none(registry: ImageRegistry):
    for image in (f"{REPOSITORY}/ion-api:v9", f"{REPOSITORY}/other:v1"):
        name = parse_image(image)
        assert name is not None
        assert await registry.resolve(name) is None


async def test_a_tagged_image_is_deleted_and_the_other_stays(
    cloud: Embedded, registry: ImageRegistry
):
    legacy, canary = await resolved(registry, "v1"), await resolved(registry, "v2")
    operation = await registry.delete(DeleteImages("ion-api", (legacy,)))
    cloud.advance(60)
    state = await registry.operation(operation)
    assert (state.done, state.error) == (True, None)
    assert not await registry.exists(legacy)
    assert await registry.exists(canary)


async def test_what_is_gone_already_is_as_wanted(registry: ImageRegistry):
    gone = f"{REPOSITORY}/ion-api@{DIGEST}"
    operation = await registry.delete(DeleteImages("ion-api", (gone,)))
    assert (await registry.operation(operation)).done


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"code": "PERMISSION_DENIED"}, Denied),
        ({"code": "UNAVAILABLE"}, OutcomeUnknown),
        ({"code": "UNAVAILABLE", "after_apply": True}, OutcomeUnknown),
        ({"shape": "cut"}, OutcomeUnknown),
    ],
)
async def test_a_deletion_that_fails_is_told_apart(
    cloud: Embedded, registry: ImageRegistry, fault: dict[str, object], error: type[CanaryError]
):
    image = await resolved(registry, "v1")
    cloud.break_method(DELETE, times=1, **fault)
    with pytest.raises(error):
        await registry.delete(DeleteImages("ion-api", (image,)))


async def test_once_one_was_asked_for_a_failure_is_unknown(
    cloud: Embedded, registry: ImageRegistry
):
    image = await resolved(registry, "v1")
    with pytest.raises(OutcomeUnknown, match="1 of 2 images were asked"):
        await registry.delete(DeleteImages("ion-api", (image, OTHER)))
    assert not await registry.exists(image)


async def test_an_image_without_a_digest_is_not_deleted(registry: ImageRegistry):
    image = await resolved(registry, "v1")
    with pytest.raises(Malformed):
        await registry.delete(DeleteImages("ion-api", (image, f"{REPOSITORY}/ion-api:v1")))
    assert await registry.exists(image)


async def test_a_registry_that_is_away_is_not_an_empty_one(
    cloud: Embedded, registry: ImageRegistry
):
    image = await resolved(registry, "v1")
    cloud.break_method(TAGS, code="UNAVAILABLE")
    with pytest.raises(Unavailable):
        await resolved(registry, "v1")
    cloud.break_method("GetVersion", code="PERMISSION_DENIED")
    with pytest.raises(Denied):
        await registry.exists(image)


async def test_another_projects_repository_is_refused(registry: ImageRegistry):
    with pytest.raises((Denied, NotFound)):
        await registry.exists(OTHER)
