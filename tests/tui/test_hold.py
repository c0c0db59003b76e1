"""`h`: a hold is typed, shown and confirmed; what is held is released; promotion says who holds."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change.hold import Hold, decode_hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.plan.freeze import Frozen
from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.scripted import staged

HOLD = Hold(None, "the database moves", "bob", "bastion-2", 0.0, "c-0")


def held() -> Snapshot:
    base = scenes.snapshot(soaked_hours=25)
    assert base.standing is not None
    standing = msgspec.structs.replace(base.standing, hold=HOLD)
    return msgspec.structs.replace(base, hold=HOLD, standing=standing)


async def test_a_hold_is_typed_then_shown_then_confirmed() -> None:
    async with staged() as stage:
        await stage.press("h", *"2h the db moves", "enter")
        frame = stage.frame()
        assert "Hold the rollout" in frame
        assert "because the db moves" in frame
        assert stage.engine.sent == []
        await stage.press("y")
        (change,) = stage.engine.sent
        hold = decode_hold(change.steps[0].text)  # type: ignore[union-attr]
        assert change.kind == "hold"
        assert hold is not None
        assert (hold.reason, hold.by) == ("the db moves", scenes.AUTHOR.user)
        assert hold.until is not None


async def test_a_time_that_cannot_be_is_said_and_opens_nothing() -> None:
    async with staged() as stage:
        await stage.press("h", *"99d why", "enter")
        assert "31 days" in stage.frame()
        await stage.press("y")
        assert stage.engine.sent == []


async def test_what_is_held_is_released_and_keeps_promotion_back_until_then() -> None:
    async with staged((80, 24), held()) as stage:
        await stage.press("p")
        assert "Held by bob@bastion-2" in stage.frame()
        await stage.press("h", "y")
        assert [change.kind for change in stage.engine.sent] == ["release"]


async def test_a_rollback_is_as_ever() -> None:
    async with staged((80, 24), held()) as stage:
        await stage.press("R", "y")
        assert [change.kind for change in stage.engine.sent] == ["rollback_all"]


MARK = Irreversible("schema 42", "bob", "bastion-2")


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40), (200, 60)])
async def test_what_no_rollback_undoes_is_there_in_every_layout(size: tuple[int, int]) -> None:
    shown = msgspec.structs.replace(scenes.snapshot(), irreversible=MARK)
    async with staged(size, shown) as stage:
        assert "! IRREVERSIBLE: schema 42" in stage.frame()


async def test_a_rollback_over_it_asks_for_the_services_name() -> None:
    shown = msgspec.structs.replace(scenes.snapshot(), irreversible=MARK)
    async with staged((80, 24), shown) as stage:
        await stage.press("R")
        assert "IRREVERSIBLE: schema 42" in stage.frame()
        assert "type ion-api-canary" in stage.frame()
        await stage.press("y", "enter")
        assert stage.engine.sent == []
        await stage.press("ctrl+u", *"ion-api-canary", "enter")
        assert [change.kind for change in stage.engine.sent] == ["rollback_all"]


async def test_a_rollback_asked_for_before_the_mark_goes_out_and_says_it() -> None:
    async with staged() as stage:
        await stage.press("R")
        await stage.emit(msgspec.structs.replace(scenes.snapshot(), irreversible=MARK))
        await stage.press("y")
        assert [change.kind for change in stage.engine.sent] == ["rollback_all"]
        assert "handed to the executor. IRREVERSIBLE: schema 42" in stage.frame()


FREEZE = Frozen(scenes.NOW + 7200.0, "weekend")


def half_way(**fields: object) -> Snapshot:
    """Canary is production, and Legacy has its instances still."""
    return msgspec.structs.replace(scenes.snapshot(stage=5, soaked_hours=1), **fields)


@pytest.mark.parametrize(
    ("fields", "said"), [({"hold": HOLD}, "Held by bob@bastion-2"), ({"freeze": FREEZE}, "Frozen")]
)
@pytest.mark.parametrize("open_first", [False, True])
async def test_neither_a_promotion_nor_its_rest_goes_out_under_one(
    fields: dict[str, object], said: str, open_first: bool
) -> None:
    ready = scenes.snapshot(soaked_hours=25)
    for free in (ready, half_way()):
        async with staged((120, 40), free) as stage:
            blocked = msgspec.structs.replace(free, **fields)
            if open_first:
                await stage.press("p")
                assert "y confirm" in stage.frame()
            await stage.emit(blocked)
            await stage.press(*("y" if open_first else "p"), "y")
            assert stage.engine.sent == []
            await stage.press("p")
            assert said in stage.frame()


async def test_the_rest_of_an_approval_is_not_done_on_numbers_that_turned() -> None:
    async with staged((120, 40), half_way()) as stage:
        await stage.press("p")
        assert "Complete the final approval" in stage.frame()
        await stage.emit(scenes.snapshot(stage=5, soaked_hours=1, error_ratio=0.09))
        await stage.press("y")
        assert stage.engine.sent == []
        await stage.press("escape", "R", "y")
        assert [change.kind for change in stage.engine.sent] == ["rollback_all"]
