"""What other hands do, as scenarios: and what the product makes of it, over the real protocols."""

from pathlib import Path

import pytest

from canary.engine.observe.position import is_in_doubt
from canary.rollout.errors import Conflict
from canary.simulator.config import Config
from canary.store.journal import Journal
from tests.cloud.router.test_router import SPLIT_PLAN
from tests.embedded import embed
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching, texts
from tests.hands import deploy, message_of


async def test_pinned_traffic_serves_what_it_served_and_a_rollback_serves_even_so(tmp_path: Path):
    async with embed() as cloud:
        before = await router_service(cloud)
        cloud.set_scenario("pinned")
        cloud.advance(60)
        state = await router_service(cloud)
        assert (state.pinned, state.served_percent) == ((before.serving,), 10)
        await deploy(cloud, CANARY_TRAFFIC_PERCENTAGE="25")
        assert is_in_doubt(cloud.plan, await router_service(cloud))  # 25 % set, 10 % served
        with Journal(tmp_path / "journal.db") as journal:
            outcome = await carry(cloud, journal, await ask(cloud, "rollback_all"))
        assert outcome.state == "done", outcome
        assert (await router_service(cloud)).served_percent == 0


async def test_a_moved_tag_takes_no_traffic_along():
    async with embed(SPLIT_PLAN) as cloud:
        old = (await router_service(cloud)).serving
        cloud.set_scenario("moved-tag")
        cloud.advance(60)
        state = await router_service(cloud)
        assert state.serving not in ("", old)
        assert [(o.name, o.percent) for o in state.others] == [(old, 10)]


@pytest.mark.parametrize("plan", [None, SPLIT_PLAN], ids=["two services", "two revisions"])
async def test_a_redeploy_in_the_soak_begins_it_anew(plan, tmp_path: Path):
    async with embed(*((plan,) if plan is not None else ())) as cloud:
        with Journal(tmp_path / "journal.db") as journal:
            await carry(cloud, journal, await ask(cloud, "step_back"))
        watching = Watching(cloud)
        await watching.after(60, every=30)
        assert ((await watching.observer.refresh()).stage.soaked_hours or 0.0) > 0.9
        cloud.set_scenario("redeploy")
        cloud.advance(60)
        snapshot = await watching.observer.refresh()
        assert snapshot.stage.redeployed.endswith("-ci")
        assert (snapshot.stage.soaked_hours or 0.0) < 0.1
        assert snapshot.traffic.canary_percent == 5
        assert any("deployed anew" in text for text in texts(snapshot))


async def test_it_happens_once_each_time_that_it_is_played():
    async with embed(SPLIT_PLAN) as cloud:
        count = len(await cloud.run.run.revisions("ion-api"))
        for _ in range(2):
            cloud.set_scenario("redeploy")
            cloud.advance(60)
            cloud.advance(600)
        assert len(await cloud.run.run.revisions("ion-api")) == count + 2


async def test_session_affinity_keeps_clients_past_a_new_split():
    """Cloud Run docs: affinity comes before the split. Between revisions of one service."""
    async with embed(SPLIT_PLAN, percent=50) as cloud:
        message = await message_of(cloud)
        update = type(message)(name=message.name)
        update.template.CopyFrom(message.template)
        update.template.revision = "ion-api-00003-can"
        update.template.session_affinity = True
        for target in message.traffic:
            entry = update.traffic.add()
            entry.CopyFrom(target)
            if target.tag:
                entry.revision = "ion-api-00003-can"
        await cloud.run.run.update(update, ["template", "traffic"], "by hand", validate_only=False)
        cloud.advance(60)
        message = await message_of(cloud)
        update = type(message)(name=message.name)
        for target in message.traffic:
            update.traffic.add().CopyFrom(target)
            update.traffic[-1].percent = 0 if target.tag else 100
        await cloud.run.run.update(update, ["traffic"], "by hand", validate_only=False)
        cloud.advance(60)
        assert (await router_service(cloud)).served_percent == 0
        share = cloud.world.traffic.share
        assert 0.4 < share(cloud.now) < 0.5
        cloud.advance(4 * 3600)
        assert share(cloud.now) < 0.01


async def test_without_affinity_what_is_set_is_what_comes():
    async with embed(SPLIT_PLAN, percent=50) as cloud:
        assert cloud.world.traffic.share(cloud.now) == 0.5


async def test_a_stale_etag_is_refused_with_both_versions_in_microseconds():
    """Public incident notes: "version '1769545956565275' was specified but …"."""
    async with embed() as cloud:
        before = await message_of(cloud)
        assert before.etag.strip('"').count("/") == 1  # as recorded: version, then name
        await deploy(cloud)
        update = type(before)(name=before.name, etag=before.etag)
        update.annotations["a/b"] = "c"
        with pytest.raises(Conflict) as refused:
            await cloud.run.run.update(update, ["annotations"], "x", validate_only=False)
        said = str(refused.value.__cause__)
        versions = [int(word) for word in said.split("'")[3::2]]
        assert "Conflict for resource 'ion-api': version '" in said
        assert len(versions) == 2
        assert versions[0] < versions[1]
        assert all(abs(v / 1e6 - cloud.now) < 86_400 for v in versions)


def test_a_write_of_an_alert_policy_takes_what_was_recorded():
    """k8s-config-connector's recordings: 2.5 to 5.5 s."""
    assert 2.5 <= Config().policy_write_s <= 5.5
