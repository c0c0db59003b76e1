"""`d`: the page of differences in every size, all of it by space, ticked once; the strip's line."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.snapshot.differences import Deployed, Fact, compare
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.checklist import Checklist, ChecklistBook, Item, Line
from canary.rollout.trials.jobs import NOTHING_RUN
from tests.tui import scenes
from tests.tui.scripted import staged

ITEM = Item("differences", "before", "differences looked at", True)


def side(model: str, revision: str) -> Deployed:
    facts = (
        Fact("image", "image", f"r/ion-api:{model}"),
        Fact("env", "MODEL", "", model),
        Fact("env", "LEVEL", "", "same"),
        Fact("resources", "memory", "1Gi"),
    )
    return Deployed("ion-api", revision, 1_772_300_000.0, "ann", facts)


def shown() -> Snapshot:
    found = compare(side("v1", "ion-api-00001"), side("v2", "ion-api-canary-00002"))
    return msgspec.structs.replace(scenes.snapshot(soaked_hours=25), differences=found)


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40), (200, 60)])
async def test_what_differs_is_on_the_page_and_the_rest_by_space(size: tuple[int, int]) -> None:
    async with staged(size, shown()) as stage:
        await stage.press("d")
        assert "differs: image, 1 env" in stage.frame()
        assert "env LEVEL" not in stage.frame()
        await stage.press("space")
        if size != (40, 10):
            assert "env MODEL" in stage.frame()
            assert "env LEVEL" in stage.frame()
        await stage.press("d")
        assert "differs:" not in stage.frame()


async def test_what_is_not_known_is_said() -> None:
    async with staged((80, 24), scenes.snapshot()) as stage:
        await stage.press("d")
        assert "? differences not known" in stage.frame()


async def test_looking_ticks_the_next_stages_list_once() -> None:
    book = ChecklistBook(2, (Checklist(3, (Line(ITEM, False),)),))
    async with staged((80, 24), shown()) as stage:
        stage.app.main.procedure = msgspec.structs.replace(NOTHING_RUN, checklists=book)
        await stage.press("d")
        assert ("tick", 3, "differences", True) in stage.engine.asked
        count = len(stage.engine.asked)
        done = ChecklistBook(2, (Checklist(3, (Line(ITEM, True),)),))
        stage.app.main.procedure = msgspec.structs.replace(NOTHING_RUN, checklists=done)
        await stage.press("d", "d")
        assert len(stage.engine.asked) == count


async def test_the_promote_strip_has_them_in_one_line_and_a_rollback_does_not() -> None:
    async with staged((120, 40), shown()) as stage:
        await stage.press("p")
        assert "differs: image, 1 env" in stage.frame()
        await stage.press("escape", "R")
        assert "differs:" not in stage.frame()


async def test_a_page_of_a_real_cloud_ends_with_its_links_and_the_local_ones_with_none() -> None:
    real = scenes.plan(provider="gcp")
    async with staged((120, 40), shown(), plan=real) as stage:
        await stage.press("d")
        assert "↗ Canary's revision  Legacy's revision  y copies them" in stage.frame()
    async with staged((120, 40), shown()) as stage:
        await stage.press("d")
        assert "↗" not in stage.frame()
