"""A change whose end is not known: verify, resume, abandon. It never acts twice."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.change.executor import FRESH_S, CloudClients
from canary.engine.change.in_process import carry_on_here
from canary.engine.change.recovery import Recovery, find_entry, unresolved, withdraw
from canary.rollout.change.change import SetScale
from canary.rollout.errors import Conflict, GateNotMet, OutcomeUnknown, UsageError
from canary.rollout.plan.freeze import Freeze
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Entry, Journal
from canary.store.locks import Owner
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry, router_service
from tests.engine.change.test_execute_killed import first_life

WALL = 5000.0
BY = "oncall@bastion"


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(tmp_path / "journal.db", wall=lambda: WALL) as opened:
        yield opened


def recovery_of(cloud: Embedded, journal: Journal, wall: float = WALL) -> Recovery:
    return Recovery(cloud.plan, cloud.run, journal, cloud.clock, wall=lambda: wall)


def entry_of(journal: Journal) -> Entry:
    entry = journal.entry("c1")
    assert entry is not None
    return entry


async def lose(cloud: Embedded, journal: Journal, kind: str, **fault: Any) -> None:
    """Carry out a change whose call is lost, so that its outcome is unknown."""
    change = await ask(cloud, kind)
    cloud.break_method("UpdateService", code="UNAVAILABLE", times=1, **fault)
    assert (await carry(cloud, journal, change)).state == "unknown"


async def test_what_turns_out_to_be_done_is_done(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "rollback_all")
    embedded.set_scenario("stuck-operation")
    assert (await carry(embedded, journal, change, step_s=60.0)).state == "unknown"
    embedded.set_scenario("healthy")
    embedded.advance(600.0)
    found = await recovery_of(embedded, journal).verify("c1")
    assert (await router_service(embedded)).percent == 0
    assert found.state in ("ended", "unknown")
    if found.state == "ended":
        assert entry_of(journal).outcome.state == "done"


async def test_a_lost_answer_that_shows_up_later_is_found(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "rollback_all")
    embedded.break_method("UpdateService", code="UNAVAILABLE", after_apply=True, times=1)
    embedded.break_method("GetService", code="UNAVAILABLE", times=1)

    async def hide():
        embedded.break_method("GetService", code="UNAVAILABLE", times=8)

    assert (await carry(embedded, journal, change, between=hide)).state in ("unknown", "done")
    embedded.world.faults.clear()
    embedded.advance(60.0)
    found = await recovery_of(embedded, journal).verify("c1")
    assert found.state == "ended"
    assert entry_of(journal).outcome.state == "done"


async def test_what_did_not_happen_is_said_and_stays_open_to_choice(
    embedded: Embedded, journal: Journal
):
    await lose(embedded, journal, "rollback_all")
    found = await recovery_of(embedded, journal).verify("c1")
    assert found.state == "not_done"
    assert "nothing of it is to be seen. Canary is set to 10 % now." in found.message
    assert entry_of(journal).outcome.state == "unknown"
    assert [e.change.id for e in unresolved(journal)] == ["c1"]


async def test_without_an_answer_nothing_is_concluded(embedded: Embedded, journal: Journal):
    await lose(embedded, journal, "rollback_all")
    embedded.break_method("GetService", code="UNAVAILABLE")
    found = await recovery_of(embedded, journal).verify("c1")
    assert found.state == "unknown"
    assert "does not answer" in found.message


async def test_resumed_it_takes_effect_once(embedded: Embedded, journal: Journal):
    before = await router_service(embedded)
    await lose(embedded, journal, "rollback_all")
    found = await recovery_of(embedded, journal).resume("c1", BY)
    assert found.state == "resumed"
    assert entry_of(journal).outcome is None
    assert (await carry(embedded, journal, entry_of(journal).change)).state == "done"
    after = await router_service(embedded)
    assert (after.percent, after.generation) == (0, before.generation + 1)
    states = [n.state for n in entry_of(journal).notes if n.state != "remark"]
    assert states == ["sent", "unknown", "resumed", "sent", "accepted", "settled"]


async def test_resumed_after_somebody_else_it_is_refused(embedded: Embedded, journal: Journal):
    await lose(embedded, journal, "rollback_all")
    embedded.advance(1.0)
    await carry(embedded, journal, await ask(embedded, "step_back", "theirs"))
    found = await recovery_of(embedded, journal).resume("c1", BY)
    assert found.state == "ended"
    assert entry_of(journal).outcome.state == "refused"
    assert (await router_service(embedded)).percent == 5


async def test_somebody_else_between_the_look_and_the_sending_wins(
    embedded: Embedded, journal: Journal
):
    await lose(embedded, journal, "rollback_all")
    await recovery_of(embedded, journal).resume("c1", BY)
    embedded.advance(1.0)
    await carry(embedded, journal, await ask(embedded, "step_back", "theirs"))
    outcome = await carry(embedded, journal, entry_of(journal).change)
    assert (outcome.state, outcome.percent) == ("refused", 5)


async def test_a_scale_that_was_sent_is_not_sent_again(embedded: Embedded, journal: Journal):
    await lose(embedded, journal, "scale")
    with pytest.raises(OutcomeUnknown, match="nothing guards"):
        await recovery_of(embedded, journal).resume("c1", BY)


async def test_a_promotion_is_not_resumed_in_a_freeze(embedded: Embedded, journal: Journal):
    frozen = msgspec.structs.replace(embedded.plan, freeze=(Freeze(),))
    await lose(embedded, journal, "promote")
    recovery = Recovery(frozen, embedded.run, journal, embedded.clock, wall=lambda: WALL)
    with pytest.raises(GateNotMet, match="No promotion is resumed: frozen by the plan"):
        await recovery.resume("c1", BY)
    assert (await recovery_of(embedded, journal).resume("c1", BY)).state == "resumed"


async def test_what_was_resumed_into_a_freeze_is_not_said_to_have_changed_nothing(
    embedded: Embedded, journal: Journal
):
    await lose(embedded, journal, "promote")
    assert (await recovery_of(embedded, journal).resume("c1", BY)).state == "resumed"
    embedded.plan = msgspec.structs.replace(embedded.plan, freeze=(Freeze(),))
    outcome = await carry(embedded, journal, entry_of(journal).change)
    assert outcome.state == "refused", outcome
    assert "Not promoted: frozen by the plan" in outcome.message
    assert "Nothing was changed" not in outcome.message


async def test_a_rollback_is_resumed_in_a_freeze(embedded: Embedded, journal: Journal):
    frozen = msgspec.structs.replace(embedded.plan, freeze=(Freeze(),))
    await lose(embedded, journal, "rollback_all")
    recovery = Recovery(frozen, embedded.run, journal, embedded.clock, wall=lambda: WALL)
    assert (await recovery.resume("c1", BY)).state == "resumed"


async def test_an_old_promotion_is_not_resumed(embedded: Embedded, journal: Journal):
    await lose(embedded, journal, "promote")
    old = recovery_of(embedded, journal, wall=WALL + FRESH_S + 1)
    with pytest.raises(GateNotMet, match="old by now"):
        await old.resume("c1", BY)
    fresh = recovery_of(embedded, journal, wall=WALL + FRESH_S)
    assert (await fresh.resume("c1", BY)).state == "resumed"


async def test_abandoned_it_stays_so(embedded: Embedded, journal: Journal):
    await lose(embedded, journal, "rollback_all")
    await recovery_of(embedded, journal).abandon("c1", BY)
    outcome = entry_of(journal).outcome
    assert outcome.state == "abandoned"
    assert "Abandoned by oncall@bastion." in outcome.message
    assert "Canary is set to 10 % now." in outcome.message
    found = await recovery_of(embedded, journal).resume("c1", BY)
    assert (found.state, found.outcome) == ("ended", outcome)
    # What was known before is not lost.
    assert any(n.detail.startswith("unknown: ") for n in entry_of(journal).notes)


async def test_an_intent_that_nobody_took_up_is_withdrawn(embedded: Embedded, journal: Journal):
    journal.intend(await ask(embedded, "promote"))
    found = await recovery_of(embedded, journal).abandon("c1", BY)
    assert found.outcome.state == "abandoned"
    assert "Nothing was changed." in found.message


async def test_what_a_living_executor_has_is_left_to_it(
    embedded: Embedded, journal: Journal, tmp_path: Path
):
    with Owner(tmp_path) as owner:
        journal.intend(await ask(embedded, "rollback_all"), owner.token)
        journal.note("c1", 0, "sent", "", 1.0)
        recovery = recovery_of(embedded, journal)
        assert (await recovery.verify("c1")).state == "in_hand"
        assert (await recovery.resume("c1", BY)).state == "in_hand"
        with pytest.raises(Conflict, match="carried out by process"):
            await recovery.abandon("c1", BY)


async def test_a_split_whose_scale_is_done_goes_on_with_the_split(
    embed: Any, journal: Journal, tmp_path: Path
):
    async with embed(percent=100, stage=5) as cloud:
        await cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
        cloud.advance(60.0)
        change, before = await ask(cloud, "rollback_all"), await router_service(cloud)
        # Killed between "sent" on the disk and the call of the second step.
        assert await first_life(cloud, journal.path, change, 7)
        assert (await carry(cloud, journal, change)).state == "unknown"
        assert (await recovery_of(cloud, journal).resume("c1", BY)).state == "resumed"
        assert (await carry(cloud, journal, change)).state == "done"
        after = await router_service(cloud)
        assert (after.percent, after.generation) == (0, before.generation + 2)


@pytest.mark.parametrize("ends_at", range(10))
async def test_killed_while_it_is_resumed_it_still_acts_once(
    embedded: Embedded, journal: Journal, ends_at: int
):
    before = await router_service(embedded)
    await lose(embedded, journal, "rollback_all")
    recovery = recovery_of(embedded, journal)
    await recovery.resume("c1", BY)
    change = entry_of(journal).change
    await first_life(embedded, journal.path, change, ends_at)
    for _ in range(3):
        outcome = await carry(embedded, journal, change)
        if outcome.state != "unknown":
            break
        await recovery.resume("c1", BY)
    after = await router_service(embedded)
    assert (outcome.state, after.percent) == ("done", 0)
    assert after.generation == before.generation + 1


async def test_changes_are_found_by_the_beginning_of_their_id(embedded: Embedded, journal: Journal):
    journal.intend(await ask(embedded, "promote", "abcdef123"))
    assert find_entry(journal, "abcdef").change.id == "abcdef123"
    for wrong in ("abc", "zzzzzz"):
        with pytest.raises(UsageError, match="no change"):
            find_entry(journal, wrong)
    journal.intend(await ask(embedded, "promote", "abcdef999"))
    with pytest.raises(UsageError, match="several"):
        find_entry(journal, "abcdef")


async def test_what_an_owner_that_died_has_left_is_taken_up_by_who_waits_for_it(
    embed: Embed, journal: Journal
):
    """Another executor was faster, and is killed before it has sent anything."""
    async with embed(operation_s=0.0) as cloud:
        await lose(cloud, journal, "rollback_all")
        await recovery_of(cloud, journal).resume("c1", BY)
        other = Owner(journal.path.parent)
        assert journal.claim("c1", other.token)
        waits = []

        async def sleep(_: float) -> None:
            waits.append(True)
            assert len(waits) < 5, "it waits for ever"
            other.release()

        clients = CloudClients(cloud.writer, cloud.run, cloud.clock)
        change = entry_of(journal).change
        outcome = await carry_on_here(change, clients, journal, plan=cloud.plan, sleep=sleep)
        assert (waits, outcome.state) == ([True], "done")
        assert (await router_service(cloud)).percent == 0


async def test_what_was_sent_and_handed_back_is_not_said_to_have_changed_nothing(
    embedded: Embedded, journal: Journal
):
    await lose(embedded, journal, "rollback_all")
    recovery = recovery_of(embedded, journal)
    assert (await recovery.resume("c1", BY)).state == "resumed"
    assert (await recovery.verify("c1")).message.startswith("It was sent, and nothing of it")
    outcome = withdraw(journal, "c1", BY, embedded.now)
    assert "It was sent before that, and may have taken effect." in outcome.message
    assert "Nothing was changed" not in outcome.message
