"""What was done to the split lately, as it rides on the service: the last few moves, newest first.

The stage record says where the rollout stands and who brought it there; this says what came before,
for people on other hosts, whose journals know nothing of it. It is written in the same guarded
update as record and split, and is bounded: an annotation is not a log. What cannot be read (an
older console, a person's hand) is begun anew rather than a reason to refuse a change.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from canary.rollout.change.stage_record import StageRecord

KEPT: Final = 8
MOST_BYTES: Final = 3000
MOST_REASON: Final = 120


class HistoryEntry(msgspec.Struct, frozen=True, omit_defaults=True):
    """One move of the split. `at` is cloud time; `change` the id of the change that made it.

    `revision` is Canary's at that moment, "" where it was not known.
    """

    at: float
    move: str
    percent: int
    stage: int
    by: str = ""
    host: str = ""
    from_percent: int | None = None
    from_stage: int | None = None
    why: str = ""
    change: str = ""
    revision: str = ""


_History = tuple[HistoryEntry, ...]
_JUDGING: Final = ("promote", "step_back", "rollback_all")


def history_key(annotation: str) -> str:
    """The annotation that holds the history, beside the record's own: "canary-console/history"."""
    prefix, slash, name = annotation.partition("/")
    return f"{prefix}/history" if name != "history" else f"{prefix}{slash}{name}-history"


def history_entry_of(record: StageRecord) -> HistoryEntry:
    """The move that wrote a record; a long reason is cut."""
    why = record.reason
    return HistoryEntry(
        at=record.written_at,
        move=record.move,
        percent=record.percent,
        stage=record.stage,
        by=record.by,
        host=record.host,
        from_percent=record.previous_percent,
        from_stage=record.previous_stage,
        why=why if len(why) <= MOST_REASON else f"{why[: MOST_REASON - 1]}…",
        change=record.change,
        revision=record.revision,
    )


def append_history(text: str, record: StageRecord) -> str:
    """The annotation's new text: the move that `record` tells of before those of `text`.

    The same change is never in it twice; the oldest go when it would grow beyond its bounds.
    """
    newest = history_entry_of(record)
    kept = [newest, *(d for d in read_history(text) if d.change != newest.change)][:KEPT]
    while len(kept) > 1 and len(msgspec.json.encode(kept)) > MOST_BYTES:
        kept.pop()
    return msgspec.json.encode(kept).decode()


def find_rolled_back(revision: str, history: Iterable[HistoryEntry]) -> HistoryEntry | None:
    """The move that took traffic from this revision of Canary; None when it was none's, or when it
    was promoted since. `history` is newest first.
    """
    own = (e for e in history if revision and e.revision == revision and e.move in _JUDGING)
    newest = next(own, None)
    return newest if newest is not None and newest.move != "promote" else None


def was_rolled_back(revision: str, history: Iterable[HistoryEntry]) -> bool:
    """Whether the last that was done to a revision of Canary was to take traffic from it."""
    return find_rolled_back(revision, history) is not None


def read_history(text: str) -> _History:
    """The moves in an annotation, newest first; none when it cannot be read."""
    try:
        history = msgspec.json.decode(text.encode(), type=_History)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return ()
    return history[:KEPT]
