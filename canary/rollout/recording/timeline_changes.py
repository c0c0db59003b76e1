"""Changes among the rows of the timeline: who made them, why, on which numbers. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Final

import msgspec

from canary.rollout.change.history_entries import history_entry_of
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.player import Position, Recording
from canary.rollout.recording.tree import Tree, from_tree, to_tree
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.text import (
    format_count,
    format_milliseconds,
    format_percent,
    format_ratio,
    sanitize,
)

DONE: Final = {
    "promote": "promoted",
    "step_back": "rolled back one stage",
    "rollback_all": "rolled back all",
    "roll back one stage": "rolled back one stage",
    "roll back all": "rolled back all",
    "scale": "scaled",
    "adopt": "adopted the split",
    "revert": "reverted the split",
    "retire": "retired Legacy",
    "hold": "held",
    "release": "released",
    "mark_irreversible": "marked irreversible",
    "clear_irreversible": "cleared an irreversible mark",
}
"""What was done, by the change's kind."""


class Row(msgspec.Struct, frozen=True):
    """One line of the timeline. `who` and `data` are "" where nobody and nothing stands behind it.

    `data` are the numbers that it rested on; `link` is a web address. `kind` is for programs.
    """

    at: float
    kind: str
    event: str
    who: str = ""
    data: str = ""
    link: str = ""
    stage: int | None = None


def numbers_of(snapshot: Snapshot) -> str:
    """The numbers that something rested on: "canary 0.43 % of 921, p95 0.60 s; legacy …"."""
    sides = []
    for name in ("canary", "legacy"):
        window = getattr(snapshot, name).window
        if window.requests is not None:
            sides.append(
                f"{name} {format_ratio(window.error_ratio)} errors of"
                f" {format_count(window.requests)}, p95 {format_milliseconds(window.p95_ms)}"
            )
    return "; ".join(sides)


def changes_between(
    recording: Recording, position: Position, was: Tree, now: Tree
) -> Iterator[Row]:
    """The changes that have ended between two snapshots' trees; a note is a row of its own."""
    known = {c.id: c for c in map(recording.change, was.get("changes", []))}
    for change in map(recording.change, now.get("changes", [])):
        before = known.get(change.id)
        if change.kind == "note" and change.outcome is not None and change.outcome.state == "done":
            continue  # the note itself is told
        ended = change.outcome is not None and (before is None or before.outcome is None)
        if ended and (before is not None or _is_new(recording, change)):
            yield _row_of(recording, position, change, now)


def _is_new(recording: Recording, change: ChangeView) -> bool:
    return change.outcome is not None and change.outcome.at >= recording.begin


def _row_of(recording: Recording, position: Position, change: ChangeView, now: Tree) -> Row:
    outcome = change.outcome
    assert outcome is not None  # noqa: S101 - asked for before
    done = DONE.get(change.kind, change.kind)
    _, _, what = change.title.partition(DONE_BEGINS.get(change.kind, change.kind))
    said = f"{done} {sanitize(what, 160).strip()}".strip()
    why = _why(now, change.id)
    said += f": {why}" if why else ""
    if outcome.state != "done":
        state = outcome.state.replace("_", " ")
        said = f"{sanitize(change.title, 160)}: {state}: {sanitize(outcome.message, 200)}"
    if change.is_automatic:
        said = f"automatic rollback acted: {said}"
    try:  # what it rested on is what was shown when it was asked for
        frame = recording.read(recording.find(change.asked_at), 0.0).frame
        plan, data = frame.plan, numbers_of(frame.snapshot)
    except RecordError:
        plan, data = recording.read(position, 0.0).frame.plan, ""
    return Row(outcome.at, "change", said, sanitize(change.author, 80), data, link_of(plan))


def _moves(shown: Tree) -> Iterator[dict[str, Any]]:
    """The moves that the service tells of, the newest first, as trees of history entries."""
    record = shown["traffic"].get("record")
    if record:
        with suppress(ValueError):
            yield to_tree(history_entry_of(from_tree(record, StageRecord)))
    yield from shown["traffic"].get("history", [])


def _why(shown: Tree, change: str) -> str:
    found = (m.get("why", "") for m in _moves(shown) if m.get("change") == change)
    return sanitize(next(found, ""), 160)


def moves_of_others(recording: Recording, was: Tree, now: Tree) -> Iterator[Row]:
    """Moves that were not made from this host: the service tells of them."""
    known = {m.get("change") for m in _moves(was)}
    ours = {c.id for c in map(recording.change, now.get("changes", []))}
    for move in _moves(now):
        if move.get("change") in known | ours or not move.get("move"):
            continue
        before = move.get("from_percent")
        begin = "" if before is None else f"{format_percent(before)} → "
        why = f": {sanitize(move['why'], 160)}" if move.get("why") else ""
        done = DONE.get(move["move"], "set the split")
        by = "@".join(filter(None, (move.get("by", ""), move.get("host", ""))))
        said = f"{done} {begin}{format_percent(move['percent'])}{why}"
        yield Row(move["at"], "change", said, sanitize(by, 80))


DONE_BEGINS: Final = {
    "step_back": "roll back one stage",
    "rollback_all": "roll back all",
    "retire": "retire:",
    "mark_irreversible": "mark irreversible:",
    "clear_irreversible": "clear",
}


def link_of(plan: Plan) -> str:
    """Cloud Run's page of the service that carries the split; "" on the local cloud."""
    if plan.provider != "gcp":
        return ""
    target = plan.target
    return (
        "https://console.cloud.google.com/run/detail/"
        f"{target.region}/{plan.router_service}/revisions?project={target.project}"
    )
