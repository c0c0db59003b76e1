"""The past on the screen: as it was seen then, with nothing that could be changed."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec
import pytest

from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Console
from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import Event, Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN
from canary.store.recording import RecordingFile
from tests.rollout.recording.shown import record
from tests.tui import scenes
from tests.tui.scripted import Stage, frame, staged
from tests.tui.test_app import Ringing
from tui.engine_port import Past

SIZES = ((80, 24), (120, 40), (200, 60))
PLAN = scenes.plan()
MINUTES = 90


def past_frames() -> list[Frame]:
    """An hour and a half with an incident in its middle, a frame a minute."""
    frames = []
    for n in range(MINUTES):
        at = scenes.NOW - 60 * (MINUTES - n)
        minute = at // 60 * 60
        bad = {"error_ratio": 0.09} if 40 <= n < 50 else {}
        events = tuple(
            Event(scenes.NOW - 60 * (MINUTES - k), "info", f"done: promote {k}", "oncall")
            for k in range(n, -1, -1)
            if k % 30 == 10
        )
        shown = scenes.snapshot(PLAN, now=minute, soaked_hours=10 + n / 60, events=events, **bad)
        shown = msgspec.structs.replace(shown, as_of=at)
        frames.append(Frame(shown, NOTHING_RUN, PLAN, 1e9 + 5 * n))
    return frames


FRAMES = past_frames()


@pytest.fixture(scope="module")
def kept() -> RecordingFile:
    return record(FRAMES)


class Kept:
    """A source that stays open when the replay is left."""

    def __init__(self, file: RecordingFile) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def close(self) -> None:
        """Others read it too."""


@pytest.fixture
def past(kept: RecordingFile) -> Past:
    return Past(lambda: Recording(Kept(kept)))


def body(stage: Stage, rows: int) -> list[str]:
    """All rows but the header's and the last, which are the replay's."""
    return stage.frame().splitlines()[rows:-1]


@pytest.mark.parametrize("size", SIZES)
async def test_a_frame_is_cell_for_cell_what_was_shown_then(size: Any, past: Past) -> None:
    chosen = Random(size[0]).sample(range(5, MINUTES), 12)
    then: dict[int, list[str]] = {}
    async with staged(size, FRAMES[0].snapshot, plan=PLAN, past=past) as stage:
        await stage.emit(FRAMES[0].snapshot)
        header = stage.app.main.header.size.height
        for n in sorted(chosen):
            # A plot keeps its scale while it fits, whatever was shown before: that is not recorded.
            for panel in stage.app.main.panels.values():
                panel.forget_scales()
            await stage.emit(FRAMES[n].snapshot)
            then[n] = body(stage, header)
        await stage.press("T")
        for n in chosen:
            await go_to(stage, FRAMES[n].snapshot)
            assert body(stage, header) == then[n], n


async def go_to(stage: Stage, snapshot: Snapshot) -> None:
    """Go to the frame of a snapshot, as the keys do."""
    mode = stage.app.commands.replay
    assert mode is not None
    mode.seek(snapshot.as_of)
    await stage.settle()


async def test_the_row_says_that_it_is_the_past_and_when(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("T")
        first = stage.frame().splitlines()[0]
    said = (
        "‖ REPLAY 03-01 14:02:22Z ×60 · LOCAL CLOUD · as seen then · nothing here changes anything"
    )
    assert said in first


@pytest.mark.parametrize("size", [(40, 10), (56, 18), (80, 24)])
async def test_small_screens_say_so_too(size: Any, past: Past) -> None:
    async with staged(size, plan=PLAN, past=past) as stage:
        await stage.press("T")
        text = stage.frame()
        assert "REPLAY" in text.splitlines()[0]
        assert len(text.splitlines()) <= size[1]


async def test_the_keys_move_through_the_past(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:

        async def after(*keys: str) -> float:
            await stage.press(*keys)
            return float(stage.app.main.now)

        end = await after("T")
        assert end == FRAMES[-1].snapshot.as_of
        assert await after(",") == end - 60
        assert await after(".") == end
        assert await after("left", "left") == end - 120
        assert await after("ctrl+left") == end - 120 - 3600
        assert await after("right") == end - 60 - 3600
        assert await after("home") == FRAMES[0].snapshot.as_of
        assert await after("]") == FRAMES[10].snapshot.as_of
        assert await after("]") == FRAMES[40].snapshot.as_of
        assert await after("[") == FRAMES[10].snapshot.as_of
        assert await after("J", *"promote", "enter") == FRAMES[40].snapshot.as_of
        assert await after("J", *"-10m", "enter") == FRAMES[30].snapshot.as_of
        wanted = FRAMES[60].snapshot.as_of
        assert await after("J", *scenes_clock(wanted), "enter") == wanted
        await stage.press("J", *"nonsense", "enter")
        assert "is no moment" in stage.frame()


def scenes_clock(at: float) -> str:
    of_day = int(at) % 86_400
    return f"{of_day // 3600:02}:{of_day // 60 % 60:02}:{of_day % 60:02}"


async def test_it_plays_by_its_speed_and_stops_at_the_end(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("T", "home", "]", "]", "+")
        mode = stage.app.commands.replay
        at = stage.app.main.now
        await stage.press("space")
        assert "▶ REPLAY" in stage.frame()
        mode.tick(0.25)
        assert stage.app.main.now >= at + 75
        for _ in range(100):
            mode.tick(0.25)
        await stage.settle()
        assert stage.app.main.now == FRAMES[-1].snapshot.as_of
        assert "‖ REPLAY" in stage.frame()


KEYS = (
    *(chr(code) for code in range(33, 127)),
    *("space", "enter", "tab", "shift+tab", "left", "right", "up", "down", "home"),
    *("f5", "ctrl+l", "ctrl+left", "ctrl+right", "pageup", "pagedown", "delete", "backspace"),
)
OPENS = frozenset("JqQ:?/")
"""These ask for text, lay a screen above, or leave: they have tests of their own."""


async def test_no_key_changes_anything(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("T")
        asked = list(stage.engine.asked)
        for key in KEYS:
            if key in OPENS:
                continue
            for keys in ((key,), ("y",), (key, "enter")):
                await stage.press(*keys)
                assert stage.app.main.talk.proposal is None, key
                if stage.app.main.has_class("-prompting"):
                    await stage.press("escape")
            assert stage.app.commands.replay.is_active, key
        assert stage.engine.sent == []
        assert stage.engine.asked == asked


@pytest.mark.parametrize("name", ["promote", "rollback_all", "guard", "verify", "scale"])
async def test_nor_does_any_command_of_the_palette(past: Past, name: str) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("T")
        stage.app.commands.do(name)
        stage.app.commands.answer_prompt("scale", "canary production")
        await stage.settle()
        assert "nothing here changes anything. Esc is live again" in stage.frame()
        await stage.press("y")
        assert (stage.engine.sent, stage.engine.asked) == ([], [])


async def test_what_becomes_worse_live_rings_and_is_said_at_once(past: Past) -> None:
    plan = scenes.plan(console=Console(bell=True))
    from tests.tui.scripted import ScriptedEngine

    engine = ScriptedEngine()
    app = Ringing(plan, lambda: engine, monotonic=lambda: 0.0, past=past)
    async with app.run_test(size=(120, 40)) as pilot:
        await pilot.pause()
        app.show(scenes.snapshot(plan))
        await pilot.press("T")
        await pilot.pause()
        app.show(scenes.snapshot(plan, error_ratio=0.09))
        await pilot.pause()
        assert app.bells == 1
        assert "LIVE: ✗ ROLL BACK ALL: Esc" in frame(app).splitlines()[0]
        await pilot.press("escape")
        await pilot.pause()
        assert app.bells == 1
        assert "REPLAY" not in frame(app)
        assert app.main.snapshot is not None
        assert app.main.snapshot.decision.verdict == "rollback_all"


async def test_escape_shows_the_present_again_and_its_keys_act(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        live = stage.frame()
        await stage.press("T", "home", "escape")
        assert stage.frame() == live
        await stage.press("R")
        assert stage.app.main.talk.proposal is not None


async def test_a_time_at_which_nobody_was_recording_is_said() -> None:
    later = [f._replace(seen_at=f.seen_at + 900) for f in FRAMES[60:]]
    file = record([*FRAMES[:30], *later])
    async with staged((120, 40), plan=PLAN, past=Past(lambda: Recording(file))) as stage:
        await stage.press("T")
        await go_to(stage, FRAMES[45].snapshot)
        rows = stage.frame().splitlines()
    assert "nobody was recording until" in rows[0]
    assert "╱╱╱" in rows[-1]


async def test_the_line_below_shows_the_incident_and_the_place(past: Past) -> None:
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("T", "home")
        line = stage.frame().splitlines()[-1]
    assert "█" in line
    assert "┃" in line
    assert line.index("┃") < line.index("█")


async def test_without_a_recording_the_key_says_so() -> None:
    def nothing() -> Recording:
        raise RecordError("Nothing is recorded of this rollout yet.")

    async with staged((120, 40), past=Past(nothing)) as stage:
        await stage.press("T")
        assert "Nothing is recorded of this rollout yet." in stage.frame()
        assert not stage.app.commands.replay.is_active


async def test_alone_it_begins_where_it_was_asked_to_and_nothing_is_live(
    kept: RecordingFile,
) -> None:
    past = Past(lambda: Recording(Kept(kept)), is_alone=True, at=FRAMES[45].snapshot.as_of)
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        assert not stage.engine.running
        assert "ROLL BACK" in stage.frame()
        await stage.press("p")
        assert "nothing here changes anything" in stage.frame()
        assert "Esc is live again" not in stage.frame()
        await stage.press("end")
        assert stage.app.main.now == FRAMES[-1].snapshot.as_of
        await stage.press("escape")
        assert "there is nothing live here" in stage.frame()
        await stage.press("q")
        assert stage.app.return_code == 0


async def test_a_handover_is_copied_and_says_where_it_went(
    past: Past, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tui.terminal import clipboard

    copied: list[str] = []

    async def copy(text: str, *_: Any) -> str:
        copied.append(text)
        return "Copied by OSC 52, if your terminal allows it."

    monkeypatch.setattr(clipboard, "copy", copy)
    async with staged((120, 40), plan=PLAN, past=past) as stage:
        await stage.press("H")
        await stage.app.workers.wait_for_complete()
        await stage.settle()
        assert "Handover: copied by OSC 52" in stage.frame()
    assert copied[0].startswith("# Handover ion-api → ion-api-canary")
    assert "HEALTHY → ROLL BACK ALL" in copied[0]


@pytest.mark.parametrize("size", [(80, 24), (110, 34), (200, 60)])
async def test_the_cause_of_a_drill_is_read_at_every_size(size: Any, kept: RecordingFile) -> None:
    """It stands in the second row, or behind the first: cut, but never left out."""
    what = "drill 12: Cloud Run does not answer when the rollback is confirmed since 09:12:22Z"
    past = Past(lambda: Recording(Kept(kept)), is_alone=True, what=what)
    async with staged(size, FRAMES[0].snapshot, plan=PLAN, past=past) as stage:
        await stage.press("T")
        await stage.settle()
        first = stage.frame().splitlines()[:2]
        assert any("drill 12: Cloud Run" in row for row in first), first
        assert "REPLAY" in first[0]
