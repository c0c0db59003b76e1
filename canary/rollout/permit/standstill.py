"""What stops a promotion whatever the numbers say: a person's hold, a freeze of the plan. Pure.

Neither ever stops a rollback, nor anything else than a promotion.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.change.hold import Hold, find_hold, format_hold
from canary.rollout.errors import GateNotMet
from canary.rollout.plan.freeze import Freeze, Frozen, find_freeze
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_until, sanitize

RELEASE: Final = "Ask them, or end it in your own name: `canary release --reason TEXT`."
THAW: Final = "Wait until it is over, or use --force with --reason TEXT."


def format_freeze(freeze: Frozen, now: float) -> str:
    """ "frozen by the plan until Mon 30 Nov 08:00Z because weekend"."""
    until = "" if freeze.until is None else f" until {format_until(freeze.until, now)}"
    why = f" because {sanitize(freeze.why, 100)}" if freeze.why else ""
    return f"frozen by the plan{until}{why}"


def why_held(snapshot: Snapshot) -> str:
    """Why nobody promotes now, one sentence; "" where nothing holds. A hold is told before a
    freeze.
    """
    if snapshot.hold is not None:
        said = format_hold(snapshot.hold, snapshot.as_of)
        return f"{said[0].upper()}{said[1:]}."
    if snapshot.freeze is not None:
        said = format_freeze(snapshot.freeze, snapshot.as_of)
        return f"{said[0].upper()}{said[1:]}."
    return ""


def check_held(snapshot: Snapshot) -> None:
    """Raise GateNotMet while a person holds the rollout, forced or not."""
    if snapshot.hold is not None:
        raise GateNotMet(why_held(snapshot), remedy=RELEASE)


def check_thawed(snapshot: Snapshot) -> None:
    """Raise GateNotMet in a freeze of the plan."""
    if snapshot.freeze is not None:
        raise GateNotMet(why_held(snapshot), remedy=THAW)


def demand_going_on(
    hold: Hold | None, freezes: tuple[Freeze, ...], now: float, instead: str
) -> None:
    """Raise GateNotMet where a hold or a freeze keeps a step of a promotion back at `now`, the
    moment in which it is sent. `hold` is what is written of one; `instead` is what is so then.
    """
    held = find_hold(hold, now)
    if held is not None:
        raise GateNotMet(f"{instead}: {format_hold(held, now)}.", remedy=RELEASE)
    frozen = find_freeze(freezes, now)
    if frozen is not None:
        raise GateNotMet(f"{instead}: {format_freeze(frozen, now)}.", remedy=THAW)
