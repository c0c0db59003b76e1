"""Rollback readiness in full: each check and its remedy, automatic rollback, who is here."""

from __future__ import annotations

import textwrap

from rich.style import Style

from canary.rollout.decision.readiness import Check, ReadinessState
from canary.rollout.snapshot.snapshot import Snapshot, format_history_entry, format_operator_session
from canary.rollout.text import NO_DATA, format_duration, format_timestamp, sanitize
from themes import Palette
from widgets.bars.safety_line import (
    CHECK_WORDS,
    GLYPHS,
    format_silence,
    readiness_runs,
    session_name,
)
from widgets.pages.page import Page, Row, wrapped
from widgets.plots.canvas import Run


class ReadinessPage(Page):
    """Could all traffic be taken off Canary now, and who or what could do it."""

    BORDER_TITLE = "rollback readiness"

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """The checks come first; then automatic rollback, people, and the last moves."""
        snapshot = self.snapshot
        if snapshot is None:
            return [[(NO_DATA, palette.no_data)]]
        return [
            readiness_runs(snapshot, palette, detailed=False)[:2],
            *self._checks(snapshot, width, palette),
            [],
            *self._guard(snapshot, width, palette),
            [],
            *_people(snapshot, width, palette),
        ]

    def _checks(self, snapshot: Snapshot, width: int, palette: Palette) -> list[Row]:
        if snapshot.readiness is None:
            return []
        rows: list[Row] = []
        for check in snapshot.readiness.checks:
            rows += _check(check, width, palette)
        expected_s = snapshot.readiness.expected_s
        known = "nobody has gone back or forth from here yet"
        took = known if expected_s is None else f"about {format_duration(max(1.0, expected_s))}"
        return [*rows, [(f"  {'expected':<14}", palette.dim), (took, palette.text)]]

    def _guard(self, snapshot: Snapshot, width: int, palette: Palette) -> list[Row]:
        guard, plan = snapshot.guard, self.plan
        head: Row = [("automatic rollback", palette.dim)]
        if guard is None:
            return [head, [("  ? not available: the journal is not open", palette.no_data)]]
        rows: list[Row] = [head]
        if guard.left_s is not None:
            cause = f"counting down: {sanitize(guard.cause, 200)}"
            rows += wrapped("  ✗ ", cause, width, palette.roll_back, palette.dim)
            rows.append(self._hint("cancel_guard", "stops the countdown", palette))
        elif guard.armed:
            by = f"armed by {sanitize(guard.by, 60)}, acts after"
            rows.append([("  ● ", palette.watch), (by, palette.strong)])
            rows[-1].append((f" {format_duration(guard.countdown_s)}", palette.strong))
        else:
            rows.append([("  – off in this console", palette.text)])
        for session in (s for s in snapshot.presence.others if s.armed):
            said = f"armed by {session_name(session)}, process {session.pid}"
            if session.silent_since is not None:
                said += f", {format_silence(session)}: nobody guards there"
            elif session.due_at is not None:
                said += (
                    f", counts down: {sanitize(session.cause)} (kill -INT {session.pid} ends it)"
                )
            rows += wrapped("  ● ", said, width, palette.watch, palette.dim)
        if guard.held:
            rows.append([("  ◐ paused: ", palette.watch), (sanitize(guard.held), palette.text)])
        if plan is not None:
            most = f"at most {plan.guard.max_per_day} times in 24 h, never on missing data"
            rows.append([(f"  {most}", palette.dim)])
        said = "disarms it" if guard.armed else "arms it, after a question"
        rows.append(self._hint("guard", said, palette))
        return rows

    def _hint(self, action: str, said: str, palette: Palette) -> Row:
        return [(f"  {self.key(action)}", palette.key), (f" {said}", palette.dim)]


def _check(check: Check, width: int, palette: Palette) -> list[Row]:
    glyph: Run = (f"  {GLYPHS[check.state]} ", _style(check.state, palette))
    name: Run = (f"{CHECK_WORDS[check.id]:<12}", palette.dim)
    said = textwrap.wrap(check.said, max(20, width - 16), break_on_hyphens=False) or [""]
    rows: list[Row] = [[glyph, name, (said[0], palette.text)]]
    rows += [[(" " * 16, palette.dim), (part, palette.text)] for part in said[1:]]
    if check.remedy and check.state != "ok":
        rows += wrapped(" " * 14 + "→ ", check.remedy, width, palette.strong, palette.dim)
    return rows


def _people(snapshot: Snapshot, width: int, palette: Palette) -> list[Row]:
    presence = snapshot.presence
    rows: list[Row] = [[("others on this host", palette.dim)]]
    for session in presence.others:
        rows += wrapped("  ", format_operator_session(session), width, palette.text, palette.dim)
    if not presence.others:
        rows.append([("  nobody", palette.text)])
    rows += [[], [("the last moves, newest first", palette.dim)]]
    if presence.in_flight is not None:
        said = f"in flight from elsewhere: {format_history_entry(presence.in_flight)}"
        rows += wrapped("  ▸ ", said, width, palette.strong, palette.dim)
    moves = snapshot.traffic.history or ((presence.last,) if presence.last else ())
    for deed in moves:
        day = format_timestamp(deed.at)[:10]
        rows += wrapped(
            "  ", f"{day}  {format_history_entry(deed)}", width, palette.text, palette.dim
        )
    if not moves:
        rows.append([("  none is known", palette.text)])
    return rows


def _style(state: ReadinessState, palette: Palette) -> Style:
    return {"ok": palette.ok, "degraded": palette.watch, "impossible": palette.roll_back}[state]
