"""Who else is here: other consoles on this rollout, and who did what last. Pure.

On this host it is known who looks, from the journal's directory. Across hosts only changes are:
what is in flight and who did what last ride on the service with each change. Looking is never
announced there, because looking never writes to the cloud.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from canary.rollout.change.history_entries import HistoryEntry, history_entry_of
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.text import format_clock, format_percent, sanitize

MOVE_WORDS = {
    "promote": "promoted",
    "step_back": "rolled back one stage",
    "rollback_all": "rolled back all",
    "adopt": "adopted",
    "revert": "reverted",
}


SessionKind = Literal["console", "guard", "rollback"]
"""A console, `canary guard`, or a rollback from a shell that waits for Cloud Run."""
SESSION_WORDS: dict[SessionKind, str] = {
    "console": "console",
    "guard": "canary guard",
    "rollback": "a rollback that waits for Cloud Run",
}


class OperatorSession(msgspec.Struct, frozen=True):
    """One program that is open on this rollout, on this host.

    `since` is this host's wall clock, unix seconds; `terminal` and `client` (where an SSH session
    comes from) are empty when not known. `armed`: automatic rollback acts from there;
    while it counts down, `due_at` is when it acts (as `since`) and `cause` why.
    """

    pid: int
    user: str
    host: str
    since: float
    kind: SessionKind = "console"
    terminal: str = ""
    client: str = ""
    read_only: bool = False
    armed: bool = False
    due_at: float | None = None
    cause: str = ""


class Presence(msgspec.Struct, frozen=True):
    """Others on this host, oldest first; and what others' changes say of themselves.

    `last` is the newest move of the split by anybody; `in_flight` is that move while the service
    has not settled on it, when it is not from this host's journal.
    """

    others: tuple[OperatorSession, ...] = ()
    last: HistoryEntry | None = None
    in_flight: HistoryEntry | None = None


def find_presence(
    others: tuple[OperatorSession, ...],
    record: StageRecord | None,
    history: tuple[HistoryEntry, ...],
    *,
    reconciling: bool,
    ours: frozenset[str],
) -> Presence:
    """Who is here. `ours` are the ids of the changes in this host's journal."""
    last = history_entry_of(record) if record is not None and record.move else None
    if last is None and history:
        last = history[0]
    foreign = last is not None and last.change not in ours
    return Presence(others, last, last if reconciling and foreign else None)


def find_countdown(others: tuple[OperatorSession, ...]) -> OperatorSession | None:
    """Whose automatic rollback acts next, of those that count down; None: none does."""
    counting = [s for s in others if s.due_at is not None]
    return min(counting, key=lambda s: s.due_at or 0.0, default=None)


def format_operator_session(session: OperatorSession) -> str:
    """Who is there, from where: "bob on pts/3 from 10.0.0.7 since 14:03:22Z (console)"."""
    where = f" on {sanitize(session.terminal, 40)}" if session.terminal else ""
    whence = f" from {sanitize(session.client, 60)}" if session.client else ""
    kind = SESSION_WORDS[session.kind]
    armed = ", automatic rollback armed" if session.armed else ""
    marks = ", read-only" if session.read_only else armed
    who = sanitize(session.user, 60) or "somebody"
    since = f"since {format_clock(session.since)}"
    return f"{who}{where}{whence} {since} ({kind}, process {session.pid}{marks})"


def format_history_entry(entry: HistoryEntry) -> str:
    """Who did what, when: "bob@bastion-3 promoted 10 % → 25 % at 14:03:22Z: why"."""
    by = f"{entry.by}@{entry.host}" if entry.host else entry.by
    move = MOVE_WORDS.get(entry.move, "set the split")
    before = "" if entry.from_percent is None else f"{format_percent(entry.from_percent)} → "
    why = f": {sanitize(entry.why, 120)}" if entry.why else ""
    split = f"{before}{format_percent(entry.percent)}"
    return f"{sanitize(by, 100) or 'somebody'} {move} {split} at {format_clock(entry.at)}{why}"
