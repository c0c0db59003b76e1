"""`h`: a hold is typed, shown and confirmed; what is held is released; promotion says who holds."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change.hold import Hold, decode_hold
from canary.rollout.change.irreversible import Irreversible
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
