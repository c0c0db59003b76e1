"""A change is done only when it serves: traffic that is pinned, or set past the console."""

import pytest

from canary.rollout.errors import GateNotMet, UsageError
from canary.rollout.permit.permit import authorize, why_not
from canary.rollout.snapshot.status import status_document, status_line
from canary.store.journal import Journal
from tests.embedded import Embedded
from tests.engine.carried import ask, carry, router_service
from tests.engine.watching import Watching
from tests.hands import deploy, set_traffic

LEGACY = "ion-api-00001-leg"


async def pin(cloud: Embedded) -> None:
    """Somebody deploys with `--no-traffic`: newer code is there, and serves nobody."""
    await set_traffic(cloud, (LEGACY, 100, ""))
    await deploy(cloud, image="held-back")


@pytest.mark.parametrize(("kind", "percent"), [("rollback_all", 0), ("step_back", 5)])
async def test_going_back_under_a_pin_is_done_when_it_serves(
    embedded: Embedded, journal: Journal, kind: str, percent: int
):
    await pin(embedded)
    outcome = await carry(embedded, journal, await ask(embedded, kind))
    assert outcome.state == "done", outcome
    assert (await router_service(embedded)).served_percent == percent
    assert embedded.world.timeline.split_at(embedded.now) == percent


async def test_a_share_that_is_set_and_pinned_away_meanwhile_is_not_done(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "rollback_all")
    sent = []

    async def pin_at_once() -> None:
        if not sent and (await router_service(embedded)).percent == 0:
            sent.append(True)
            await set_traffic(embedded, (LEGACY, 100, ""))

    outcome = await carry(embedded, journal, change, between=pin_at_once)
    assert outcome.state == "unknown", outcome
    assert "does not serve: Canary is served 10 %." in outcome.message
    assert f"pinned to {LEGACY}" in outcome.message


async def test_a_promotion_is_refused_while_traffic_does_not_follow(embedded: Embedded):
    watching = Watching(embedded)
    await pin(embedded)
    snapshot = await watching.observer.refresh()
    said = f"Traffic is pinned to {LEGACY}: a share that is set alone serves nobody."
    assert why_not("promote", snapshot, False) == said
    assert why_not("rollback_all", snapshot, False) is None
    change = await ask(embedded, "promote")
    with pytest.raises(GateNotMet, match="is pinned to") as refused:
        authorize(change, snapshot, read_only=False)
    assert "update-traffic ion-api --to-latest" in refused.value.remedy
    forced = await ask(embedded, "promote", forced=True, reason="the pin is ours")
    authorize(forced, snapshot, read_only=False)


async def test_set_and_served_are_shown_apart_and_all_on_legacy_is_not_said(embedded: Embedded):
    watching = Watching(embedded)
    await set_traffic(embedded, (LEGACY, 100, ""))
    await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="0")
    snapshot = await watching.observer.refresh()
    traffic = snapshot.traffic
    assert (traffic.canary_percent, traffic.served_percent) == (0, 10)
    assert traffic.is_unserved
    assert not traffic.is_all_on_legacy
    assert status_document(snapshot)["serving"] == {
        "set": 0,
        "served": 10,
        "follows": False,
        "pinned": [LEGACY],
        "others": [],
        "said": "Set is 0 %, served is 10 %."
        f" Traffic is pinned to {LEGACY}: a share that is set alone serves nobody.",
        "session_affinity": False,
        "redeployed": None,
    }
    assert "0 % set, 10 % SERVED" in status_line(snapshot, embedded.plan)
    # The numbers that come in are of Canary, and may move automatic rollback.
    assert snapshot.standing is not None
    assert snapshot.standing.most_percent == 10


async def test_what_does_not_serve_cannot_be_adopted(embedded: Embedded):
    await set_traffic(embedded, (LEGACY, 100, ""))
    await deploy(embedded, CANARY_TRAFFIC_PERCENTAGE="25")
    with pytest.raises(UsageError, match="Set is 25 %, served is 10 %"):
        await ask(embedded, "adopt")
