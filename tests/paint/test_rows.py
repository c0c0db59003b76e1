"""The rows of the first paint: at every size, for every name, and as the screen shows them."""

from __future__ import annotations

import re

import pyte
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from canary.paint.first import _encode
from canary.paint.last_seen import LastSeen
from canary.paint.pens import MONO, PENS
from canary.paint.rows import Scene, cells, cut, format_place, format_seen, lay_out, wrap
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize
from tests.paint.scenes import NOW, SEEN
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, frame
from tui.app import CanaryApp

KOREAN = SEEN._replace(
    names="주문-서비스 → 주문-서비스-카나리아",
    change="김하늘@배스천 promoted 5 % → 10 % at 2026-09-20 21:58:02Z: 결제 오류가 없음",
)
SIZES = [(200, 60), (160, 48), (120, 40), (80, 24), (56, 18), (40, 10), (20, 5), (11, 3)]


def scene(seen: LastSeen | None = SEEN, *, is_local: bool = False) -> Scene:
    return Scene((seen or SEEN).names, SEEN.where, is_local, seen)


def draw(of: Scene, size: tuple[int, int]) -> list[str]:
    """What a terminal shows of it."""
    screen = pyte.Screen(*size)
    pyte.Stream(screen).feed(_encode(of, size, PENS["dark"]["256"], NOW))
    return [line.rstrip() for line in screen.display]


def text_of(of: Scene, size: tuple[int, int]) -> str:
    return "\n".join(draw(of, size)).rstrip()


def test_what_was_last_seen_is_shown_with_its_age() -> None:
    assert text_of(scene(), (90, 24)).split("\n") == [
        " ion-api → ion-api-canary   naeda-genesis/us-central1                             no data",
        " last seen: stage 2 of 5, 10 % canary   soak 17 h 12 m / 24 h",
        " ? NO DATA   last seen 2 h 4 m ago, as of 12:09:10Z: HEALTHY",
        "   last change: oncall@bastion-2 promoted 5 % → 10 % at 2026-09-20 21:58:02Z",
        " Connecting …",
    ]


def test_without_it_there_is_who_where_and_connecting() -> None:
    assert text_of(scene(None, is_local=True), (80, 24)).split("\n") == [
        " ion-api → ion-api-canary                                               no data",
        " naeda-genesis/us-central1   [LOCAL CLOUD]",
        " stage not known",
        " ? NO DATA   not looked yet",
        " Starting the local cloud …",
    ]


def test_a_small_terminal_has_the_state_first() -> None:
    assert text_of(scene(), (40, 10)).split("\n") == [
        "? NO DATA   last seen 2 h 4 m ago, as of",
        "  12:09:10Z: HEALTHY   last change:",
        "  oncall@bastion-2 promoted 5 % → 10 %",
        "  at 2026-09-20 21:58:02Z",
        "last seen: stage 2 of 5, 10 % canary…",
        "ion-api → ion-api-canary",
        "Connecting …",
    ]


def test_a_day_later_the_day_is_said_and_before_its_time_no_age() -> None:
    assert "as of 2026-09-21 12:09:10Z" in format_seen(SEEN, NOW + 86_400)[0]
    assert format_seen(SEEN, SEEN.seen_at - 60)[0] == (
        "last seen as of 2026-09-21 12:09:10Z: HEALTHY"
    )


@pytest.mark.parametrize("theme", sorted(PENS))
@pytest.mark.parametrize("state", ["HEALTHY", "READY", "ROLL BACK ALL"])
def test_nothing_of_it_is_green_or_red(theme: str, state: str) -> None:
    of = scene(SEEN._replace(state=state))
    for pens in (*PENS[theme].values(), MONO):
        used = set(re.findall(r"\x1b\[([\d;]*)m", _encode(of, (80, 24), pens, NOW)))
        roles = (pens.strong, pens.dim, pens.no_data)
        allowed = {";".join(filter(None, ("0", pens.ground, role))) for role in roles}
        assert used <= allowed | {"", f"0;{pens.ground}"}


NAMES = st.text(st.characters(codec="utf-8"), max_size=60).map(lambda t: sanitize(t, 60) or "a")


@settings(max_examples=150)
@given(NAMES, NAMES, st.integers(1, 220), st.integers(1, 60))
def test_no_row_is_wider_than_the_terminal(name: str, word: str, width: int, height: int) -> None:
    seen = SEEN._replace(names=f"{name} → {word}", where=word, change=name, state=word)
    rows = lay_out(Scene(seen.names, seen.where, is_local=True, seen=seen), (width, height), NOW)
    assert all(0 <= y < height for y in rows)
    for row in rows.values():
        assert cells("".join(text for text, _ in row)) <= width


@pytest.mark.parametrize(
    "text", [KOREAN.names, KOREAN.change, "日本語のサービス", "e\u0301a\u0300", "→…✓"]
)
def test_cells_are_counted_as_rich_counts_them(text: str) -> None:
    assert cells(text) == cell_len(text)
    for width in range(1, cells(text)):
        assert cell_len(cut(text, width)) <= width
        assert cut(text, width).endswith("…")


def test_no_word_is_lost_in_wrapping() -> None:
    parts = ("one two three", "four", "five six seven eight nine")
    for width in range(8, 60):
        assert " ".join(wrap(parts, width)).split() == " ".join(parts).split()


class _Book:
    def __init__(self, last: LastSeen | None) -> None:
        self.last = last

    def keep(self, *_: object) -> None:
        """Nothing comes."""

    def close(self) -> None:
        """Nothing was kept."""


@pytest.mark.parametrize(
    ("size", "seen"),
    [((160, 48), SEEN), ((80, 24), KOREAN), ((80, 24), None), ((40, 10), SEEN)],
    ids=["wide", "korean", "nothing", "tiny"],
)
async def test_the_screen_takes_the_rows_over_where_they_stand(
    size: tuple[int, int], seen: LastSeen | None
) -> None:
    """All but the last row, which tells what is being waited for."""
    plan: Plan = scenes.plan()
    of = Scene(plan.name, f"{plan.target.project}/{plan.target.region}", is_local=True, seen=seen)
    app = CanaryApp(plan, ScriptedEngine, wall=lambda: NOW, seen=_Book(seen))
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        shown = [line.rstrip() for line in frame(app).split("\n")]
    painted = draw(of, size)
    rows = len(lay_out(of, size, NOW)) - 1
    tiny = size == (40, 10)
    if tiny:  # the names stand where the panel is bare
        rows -= 1
    assert shown[:rows] == painted[:rows]
    assert format_place(seen)[:20] in "\n".join(shown)
