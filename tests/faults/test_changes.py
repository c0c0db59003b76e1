"""Every way in which a change can go wrong: the outcome is true, and it is sent at most once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from canary.cloud.router.choice import open_router
from canary.engine.change.execute import QUOTA_PAUSE_S, carry_out
from canary.rollout.change.change import Change, Outcome
from canary.store.journal import Journal
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import PACE, ask, router_service
from tests.faults.table import CODES, FAULTS, UNCERTAIN, deadline_s, looks_away

SPLIT_PLAN = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")
REFUSED = ("refused", "failed")
SENT_AGAIN = ("RESOURCE_EXHAUSTED", "ABORTED", "UNAUTHENTICATED")
SENT_ONCE = [
    (kind, fault)
    for kind in ("promote", "rollback_all")
    for fault in FAULTS
    # Certainly not taken: going back waits, or is sent again under the new etag. Claimed below.
    if (kind, fault) not in [("rollback_all", each) for each in SENT_AGAIN]
]


class Hand:
    """Carries changes out with the deadlines for a fault; pauses cost no real time."""

    def __init__(self, cloud: Embedded, journal: Journal, fault: str = "") -> None:
        self.cloud = cloud
        self.journal = journal
        self.writer = self.reader = open_router(
            cloud.plan,
            cloud.connection,
            read_timeout_s=deadline_s(fault),
            change_timeout_s=deadline_s(fault),
        )
        self.mends_after = 60
        self.pauses: list[float] = []

    async def carry(self, change: Change) -> Outcome:
        self.journal.intend(change)
        return await carry_out(
            change,
            self.writer,
            self.reader,
            self.journal,
            self.cloud.clock,
            plan=self.cloud.plan,
            pace=PACE,
            sleep=self._sleep,
        )

    async def _sleep(self, pause_s: float) -> None:
        self.cloud.advance(5.0 if pause_s else 0.0)
        self.pauses.append(pause_s)
        if len(self.pauses) == self.mends_after:
            self.cloud.world.faults.clear()

    @property
    def sent(self) -> int:
        return self.cloud.world.calls["UpdateService"]


@pytest.fixture
async def hand(
    embedded: Embedded, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Hand]:
    await embedded.run.service("ion-api")
    fault = request.node.callspec.params["fault"]
    with Journal(tmp_path / "journal.db") as journal:
        yield Hand(embedded, journal, fault)


@pytest.mark.parametrize(("kind", "fault"), SENT_ONCE)
async def test_a_change_is_sent_once_and_its_outcome_is_what_is_set(
    hand: Hand, kind: str, fault: str
):
    cloud = hand.cloud
    change, before = await ask(cloud, kind), await router_service(cloud)
    cloud.break_method("UpdateService", **FAULTS[fault])
    outcome = await hand.carry(change)
    after = await router_service(cloud)
    took_effect = after.percent != before.percent
    assert hand.sent == 1
    assert took_effect == (fault in ("cut short", "lost after"))
    expected = ("done",) if took_effect else ("unknown",) if fault in UNCERTAIN else REFUSED
    assert outcome.state in expected
    assert outcome.percent == after.percent
    assert outcome.state == "done" or outcome.remedy


@pytest.mark.parametrize("fault", ["RESOURCE_EXHAUSTED"])
async def test_a_rollback_refused_for_a_quota_is_asked_again_no_faster_than_a_quota_comes_back(
    hand: Hand, fault: str
):
    cloud = hand.cloud
    cloud.break_method("UpdateService", **FAULTS[fault], times=5)
    outcome = await hand.carry(await ask(cloud, "rollback_all"))
    assert (outcome.state, outcome.percent) == ("done", 0)
    assert hand.sent == 6
    assert sum(pause >= QUOTA_PAUSE_S for pause in hand.pauses) == 5


@pytest.mark.parametrize("fault", ["ABORTED"])
async def test_a_rollback_that_another_tool_gets_ahead_of_is_tried_a_bounded_number_of_times(
    hand: Hand, fault: str
):
    cloud = hand.cloud
    cloud.break_method("UpdateService", **FAULTS[fault])
    outcome = await hand.carry(await ask(cloud, "rollback_all"))
    assert outcome.state == "refused"
    assert hand.sent == 21
    assert (await router_service(cloud)).percent == outcome.percent == 10


@pytest.mark.parametrize("fault", ["UNAUTHENTICATED"])
async def test_a_rollback_whose_login_has_expired_goes_out_when_it_is_renewed(
    hand: Hand, fault: str
):
    hand.cloud.break_method("UpdateService", **FAULTS[fault])
    outcome = await hand.carry(await ask(hand.cloud, "rollback_all"))
    assert (outcome.state, outcome.percent) == ("done", 0)
    assert hand.sent == hand.mends_after + 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_operations_that_cannot_be_read_hold_up_no_outcome(hand: Hand, fault: str):
    change = await ask(hand.cloud, "rollback_all")
    hand.cloud.break_method("GetOperation", **FAULTS[fault])
    outcome = await hand.carry(change)
    assert (outcome.state, outcome.percent) == ("done", 0)
    assert hand.sent == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_cloud_that_is_away_after_the_sending_is_waited_for(hand: Hand, fault: str):
    cloud = hand.cloud
    change = await ask(cloud, "promote")
    cloud.break_method("UpdateService", code="DEADLINE_EXCEEDED", after_apply=True)
    hand.mends_after = looks_away(fault, 6)

    async def away(*arguments, **keywords):
        cloud.break_method("GetService|GetOperation", **FAULTS[fault])
        return await send(*arguments, **keywords)

    send, hand.writer.run.update = hand.writer.run.update, away
    outcome = await hand.carry(change)
    assert (outcome.state, outcome.percent) == ("done", 25)
    assert hand.sent == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_revisions_that_cannot_be_read_keep_nobody_on_canary(
    embed: Embed, tmp_path: Path, fault: str
):
    """From 100 % the stable revision is looked for; its name was noted with the split before."""
    async with embed(SPLIT_PLAN) as cloud:
        with Journal(tmp_path / "journal.db") as journal:
            hand = Hand(cloud, journal, fault)
            await hand.carry(await ask(cloud, "promote", "there"))
            cloud.break_method("ListRevisions", **FAULTS[fault])
            outcome = await hand.carry(await ask(cloud, "rollback_all", "back"))
        assert (outcome.state, outcome.percent) == ("done", 0)


@pytest.mark.parametrize("fault", FAULTS)
async def test_rolling_back_needs_nothing_but_cloud_run(hand: Hand, fault: str):
    cloud = hand.cloud
    others = (
        "ListTimeSeries|ListMetricDescriptors|ListRevisions|TestIamPermissions|/google.logging*"
    )
    cloud.break_method(others, **FAULTS[fault])
    outcome = await hand.carry(await ask(cloud, "rollback_all"))
    assert (outcome.state, outcome.percent) == ("done", 0)
    assert (await router_service(cloud)).percent == 0


@pytest.mark.parametrize("fault", sorted(UNCERTAIN - {"lost after"}))
async def test_a_rollback_asked_for_while_cloud_run_is_away_goes_out_once_when_it_is_back(
    hand: Hand, fault: str
):
    cloud = hand.cloud
    change = await ask(cloud, "rollback_all")
    cloud.break_method("GetService", **FAULTS[fault])
    hand.mends_after = looks_away(fault, 5)
    outcome = await hand.carry(change)
    assert (outcome.state, outcome.percent) == ("done", 0)
    assert hand.sent == 1


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_promotion_asked_for_while_cloud_run_is_away_is_not_sent_later(
    hand: Hand, fault: str
):
    cloud = hand.cloud
    change = await ask(cloud, "promote")
    cloud.break_method("GetService", **FAULTS[fault])
    outcome = await hand.carry(change)
    assert outcome.state == "failed"
    assert "Nothing was changed." in outcome.message
    assert hand.sent == 0


@pytest.mark.parametrize("fault", ["late", "stuck", "failing"])
@pytest.mark.parametrize("kind", ["promote", "rollback_all"])
async def test_operations_that_end_late_never_or_badly_are_told_apart(
    hand: Hand, kind: str, fault: str
):
    cloud = hand.cloud
    told = {"late": {"late_s": 120.0}, "stuck": {"late_s": 1e9}, "failing": {"fails": True}}
    cloud.break_method("UpdateService", **told[fault])
    outcome = await hand.carry(await ask(cloud, kind))
    assert outcome.state == {"late": "done", "stuck": "unknown", "failing": "failed"}[fault]
    assert hand.sent == 1


@pytest.mark.parametrize("fault", ["late", "stuck"])
async def test_a_promotion_that_hangs_keeps_nobody_from_rolling_back(hand: Hand, fault: str):
    cloud = hand.cloud
    cloud.break_method("UpdateService", late_s=120.0 if fault == "late" else 1e9, times=1)
    promotion = await ask(cloud, "promote", "on")
    await cloud.writer.send(promotion.steps[0])
    back = await ask(cloud, "rollback_all", "back")
    outcome = await hand.carry(back)
    assert (await router_service(cloud)).percent == 0
    assert outcome.state == ("done" if fault == "late" else "unknown")


@pytest.mark.parametrize("fault", ["deleted"])
async def test_a_service_deleted_underneath_a_change_is_said(hand: Hand, fault: str):
    cloud = hand.cloud
    change = await ask(cloud, "promote")
    cloud.break_method("UpdateService", deletes="ion-api")
    outcome = await hand.carry(change)
    assert outcome.state == "failed"
    assert "does not know it" in outcome.message
    assert "Nothing was changed." in outcome.message
    assert hand.sent == 1


@pytest.mark.parametrize(
    ("kind", "fault"),
    [("rollback_all", "PERMISSION_DENIED"), ("promote", "UNAUTHENTICATED")],
)
async def test_a_change_without_the_right_to_it_names_the_way_to_it(
    hand: Hand, kind: str, fault: str
):
    cloud = hand.cloud
    cloud.break_method("UpdateService", **FAULTS[fault])
    outcome = await hand.carry(await ask(cloud, kind))
    assert outcome.state == "failed"
    login = "gcloud auth application-default login"
    assert ("canary doctor" if fault == "PERMISSION_DENIED" else login) in outcome.remedy


def test_the_table_has_every_code_that_is_asked_for():
    assert set(CODES) <= set(FAULTS)
