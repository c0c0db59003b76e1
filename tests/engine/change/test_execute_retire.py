"""Retirement: the service, then its images; each once, looked up until it is gone."""

from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from canary.cloud.registry import parse_image
from canary.engine.change.recovery import Recovery
from canary.engine.jobs.retirement import find_candidate
from canary.rollout.change.change import (
    Change,
    ChangeEvidence,
    DeleteImages,
    DeleteService,
    KeepRecord,
    Outcome,
    SetScale,
)
from canary.rollout.errors import Conflict, Denied, NotFound, Unavailable
from canary.rollout.plan.plan import ScalePreset
from canary.simulator.wire import messages
from canary.store.journal import Journal
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.cloud.test_registry import DELETE, REPOSITORY
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.engine.carried import AUTHOR, carry

DELETE_SERVICE = "/google.cloud.run.v2.Services/DeleteService"


@pytest.fixture(params=["env", "url-map"])
async def cloud(embed: Embed, request: pytest.FixtureRequest):
    plan = DEFAULT_PLAN if request.param == "env" else MAP_PLAN
    local = msgspec.structs.replace(plan.local, stage=5)
    async with embed(msgspec.structs.replace(plan, local=local), http=True) as opened:
        yield opened


async def retirement(cloud: Embedded, **fields: object) -> Change:
    state = await cloud.run.service("ion-api")
    if "steps" in fields:
        change = Change("c1", "retire", cloud.plan.name, (), AUTHOR, cloud.now)
        return msgspec.structs.replace(change, **fields)
    name = parse_image(f"{REPOSITORY}/ion-api:v1")
    assert name is not None
    image = await cloud.router.registry.resolve(name)
    assert image is not None
    steps = (DeleteService("ion-api", state.etag, 100), DeleteImages("ion-api", (image,)))
    change = Change("c1", "retire", cloud.plan.name, steps, AUTHOR, cloud.now)
    return msgspec.structs.replace(change, **fields)


async def test_the_record_is_kept_on_canary_before_its_holder_goes(
    embedded: Embedded, journal: Journal
):
    state = await embedded.run.service("ion-api")
    assert state.record is not None
    kept = msgspec.structs.replace(state.record, change="c1")
    change = await retirement(embedded, steps=(KeepRecord("ion-api-canary", kept),))
    outcome = await carry(embedded, journal, change)
    assert outcome.message == "ion-api-canary keeps the stage record."
    assert (await embedded.run.service("ion-api-canary")).record == kept


async def is_there(cloud: Embedded, service: str = "ion-api") -> bool:
    try:
        await cloud.run.run.message(service)
    except NotFound:
        return False
    return True


async def test_service_and_images_are_gone_in_the_end(cloud: Embedded, journal: Journal):
    change = await retirement(cloud)
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "done", outcome
    assert outcome.message == (
        "ion-api is deleted, with its revisions. 1 image of ion-api: deleted."
    )
    assert not await is_there(cloud)
    assert await is_there(cloud, "ion-api-canary")
    assert await cloud.writer.gone(change.steps[1])
    notes = [(n.step, n.state) for n in journal.entry("c1").notes]
    assert notes == [(step, state) for step in (0, 1) for state in ("sent", "accepted", "settled")]


async def test_canarys_image_in_the_same_package_stays(cloud: Embedded, journal: Journal):
    await carry(cloud, journal, await retirement(cloud))
    name = parse_image(f"{REPOSITORY}/ion-api:v2")
    assert name is not None
    assert await cloud.router.registry.resolve(name) is not None


async def test_an_image_that_a_job_runs_by_its_digest_is_kept(cloud: Embedded):
    opened = SimpleNamespace(plan=cloud.plan, cloud=cloud)
    alone = await find_candidate(opened)
    (image,) = alone.images
    job = messages.Job(name="projects/p/locations/us-central1/jobs/nightly")
    job.template.template.containers.add().image = image
    cloud.apis.run.jobs.append(job)
    shared = await find_candidate(opened)
    assert (shared.images, shared.kept) == ((), (image,))


