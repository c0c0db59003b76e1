"""What a verdict, a gate, a node and the state of the data are called, and their glyphs."""

from __future__ import annotations

from typing import Final

from canary.rollout.decision.gates import GateState
from canary.rollout.decision.tree import DataState, NodeOutcome, Verdict
from canary.rollout.text import NO_DATA

VERDICT_WORDS: Final[dict[Verdict, str]] = {
    "continue": "GO ON",
    "watch": "WATCH",
    "rollback_stage": "ROLL BACK ONE STAGE",
    "rollback_all": "ROLL BACK",
    "no_data": "NO DATA",
}
VERDICT_GLYPHS: Final[dict[Verdict, str]] = {
    "continue": "✓",
    "watch": "◐",
    "rollback_stage": "▼",
    "rollback_all": "✗",
    "no_data": "?",
}
GATE_GLYPHS: Final[dict[GateState, str]] = {"met": "✓", "not_met": "✗", "no_data": "?"}
GATE_WORDS: Final[dict[GateState, str]] = {"met": "met", "not_met": "not met", "no_data": NO_DATA}
NODE_WORDS: Final[dict[NodeOutcome, str]] = {
    "yes": "yes",
    "no": "no",
    "no_data": NO_DATA,
    "not_reached": "not reached",
}
DATA_WORDS: Final[dict[DataState, str]] = {
    "ok": "fresh",
    "thin": "too few requests",
    "stale": "stale",
    "missing": NO_DATA,
    "masked": "from before the change",
}


def format_verdict(value: Verdict) -> str:
    """Glyph and words of a verdict: "✓ GO ON"."""
    return f"{VERDICT_GLYPHS[value]} {VERDICT_WORDS[value]}"
