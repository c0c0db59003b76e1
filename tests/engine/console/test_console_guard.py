"""What the console's engine watches over beside the rollout, on its own thread."""

from __future__ import annotations

import pytest

from canary.engine.console.console import ConsoleEngine
from canary.engine.guard import supervisor
from canary.engine.observe import poll_loop
from canary.rollout.change.change import Outcome
from canary.rollout.errors import Conflict, ReadOnly, Unavailable
from canary.store.journal import Journal
from canary.store.paths import journal_path
from canary.store.paths import state_dir as directory_of
from tests.embedded import DEFAULT_PLAN, Embed
from tests.engine.console.test_console import Running, everybody_off, has_numbers, live

pytestmark = pytest.mark.usefixtures("state_dir")


async def test_the_way_back_is_known_soon_after_the_first_numbers(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        snapshot = await it.screen.until(
            lambda s: s.readiness is not None and s.readiness.state == "ok"
        )
    assert {c.id for c in snapshot.readiness.checks} >= {"target", "rights", "instances"}


async def test_two_consoles_on_one_host_see_each_other_come_and_go(
    embed: Embed, monkeypatch: pytest.MonkeyPatch
) -> None:
    # They look around every few seconds by themselves; here more often.
    monkeypatch.setattr(supervisor, "PRESENCE_S", 0.1)
    monkeypatch.setattr(poll_loop, "SIGN_OF_LIFE_S", 0.2)
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as first:
        await first.screen.until(has_numbers)
        async with Running(cloud.plan, read_only=True) as second:
            seen = await first.screen.until(lambda s: bool(s.presence.others))
            assert seen.presence.others[0].user == second.engine.author.user
            assert seen.presence.others[0].read_only
        await first.screen.until(lambda s: not s.presence.others)


async def test_automatic_rollback_is_armed_cancelled_and_disarmed(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan) as it:
        first = await it.screen.until(lambda s: has_numbers(s) and s.guard is not None)
        assert not first.guard.armed
        it.engine.arm_guard(30.0)
        armed = await it.screen.until(lambda s: s.guard.armed)
        assert (armed.guard.countdown_s, armed.guard.by) == (30.0, str(it.engine.author))
        await it.screen.until(
            lambda s: any("automatic rollback is ARMED" in e.text for e in s.events)
        )
        assert not it.engine.cancel_guard()
        it.engine.disarm_guard()
        await it.screen.until(lambda s: not s.guard.armed)


async def test_read_only_it_cannot_be_armed(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        await it.screen.until(has_numbers)
        with pytest.raises(ReadOnly):
            it.engine.arm_guard()
        for act in (lambda: it.engine.recover("c-1", "verify"), lambda: it.engine.withdraw("c-1")):
            with pytest.raises(ReadOnly):
                act()


def test_before_the_start_there_is_nothing_to_arm() -> None:
    engine = ConsoleEngine(DEFAULT_PLAN)
    for act in (engine.arm_guard, engine.disarm_guard, engine.cancel_guard):
        with pytest.raises(Unavailable):
            act()


async def test_a_rollback_that_waits_is_seen_and_withdrawn(embed: Embed) -> None:
    async with live(embed, operation_s=0.5) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        cloud.break_method("GetService", code="UNAVAILABLE")
        it.engine.submit(change)
        waits = await it.screen.until(
            lambda s: bool(s.changes) and s.changes[0].waiting_since is not None
        )
        assert waits.changes[0].step.startswith("waiting for Cloud Run since")
        assert waits.changes[0].is_withdrawable
        it.engine.withdraw("c-1")
        cloud.world.faults.clear()
        ended = await it.screen.until(lambda s: s.changes[0].outcome is not None)
        assert ended.changes[0].outcome.state == "abandoned"
        it.engine.refresh_now()
        after = await it.screen.until(has_numbers)
        assert after.traffic.canary_percent == 10
        with pytest.raises(Conflict):
            it.engine.withdraw("c-1")


async def test_a_rollback_that_waits_goes_out_when_cloud_run_is_back(embed: Embed) -> None:
    async with live(embed, operation_s=0.5) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        cloud.break_method("GetService", code="UNAVAILABLE")
        it.engine.submit(change)
        await it.screen.until(lambda s: bool(s.changes) and bool(s.changes[0].waiting_since))
        cloud.world.faults.clear()
        done = await it.screen.until(lambda s: s.changes[0].outcome is not None)
        assert done.changes[0].outcome.state == "done"


async def test_what_is_unknown_is_looked_up_and_given_up(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        with Journal(journal_path(directory_of(cloud.plan))) as journal:
            journal.intend(change, "nobody")
            journal.note("c-1", 0, "sent", "", cloud.now)
            journal.settle("c-1", Outcome("unknown", "No answer.", cloud.now))
        it.engine.recover("c-1", "verify")
        found = await it.screen.until(lambda s: any("looked up:" in e.text for e in s.events))
        assert any("nothing of it is to be seen" in e.text for e in found.events)
        it.engine.recover("c-1", "abandon")
        ended = await it.screen.until(
            lambda s: (
                bool(s.changes)
                and s.changes[0].outcome is not None
                and s.changes[0].outcome.state == "abandoned"
            )
        )
        assert "Abandoned by" in ended.changes[0].outcome.message


async def test_what_is_unknown_is_gone_on_with(embed: Embed) -> None:
    async with live(embed, operation_s=0.5) as cloud, Running(cloud.plan) as it:
        change = everybody_off(it.engine, await it.screen.until(has_numbers))
        with Journal(journal_path(directory_of(cloud.plan))) as journal:
            journal.intend(change, "nobody")
            journal.note("c-1", 0, "sent", "", cloud.now)
            journal.settle("c-1", Outcome("unknown", "No answer.", cloud.now))
        it.engine.recover("c-1", "resume")
        done = await it.screen.until(
            lambda s: (
                bool(s.changes)
                and s.changes[0].outcome is not None
                and s.changes[0].outcome.state == "done"
            )
        )
        assert done.changes[0].outcome.percent == 0


async def test_a_dismissed_proof_is_kept_with_author_and_reason(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan) as it:
        await it.screen.until(has_numbers)
        it.engine.dismiss_proof(("errors",), "a disk was swapped")
        with Journal(journal_path(directory_of(cloud.plan)), read_only=True) as kept:
            [found] = kept.dismissals()
    assert (found.metrics, found.reason) == (("errors",), "a disk was swapped")
    assert found.by == str(it.engine.author)


async def test_read_only_no_proof_is_dismissed(embed: Embed) -> None:
    async with live(embed) as cloud, Running(cloud.plan, read_only=True) as it:
        await it.screen.until(has_numbers)
        with pytest.raises(ReadOnly):
            it.engine.dismiss_proof(("errors",), "a disk was swapped")
