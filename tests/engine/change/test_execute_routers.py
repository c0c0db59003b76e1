"""A split that no service carries goes the same one path: once, looked up, with what is true."""

import sys
from pathlib import Path

import msgspec
import pytest

from canary.cloud.router import command
from canary.cloud.router.choice import open_router
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.store.journal import Journal
from tests.cloud.router.test_command import PROGRAM
from tests.cloud.router.test_url_map_split import MAP_PLAN, PATCH
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import ask, carry, router_service


@pytest.fixture
async def cloud(embed: Embed):
    async with embed(MAP_PLAN, http=True) as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "percent", "stage"), [("promote", 25, 3), ("step_back", 5, 1), ("rollback_all", 0, 0)]
)
async def test_a_url_map_is_followed_until_it_shows_the_change(
    cloud: Embedded, journal: Journal, kind: str, percent: int, stage: int
):
    outcome = await carry(cloud, journal, await ask(cloud, kind))
    assert outcome.state == "done", outcome
    after = await router_service(cloud)
    assert (after.percent, after.record.stage, after.record.change) == (percent, stage, "c1")
    assert cloud.world.timeline.split_at(cloud.now) == percent


async def test_a_lost_answer_of_a_patch_is_looked_up_and_found(cloud: Embedded, journal: Journal):
    change = await ask(cloud, "step_back")
    cloud.break_method(PATCH, code="UNAVAILABLE", after_apply=True, times=1)
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "done", outcome
    assert (await router_service(cloud)).record.change == "c1"


async def test_a_patch_that_never_arrived_is_unknown_and_not_sent_again(
    cloud: Embedded, journal: Journal
):
    change = await ask(cloud, "step_back")
    cloud.break_method(PATCH, code="UNAVAILABLE", times=1)
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "unknown"
    assert (await router_service(cloud)).percent == 10


async def test_somebody_faster_refuses_the_change(cloud: Embedded, journal: Journal):
    change = await ask(cloud, "step_back")
    cloud.set_scenario("conflict")
    outcome = await carry(cloud, journal, change)
    assert outcome.state == "refused"
    assert "somebody else" in outcome.message


async def test_legacy_is_scaled_up_before_the_map_sends_everybody_back(
    embed: Embed, journal: Journal
):
    async with embed(_at_stage(5), http=True) as cloud:
        await carry(cloud, journal, await _to_backup(cloud))
        change = await ask(cloud, "rollback_all")
        assert [type(step).__name__ for step in change.steps] == ["SetScale", "SetTraffic"]
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        assert (await router_service(cloud)).percent == 0
        assert (await cloud.run.service("ion-api")).scale == ScalePreset(1, 10)


async def test_production_is_approved_by_the_map_and_both_scales(embed: Embed, journal: Journal):
    async with embed(_at_stage(4), http=True) as cloud:
        outcome = await carry(cloud, journal, await ask(cloud, "promote"))
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert (after.percent, after.record.enabled) == (100, False)
        assert (await cloud.run.service("ion-api")).scale == ScalePreset(0, 1)


async def test_a_program_of_the_teams_goes_the_same_path(
    embed: Embed, journal: Journal, tmp_path: Path
):
    plan = with_router(DEFAULT_PLAN, kind="command", set=("set", "{percent}"))
    async with embed(plan, http=True, operation_s=0.0) as cloud:
        share = tmp_path / "share"
        share.write_text(PROGRAM.format(python=sys.executable, url=cloud.control_url))
        share.chmod(0o700)
        _use(cloud, set=(str(share), "set", "{percent}"), read=(str(share), "read"))
        outcome = await carry(cloud, journal, await ask(cloud, "promote"))
        assert (outcome.state, outcome.message) == ("done", "Canary has 25 % (was 10 %), stage 3.")
        _use(cloud, set=("/bin/false", "{percent}"), read=(str(share), "read"))
        failed = await carry(cloud, journal, await ask(cloud, "step_back", "c2"))
        assert failed.state == "failed"
        assert "Nothing was changed" not in failed.message
        assert "Canary is set to 25 % now" in failed.message


def _at_stage(stage: int) -> Plan:
    local = msgspec.structs.replace(MAP_PLAN.local, stage=stage)
    return msgspec.structs.replace(MAP_PLAN, local=local)


async def _to_backup(cloud: Embedded):
    from canary.rollout.change import moves
    from canary.rollout.change.change import Request
    from tests.engine.carried import AUTHOR, standing_of

    standing = await standing_of(cloud)
    request = Request("c0", AUTHOR, cloud.now)
    return moves.scale(cloud.plan, standing, request, "legacy", cloud.plan.scale.backup)


def _use(cloud: Embedded, **router: object) -> None:
    cloud.plan = with_router(cloud.plan, kind="command", **router)
    cloud.run = cloud.writer = cloud.router = open_router(cloud.plan, cloud.connection)


@pytest.mark.parametrize("said", ["exit 1", "echo perhaps"])
async def test_what_a_program_has_set_and_cannot_be_read_back_is_unknown(
    embed: Embed, journal: Journal, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str
):
    """Once it was run, "nothing was changed" is never said."""
    monkeypatch.setattr(command, "READ_BACK_PAUSE_S", 0.0)
    plan = with_router(DEFAULT_PLAN, kind="command", set=("set", "{percent}"))
    async with embed(plan, http=True, operation_s=0.0) as cloud:
        share, read = tmp_path / "share", tmp_path / "read"
        share.write_text(PROGRAM.format(python=sys.executable, url=cloud.control_url))
        broken = tmp_path / "broken"
        read.write_text(f"#!/bin/sh\n[ -e {broken} ] && {{ {said}; exit; }}\nexec {share} read\n")
        setter = tmp_path / "setter"
        setter.write_text(f'#!/bin/sh\n{share} set "$1"; code=$?; touch {broken}; exit $code\n')
        for program in (share, read, setter):
            program.chmod(0o700)
        _use(cloud, set=(str(setter), "{percent}"), read=(str(read),))
        outcome = await carry(cloud, journal, await ask(cloud, "promote"))
        assert outcome.state == "unknown", outcome
        assert "could not be read back" in outcome.message
        assert "Nothing was changed" not in outcome.message
        broken.unlink()
        assert (await router_service(cloud)).percent == 25
