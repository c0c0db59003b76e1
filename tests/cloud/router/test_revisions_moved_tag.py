"""Router `revisions`: Legacy is not "100 − candidate".

Fact: google-github-actions/deploy-cloudrun#529: a deploy with `--no-traffic --tag candidate` moves
the tag; the revision that had it keeps its percent without a tag.
"""

from pathlib import Path

import pytest

from canary.rollout.change.change import Portion
from canary.rollout.errors import GateNotMet
from canary.rollout.permit.permit import authorize, why_not
from canary.rollout.snapshot.status import status_document
from canary.store.journal import Journal
from tests.cloud.router.test_router import SPLIT_PLAN
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching
from tests.hands import deploy, message_of, set_traffic

LEGACY, OLD = "ion-api-00001-leg", "ion-api-00002-can"


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db") as opened:
        yield opened


@pytest.fixture
async def cloud(embed: Embed):
    async with embed(SPLIT_PLAN) as opened:
        yield opened


async def move_tag(cloud: Embedded, *, old: int = 10) -> str:
    """CI deploys with `--no-traffic --tag canary`; returns the new revision."""
    legacy = ((LEGACY, 100 - old, ""),) if old < 100 else ()
    return await deploy(cloud, *legacy, (OLD, old, ""), ("NEW", 0, "canary"))


async def shares(cloud: Embedded) -> dict[str, int]:
    message = await message_of(cloud)
    return {t.revision: t.percent for t in message.traffic_statuses if t.percent}


async def test_the_third_revision_is_named_and_canarys_share_is_the_tagged_ones(cloud: Embedded):
    new = await move_tag(cloud)
    state = await router_service(cloud)
    assert (state.percent, state.served_percent, state.revision) == (0, 0, new)
    assert state.others == (Portion(OLD, 10),)


async def test_roll_back_all_leaves_traffic_on_the_stable_revision_alone(
    cloud: Embedded, journal: Journal
):
    await move_tag(cloud)
    outcome = await carry(cloud, journal, await ask(cloud, "rollback_all"))
    assert outcome.state == "done", outcome
    assert await shares(cloud) == {LEGACY: 100}
    tags = [t.tag for t in (await message_of(cloud)).traffic if t.tag]
    assert tags == ["canary"]


@pytest.mark.parametrize("old", [50, 95, 100])
async def test_a_large_old_canary_is_not_taken_for_legacy(
    cloud: Embedded, journal: Journal, old: int
):
    # The console promoted OLD before, so that record and annotation know both.
    await carry(cloud, journal, await ask(cloud, "promote", forced=True, reason="r"))
    await move_tag(cloud, old=old)
    outcome = await carry(cloud, journal, await ask(cloud, "rollback_all", "c2"))
    assert outcome.state == "done", outcome
    assert await shares(cloud) == {LEGACY: 100}


async def test_a_legacy_that_was_deployed_anew_meanwhile_stays_legacy(
    cloud: Embedded, journal: Journal
):
    await set_traffic(cloud, ("", 90, ""), (OLD, 10, "canary"))
    newer = await deploy(cloud)
    state = await router_service(cloud)
    assert (state.percent, state.others) == (10, ())
    outcome = await carry(cloud, journal, await ask(cloud, "rollback_all"))
    assert outcome.state == "done", outcome
    message = await message_of(cloud)
    assert [(t.type_, t.percent) for t in message.traffic if t.percent] == [(1, 100)]
    assert message.latest_ready_revision.endswith(newer)


async def test_a_third_revision_blocks_a_promotion_and_is_no_drift_of_words_only(
    cloud: Embedded,
):
    await move_tag(cloud)
    snapshot = await Watching(cloud).observer.refresh()
    said = f"{OLD} 10 %: has traffic and is neither Legacy nor Canary."
    assert why_not("promote", snapshot, False) == said
    assert why_not("rollback_all", snapshot, False) is None
    assert not snapshot.traffic.is_all_on_legacy
    with pytest.raises(GateNotMet, match=OLD):
        authorize(await ask(cloud, "promote"), snapshot, read_only=False)
    document = status_document(snapshot)
    assert document["serving"]["others"] == [{"name": OLD, "percent": 10}]
    assert document["traffic"]["legacy"] == 90


async def test_a_third_revision_is_neither_side_in_the_metrics(cloud: Embedded):
    cloud.advance(600)
    before = await cloud.monitoring.read(cloud.now - 600, cloud.now)
    assert any(sample.responses for sample in before.canary)
    await move_tag(cloud)
    reading = await cloud.monitoring.read(cloud.now - 600, cloud.now - 300)
    assert not any(sample.responses for sample in reading.canary)
    for one in reading.legacy:
        same = next(s for s in before.legacy if s.start == one.start)
        assert one.responses == same.responses


async def test_what_was_promoted_to_the_end_is_the_next_rollouts_legacy(
    cloud: Embedded, journal: Journal
):
    for number in range(3):
        change = await ask(cloud, "promote", f"up-{number}", forced=True, reason="r")
        assert (await carry(cloud, journal, change)).state == "done"
    assert await shares(cloud) == {OLD: 100}
    new = await move_tag(cloud, old=100)
    # Adopting takes the split as it is: nothing moves, and what serves is Legacy from now on.
    assert (await carry(cloud, journal, await ask(cloud, "adopt", "adopted"))).state == "done"
    assert await shares(cloud) == {OLD: 100}
    assert (await router_service(cloud)).others == ()
    change = await ask(cloud, "promote", "next", forced=True, reason="r")
    assert (await carry(cloud, journal, change)).state == "done"
    assert await shares(cloud) == {OLD: 95, new: 5}
