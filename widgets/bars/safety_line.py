"""One line that is always there: rollback readiness, automatic rollback, and who else is here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from canary.rollout.change.irreversible import format_irreversible
from canary.rollout.change.text import ACT_WORDS
from canary.rollout.decision.readiness import CheckId, Readiness, ReadinessState
from canary.rollout.snapshot.snapshot import (
    OperatorSession,
    Snapshot,
    find_countdown,
    format_history_entry,
)
from canary.rollout.text import (
    format_clock,
    format_duration,
    format_timestamp,
    is_of_another_day,
    sanitize,
)
from themes import Palette
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.cells import CellWidget, bound

GLYPHS: Final[dict[ReadinessState, str]] = {"ok": "✓", "degraded": "◐", "impossible": "✗"}
CHECK_WORDS: Final[dict[CheckId, str]] = {
    "cloud": "Cloud Run",
    "journal": "journal",
    "target": "target",
    "rights": "right",
    "instances": "instances",
    "fresh": "etag fresh",
}
_GAP: Final = "   "
_LEAST_PRESENCE: Final = 30
_ROOM_FOR_CHECKS: Final = 150
"""From this width on every check is named; on the page of rollback readiness they always are."""


class SafetyLine(CellWidget):
    """`✓ rollback ready, 12 s   auto rollback off, press A to arm   2 others here`.

    A countdown of automatic rollback takes the whole line. `left_s` are the seconds that are left
    of it, real ones; `keys` are the keys of the actions.
    """

    DEFAULT_CSS = """
    SafetyLine { height: 1; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    left_s: bound[float | None] = bound(None)
    keys: bound[dict[str, str]] = bound({})
    read_only: bound[bool] = bound(False)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Blank until there is a snapshot."""
        snapshot = self.snapshot
        if snapshot is None:
            return
        guard = snapshot.guard
        if guard is not None and guard.left_s is not None:
            does = f" {ACT_WORDS.get(guard.kind, '')}: {sanitize(guard.cause, 160)}"
            hint = f"  {self.keys.get('cancel_guard', '')} stops it"
            self._draw_countdown(canvas, does, hint, palette)
            return
        elsewhere = find_countdown(snapshot.presence.others)
        if elsewhere is not None:
            does = f" by {session_name(elsewhere)}: {sanitize(elsewhere.cause, 160)}"
            self._draw_countdown(canvas, does, f"  process {elsewhere.pid}", palette)
            return
        guarding = self._guard(snapshot, palette)
        presence = presence_runs(snapshot, palette)
        way = readiness_runs(snapshot, palette, detailed=canvas.width >= _ROOM_FOR_CHECKS)
        ready = snapshot.readiness is not None and snapshot.readiness.state == "ok"
        # Who is here comes before the names of checks that are well, the last move behind them.
        here = width_of(presence) if snapshot.presence.others else 0
        if ready and width_of(way) + width_of(guarding) + here > canvas.width:
            way = way[:2]
        checked = snapshot.readiness
        room = canvas.width - here
        if checked is not None and checked.is_only_unknown:
            if width_of(way) + width_of(guarding) > room:
                way = [(_checking(checked.reasons[:1]), palette.dim)]  # no second one cut
            if width_of(way) + width_of(guarding) > room:
                guarding = self._guard(snapshot, palette, hints=False)
        if here and width_of(way) + width_of(guarding) + here > canvas.width:
            guarding = self._guard(snapshot, palette, hints=False)
        mark = _irreversible(snapshot, palette)
        way = [*mark, *way]
        left = canvas.width - width_of(way) - width_of(guarding)
        if left < min(width_of(presence), _LEAST_PRESENCE):
            presence, left = [], 0
        # Of two long ones each has half; the page has all of both.
        half = min(width_of(way), canvas.width * (3 if mark else 2) // 4)
        shown = min(left, width_of(presence))
        x = canvas.runs(0, 0, way, max(half, canvas.width - width_of(guarding) - shown))
        canvas.runs(x, 0, [*guarding, *presence])

    def _draw_countdown(self, canvas: Canvas, does: str, hint: str, palette: Palette) -> None:
        left = "" if self.left_s is None else f" in {self.left_s:.0f} s"
        room = canvas.width - len(hint)
        badge: Run = (f" ✗ AUTO ROLLBACK{left} ", palette.roll_back)
        canvas.runs(0, 0, [badge, (does, palette.strong)], room)
        canvas.text(room, 0, hint, palette.key)

    def _guard(self, snapshot: Snapshot, palette: Palette, *, hints: bool = True) -> list[Run]:
        """What automatic rollback does here, or that it acts from elsewhere on this host; with
        `hints` the key that arms it.
        """
        guard = snapshot.guard
        if guard is not None and guard.armed:
            held = f", paused: {sanitize(guard.held, 60)}" if guard.held else ""
            armed = f"● AUTO ROLLBACK ARMED, {format_duration(guard.countdown_s)}"
            return [(_GAP, palette.text), (armed, palette.watch), (held, palette.watch)]
        others = [s for s in snapshot.presence.others if s.armed]
        if others:
            first = next((s for s in others if s.guards), others[0])
            said = f"● auto rollback armed by {session_name(first)}, process {first.pid}"
            if first.silent_since is not None:
                said = f"✗ NOBODY GUARDS: {said[2:]}, {format_silence(first)}"
            return [(_GAP, palette.text), (said, palette.watch)]
        key = self.keys.get("guard", "")
        can = guard is not None and not self.read_only and not snapshot.missing_rights
        arms = f", press {key} to arm" if key and can and hints else ""
        return [(_GAP, palette.text), (f"auto rollback off{arms}", palette.dim)]


def _irreversible(snapshot: Snapshot, palette: Palette) -> list[Run]:
    """The step that no rollback undoes: it is there all the time, before all else."""
    mark = snapshot.irreversible
    return [] if mark is None else [(f"! {format_irreversible(mark)}{_GAP}", palette.watch)]


def readiness_runs(snapshot: Snapshot, palette: Palette, *, detailed: bool) -> list[Run]:
    """Whether all traffic could be taken off Canary now; what is wrong comes in words."""
    readiness = snapshot.readiness
    if readiness is None:
        retired = is_retired(snapshot)
        said = (
            "– rollback not possible: Legacy is retired"
            if retired
            else "… checking rollback readiness"
        )
        return [(said, palette.dim)]
    if readiness.state == "ok":
        took = "" if readiness.expected_s is None else f", about {_seconds(readiness)}"
        checks = [f"  ✓ {CHECK_WORDS[c.id]}" for c in readiness.checks] if detailed else []
        return [("✓ ", palette.ok), (f"rollback ready{took}", palette.text)] + [
            (check, palette.dim) for check in checks
        ]
    why = sanitize(" ".join(readiness.reasons), 300)
    if readiness.state == "impossible":
        return [(" ✗ ROLLBACK NOT POSSIBLE ", palette.roll_back), (f" {why}", palette.strong)]
    if readiness.is_only_unknown:
        return [(_checking(readiness.reasons), palette.dim)]
    return [("◐ rollback, but: ", palette.watch), (why, palette.text)]


def _checking(reasons: Sequence[str]) -> str:
    """What is being looked at."""
    why = sanitize(" ".join(reasons), 300)
    return f"… {why[:1].lower()}{why[1:]}"


def presence_runs(snapshot: Snapshot, palette: Palette) -> list[Run]:
    """Who else is here, else what was done last; empty when nobody is and nothing was."""
    others = snapshot.presence.others
    if others:
        names = sorted({sanitize(s.user, 20) or "somebody" for s in others})
        who = names[0] if len(names) == 1 else f"{len(names)} people"
        count = f" ×{len(others)}" if len(names) == 1 < len(others) else ""
        return [(f"{_GAP}also here: {who}{count}", palette.strong)]
    last = snapshot.presence.last
    if last is None:
        return []
    day = format_timestamp(last.at)[5:11] if is_of_another_day(last.at, snapshot.as_of) else ""
    return [(f"{_GAP}last: {day}{sanitize(format_history_entry(last), 90)}", palette.dim)]


def format_silence(session: OperatorSession) -> str:
    """ "not answering since 14:03:22Z"; "" for one that answers."""
    since = session.silent_since
    return "" if since is None else f"not answering since {format_clock(since)}"


def session_name(session: OperatorSession) -> str:
    """Who would act, in a word or two: "canary guard", "bob's console"."""
    if session.kind == "guard":
        return "canary guard"
    return f"{sanitize(session.user, 20) or 'somebody'}'s console"


def is_retired(snapshot: Snapshot) -> bool:
    """Whether Canary is production and Legacy is gone, so that there is nothing to go back to."""
    record = snapshot.traffic.record
    return record is not None and not record.enabled and not snapshot.legacy.revision


def _seconds(readiness: Readiness) -> str:
    return format_duration(max(1.0, round(readiness.expected_s or 0.0)))
