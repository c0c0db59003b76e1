"""The app around the screen: start, title, bell, ages, troubles, palette, themes, crash."""

from __future__ import annotations

import io
from typing import Any

import msgspec
import pytest
from textual.geometry import Region
from textual.strip import Strip
from textual.widgets import Input

from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Console
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, advanced, frame, rows, staged
from themes import PALETTES
from tui.app import CanaryApp
from tui.engine_port import CloudTime, Mailbox
from tui.pages.summary import summarize, terminal_title
from widgets.plots.cells import CellWidget


class Ringing(CanaryApp):
    """Counts the bells and keeps what went to the terminal as it is."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.bells = 0
        self.raw: list[str] = []

    def bell(self) -> None:
        self.bells += 1

    def write_raw(self, text: str) -> None:
        self.raw.append(text)


async def ring(*scene: dict[str, Any], bell: bool = True) -> int:
    """How often the bell rings while the scenes follow each other."""
    plan = scenes.plan(console=Console(bell=bell))
    engine = ScriptedEngine()
    app = Ringing(plan, lambda: engine, monotonic=lambda: 0.0)
    async with app.run_test(size=(80, 24)) as pilot:
        for each in scene:
            app.show(scenes.snapshot(plan, **each))
            await pilot.pause()
        return app.bells


HEALTHY: dict[str, Any] = {}
WATCH = {"error_ratio": 0.03}
SPIKE = {"error_ratio": 0.09}


@pytest.mark.parametrize(
    ("scene", "bells"),
    [
        ((SPIKE,), 0),
        ((HEALTHY, SPIKE, SPIKE, SPIKE), 1),
        ((HEALTHY, WATCH, SPIKE), 2),
        ((SPIKE, WATCH, HEALTHY), 0),
        ((HEALTHY, {"canary_samples": False}), 1),
    ],
)
async def test_the_bell_rings_once_for_each_change_for_the_worse(
    scene: tuple[dict[str, Any], ...], bells: int
) -> None:
    assert await ring(*scene) == bells


async def test_the_bell_can_be_off() -> None:
    assert await ring(HEALTHY, SPIKE, bell=False) == 0


def test_the_title_carries_verdict_share_and_service() -> None:
    assert terminal_title(scenes.snapshot(error_ratio=0.09), scenes.plan()) == (
        "✗ ROLL BACK ALL 10 % ion-api-canary stage 2"
    )


def test_the_summary_has_no_number_where_there_is_no_data() -> None:
    text = summarize(scenes.snapshot(canary_samples=False), scenes.plan(), scenes.NOW)
    assert text.startswith("? SILENT · stage 2, 10 % canary\nno metrics of Canary. ")
    canary = next(rows(text, "^canary"))
    assert "no data requests, error no data, success no data" in canary


def test_time_runs_on_at_the_clouds_speed() -> None:
    at = 100.0
    clock = CloudTime(lambda: at)
    assert clock.now() == 0.0
    clock.set(scenes.snapshot(speed=60.0))
    at = 102.5
    assert clock.now() == scenes.NOW + 150.0
    assert clock.waited_s() == 2.5


def test_a_stalled_screen_finds_the_newest_snapshot_only() -> None:
    rung: list[int] = []
    box = Mailbox(lambda: rung.append(1))
    first = scenes.snapshot(hours=0.2)
    box.put(first)
    box.put(advanced(first, 1))
    box.put(advanced(first, 2))
    assert rung == [1]
    newest = box.take()
    assert newest is not None
    assert newest.as_of == first.as_of + 2
    assert box.take() is None
    box.put(first)
    assert rung == [1, 1]


async def test_ages_grow_between_snapshots() -> None:
    at = 1000.0
    engine = ScriptedEngine(scenes.snapshot(speed=1.0))
    app = CanaryApp(scenes.plan(), lambda: engine, monotonic=lambda: at)
    async with app.run_test(size=(120, 40)) as pilot:
        while app.main.snapshot is None:
            await pilot.pause()
        at = 1007.0
        app.tick()
        await pilot.pause()
        assert app.main.now == scenes.NOW + 7
        at = 1400.0
        app.tick()
        await pilot.pause()
        assert "Nothing new from the engine for 400 s" in app.main.talk.plain_text()


async def test_a_trouble_is_said_and_leaves_with_the_next_snapshot() -> None:
    async with staged() as stage:
        stage.engine.fail("The history cannot be written: disk full. Free some space.")
        await stage.settle()
        assert "! The history cannot be written: disk full. Free some space." in stage.frame()
        await stage.emit(scenes.snapshot())
        assert "disk full" not in stage.frame()


async def test_a_failing_source_is_named_with_its_message() -> None:
    source = scenes.SourceView("Cloud Monitoring", "failing", "Quota exceeded; asks again in 60 s.")
    async with staged((120, 40), scenes.snapshot(sources=(source,))) as stage:
        assert "! Cloud Monitoring: Quota exceeded; asks again in 60 s." in stage.frame()


async def test_an_engine_that_cannot_start_is_said_on_the_screen() -> None:
    def build() -> ScriptedEngine:
        raise RecordError("The state directory cannot be made.", remedy="Set CANARY_STATE_DIR.")

    app = CanaryApp(scenes.plan(), build)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(20):
            await pilot.pause()
        assert "The state directory cannot be made." in app.main.talk.plain_text()
        await pilot.press("v")
        assert app.is_running


async def test_the_palette_finds_scenarios_themes_and_windows() -> None:
    async with staged() as stage:
        await stage.press("colon", *"error-s", "enter")
        await stage.settle()
        assert stage.engine.asked == [("scenario", "error-spike")]
        await stage.press("ctrl+p", *"theme light", "enter")
        await stage.settle()
        assert stage.app.theme == "light"


async def test_enter_typed_ahead_of_the_palettes_list_runs_what_was_typed() -> None:
    async with staged() as stage:
        await stage.press("colon")
        field = stage.app.screen.query_one(Input)
        field.value = "error-spike"
        await field.action_submit()
        await stage.settle()
        await stage.settle()
        assert stage.engine.asked == [("scenario", "error-spike")]
        assert stage.app.screen is stage.app.main


async def test_the_palette_opens_the_strip_and_never_skips_it() -> None:
    async with staged() as stage:
        await stage.press("colon", *"rollback all", "enter")
        await stage.settle()
        assert stage.engine.sent == []
        assert "Roll back all" in stage.frame()


async def test_the_themes_follow_each_other() -> None:
    async with staged() as stage:
        seen = []
        for _ in PALETTES:
            await stage.press("t")
            seen.append(stage.app.theme)
        assert sorted(seen) == sorted(PALETTES)


async def test_help_shows_all_keys_and_why_some_can_do_nothing() -> None:
    async with staged((120, 50)) as stage:
        await stage.press("?")
        text = stage.frame()
        assert "Roll back all now." in text
        assert "Blocked: soak 17 h 12 m of 24 h." in text
        await stage.press("space")
        assert "HEALTHY" in stage.frame()
        await stage.press("?", *"frame")
        assert "In the past (T)" in stage.frame()
        assert "One frame back, or on." in stage.frame()


async def test_verify_and_refresh_ask_the_engine() -> None:
    async with staged() as stage:
        await stage.press("v", "f5")
        assert stage.engine.asked == [("verify",), ("refresh",)]


async def test_a_mistake_ends_the_console_with_1_and_shows_no_locals(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Broken(CanaryApp):
        def show(self, snapshot: Any) -> None:
            token = "s3cret-value"
            raise ZeroDivisionError(len(token))

    engine = ScriptedEngine(scenes.snapshot())
    app = Broken(scenes.plan(), lambda: engine)
    said = io.StringIO()
    app.error_console.file = said

    async def play() -> None:
        async with app.run_test(size=(80, 24)) as pilot:
            for _ in range(20):
                await pilot.pause()

    with pytest.raises(ZeroDivisionError):
        await play()
    assert app.return_code == 1
    assert "locals" not in said.getvalue()
    assert "ZeroDivisionError" in said.getvalue()


def test_no_color_is_no_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    app = CanaryApp(scenes.plan(), ScriptedEngine)
    assert app.theme == "mono"
    assert app.native_ansi_color


def test_a_plan_that_rebinds_wrongly_draws_nothing() -> None:
    plan = msgspec.structs.replace(scenes.plan(), console=Console(keys={"promote": "y"}))
    with pytest.raises(Exception, match=r"console\.keys\.promote"):
        CanaryApp(plan, ScriptedEngine)


async def test_a_snapshot_with_the_same_numbers_draws_no_plot_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with staged(size=(160, 48)) as stage:
        snapshot = scenes.snapshot(stage.app.plan)
        await stage.emit(snapshot)
        drawn: set[str | None] = set()
        render_line, strip = CellWidget.render_line, CellWidget.strip

        def watched(widget: CellWidget, y: int) -> Strip:
            drawn.add(widget.id)
            return render_line(widget, y)

        def watched_span(widget: CellWidget, span: Region) -> Strip:
            drawn.add(widget.id)
            return strip(widget, span)

        monkeypatch.setattr(CellWidget, "render_line", watched)
        monkeypatch.setattr(CellWidget, "strip", watched_span)
        await stage.emit(msgspec.structs.replace(snapshot, scenario="error-spike"))
        assert drawn == {"header"}


@pytest.mark.parametrize("key", ["V", "b", "o"])
async def test_a_page_asked_for_before_the_first_frame_is_out_is_shown_with_it(key: str) -> None:
    class Early(CanaryApp):
        async def on_ready(self) -> None:
            self.commands.press(key)
            await super().on_ready()

    app = Early(scenes.plan(), ScriptedEngine, monotonic=lambda: 0.0)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        early = frame(app)
        await pilot.press("escape", key)
        await pilot.pause()
        assert early == frame(app)


async def test_a_theme_that_is_chosen_before_the_first_frame_styles_it() -> None:
    class Early(CanaryApp):
        def on_mount(self) -> None:
            super().on_mount()
            self.theme = "light"

    async def colours(app: CanaryApp) -> list[object]:
        async with app.run_test(size=(120, 40)):
            return [(w.id, w.styles.background, w.styles.border) for w in app.main.query("*")]

    opened_in_light = CanaryApp(
        scenes.plan(console=Console(theme="light")), ScriptedEngine, monotonic=lambda: 0.0
    )
    early = Early(scenes.plan(console=Console(theme="dark")), ScriptedEngine, monotonic=lambda: 0.0)
    assert await colours(early) == await colours(opened_in_light)
