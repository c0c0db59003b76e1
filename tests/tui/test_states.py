"""Each state on the whole screen: its word at every size, nothing of its row cut."""

from __future__ import annotations

import pytest

from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import TONES, WORDS
from tests.gallery import frames
from tests.tui import states

SIZES = [(80, 24), (40, 10), (160, 48)]


def test_the_gallery_has_every_state() -> None:
    assert {find_state(s, states.PLAN).id for s in states.STATES.values()} == set(WORDS)
    assert all(find_state(s, states.PLAN).id == name for name, s in states.STATES.items())


@pytest.mark.parametrize("name", list(states.STATES))
async def test_word_cause_and_next_are_whole_at_every_size(name: str) -> None:
    state = find_state(states.STATES[name], states.PLAN)  # type: ignore[index]
    said = f"{state.glyph}{state.word}{state.cause}NEXT{state.next}".replace(" ", "")
    async for _, size, stage in frames([name], SIZES):
        rows = stage.app.main.state_row.plain_text()
        assert said in rows.replace(" ", "").replace("\n", ""), size
        assert "…" not in rows
        assert f"{state.glyph} {state.word}" in stage.frame(), size


@pytest.mark.parametrize("name", ["roll_back_all", "proven_worse", "failed"])
async def test_beside_red_no_row_above_the_panels_says_that_it_is_well(name: str) -> None:
    assert TONES[name] == "act"  # type: ignore[index]
    async for _, _, stage in frames([name], [(120, 40)]):
        assert "HEALTHY" not in stage.app.main.state_row.plain_text()
        assert "READY" not in stage.app.main.state_row.plain_text()


@pytest.mark.parametrize("name", list(states.MORE))
async def test_what_could_not_be_reached_before_is_drawn(name: str) -> None:
    expected = {
        "auto-rollback": "AUTO in 43 s",
        "worse-now": "◐ WATCH",
        "promote-strip": "Promote to stage 3",
        "rollback-strip": "Roll back all",
        "final-approval": "type ion-api",
        "last-stage": "100 %",
        "verification-failed": "✗ FAILED",
        "load-test": "LOAD TEST",
        "not-served": "DRIFT",
    }
    async for _, _, stage in frames([name], [(120, 40)]):
        assert expected[name] in stage.frame()
