"""What a colour means: the roles that widgets draw with, as Rich styles.

A widget never names a colour; it asks the palette for a role. Severity is never colour alone: the
glyph and the word stand beside it, and the verdicts' styles differ after every downgrade.
"""

from __future__ import annotations

from typing import Literal

import msgspec
from rich.style import Style

from canary.rollout.decision.gates import GateState
from canary.rollout.decision.tree import Verdict

Side = Literal["legacy", "canary"]
EventSeverity = Literal["info", "good", "warning", "critical"]


class Palette(msgspec.Struct, frozen=True):
    """The roles of one theme.

    There are two alarms: `watch` is amber; `alarm` is red, for a glyph or a word, and `roll_back`
    the same reversed, for what must be acted upon now. `ok` is for the glyph ✓, not for sentences;
    `no_data` is for whatever is unknown. `legacy`/`canary` are for names and data of the sides
    only. All else is neutral: the limits (`warning_line`, `critical_line`), progress and focus
    (`strong`), `box` (which cloud this is).
    `stale` hatches what is too old, `masked` what was measured before the last change; `strip` is
    the confirm strip, `replay` what says that the past is shown. `quiet` is for axes and
    separators, `dim` for what is read second.
    """

    name: str
    dark: bool
    text: Style
    strong: Style
    dim: Style
    quiet: Style
    ok: Style
    watch: Style
    alarm: Style
    roll_back: Style
    no_data: Style
    legacy: Style
    canary: Style
    warning_line: Style
    critical_line: Style
    marker: Style
    masked: Style
    stale: Style
    box: Style
    strip: Style
    key: Style
    key_off: Style
    replay: Style = Style(color="#eeeeee", bgcolor="#5f00af", bold=True)

    def verdict(self, verdict: Verdict) -> Style:
        """The style of a verdict, to be shown with its glyph and word."""
        return {
            "continue": self.ok,
            "watch": self.watch,
            "rollback_stage": self.alarm,
            "rollback_all": self.roll_back,
            "no_data": self.no_data,
        }[verdict]

    def gate(self, state: GateState, *, waits: bool = False) -> Style:
        """The style of a gate's state; one that only `waits` for time asks for nothing."""
        if waits and state == "not_met":
            return self.dim
        return {"met": self.ok, "not_met": self.watch, "no_data": self.no_data}[state]

    def event(self, severity: EventSeverity) -> Style:
        """The style of an event's glyph."""
        return {
            "info": self.dim,
            "good": self.ok,
            "warning": self.watch,
            "critical": self.roll_back,
        }[severity]

    def marked(self, text: str, style: Style) -> list[tuple[str, Style]]:
        """ "✓ PASSED" as runs: the words as their glyph, but green stays with the glyph alone."""
        glyph, gap, words = text.partition(" ")
        if style is not self.ok or not words:
            return [(text, style)]
        return [(glyph + gap, style), (words, self.strong)]

    def side(self, side: Side) -> Style:
        """The accent of a side."""
        return self.legacy if side == "legacy" else self.canary
