"""Killed at any instant and taken up again: at most one effect, and always an outcome."""

from pathlib import Path

import pytest

from canary.engine.change.execute import carry_out
from canary.rollout.change.change import Change, Outcome, SetScale
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from tests.embedded import Embed, Embedded
from tests.engine.carried import PACE, ask, carry, router_service

SPLIT_LOST = 7
"""The instant between "sent" on the disk and the call that sets the split."""


class Killed(BaseException):
    """What kill -9 looks like from inside: nothing after it runs."""


class Life:
    """Ends at its instant `ends_at`, counted over everything that leaves a trace."""

    def __init__(self, ends_at: int) -> None:
        self.left = ends_at

    def pass_instant(self) -> None:
        if self.left == 0:
            raise Killed
        self.left -= 1


class MortalJournal(Journal):
    """A journal whose process is killed just before, or just after, a write."""

    life: Life

    def note(self, *arguments, **keywords):
        self.life.pass_instant()
        noted = super().note(*arguments, **keywords)
        self.life.pass_instant()
        return noted

    def settle(self, *arguments, **keywords):
        self.life.pass_instant()
        settled = super().settle(*arguments, **keywords)
        self.life.pass_instant()
        return settled


async def first_life(cloud: Embedded, path: Path, change: Change, ends_at: int) -> bool:
    """Carry the change out until killed; whether it was."""

    async def sleep(pause_s: float) -> None:
        cloud.advance(1.0 if pause_s else 0.0)

    with MortalJournal(path) as journal:
        journal.intend(change)
        journal.life = Life(ends_at)
        try:
            await carry_out(
                change,
                cloud.writer,
                cloud.run,
                journal,
                cloud.clock,
                plan=cloud.plan,
                pace=PACE,
                sleep=sleep,
            )
        except Killed:
            return True
    return False


async def second_life(
    cloud: Embedded, path: Path, change: Change, *, may_send: bool = True
) -> Outcome:
    with Journal(path) as journal:
        outcome = await carry(cloud, journal, change, may_send=may_send)
        assert journal.entry(change.id).outcome == outcome
    return outcome


@pytest.mark.parametrize("ends_at", range(8))
async def test_a_split_has_one_effect_and_an_outcome(
    embedded: Embedded, tmp_path: Path, ends_at: int
):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    assert await first_life(embedded, tmp_path / "journal.db", change, ends_at)
    outcome = await second_life(embedded, tmp_path / "journal.db", change)
    after = await router_service(embedded)
    # Killed between "sent" on the disk and the call: nothing went out, and it is not sent blindly.
    expected = ("unknown", 10, 0) if ends_at == 1 else ("done", 25, 1)
    effects = after.generation - before.generation
    assert (outcome.state, after.percent, effects) == expected


async def test_unharmed_it_has_no_more_instants_than_were_tried(embedded: Embedded, tmp_path: Path):
    change = await ask(embedded, "promote")
    assert not await first_life(embedded, tmp_path / "journal.db", change, 8)


@pytest.mark.parametrize("ends_at", range(14))
async def test_two_steps_on_one_service_have_one_effect_each(
    embed: Embed, tmp_path: Path, ends_at: int
):
    async with embed(percent=100, stage=5) as cloud:
        await cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
        cloud.advance(60.0)
        change, before = await ask(cloud, "rollback_all"), await router_service(cloud)
        assert await first_life(cloud, tmp_path / "journal.db", change, ends_at)
        outcome = await second_life(cloud, tmp_path / "journal.db", change)
        after = await router_service(cloud)
        effects = after.generation - before.generation
        # A lost raise of Legacy is given once more: that may be doubled, and going back goes on.
        expected = ("unknown", 100, 1) if ends_at == SPLIT_LOST else ("done", 0, 2)
        assert (outcome.state, after.percent, effects) == expected


@pytest.mark.parametrize("ends_at", range(8))
async def test_taken_up_too_late_nothing_more_is_sent(
    embedded: Embedded, tmp_path: Path, ends_at: int
):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    assert await first_life(embedded, tmp_path / "journal.db", change, ends_at)
    then = await router_service(embedded)
    outcome = await second_life(embedded, tmp_path / "journal.db", change, may_send=False)
    after = await router_service(embedded)
    assert after.generation == then.generation
    assert outcome.state == {0: "not_begun", 1: "unknown"}.get(ends_at, "done")
    assert (after.percent == 25) == (outcome.state == "done")
    assert before.percent == 10
