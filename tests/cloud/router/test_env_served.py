"""Router `env`: what is set is not what serves.

Facts: fullsend-ai/fullsend#1844 and google-github-actions/deploy-cloudrun#466: where `traffic[]`
names a revision, a changed variable makes one that never serves.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.router.env import EnvRouter, find_pinned, name_revision, pin_traffic, weigh
from canary.rollout.change.change import Guard, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from tests.cloud.messages import split_service
from tests.cloud.router.test_router import held_against, settle, traffic_step
from tests.embedded import Embedded
from tests.hands import deploy, message_of, set_traffic

LEGACY = "ion-api-00001-leg"
HELD_BACK = "ion-api:held-back"


async def test_the_share_that_serves_is_the_variable_of_the_revisions_that_have_traffic(
    embedded: Embedded,
) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""))
    await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="0")
    state = await embedded.run.service("ion-api")
    assert (state.percent, state.served_percent, state.pinned) == (0, 10, (LEGACY,))
    assert embedded.world.timeline.split_at(embedded.now) == 10


async def test_the_share_that_serves_is_weighted_by_the_traffic(embedded: Embedded) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""))
    newer = await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="50")
    await set_traffic(embedded, (LEGACY, 75, ""), (newer, 25, ""))
    state = await embedded.run.service("ion-api")
    assert (state.percent, state.served_percent) == (50, 20)
    assert state.pinned == (LEGACY, newer)


async def test_without_a_pin_what_is_set_is_served_once_it_has_settled(embedded: Embedded) -> None:
    before = await embedded.run.service("ion-api")
    assert (before.percent, before.served_percent, before.pinned) == (10, 10, ())
    operation = await embedded.writer.send(traffic_step(before, 5))
    meanwhile = await embedded.run.service("ion-api")
    assert (meanwhile.percent, meanwhile.served_percent) == (5, 10)
    assert await settle(embedded, operation) is None
    after = await embedded.run.service("ion-api")
    assert (after.percent, after.served_percent) == (5, 5)


async def test_a_revision_without_the_variable_is_not_known_and_says_why(
    embedded: Embedded,
) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""))
    odd = await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="many")
    await set_traffic(embedded, (LEGACY, 90, ""), (odd, 10, ""))
    state = await embedded.run.service("ion-api")
    assert state.served_percent is None
    assert state.split_trouble == f"{odd} has 10 % and no readable CANARY_TRAFFIC_PERCENTAGE."


async def test_a_revision_that_cannot_be_read_is_not_known_and_says_why(
    embedded: Embedded,
) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""))
    await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="0")
    embedded.break_method("GetRevision", code="PERMISSION_DENIED")
    state = await embedded.run.service("ion-api")
    assert (state.percent, state.served_percent) == (0, None)
    assert LEGACY in state.split_trouble


@pytest.mark.parametrize("already_set", [False, True])
async def test_a_rollback_under_a_pin_serves_and_ships_nothing_that_was_held_back(
    embedded: Embedded, already_set: bool
) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""), ("", 0, "next"))
    share = "0" if already_set else "10"
    await deploy(embedded, image=HELD_BACK, CANARY_TRAFFIC_PERCENTAGE=share)
    before = await embedded.run.service("ion-api")
    operation = await embedded.writer.send(traffic_step(before, 0))
    assert await settle(embedded, operation) is None
    after, message = await embedded.run.service("ion-api"), await message_of(embedded)
    assert (after.percent, after.served_percent) == (0, 0)
    assert embedded.world.timeline.split_at(embedded.now) == 0
    assert after.record is not None
    assert after.record.change == "change-1"
    assert message.template.containers[0].image != HELD_BACK
    serving = [(t.type_, t.revision, t.percent) for t in message.traffic if t.percent]
    assert serving == [(2, after.revision, 100)]
    assert [(t.type_, t.tag) for t in message.traffic if t.tag] == [(1, "next")]
    assert message.generation == before.generation + 1  # one guarded update


async def test_a_change_under_a_pin_is_guarded_by_the_etag(embedded: Embedded) -> None:
    from canary.rollout.errors import Conflict

    await set_traffic(embedded, (LEGACY, 100, ""))
    before = await embedded.run.service("ion-api")
    with pytest.raises(Conflict):
        await embedded.writer.send(traffic_step(before, 0, held_against(before, etag='"old"')))


async def test_a_record_alone_makes_no_revision_under_a_pin(embedded: Embedded) -> None:
    await set_traffic(embedded, (LEGACY, 100, ""))
    before = await embedded.run.service("ion-api")
    await settle(embedded, await embedded.writer.send(traffic_step(before, 10)))
    assert len(await embedded.run.run.revisions("ion-api")) == 1


async def test_after_a_revision_that_never_became_ready_a_rollback_builds_on_what_serves(
    embedded: Embedded,
) -> None:
    embedded.set_scenario("failing-operation")
    before = await embedded.run.service("ion-api")
    await settle(embedded, await embedded.writer.send(traffic_step(before, 0)))
    failed = await embedded.run.service("ion-api")
    assert (failed.percent, failed.served_percent) == (0, 10)
    embedded.set_scenario("healthy")
    again = traffic_step(failed, 0)
    assert await settle(embedded, await embedded.writer.send(again)) is None
    assert (await embedded.run.service("ion-api")).served_percent == 0


def test_by_hand_traffic_that_is_pinned_is_set_along(embedded: Embedded) -> None:
    guard = Guard("ion-api", "", 10, pinned=True)
    step = SetTraffic("ion-api", 10, 0, StageRecord(0, 0, 0.0), guard)
    command = EnvRouter.by_hand(step, embedded.plan, "")
    assert "--update-env-vars=CANARY_TRAFFIC_PERCENTAGE=0" in command
    assert "update-traffic ion-api --to-latest" in command


@pytest.mark.parametrize("name", ["ion-api", "s" * 49])
@pytest.mark.parametrize("percent", [0, 100])
def test_a_revisions_name_is_one_that_cloud_run_takes(name: str, percent: int) -> None:
    record = StageRecord(0, percent, 0.0, change="c1")
    step = SetTraffic(name, None, percent, record, Guard(name, '"e"', None))
    made = name_revision(name, step)
    assert made.startswith(f"{name}-")
    assert len(made) <= 63
    assert made == name_revision(name, step)


def test_tags_stay_when_traffic_is_pinned() -> None:
    message = split_service((LEGACY, 80, "old"), ("", 20, "new"))
    assert find_pinned(message) == (LEGACY,)
    pin_traffic(message, "ion-api-c0-1")
    assert [(t.type_, t.revision, t.percent, t.tag) for t in message.traffic] == [
        (2, "ion-api-c0-1", 100, ""),
        (2, LEGACY, 0, "old"),
        (1, "", 0, "new"),
    ]


@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 100)), min_size=1, max_size=5))
def test_all_on_one_side_is_said_only_when_it_is_exact(parts: list[tuple[int, int]]) -> None:
    served = weigh(parts)
    assert served is not None
    shares = {share for _, share in parts}
    assert (served == 0) == (shares == {0})
    assert (served == 100) == (shares == {100})
    assert min(shares) - 1 <= served <= max(shares) + 1
