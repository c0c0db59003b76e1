"""The evidence on the whole screen, at the sizes that people have."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.scripted import staged
from tests.widgets.evidence_scenes import ADVICE, VIEW
from tests.widgets.scenes import NOW


def proven() -> Snapshot:
    whole = scenes.snapshot(scenes.plan(), now=NOW)
    return msgspec.structs.replace(whole, evidence=VIEW, advice=ADVICE)


@pytest.mark.parametrize("size", [(112, 32), (120, 40), (160, 36), (160, 48), (200, 60)])
async def test_verdict_and_advice_are_seen_beside_the_tree_where_there_is_room(
    size: tuple[int, int],
) -> None:
    async with staged(size, proven()) as stage:
        text = stage.frame()
        assert " evidence ─" in text
        assert "✗ errors proven worse 14:18:00Z" in text
        assert "✗ PROVEN WORSE   5xx since 14:18:00Z" in text
        assert "HEALTHY" not in text.splitlines()[2]
        if size != (112, 32):  # there the line above the tree says it alone
            assert "┄ evidence ✗ 5xx proven worse 14:18:00Z" in text
        assert "source request log, 6 s old" in text
        assert "✓ HEALTHY" in text


async def test_a_key_lets_the_evidence_fill_the_screen_and_gives_the_others_back() -> None:
    async with staged((80, 24), proven()) as stage:
        await stage.press("E")
        assert "proven worse 14:18:00Z" in stage.frame()
        assert "still open: about 2 400 more" in stage.frame()
        assert "left out 30 s, 480 requests: just after the change" in stage.frame()
        await stage.press("E")
        assert "of alarm limit" in stage.frame()


async def test_the_narrow_layout_has_a_tab_for_it() -> None:
    async with staged((80, 24), proven()) as stage:
        await stage.press(*["tab"] * 5)
        assert "[evidence]" in stage.frame()
        assert "proven" in stage.frame()


@pytest.mark.parametrize("size", [(80, 24), (56, 18), (40, 10), (20, 5)])
async def test_the_advice_is_seen_on_a_small_screen_without_a_key(size: tuple[int, int]) -> None:
    async with staged(size, proven()) as stage:
        # On the tiniest screen the state wraps behind its word.
        assert "✗ PROVEN WORSE 5xx" in " ".join(stage.frame().split())
        assert "HEALTHY" not in stage.frame()
