"""Each frame names the time that its numbers are over; the chosen one is bright, with its keys."""

from __future__ import annotations

import re

import msgspec
import pytest

from tests.tui import scenes
from tests.tui.scripted import staged
from tui.keys import bind
from tui.pages.frames import frame_keys, frame_note, frame_window
from tui.pages.layout import PANELS

PLAN = scenes.plan()
KEYS = {"window": "w", "zoom": "z", "filter": "/"}


def key(action: str) -> str:
    return KEYS.get(action, "")


def edges(frame: str) -> str:
    """The lower edges of all frames."""
    return "\n".join(line for line in frame.splitlines() if "╰" in line)


@pytest.mark.parametrize(
    ("panel", "said"),
    [
        ("overview", ""),
        ("plots", "last 6 h"),
        ("confidence", "in 5 m"),
        ("resources", "in 5 m, plots last 6 h"),
        ("decision", "in 5 m"),
        ("gates", "over 1 h"),
        ("evidence", ""),
        ("events", ""),
    ],
)
def test_every_panel_names_its_time_or_has_a_heading_that_does(panel: str, said: str) -> None:
    assert panel in PANELS
    assert frame_window(panel, PLAN, "last 6 h") == said


def test_the_times_are_those_of_the_plan() -> None:
    metrics = msgspec.structs.replace(PLAN.metrics, window_minutes=10, criteria_window_minutes=180)
    plan = msgspec.structs.replace(PLAN, metrics=metrics)
    assert frame_window("decision", plan, "") == "in 10 m"
    assert frame_window("gates", plan, "") == "over 3 h"


def test_the_keys_are_those_that_are_bound() -> None:
    assert frame_keys("plots", key, zoomed=False) == "w window  z zoom"
    assert frame_keys("events", key, zoomed=True) == "/ filter  z back"
    assert frame_keys("gates", lambda _: "", zoomed=False) == ""


def test_only_the_chosen_panel_has_keys() -> None:
    assert frame_note("gates", PLAN, "", key, current=False, zoomed=False) == "over 1 h"
    assert frame_note("gates", PLAN, "", key, current=True, zoomed=False) == "over 1 h  z zoom"


@pytest.mark.parametrize("size", [(112, 32), (120, 40), (160, 48), (200, 60)])
async def test_frames_name_their_times_at_every_size_that_has_frames(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        below = edges(stage.frame())
        assert below.count("in 5 m") >= 3
        assert below.count("over 1 h") == 1
        assert below.count("z zoom") == 1
        assert "in 5 m " in stage.frame().split("overview", 1)[1].splitlines()[1]


async def test_the_chosen_panel_is_bright_and_the_only_one() -> None:
    async with staged((120, 40)) as stage:
        panels = stage.app.main.panels

        def bright() -> list[str]:
            """The panels whose frame has another colour than that of the matrix, never chosen."""
            plain = panels["overview"].styles.border_top[1]
            return [n for n in PANELS if panels[n].styles.border_top[1] != plain]

        assert bright() == ["plots"]
        assert "last 1 h  w window  z zoom" in edges(stage.frame())
        await stage.press("tab")
        assert bright() == ["confidence"]
        assert "in 5 m  z zoom" in edges(stage.frame())
        assert "w window" not in edges(stage.frame())


async def test_where_there_are_no_frames_the_tabs_say_it() -> None:
    async with staged((80, 24)) as stage:
        await stage.press("g")
        row = next(r for r in stage.frame().splitlines() if "[gates]" in r or "gates ─" in r)
        assert "over 1 h" in row or "over 1 h" in edges(stage.frame())


async def test_a_snapshot_changes_no_frame() -> None:
    async with staged((120, 40)) as stage:
        before = [stage.app.main.panels[n].border_subtitle for n in PANELS]
        await stage.emit(scenes.snapshot(error_ratio=0.09))
        assert [stage.app.main.panels[n].border_subtitle for n in PANELS] == before


def test_the_keymap_knows_the_actions_of_the_frames() -> None:
    keymap = bind(PLAN)
    for panel in PANELS:
        assert re.search(r"\S zoom", frame_keys(panel, keymap.key, zoomed=False))