def elsewhere(kind: str, image: str) -> list[Any]:
    """A service of another region that runs an image: now, still by an older revision, or a job's.

    That an image of Artifact Registry can be run from any region, and that ListServices goes
    through all of them for the location "-" and names those that it does not reach:
    cloud.google.com/run/docs/reference/rest/v2/projects.locations.services/list.
    """
    there = f"projects/{DEFAULT_PLAN.target.project}/locations/europe-west1"
    service = messages.Service(name=f"{there}/services/shop")
    if kind == "template":
        service.template.containers.add().image = image
        return [service]
    service.template.containers.add().image = "docker.io/library/nginx"
    if kind == "revision":
        revision = messages.Revision(name=f"{there}/services/shop/revisions/shop-1")
        revision.containers.add().image = image
        return [service, revision]
    job = messages.Job(name=f"{there}/jobs/nightly")
    job.template.template.containers.add().image = image
    return [service, job]


@pytest.mark.parametrize("kind", ["template", "revision", "job"])
async def test_an_image_that_runs_in_another_region_is_kept(cloud: Embedded, kind: str):
    opened = SimpleNamespace(plan=cloud.plan, cloud=cloud)
    (image,) = (await find_candidate(opened)).images
    cloud.apis.run.abroad += elsewhere(kind, image)
    shared = await find_candidate(opened)
    assert (shared.images, shared.kept) == ((), (image,))


async def test_a_region_that_is_away_keeps_every_image(cloud: Embedded):
    opened = SimpleNamespace(plan=cloud.plan, cloud=cloud)
    cloud.apis.run.away.append("projects/p/locations/asia-east1")
    with pytest.raises(Unavailable, match=r"asia-east1.*not known"):
        await find_candidate(opened)


async def test_another_region_that_refuses_keeps_every_image(cloud: Embedded):
    opened = SimpleNamespace(plan=cloud.plan, cloud=cloud)
    cloud.apis.run.abroad += elsewhere("template", "docker.io/library/nginx")
    cloud.break_method("/google.cloud.run.v2.Jobs/ListJobs", code="PERMISSION_DENIED")
    with pytest.raises(Denied):
        await find_candidate(opened)


async def test_a_lost_answer_is_looked_up_until_it_is_gone(cloud: Embedded, journal: Journal):
    change = await retirement(cloud)
    cloud.break_method(DELETE_SERVICE, code="UNAVAILABLE", after_apply=True, times=1)
    cloud.break_method(DELETE, code="UNAVAILABLE", after_apply=True, times=1)
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "done", outcome


async def test_a_deletion_that_never_arrived_is_unknown_and_not_sent_again(
    cloud: Embedded, journal: Journal
):
    change = await retirement(cloud)
    cloud.break_method(DELETE_SERVICE, code="UNAVAILABLE", times=1)
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "unknown"
    assert "Not begun: deleting 1 image of ion-api" in outcome.message
    assert await is_there(cloud)


async def test_a_service_that_was_changed_meanwhile_stays(cloud: Embedded, journal: Journal):
    change = await retirement(cloud)
    stale = msgspec.structs.replace(change.steps[0], etag='"other"')
    outcome = await carry(
        cloud, journal, msgspec.structs.replace(change, steps=(stale, change.steps[1]))
    )
    assert outcome.state == "refused"
    assert await is_there(cloud)


async def test_a_split_that_moved_meanwhile_keeps_legacy(cloud: Embedded, journal: Journal):
    change = await retirement(cloud)
    moved = msgspec.structs.replace(change.steps[0], percent=50)
    outcome = await carry(
        cloud, journal, msgspec.structs.replace(change, steps=(moved, change.steps[1]))
    )
    assert outcome.state == "refused"
    assert "the deletion was decided at 50 %" in outcome.message
    assert await is_there(cloud)


async def test_what_was_against_it_refuses_it_here_too(cloud: Embedded, journal: Journal):
    change = await retirement(cloud, evidence=ChangeEvidence(gates_unmet=("day",)))
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "refused"
    assert await is_there(cloud)


