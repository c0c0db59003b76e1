"""The main screen as text at the sizes that people have."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.snapshot.snapshot import ChangeView, Event
from tests.tui import scenes
from tests.tui.scripted import frame, rows, staged
from tui.pages.layout import choose_layout, window_length

SIZES = [(40, 10), (80, 24), (120, 40), (200, 60)]
_drawn: dict[tuple[int, int], str] = {}


async def healthy(size: tuple[int, int]) -> str:
    """A healthy stage 2 as it opens at a size: many look at the same frame."""
    if size not in _drawn:
        async with staged(size) as stage:
            _drawn[size] = stage.frame()
    return _drawn[size]


@pytest.mark.parametrize(
    ("size", "layout"),
    [
        ((200, 60), "wide"),
        ((160, 36), "wide"),
        ((159, 60), "normal"),
        ((160, 35), "normal"),
        ((112, 32), "normal"),
        ((111, 40), "narrow"),
        ((112, 31), "narrow"),
        ((80, 24), "narrow"),
        ((56, 18), "narrow"),
        ((55, 40), "tiny"),
        ((80, 17), "tiny"),
        ((40, 10), "tiny"),
        ((1, 1), "tiny"),
    ],
)
def test_every_size_has_the_richest_layout_it_has_room_for(
    size: tuple[int, int], layout: str
) -> None:
    assert choose_layout(*size) == layout


async def test_a_long_result_takes_the_rows_there_are_and_is_cut_with_a_mark() -> None:
    outcome = Outcome("failed", "What happened. " * 60, scenes.NOW, remedy="What to do.")
    change = ChangeView("1", "rollback_all", "roll back all", "me@host", scenes.NOW, "", outcome)
    rollout = scenes.plan()
    failed = msgspec.structs.replace(scenes.snapshot(rollout), changes=(change,))
    async with staged((80, 24), failed) as stage:
        told = stage.frame().splitlines()[-5:-1]
        assert all("happened" in line for line in told[:-1])
        assert told[-2].endswith("…")
        assert told[-1].strip() == "What to do."


@pytest.mark.parametrize("size", SIZES)
async def test_verdict_share_freshness_and_the_way_out_are_on_every_size(
    size: tuple[int, int],
) -> None:
    text = await healthy(size)
    assert "✓ HEALTHY" in text
    assert "10 %" in text
    assert "74 s" in text
    assert "LOCAL CLOUD ×60" in text
    assert "R roll back all" in text


@pytest.mark.parametrize("size", [*SIZES, (20, 5), (10, 3)])
async def test_no_line_is_wider_than_the_terminal(size: tuple[int, int]) -> None:
    lines = (await healthy(size)).splitlines()
    assert len(lines) <= size[1]
    assert all(len(line) <= size[0] for line in lines)


@pytest.mark.parametrize("size", [(120, 40), (200, 60)])
async def test_all_panels_stand_side_by_side_where_there_is_room(size: tuple[int, int]) -> None:
    text = await healthy(size)
    for title in ("overview", "confidence", "resources", "decision", "gates"):
        assert f" {title} ─" in text
    assert " errors ── canary ×" in text
    assert "latency" in text
    assert "p50" in text


@pytest.mark.parametrize("size", [(160, 36), (160, 48), (200, 60)])
async def test_the_widest_layout_has_its_events_in_full_width(size: tuple[int, int]) -> None:
    text = await healthy(size)
    told = next(rows(text, "promoted 5 % → 10 %"))
    assert told.endswith("verified: health ok, split 10.3 % (100)")
    assert text.count("promoted 5 % → 10 %") == 1


async def test_a_larger_size_never_shows_fewer_events_or_plots() -> None:
    many = tuple(Event(scenes.NOW - i, "info", f"number {i}") for i in range(30))
    shown = []
    for size in [(80, 24), (100, 30), (120, 40), (160, 48), (200, 60)]:
        async with staged(size, scenes.snapshot(events=many)) as stage:
            shown.append(stage.frame().count("number "))
    assert shown == sorted(shown)
    assert shown[0] >= 4


@pytest.mark.parametrize("size", [(120, 40), (160, 36), (160, 48), (200, 60)])
async def test_the_seeds_four_rows_are_on_the_screen(size: tuple[int, int]) -> None:
    text = await healthy(size)
    for name in ("overview", "latency", "confidence", "resources"):
        assert f" {name} " in text


async def test_the_narrow_layout_shows_one_panel_below_the_overview() -> None:
    async with staged((80, 24)) as stage:
        assert "[plots]" in stage.frame()
        assert "of alarm limit" in stage.frame()
        await stage.press("tab", "tab", "tab")
        assert "[decision]" in stage.frame()
        assert "success < 80 %" in stage.frame()
        assert "of alarm limit" in stage.frame()
        await stage.press("shift+tab")
        assert "[resources]" in stage.frame()


async def test_tabs_go_round() -> None:
    async with staged((80, 24)) as stage:
        await stage.press(*["tab"] * 7)
        assert "[plots]" in stage.frame()


async def test_the_tiny_layout_has_the_numbers_that_decide() -> None:
    async with staged((40, 10)) as stage:
        lines = stage.frame().splitlines()
        assert lines[0].startswith("✓ HEALTHY   all thresholds OK")
        assert "NEXT 25 % in 6 h 48 m (soak 17 h 12 m" in lines[1]
        where = next(i for i, line in enumerate(lines) if line.startswith("stage 2  10 %"))
        assert lines[where].endswith("74 s old")
        assert lines[where + 1].startswith("error 0.33 %  p95")
        assert lines[where + 1].endswith("LOCAL CLOUD ×60")
        assert lines[where + 2] == "ion-api-canary naeda-genesis/us-central1"
        assert lines[where + 3] == "impact not known"
        assert lines[2].startswith("  of 24 h)")  # the soak, which the second row began


@pytest.mark.parametrize("size", [(80, 24), (100, 30), (120, 40)])
async def test_the_newest_event_is_wrapped_and_never_cut_above_blank_rows(
    size: tuple[int, int],
) -> None:
    long = Event(scenes.NOW, "info", "word " * 40 + "end")
    async with staged(size, scenes.snapshot(events=(long,))) as stage:
        text = stage.frame()
        assert text.count("word") == 40
        assert " end" in text


@pytest.mark.parametrize("size", SIZES)
async def test_a_cut_leaves_a_mark(size: tuple[int, int]) -> None:
    """An event longer than all the rows there are ends in the mark."""
    long = Event(scenes.NOW, "info", "word " * 600 + "end")
    async with staged(size, scenes.snapshot(events=(long,))) as stage:
        last = list(rows(stage.frame(), "word word"))[-1]
        assert last.rstrip(" │").endswith("…")


async def test_resizing_changes_the_layout_and_keeps_the_numbers() -> None:
    async with staged((120, 40)) as stage:
        for size, layout in (((80, 24), "narrow"), ((40, 10), "tiny"), ((200, 60), "wide")):
            await stage.pilot.resize_terminal(*size)
            await stage.settle()
            assert stage.app.main.layout_name == layout
            assert "HEALTHY" in stage.frame()


async def test_before_the_first_look_nothing_is_green() -> None:
    async with staged((120, 40)) as stage:
        stage.app.main.snapshot = None
        await stage.settle()
        text = frame(stage.app)
        assert "? NO DATA" in text
        assert "HEALTHY" not in text
        assert "Starting the local cloud …" in text


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    ("scene", "word"), [({"canary_samples": False}, "SILENT"), ({"lag_s": 900.0}, "STALE")]
)
async def test_no_data_is_never_go_on(
    size: tuple[int, int], scene: dict[str, float], word: str
) -> None:
    async with staged(size, scenes.snapshot(**scene)) as stage:  # type: ignore[arg-type]
        assert f"? {word}" in stage.frame()
        assert "✓ HEALTHY" not in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_roll_back_is_said_in_words_everywhere(size: tuple[int, int]) -> None:
    async with staged(size, scenes.snapshot(error_ratio=0.09)) as stage:
        assert "✗ ROLL BACK ALL" in stage.frame()


async def test_a_panel_fills_the_screen_and_gives_it_back() -> None:
    async with staged((120, 40)) as stage:
        await stage.press("g")
        assert " gates ─" in stage.frame()
        assert " errors ── canary" not in stage.frame()
        assert "16 371 requests" in stage.frame()
        await stage.press("escape")
        assert " errors ── canary" in stage.frame()


async def test_zoom_takes_the_present_panel() -> None:
    async with staged((120, 40)) as stage:
        await stage.press("tab", "z")
        assert " confidence ─" in stage.frame()
        assert " errors ── canary" not in stage.frame()
        await stage.press("z")
        assert " errors ── canary" in stage.frame()


async def test_what_was_hidden_is_up_to_date_when_it_comes_back() -> None:
    async with staged((120, 40)) as stage:
        await stage.press("e")
        await stage.emit(scenes.snapshot(error_ratio=0.09))
        await stage.press("e")
        assert "10.2 %" in next(rows(stage.frame(), "✗ errors"))


async def test_the_window_changes_with_its_key() -> None:
    async with staged((120, 40)) as stage:
        assert "last 1 h" in stage.frame()
        await stage.press("w")
        assert "last 6 h" in stage.frame()
        await stage.press("w")
        assert "whole soak" in stage.frame()


@pytest.mark.parametrize(
    ("name", "soaked", "seconds"),
    [
        ("1 h", None, 3600.0),
        ("soak", None, 900.0),
        ("soak", 0.1, 900.0),
        ("soak", 17.0, 61_200.0),
        ("15 m", 17.0, 900.0),
    ],
)
def test_the_soak_window_is_as_long_as_the_soak(
    name: str, soaked: float | None, seconds: float
) -> None:
    assert window_length(name, soaked) == seconds


async def test_the_filter_works_while_it_is_typed() -> None:
    async with staged((120, 40)) as stage:
        await stage.press("/")
        await stage.press(*"scaled")
        assert "scaled ion-api-canary" in stage.frame()
        assert "promoted 5 %" not in stage.frame()
        await stage.press("escape", "escape")
        assert "promoted 5 %" in stage.frame()


async def test_text_from_outside_is_only_text() -> None:
    hostile = Event(scenes.NOW, "info", "\x1b[31m[bold]x[/] \x07\u202eabc", "a\x1b]2;t\x07b")
    async with staged((120, 40), scenes.snapshot(events=(hostile,))) as stage:
        assert "ab [bold]x[/] abc" in stage.frame()
        assert "\x1b" not in stage.frame()


@pytest.mark.parametrize("size", [*SIZES, (60, 15), (100, 30)])
async def test_project_region_service_command_and_more_are_on_every_size(
    size: tuple[int, int],
) -> None:
    text = await healthy(size)
    assert "naeda-genesis/us-central1" in text
    assert "ion-api-canary" in text
    assert " : " in text.splitlines()[-1]
    assert "more: ?" in text or "? help" in text


@pytest.mark.parametrize("size", [(40, 10), (80, 24), (120, 40)])
async def test_every_page_says_how_to_go_back(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        for key in ("g", "e", "b", "l", "V"):
            await stage.press(key)
            assert "Esc back" in stage.frame(), key
            await stage.press("escape")
            assert "Esc back" not in stage.frame(), key


async def test_j_and_k_scroll_what_fills_the_screen() -> None:
    many = tuple(Event(scenes.NOW - i, "info", f"number {i}.") for i in range(99))
    async with staged((80, 24), scenes.snapshot(events=many)) as stage:
        await stage.press("e", "j", "j")
        assert "number 1." not in stage.frame()
        assert "number 2." in stage.frame()
        await stage.press("k")
        assert "number 1." in stage.frame()
