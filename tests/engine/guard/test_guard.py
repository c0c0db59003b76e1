"""Automatic rollback at work, against the embedded cloud: real numbers, real changes."""

import asyncio
from pathlib import Path

import pytest

from canary.engine.guard.guard import AutomaticRollback
from canary.rollout.change.change import Change, Outcome
from canary.rollout.errors import RecordError
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.journal import Journal
from tests.embedded import Embedded
from tests.engine.carried import AUTHOR, ask, carry, router_service
from tests.engine.watching import Watching

COUNTDOWN_S = 60.0


class Guarding:
    """An observer, automatic rollback on its snapshots, and a hand that carries changes out."""

    def __init__(self, cloud: Embedded, directory: Path) -> None:
        self.cloud = cloud
        self.watching = Watching(cloud, directory)
        self.now = 0.0
        self.wall = 1000.0
        self.said: list[tuple[str, str]] = []
        self.submitted: list[Change] = []
        self.rollback = self.another()

    @property
    def journal(self) -> Journal:
        assert self.watching.journal is not None
        return self.watching.journal

    def another(self) -> AutomaticRollback:
        """One more guard on the same journal: after a restart, or in another console."""
        return AutomaticRollback(
            self.cloud.plan,
            self.journal,
            AUTHOR,
            self.submit,
            lambda severity, text: self.said.append((severity, text)),
            monotonic=lambda: self.now,
            wall=lambda: self.wall,
        )

    def submit(self, change: Change) -> None:
        self.journal.intend(change)
        self.submitted.append(change)

    async def look(self, minutes: float = 1.0) -> Snapshot:
        snapshot = (await self.watching.after(minutes))[-1]
        self.rollback.look(snapshot, self.cloud.now)
        return snapshot

    async def until_counting(self, kind: str = "rollback_all") -> None:
        """On the way to a critical limit the stage's own limit is passed first."""
        for _ in range(15):
            await self.look()
            if self.rollback.view.kind == kind:
                return
        raise AssertionError(self.said)

    async def finish(self) -> Outcome:
        """Carry the last change out, as the executor does."""
        return await carry(self.cloud, self.journal, self.submitted[-1])

    def heard(self, words: str) -> bool:
        return any(words in text for _, text in self.said)


@pytest.fixture
def guarding(embedded: Embedded, tmp_path: Path):
    made = Guarding(embedded, tmp_path)
    yield made
    made.watching.close()


async def test_an_error_spike_is_rolled_back_after_the_countdown(guarding: Guarding):
    guarding.rollback.arm("oncall@bastion")
    await guarding.look(5)
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    assert guarding.heard("AUTOMATIC ROLLBACK in 1 m: roll back all")
    guarding.now = COUNTDOWN_S - 1
    await guarding.look()
    assert guarding.submitted == []
    guarding.now = COUNTDOWN_S
    await guarding.look()
    (change,) = guarding.submitted
    assert (change.kind, change.author) == ("rollback_all", AUTHOR)
    assert change.reason.startswith("automatic rollback: error ratio beyond critical")
    assert change.cause.endswith(":critical")
    assert change.evidence.verdict == "rollback_all"
    assert change.evidence.error_ratio > 0.05
    assert (await guarding.finish()).state == "done"
    assert (await router_service(guarding.cloud)).percent == 0


async def test_off_by_default_it_does_nothing(guarding: Guarding):
    assert not guarding.cloud.plan.guard.armed
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.look(10)
    assert (guarding.submitted, guarding.said) == ([], [])


async def test_a_healthy_canary_is_left_alone(guarding: Guarding):
    guarding.rollback.arm("oncall@bastion")
    await guarding.look(10)
    assert not guarding.rollback.is_counting


@pytest.mark.parametrize("scenario", ["no-data", "stale", "monitoring-outage", "quota"])
async def test_silence_calls_it_off(guarding: Guarding, scenario: str):
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    guarding.cloud.set_scenario(scenario)
    for _ in range(12):
        await guarding.look()
        if not guarding.rollback.is_counting:
            break
    assert guarding.heard("called off: ")
    guarding.now = 10_000.0
    await guarding.look()
    assert guarding.submitted == []


async def test_cancelled_it_does_not_act(guarding: Guarding):
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    assert guarding.rollback.cancel("ann@bastion")
    assert guarding.heard("cancelled by ann@bastion")
    guarding.now = 10_000.0
    await guarding.look(3)
    assert guarding.submitted == []
    assert guarding.rollback.view.held == "cancelled"
    assert not guarding.rollback.cancel("ann@bastion")


async def act(guarding: Guarding) -> Change:
    """An error spike, the countdown, the change."""
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    guarding.now += COUNTDOWN_S
    await guarding.look()
    return guarding.submitted[-1]


async def test_for_one_cause_it_acts_once_even_after_a_restart(guarding: Guarding):
    change = await act(guarding)
    failed = Outcome("failed", "No permission.", guarding.cloud.now)
    guarding.journal.settle(change.id, failed)
    guarding.rollback = guarding.another()
    guarding.rollback.arm("oncall@bastion")
    guarding.now += 10_000.0
    await guarding.look(3)
    assert len(guarding.submitted) == 1
    assert guarding.heard("does not again")
    assert guarding.heard("A person must decide.")


