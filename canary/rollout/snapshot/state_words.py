"""The words of the one state that a rollout is in, and how each is drawn and said. Pure.

The same on the screen, in the shell, in events, in messages and in the terminal's title
(`status --json` keeps its verdict codes and has `state` beside them).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from canary.rollout.decision.tree import DataState
from canary.rollout.text import format_duration

StateId = Literal[
    "roll_back_all",
    "roll_back_stage",
    "rollback_not_possible",
    "unknown_outcome",
    "failed",
    "cannot_see",
    "in_progress",
    "drift",
    "silent",
    "stale",
    "proven_worse",
    "watch",
    "settling",
    "thin",
    "held",
    "off",
    "healthy",
    "ready",
]
"""In the order of severity, the worst first."""

Tone = Literal["act", "watch", "unknown", "neutral", "good"]
"""How it is drawn: red reversed, amber, cyan italic, plain, with a green glyph."""

WORDS: Final[dict[StateId, str]] = {
    "roll_back_all": "ROLL BACK ALL",
    "roll_back_stage": "ROLL BACK ONE STAGE",
    "rollback_not_possible": "ROLLBACK NOT POSSIBLE",
    "unknown_outcome": "UNKNOWN OUTCOME",
    "failed": "FAILED",
    "cannot_see": "CANNOT SEE CLOUD RUN",
    "in_progress": "IN PROGRESS",
    "drift": "DRIFT",
    "silent": "SILENT",
    "stale": "STALE",
    "proven_worse": "PROVEN WORSE",
    "watch": "WATCH",
    "settling": "SETTLING",
    "thin": "TOO FEW REQUESTS",
    "held": "HELD",
    "off": "OFF",
    "healthy": "HEALTHY",
    "ready": "READY",
}
TONES: Final[dict[StateId, Tone]] = {
    "roll_back_all": "act",
    "roll_back_stage": "act",
    "rollback_not_possible": "act",
    "unknown_outcome": "act",
    "failed": "act",
    "cannot_see": "unknown",
    "in_progress": "neutral",
    "drift": "watch",
    "silent": "unknown",
    "stale": "unknown",
    "proven_worse": "act",
    "watch": "watch",
    "settling": "unknown",
    "thin": "unknown",
    "held": "neutral",
    "off": "neutral",
    "healthy": "good",
    "ready": "good",
}
GLYPHS: Final[dict[Tone, str]] = {
    "act": "✗",
    "watch": "◐",
    "unknown": "?",
    "neutral": "–",
    "good": "✓",
}

_OWN_GLYPHS: Final[dict[StateId, str]] = {
    "settling": "◌",
    "in_progress": "◌",
    "held": "◌",
    "roll_back_stage": "▼",
}

DATA_STATES: Final[dict[DataState, StateId]] = {
    "thin": "thin",
    "stale": "stale",
    "missing": "silent",
    "masked": "settling",
}
"""Why nothing can be judged → the state that says so."""

ActorKind = Literal["you", "auto", "running", "other", "nobody"]


class Actor(msgspec.Struct, frozen=True):
    """Who acts next. `action`: what a person would do, by the name of its key ("" for nothing).

    `who` names the other person or program; `left_s` is counted by automatic rollback.
    """

    kind: ActorKind
    action: str = ""
    who: str = ""
    left_s: float | None = None


class RolloutState(msgspec.Struct, frozen=True):
    """The state: `cause` and `next` are short sentences without a full stop; "" for none."""

    id: StateId
    cause: str
    next: str
    actor: Actor

    @property
    def word(self) -> str:
        """The word of the state, the same everywhere."""
        return WORDS[self.id]

    @property
    def tone(self) -> Tone:
        """How it is drawn."""
        return TONES[self.id]

    @property
    def glyph(self) -> str:
        """One cell beside the word; what settles or waits, and one stage back, have their own."""
        return glyph_of(self.id)


def glyph_of(state: StateId) -> str:
    """The glyph of a state."""
    return _OWN_GLYPHS.get(state, GLYPHS[TONES[state]])


COMMANDS: Final[Mapping[str, str]] = {
    "rollback_all": "canary rollback --all",
    "step_back": "canary rollback",
    "promote": "canary promote",
    "adopt": "canary adopt",
    "revert": "canary revert",
    "look_up": "canary recover",
    "readiness": "canary doctor",
    "load_test": "canary load-test",
    "ab_test": "canary ab-test",
    "verify": "canary verify",
}
"""What a person types in the shell for an action that a state asks for."""

NEXT: Final = "NEXT"
"""Stands before what comes next."""


def format_actor(
    actor: Actor, hints: Mapping[str, str], left_s: float | None = None, *, barred: str = ""
) -> str:
    """Who acts: "YOU: R y", "AUTO in 43 s", "RUNNING: eve@bastion-2", "OTHER: …", "nothing to do".

    `hints` say what to press or to type for an action; `left_s` is the live countdown, `barred` why
    nothing may be changed from here ("" where it may).
    """
    match actor.kind:
        case "you" if barred and actor.action in CHANGING:
            return f"OTHER: not from here, {barred}"
        case "you":
            hint = hints.get(actor.action, "")
            return f"YOU: {hint}" if hint else "YOU"
        case "auto":
            left = actor.left_s if left_s is None else left_s
            when = "" if left is None else f" in {format_duration(max(0.0, left))}"
            stop = hints.get("cancel_guard", "")
            how = f": {actor.who}" if actor.who else f", {stop} stops it" if stop else ""
            return f"AUTO{when}{how}"
        case "running":
            return f"RUNNING: {actor.who}" if actor.who else "RUNNING"
        case "other":
            return f"OTHER: {actor.who}"
        case _:
            return "nothing to do"


CHANGING: Final = frozenset({"rollback_all", "step_back", "promote", "adopt", "revert"})
"""The actions of a state that change the cloud."""


def format_head(state: RolloutState) -> str:
    """Glyph and word: "✗ ROLL BACK ALL"; how a line begins, in the shell and in the title."""
    return f"{state.glyph} {state.word}"


def format_state(state: RolloutState, *, with_actor: bool = True) -> str:
    """The whole row for a shell: "✗ ROLL BACK ALL  cause  NEXT roll back all  YOU: canary …"."""
    parts = [format_head(state), state.cause]
    if state.next:
        parts.append(f"{NEXT} {state.next}")
    if with_actor:
        parts.append(format_actor(state.actor, COMMANDS))
    return "  ".join(part for part in parts if part)
