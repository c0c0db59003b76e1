"""While Cloud Run is away a confirmed rollback waits, visibly, and goes out when it answers."""

from pathlib import Path

import pytest

from canary.engine.change.executor import FRESH_S, WAITS_S, may_send
from canary.engine.change.recovery import withdraw
from canary.engine.observe.journal_view import view_change
from canary.rollout.change.change import SetScale
from canary.rollout.errors import Conflict
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Entry, Journal
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry, router_service


def entry_of(journal: Journal) -> Entry:
    entry = journal.entry("c1")
    assert entry is not None
    return entry


@pytest.mark.parametrize("kind", ["step_back", "rollback_all"])
@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"])
async def test_it_goes_out_the_moment_cloud_run_answers(
    embedded: Embedded, journal: Journal, kind: str, code: str
):
    change, before = await ask(embedded, kind), await router_service(embedded)
    embedded.break_method("GetService", code=code)
    seen = []

    async def return_after_a_while():
        view = view_change(entry_of(journal))
        if view.waiting_since is not None:
            seen.append(view)
        if len(seen) == 5:
            embedded.world.faults.clear()

    outcome = await carry(embedded, journal, change, between=return_after_a_while)
    assert outcome.state == "done"
    assert seen[0].step.startswith("waiting for Cloud Run since ")
    assert seen[0].is_withdrawable
    assert {view.waiting_since for view in seen} == {seen[0].waiting_since}
    after = await router_service(embedded)
    assert after.generation == before.generation + 1
    # Legacy is looked at first: nothing ever left this host before Cloud Run answered.
    assert [n.state for n in entry_of(journal).notes] == [
        "waiting",
        "sent",
        "accepted",
        "settled",
    ]


async def test_with_an_expired_login_it_waits_for_the_new_one_and_says_so(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "rollback_all")
    embedded.break_method("GetService", code="UNAUTHENTICATED")
    seen = []

    async def log_in_after_a_while():
        view = view_change(entry_of(journal))
        if view.waiting_since is not None:
            seen.append(view)
        if len(seen) == 3:
            embedded.world.faults.clear()

    outcome = await carry(embedded, journal, change, between=log_in_after_a_while)
    assert outcome.state == "done"
    assert {view.waits_for for view in seen} == {"your login"}
    assert seen[0].step.startswith("waiting for your login since ")


@pytest.mark.parametrize("kind", ["promote", "revert"])
async def test_nothing_else_waits(embedded: Embedded, journal: Journal, kind: str):
    change = await ask(embedded, kind)
    embedded.break_method("GetService", code="UNAVAILABLE")
    assert (await carry(embedded, journal, change)).state == "failed"


async def test_without_the_right_to_change_it_does_not_wait(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "rollback_all")
    embedded.break_method("GetService", code="PERMISSION_DENIED")
    assert (await carry(embedded, journal, change)).state == "failed"


async def test_a_withdrawn_rollback_never_goes_out(embedded: Embedded, journal: Journal):
    change, before = await ask(embedded, "rollback_all"), await router_service(embedded)
    embedded.break_method("GetService", code="UNAVAILABLE")

    async def withdraw_then_return():
        if entry_of(journal).waiting_since is not None:
            withdraw(journal, "c1", "oncall@bastion", embedded.now)
            embedded.world.faults.clear()

    outcome = await carry(embedded, journal, change, between=withdraw_then_return)
    assert outcome.state == "abandoned"
    assert "Withdrawn by oncall@bastion while it waited for Cloud Run." in outcome.message
    assert "Nothing was changed." in outcome.message
    assert (await router_service(embedded)).etag == before.etag


async def test_what_was_changed_by_others_meanwhile_is_not_rolled_back(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "rollback_all")
    theirs = await ask(embedded, "step_back", "theirs")
    embedded.break_method("GetService", code="UNAVAILABLE")

    async def overtake():
        if entry_of(journal).waiting_since is not None and embedded.world.faults.faults:
            embedded.world.faults.clear()
            await embedded.writer.send(theirs.steps[0])

    outcome = await carry(embedded, journal, change, between=overtake)
    assert (outcome.state, outcome.percent) == ("refused", 5)


class FallingJournal(Journal):
    """Cloud Run goes away just when the first step is settled."""

    cloud: Embedded

    def note(self, change_id, step, state, detail, at):
        if (step, state) == (0, "settled"):
            self.cloud.break_method("GetService", code="UNAVAILABLE")
        return super().note(change_id, step, state, detail, at)


async def test_what_was_done_before_the_wait_is_said(embed: Embed, tmp_path: Path):
    async with embed(percent=100, stage=5) as cloud:
        await cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
        cloud.advance(60.0)
        change = await ask(cloud, "rollback_all")
        with FallingJournal(tmp_path / "falling.db") as journal:
            journal.cloud = cloud

            async def withdraw_what_waits():
                if entry_of(journal).waiting_since is not None:
                    withdraw(journal, "c1", "oncall@bastion", cloud.now)

            outcome = await carry(cloud, journal, change, between=withdraw_what_waits)
    assert outcome.state == "abandoned"
    assert "Done before, and it stays: ion-api runs 1 to 10" in outcome.message


async def test_what_is_on_its_way_cannot_be_withdrawn(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "rollback_all")
    refused = []

    async def too_late():
        if entry_of(journal).operation(0) and not refused:
            with pytest.raises(Conflict, match="on its way"):
                withdraw(journal, "c1", "oncall@bastion", embedded.now)
            refused.append(True)

    assert (await carry(embedded, journal, change, between=too_late)).state == "done"
    assert refused
    with pytest.raises(Conflict, match="ended already"):
        withdraw(journal, "c1", "oncall@bastion", embedded.now)


class Killed(BaseException):
    """kill -9, from inside."""


async def test_a_killed_executors_waiting_rollback_waits_on_in_the_next(
    embedded: Embedded, journal: Journal
):
    change, before = await ask(embedded, "rollback_all"), await router_service(embedded)
    embedded.break_method("GetService", code="UNAVAILABLE")

    async def kill():
        if entry_of(journal).waiting_since is not None:
            raise Killed

    with pytest.raises(Killed):
        await carry(embedded, journal, change, between=kill)
    assert may_send(entry_of(journal), FRESH_S + 1)
    embedded.world.faults.clear()
    assert (await carry(embedded, journal, change)).state == "done"
    assert (await router_service(embedded)).generation == before.generation + 1


@pytest.mark.parametrize(
    ("age_s", "waits", "expected"),
    [
        (FRESH_S, False, True),
        (FRESH_S + 1, False, False),
        (FRESH_S + 1, True, True),
        (WAITS_S, True, True),
        (WAITS_S + 1, True, False),
        (-FRESH_S - 1, False, False),
    ],
)
async def test_how_long_an_intent_may_still_be_begun(
    embedded: Embedded, journal: Journal, age_s: float, waits: bool, expected: bool
):
    journal.intend(await ask(embedded, "rollback_all"))
    if waits:
        journal.note("c1", 0, "sent", "", 1.0)
        journal.note("c1", 0, "waiting", "away", 2.0)
    assert may_send(entry_of(journal), age_s) is expected
