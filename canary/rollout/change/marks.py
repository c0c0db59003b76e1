"""Marks and notes: what a person wants to be remembered of a moment, for everybody. Pure.

They ride as an annotation on Canary's service, newest first and bounded: an annotation is not a
log; the journal of whoever wrote one has it for longer. A note that begins with "TODO:" is open
until one says "DONE:" and the same words.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from canary.rollout.text import sanitize

TOPIC: Final = "marks"
KEPT: Final = 20
MOST_BYTES: Final = 6000
MOST_TEXT: Final = 200
"""Characters of one note."""
_TODO: Final = "todo:"
_DONE: Final = "done:"


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """A moment (`at`, cloud time) that a person has marked; `text` "" for a mark alone.

    `change` is the id of the change that wrote it.
    """

    at: float
    text: str = ""
    by: str = ""
    host: str = ""
    change: str = ""

    @property
    def is_todo(self) -> bool:
        """Whether it is something to be done."""
        return self.text.lower().startswith(_TODO)


_Marks = tuple[Mark, ...]


def encode_mark(mark: Mark) -> str:
    """One mark as a change carries it, with a text that is cut where it is too long."""
    text = mark.text if len(mark.text) <= MOST_TEXT else f"{mark.text[: MOST_TEXT - 1]}…"
    return msgspec.json.encode(msgspec.structs.replace(mark, text=text)).decode()


def decode_mark(text: str) -> Mark | None:
    """The mark that a change carries; None when it cannot be read."""
    try:
        return msgspec.json.decode(text.encode(), type=Mark)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None


def append_mark(text: str, mark: str) -> str:
    """The annotation's new text: the new mark before those of `text`, never twice.

    The oldest go when it would grow beyond its bounds; of those an open TODO goes last. What cannot
    be read is begun anew.
    """
    newest = decode_mark(mark)
    known = read_marks(text)
    if newest is None:
        return text
    kept = [newest, *(m for m in known if not m.change or m.change != newest.change)]
    while len(kept) > 1 and (len(kept) > KEPT or _size(kept) > MOST_BYTES):
        open_ones = set(find_todos(kept))
        spare = [m for m in kept[1:] if m not in open_ones] or kept[1:]
        kept.remove(spare[-1])
    return msgspec.json.encode(kept).decode()


def read_marks(text: str) -> _Marks:
    """The marks in an annotation, newest first; none when it cannot be read."""
    try:
        return msgspec.json.decode(text.encode(), type=_Marks)[:KEPT] if text else ()
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ()


def find_todos(marks: Iterable[Mark]) -> _Marks:
    """What is still to be done, oldest first: for the handover. `marks` are newest first."""
    done: set[str] = set()
    todo: list[Mark] = []
    for mark in marks:
        words = _words(mark.text)
        if mark.text.lower().startswith(_DONE):
            done.add(words)
        elif mark.is_todo and words not in done:
            todo.append(mark)
    return tuple(reversed(todo))


def format_mark(mark: Mark) -> str:
    """What it says: "note: the cache is warm", "TODO: drop the old index", or "mark"."""
    text = sanitize(mark.text, MOST_TEXT)
    if not text:
        return "mark"
    return text if text.lower().startswith((_TODO, _DONE)) else f"note: {text}"


def name_author(mark: Mark) -> str:
    """Who wrote it: "bob@bastion-2"."""
    return sanitize(f"{mark.by}@{mark.host}" if mark.host else mark.by, 80)


def _words(text: str) -> str:
    return " ".join(text.partition(":")[2].lower().split())


def _size(marks: Iterable[Mark]) -> int:
    return len(msgspec.json.encode(tuple(marks)))
