"""What is loud: the rows of an alarm above the keys, and when the bell rings. Pure."""

from __future__ import annotations

import math
import textwrap
from typing import Final

from canary.rollout.decision.tree import SEVERITY
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    OperatorSession,
    Snapshot,
    find_countdown,
    find_waiting,
)
from canary.rollout.text import format_age, sanitize
from themes import Palette
from widgets.plots.canvas import Run

_UNKNOWN_WAYS: Final = (
    ("look_up", "look it up"),
    ("resume", "resume"),
    ("abandon", "abandon"),
    ("recovery", "show"),
)


def rings(before: Snapshot, after: Snapshot) -> bool:
    """Whether something got worse that a person should look up for: once for each turn.

    The verdict; rollback has become impossible; automatic rollback begins to count, or acts;
    the end of a change has become unknown.
    """
    return (
        SEVERITY[after.decision.verdict] > SEVERITY[before.decision.verdict]
        or (_is_impossible(after) and not _is_impossible(before))
        or (is_counting(after) and not is_counting(before))
        or bool(_automatic(after) - _automatic(before))
        or bool(_unknown(after) - _unknown(before))
    )


def left_of_countdown(snapshot: Snapshot, silent_s: float, wall: float) -> float | None:
    """Whole real seconds until automatic rollback acts; None: nothing is counted.

    `silent_s` is how old the snapshot is, `wall` this host's clock: one that counts in another
    program of this host says by that when it acts.
    """
    guard = snapshot.guard
    if guard is not None and guard.left_s is not None:
        return float(math.ceil(max(0.0, guard.left_s - silent_s)))
    elsewhere = find_countdown(snapshot.presence.others)
    if elsewhere is None or elsewhere.due_at is None:
        return None
    return float(math.ceil(max(0.0, elsewhere.due_at - wall)))


def alarm_rows(snapshot: Snapshot, keys: dict[str, str], palette: Palette) -> list[list[Run]]:
    """Roll back all is not possible: that, and what to do, in two rows; none otherwise."""
    readiness = snapshot.readiness
    if readiness is None or readiness.state != "impossible":
        return []
    worst = readiness.wrong[0]
    key = keys.get("way_back", "")
    more = f"  ({key} shows all {len(readiness.wrong)})" if len(readiness.wrong) > 1 and key else ""
    head: list[Run] = [
        (" ✗ ROLL BACK ALL IS NOT POSSIBLE NOW ", palette.roll_back),
        (f" {sanitize(worst.said, 300)}", palette.strong),
    ]
    return [head, [("  → ", palette.key), (f"{sanitize(worst.remedy)}{more}", palette.strong)]]


def waiting_rows(snapshot: Snapshot, now: float, palette: Palette) -> list[list[Run]]:
    """A rollback that waits for Cloud Run: how long it has, and what comes of it.

    One that was asked for in a shell of this host when Cloud Run was away already is in no journal.
    """
    change = find_waiting(snapshot.changes)
    if change is None or change.waiting_since is None:
        return [_waiting_seat(s, palette) for s in snapshot.presence.others if s.kind == "rollback"]
    waited = format_age(now - change.waiting_since)
    return [
        [
            ("◐ ", palette.watch),
            (f"nothing has gone out yet ({waited}):", palette.strong),
            (" it goes out the moment Cloud Run answers", palette.text),
        ]
    ]


def _waiting_seat(seat: OperatorSession, palette: Palette) -> list[Run]:
    who = sanitize(seat.user, 20) or "somebody"
    said = f"{who} waits in a shell to roll back (process {seat.pid}):"
    return [
        ("◐ ", palette.watch),
        (said, palette.strong),
        (" goes out when Cloud Run answers", palette.text),
    ]


def ways_of_unknown(keys: dict[str, str], palette: Palette) -> list[Run]:
    """The keys that lead on from a change whose end is not known."""
    row: list[Run] = [("  ", palette.text)]
    for action, said in _UNKNOWN_WAYS:
        row += [(keys.get(action, ""), palette.key), (f" {said}   ", palette.dim)]
    return row


def result_rows(
    change: ChangeView | None, room: tuple[int, int], keys: dict[str, str], palette: Palette
) -> list[list[Run]]:
    """A result that is not what was wished, in `room` (columns, rows); none for one that is.

    Where the rows do not suffice what to do stays whole, and "…" says that there is more of what
    happened.
    """
    outcome = change.outcome if change is not None else None
    if outcome is None or outcome.state == "done":
        return []
    width, height = room
    ways = [ways_of_unknown(keys, palette)] if outcome.state == "unknown" else []
    remedy = textwrap.wrap(sanitize(outcome.remedy, 300), width)
    left = max(1, height - len(remedy) - len(ways))
    said = sanitize(outcome.message, 1000)
    told = textwrap.wrap(said, width, max_lines=left, placeholder=" …")
    return [[("  ", palette.text), (part, palette.strong)] for part in (*told, *remedy)] + ways


def _is_impossible(snapshot: Snapshot) -> bool:
    return snapshot.readiness is not None and snapshot.readiness.state == "impossible"


def is_counting(snapshot: Snapshot) -> bool:
    """Whether a countdown of automatic rollback runs, here or elsewhere on this host."""
    here = snapshot.guard is not None and snapshot.guard.left_s is not None
    return here or find_countdown(snapshot.presence.others) is not None


def _automatic(snapshot: Snapshot) -> set[str]:
    return {c.id for c in snapshot.changes if c.is_automatic}


def _unknown(snapshot: Snapshot) -> set[str]:
    changes = snapshot.changes
    return {c.id for c in changes if c.outcome is not None and c.outcome.state == "unknown"}
