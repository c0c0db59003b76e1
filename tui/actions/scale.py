"""Scaling: what is typed ("canary 2 8", "legacy backup") → a pending change."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, get_args

from canary.rollout.change import moves
from canary.rollout.change.change import Side
from canary.rollout.errors import GateNotMet, UsageError
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.text import sanitize
from tui.actions.changes import NOT_LOOKED, why_not
from tui.actions.pending import Pending, Situation, make_request, pin

_Name = TypeVar("_Name", bound=str)

SIDES: tuple[Side, ...] = get_args(Side)


def parse_scale(text: str, plan: Plan) -> tuple[Side, ScalePreset]:
    """Read "SIDE MIN MAX" or "SIDE PRESET"; a side may be shortened to its first letter.

    Raises UsageError saying what was expected.
    """
    parts = text.lower().replace("–", " ").replace("…", " ").split()
    presets = {"backup": plan.scale.backup, "production": plan.scale.production}
    side = _named(parts[0], SIDES) if parts else None
    if side is None:
        raise UsageError(f"{sanitize(text, 40)!r} does not begin with a side.", remedy=_EXPECTED)
    if len(parts) == 2 and (preset := _named(parts[1], tuple(presets))) is not None:
        return side, presets[preset]
    if len(parts) == 3 and all(p.isascii() and p.isdigit() and len(p) < 6 for p in parts[1:]):
        return side, ScalePreset(int(parts[1]), int(parts[2]))
    raise UsageError(f"{sanitize(text, 40)!r} is not a scale.", remedy=_EXPECTED)


_EXPECTED = 'Write "canary 2 8" or "legacy backup" (presets: backup, production).'


def prepare_scale(text: str, situation: Situation, new_id: Callable[[], str]) -> Pending:
    """The pending change for what was typed. Raises CanaryError when it cannot be."""
    reason = why_not("scale", situation)
    snapshot = situation.snapshot
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or NOT_LOOKED)
    side, after = parse_scale(text, situation.plan)
    request = make_request(situation, snapshot, new_id)
    change = moves.scale(situation.plan, snapshot.standing, request, side, after)
    return pin(situation, snapshot, change)


def _named(text: str, names: tuple[_Name, ...]) -> _Name | None:
    return next((name for name in names if name.startswith(text)), None)
