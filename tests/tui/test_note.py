"""`m`: one line for everybody, or a mark alone; a flag in the plots, a line in the events."""

from __future__ import annotations

import msgspec

from canary.rollout.change.marks import Mark, decode_mark
from canary.rollout.snapshot.snapshot import ChangeView, Outcome, Snapshot
from tests.tui import scenes
from tests.tui.scripted import staged


def marked() -> Snapshot:
    mark = Mark(scenes.NOW - 900, "the cache is warm", "bob", "bastion-2", "c-9")
    return msgspec.structs.replace(scenes.snapshot(), marks=(mark,))


async def test_a_note_is_written_at_enter_and_a_mark_without_words() -> None:
    async with staged() as stage:
        await stage.press("m", *"TODO: x", "enter")
        await stage.press("m", "enter")
        notes = [decode_mark(change.steps[0].text) for change in stage.engine.sent]  # type: ignore[union-attr]
        assert [note and note.text for note in notes] == ["TODO: x", ""]
        assert {change.kind for change in stage.engine.sent} == {"note"}


async def test_leaving_the_line_writes_nothing() -> None:
    async with staged() as stage:
        await stage.press("m", "x", "escape")
        assert stage.engine.sent == []


async def test_a_marked_moment_has_a_flag_in_the_plots() -> None:
    async with staged((200, 60), marked()) as stage:
        assert "¶" in stage.frame()
    async with staged((200, 60), scenes.snapshot()) as stage:
        assert "¶" not in stage.frame()


async def test_a_note_that_was_written_is_no_result_to_dismiss() -> None:
    outcome = Outcome("done", "Noted.", scenes.NOW - 5)
    view = ChangeView("n1", "note", "write note: x", "ann@b", scenes.NOW - 9, outcome=outcome)
    shown = msgspec.structs.replace(scenes.snapshot(), changes=(view,))
    async with staged((120, 40), shown) as stage:
        assert "Noted." not in stage.frame()
