"""Another tool touches the service all the time: going back goes out, and nothing else does.

Each touch gives the service a new etag (a URL map: a new fingerprint) between the moment in which a
change is decided, or read, and the moment in which it is sent.
"""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from canary.cloud.router.choice import open_router
from canary.rollout.change.change import SetScale, SetTraffic
from canary.rollout.change.life import replay
from canary.rollout.permit import permit
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from tests.chaos.routers import PROGRAM
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embedded, embed, with_router
from tests.engine.carried import PACE, ask, carry, router_service
from tests.engine.watching import Watching

ROUTERS = ("env", "revisions", "url-map", "command")
PLANS = {
    "env": DEFAULT_PLAN,
    "revisions": with_router(DEFAULT_PLAN, kind="revisions", candidate="canary"),
    "url-map": MAP_PLAN,
    "command": with_router(DEFAULT_PLAN, kind="command", set=("set", "{percent}")),
}


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


@contextlib.asynccontextmanager
async def rollout(kind: str, directory: Path) -> AsyncIterator[Embedded]:
    async with embed(PLANS[kind], http=True, operation_s=0.0) as cloud:
        if kind == "command":
            program = directory / "share"
            url_maps = f"{cloud.control_url}/compute/v1/projects/naeda-genesis/global/urlMaps"
            program.write_text(PROGRAM.format(url=f"{url_maps}/ion-api-map"))
            program.chmod(0o700)
            # The team's program minds the touches of the map itself: it tries again.
            again = 'for _ in 1 2 3 4 5 6 7 8 9; do "$0" set "$1" 2>&1 && exit; done; exit 1'
            tries = ("/bin/sh", "-c", again, str(program), "{percent}")
            given = {"set": tries, "read": (str(program), "read")}
            cloud.plan = with_router(cloud.plan, kind="command", **given)
            cloud.run = cloud.writer = cloud.router = open_router(cloud.plan, cloud.connection)
        yield cloud


def states(journal: Journal) -> list[str]:
    entry = journal.entry("c1")
    return [note.state for note in entry.notes if note.state != "remark"]


@pytest.mark.parametrize("kind", ROUTERS)
@pytest.mark.parametrize("move", ["rollback_all", "step_back"])
async def test_going_back_goes_out_through_touches(
    tmp_path: Path, journal: Journal, kind: str, move: str
):
    async with rollout(kind, tmp_path) as cloud:
        change = await ask(cloud, move)
        cloud.set_scenario("churn", times=5)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert (after.percent, after.record.change) == (change.steps[-1].percent, "c1")
        retried = states(journal).count("retry")
        assert retried >= 1
        assert replay(journal.entry("c1").marks, 1, "done") == "done"


@pytest.mark.parametrize("kind", ROUTERS)
async def test_a_promotion_is_refused_at_the_first_touch(
    tmp_path: Path, journal: Journal, kind: str
):
    async with rollout(kind, tmp_path) as cloud:
        change = await ask(cloud, "promote")
        cloud.set_scenario("churn", times=1)
        assert (await carry(cloud, journal, change)).state == "refused"
        assert (await router_service(cloud)).percent == 10
        assert "retry" not in states(journal)


@pytest.mark.parametrize("kind", ROUTERS)
async def test_it_is_tried_a_bounded_number_of_times_and_the_command_is_given(
    tmp_path: Path, journal: Journal, kind: str
):
    async with rollout(kind, tmp_path) as cloud:
        change = await ask(cloud, "rollback_all")
        cloud.set_scenario("churn", times=1000)
        # A process for each look and each try of a program: here fewer are as good.
        pace = msgspec.structs.replace(PACE, tries=4) if kind == "command" else PACE
        outcome = await carry(cloud, journal, change, pace=pace)
        assert outcome.state == "refused"
        assert states(journal).count("retry") == pace.tries
        assert f"tried {pace.tries + 1} times" in outcome.message
        assert "by hand: `canary rollback --all --dry-run`" in outcome.remedy