async def test_a_refused_attempt_may_be_followed_by_another(guarding: Guarding):
    change = await act(guarding)
    refused = Outcome("refused", "Changed meanwhile.", guarding.cloud.now)
    guarding.journal.settle(change.id, refused)
    await guarding.look()
    assert guarding.rollback.is_counting
    guarding.now += COUNTDOWN_S
    await guarding.look()
    assert len(guarding.submitted) == 2
    assert guarding.submitted[1].id != change.id


async def test_refusals_without_end_do_not_use_it_up_and_each_is_loud(guarding: Guarding):
    await act(guarding)
    for tries in range(1, 6):
        change = guarding.submitted[-1]
        refused = Outcome("refused", "Changed meanwhile.", guarding.cloud.now)
        guarding.journal.settle(change.id, refused)
        await guarding.look()
        times = "once" if tries == 1 else f"{tries} times"
        assert ("critical", True) in {(s, f"refused {times}" in text) for s, text in guarding.said}
        guarding.now += COUNTDOWN_S
        await guarding.look()
        assert len(guarding.submitted) == tries + 1
    assert len({change.id for change in guarding.submitted}) == 6
    assert (await guarding.finish()).state == "done"
    assert (await router_service(guarding.cloud)).percent == 0


async def test_it_acts_through_another_tools_touches(guarding: Guarding):
    await act(guarding)
    guarding.cloud.set_scenario("churn", times=5)
    assert (await guarding.finish()).state == "done"
    assert (await router_service(guarding.cloud)).percent == 0


async def test_two_guards_of_one_host_act_once(guarding: Guarding):
    other = guarding.another()
    other.arm("ann@bastion")
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    snapshot = await guarding.look()
    other.look(snapshot, guarding.cloud.now)
    guarding.now = COUNTDOWN_S
    snapshot = await guarding.look()
    # The other one saw the same moment, before the first one's intent was in its snapshot.
    other.look(snapshot, guarding.cloud.now + 1.0)
    guarding.now += COUNTDOWN_S
    other.look(snapshot, guarding.cloud.now + 2.0)
    assert len(guarding.submitted) == 1


async def test_of_two_that_did_not_see_each_other_the_journal_refuses_the_second(
    guarding: Guarding, monkeypatch: pytest.MonkeyPatch
):
    """Each had looked into the journal before the other wrote: the same cause has the same id."""
    other = guarding.another()
    for each in (guarding.rollback, other):
        each.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    snapshot = await guarding.look()
    other.look(snapshot, guarding.cloud.now)
    monkeypatch.setattr(guarding.journal, "recent", lambda limit: ())
    guarding.now += COUNTDOWN_S
    for seconds, each in enumerate((guarding.rollback, other)):
        each.look(snapshot, guarding.cloud.now + seconds)
    assert len(guarding.submitted) == 1
    assert guarding.heard("did not act: The journal has another change with the id")


async def test_without_a_journal_to_look_into_it_does_not_act(guarding: Guarding, monkeypatch):
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()

    def broken(limit: int):
        raise RecordError("The journal is damaged.")

    monkeypatch.setattr(guarding.journal, "recent", broken)
    guarding.now = 10_000.0
    snapshot = guarding.watching.observer.snapshot()
    guarding.rollback.look(snapshot, guarding.cloud.now)
    assert guarding.submitted == []
    assert guarding.heard("called off: The journal is damaged.")


async def test_a_change_that_cannot_be_kept_is_said_and_harms_nothing(guarding: Guarding):
    def full(change: Change) -> None:
        raise RecordError("The disk is full.")

    guarding.rollback._submit = full
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    guarding.now = COUNTDOWN_S
    await guarding.look()
    assert guarding.heard("did not act: The disk is full.")


async def test_after_it_has_acted_the_numbers_of_before_are_no_new_cause(guarding: Guarding):
    await act(guarding)
    await guarding.finish()
    for _ in range(5):
        await guarding.look()
        guarding.now += COUNTDOWN_S
    assert len(guarding.submitted) == 1


async def test_its_change_waits_for_cloud_run_as_any_rollback_does(guarding: Guarding):
    change = await act(guarding)
    guarding.cloud.break_method("GetService", code="UNAVAILABLE")
    waited = []

    async def return_later():
        entry = guarding.journal.entry(change.id)
        if entry.waiting_since is not None:
            waited.append(entry)
        if len(waited) == 3:
            guarding.cloud.world.faults.clear()

    outcome = await carry(guarding.cloud, guarding.journal, change, between=return_later)
    assert outcome.state == "done"
    assert waited


async def test_cancel_from_another_thread_holds_when_it_returns(guarding: Guarding):
    guarding.rollback.arm("oncall@bastion")
    guarding.cloud.set_scenario("error-spike", ratio=0.2)
    await guarding.until_counting()
    assert await asyncio.to_thread(guarding.rollback.cancel, "ann@bastion")
    guarding.now = COUNTDOWN_S
    await guarding.look()
    assert guarding.submitted == []


async def test_a_promotion_in_flight_does_not_hold_it_up(guarding: Guarding):
    guarding.journal.intend(await ask(guarding.cloud, "promote", "stuck"))
    change = await act(guarding)
    assert change.kind == "rollback_all"