async def test_images_that_may_not_be_deleted_are_said_with_what_is_done(
    cloud: Embedded, journal: Journal
):
    change = await retirement(cloud)
    cloud.break_method(DELETE, code="PERMISSION_DENIED")
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "failed"
    assert "Done before, and it stays: ion-api is deleted" in outcome.message


async def unknown(cloud: Embedded, journal: Journal, method: str, **fault: object) -> Recovery:
    """A retirement whose deletion was sent, and of which no more is known."""
    cloud.break_method(method, code="UNAVAILABLE", times=1, **fault)
    outcome = await carry(cloud, journal, await retirement(cloud))
    assert outcome.state == "unknown", outcome
    return Recovery(cloud.plan, cloud.run, journal, cloud.clock)


async def resume(cloud: Embedded, journal: Journal) -> Outcome:
    """The executor goes on with what was handed back to it."""
    entry = journal.entry("c1")
    assert entry is not None
    return await carry(cloud, journal, entry.change)


async def test_a_deletion_that_never_arrived_is_resumed_and_done(cloud: Embedded, journal: Journal):
    recovery = await unknown(cloud, journal, DELETE_SERVICE)
    looked = await recovery.verify("c1")
    assert (looked.state, looked.step) == ("not_done", 0)
    assert "What was to go (ion-api) is still there." in looked.message
    assert (await recovery.resume("c1", "ann")).state == "resumed"
    outcome = await resume(cloud, journal)
    assert outcome.state == "done", outcome
    assert not await is_there(cloud)


async def test_what_went_after_all_is_found_and_the_images_are_left_to_resume(
    cloud: Embedded, journal: Journal
):
    recovery = await unknown(cloud, journal, DELETE_SERVICE)
    await cloud.run.run.delete("ion-api", "", validate_only=False)  # by somebody else
    cloud.advance(60.0)
    looked = await recovery.verify("c1")
    assert (looked.state, looked.step) == ("not_begun", 1)
    assert "an image" in looked.message
    await recovery.resume("c1", "ann")
    outcome = await resume(cloud, journal)
    assert outcome.state == "done", outcome


async def test_images_whose_deletion_is_not_known_are_looked_up_and_resumed(
    cloud: Embedded, journal: Journal
):
    recovery = await unknown(cloud, journal, DELETE)
    looked = await recovery.verify("c1")
    assert (looked.state, looked.step) == ("not_done", 1)
    await recovery.resume("c1", "ann")
    outcome = await resume(cloud, journal)
    assert outcome.state == "done", outcome
    assert (await recovery.verify("c1")).state == "ended"


async def test_a_service_that_others_changed_is_not_deleted_by_resuming(
    cloud: Embedded, journal: Journal
):
    recovery = await unknown(cloud, journal, DELETE_SERVICE)
    await cloud.writer.send(SetScale("ion-api", None, ScalePreset(2, 7)))
    cloud.advance(60.0)
    with pytest.raises(Conflict, match="was changed meanwhile"):
        await recovery.resume("c1", "ann")
    assert await is_there(cloud)


async def test_a_registry_that_does_not_answer_leaves_it_unknown(cloud: Embedded, journal: Journal):
    recovery = await unknown(cloud, journal, DELETE)
    cloud.break_method(
        "/google.devtools.artifactregistry.v1.ArtifactRegistry/*", code="UNAVAILABLE"
    )
    looked = await recovery.verify("c1")
    assert looked.state == "unknown"
    assert "Whether it is gone is not known" in looked.message


@pytest.mark.parametrize("resumed", [False, True])
async def test_an_image_that_came_into_use_since_then_is_kept(
    cloud: Embedded, journal: Journal, resumed: bool
):
    """Somebody deploys it again between the question, or the first try, and the deletion."""
    if resumed:
        recovery = await unknown(cloud, journal, DELETE)
        change = journal.entry("c1").change
    else:
        change = await retirement(cloud)
    (image,) = change.steps[1].images
    cloud.apis.run.abroad += elsewhere("template", image)
    if resumed:
        await recovery.resume("c1", "ann")
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "refused", outcome
    assert f"shop in europe-west1 runs {image}" in outcome.message
    assert not await cloud.writer.gone(change.steps[1])