async def test_what_a_program_has_set_is_recorded_through_touches(tmp_path: Path, journal: Journal):
    async with rollout("command", tmp_path) as cloud:
        change = await ask(cloud, "rollback_all")
        update, met = cloud.apis.changes.update, []

        def touch(request, author=""):
            met.append(request)
            if len(met) == 2:  # behind the intent and the program: the record
                cloud.set_scenario("churn", times=3)
            return update(request, author)

        cloud.apis.changes.update = touch
        assert (await carry(cloud, journal, change)).state == "done"
        assert (await router_service(cloud)).record.change == "c1"


@pytest.mark.parametrize("kind", ["env", "revisions", "url-map"])
async def test_a_split_that_somebody_sets_in_between_is_never_overwritten(
    tmp_path: Path, journal: Journal, kind: str
):
    async with rollout(kind, tmp_path) as cloud:
        change = await ask(cloud, "rollback_all")
        cloud.set_scenario("conflict")
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "refused"
        assert (await router_service(cloud)).percent not in (0, 10)


async def test_from_production_both_steps_go_out_through_touches(tmp_path: Path, journal: Journal):
    plan = msgspec.structs.replace(
        DEFAULT_PLAN, local=msgspec.structs.replace(DEFAULT_PLAN.local, stage=5)
    )
    async with embed(plan, operation_s=0.0) as cloud:
        change = await ask(cloud, "rollback_all")
        split = next(step for step in change.steps if isinstance(step, SetTraffic))
        scale = SetScale(split.service, None, ScalePreset(1, 12))
        change = msgspec.structs.replace(change, steps=(scale, split))
        update, met = cloud.apis.changes.update, set()

        def touch(request, author=""):
            fields = tuple(request.update_mask.paths)
            if fields not in met:
                met.add(fields)
                other = type(request)()
                other.service.name = request.service.name
                other.service.annotations["other-tool/seen"] = str(len(met))
                stored = cloud.apis.changes.find(request.service.name)
                other.service.annotations.MergeFrom(stored.annotations)
                other.update_mask.paths.append("annotations")
                update(other, "other-tool")
            return update(request, author)

        cloud.apis.changes.update = touch
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        assert (await router_service(cloud)).percent == 0
        notes = [(note.step, note.state) for note in journal.entry("c1").notes]
        assert len(met) == 2
        assert (0, "retry") in notes


async def test_a_doubled_request_that_was_refused_is_found_and_not_sent_again(
    tmp_path: Path, journal: Journal
):
    """Something on the way sends a request twice; the answer to the second is what comes back."""
    async with rollout("env", tmp_path) as cloud:
        change = await ask(cloud, "rollback_all")
        before = await router_service(cloud)
        update = cloud.apis.changes.update

        def double(request, author=""):
            cloud.apis.changes.update = update
            update(request, author)
            return update(request, author)

        cloud.apis.changes.update = double
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        assert (await router_service(cloud)).generation == before.generation + 1
        assert states(journal) == ["sent", "settled"]


async def test_the_open_question_and_the_permit_outlive_touches(embedded: Embedded, tmp_path: Path):
    back, forth = await ask(embedded, "rollback_all"), await ask(embedded, "promote")
    watching = Watching(embedded, tmp_path)
    message = await embedded.run.run.message("ion-api")
    kept = {**message.annotations, "other-tool/seen": "1"}
    await embedded.writer.annotate(message, kept, back.steps[0], validate_only=False)
    embedded.advance(60.0)
    snapshot = await watching.observer.refresh()
    watching.close()
    permit.authorize(back, snapshot, read_only=False)
    with pytest.raises(permit.Conflict):
        permit.authorize(forth, snapshot, read_only=False)
    was, now = back.steps[0].guard, snapshot.traffic.guard
    assert was.etag != now.etag
    assert permit.holds("rollback_all", was, now)
    assert not permit.holds("promote", was, now)
