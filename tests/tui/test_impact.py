"""What Canary has cost, on the whole screen, at the sizes that people have."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.evidence.tally import Part, Toll
from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.scripted import staged
from tests.widgets.evidence_scenes import VIEW
from tests.widgets.scenes import NOW


def costly() -> Snapshot:
    whole = scenes.snapshot(scenes.plan(), now=NOW)
    part = Part(NOW - 1_500, NOW, 1_470, 20_000, 1_842, 100, 55)
    toll = Toll(part, Part(NOW - 300, NOW, 300, 4_000, 400, 20, 14.5))
    view = msgspec.structs.replace(VIEW, began_at=NOW - 1_500, failed=toll, slow=toll)
    return msgspec.structs.replace(whole, evidence=view)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        ((200, 60), "55 failed, 46 more than Legacy would have · 10 more minutes ≈ 25"),
        ((120, 40), "55 of 1 842 failed, 46 more than Legacy would have"),
        ((80, 24), "13:58Z: 55 of 1 842 failed, 46 more than Legacy · 10 m ≈ 25"),
        ((40, 10), "46 more than Legacy · 10 m ≈ 25"),
    ],
)
async def test_the_impact_is_there_in_every_layout_without_a_key(size, said) -> None:
    async with staged(size, costly()) as stage:
        assert said in stage.frame()
        await stage.press("tab")
        assert said in stage.frame()


async def test_it_takes_no_row_while_all_traffic_is_on_legacy() -> None:
    off = scenes.snapshot(scenes.plan(), now=NOW, stage=0)
    async with staged((80, 24), off) as stage:
        assert not stage.app.main.impact.display
        stage.engine.emit(costly())
        await stage.settle()
        assert "46 more than Legacy" in stage.frame()


@pytest.mark.parametrize("size", [(160, 48), (80, 24)])
async def test_the_strip_of_a_rollback_says_the_failures_so_far(size) -> None:
    async with staged(size, costly()) as stage:
        await stage.press("R")
        assert "55 failures so far, 46 more than Legacy would have." in stage.frame()


async def test_slow_requests_stand_on_the_page_of_the_evidence() -> None:
    async with staged((120, 40), costly()) as stage:
        await stage.press("E")
        assert "55 of 1 842 slow, 46 more than Legacy" in stage.frame()
