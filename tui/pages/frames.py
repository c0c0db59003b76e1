"""What stands in a panel's frame: over which time its numbers are, and the keys it has when chosen.

A frame changes when the plan, the chosen window or the chosen panel does: never with the numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_duration

_KEYS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "plots": (("window", "window"),),
    "events": (("filter", "filter"),),
}
"""Panel → the actions that are of it alone, and what each is called; all can be zoomed."""


def frame_window(panel: str, plan: Plan, plotted: str) -> str:
    """The times that the numbers of a panel are over; "" where its own heading says so.

    `plotted`: how far back the plots reach, in words.
    """
    judged = f"in {format_duration(plan.metrics.window_minutes * 60)}"
    match panel:
        case "plots":
            return plotted
        case "resources":
            return f"{judged}, plots {plotted}"
        case "confidence" | "decision":
            return judged
        case "gates":
            return f"over {format_duration(plan.metrics.criteria_window_minutes * 60)}"
        case _:
            return ""


def frame_keys(panel: str, key: Callable[[str], str], *, zoomed: bool) -> str:
    """The keys of the panel: "w window  z zoom". `key` says which key an action has ("": none)."""
    found = [(key(action), said) for action, said in _KEYS.get(panel, ())]
    found.append((key("zoom"), "back" if zoomed else "zoom"))
    return "  ".join(f"{name} {said}" for name, said in found if name)


def frame_note(
    panel: str, plan: Plan, plotted: str, key: Callable[[str], str], *, current: bool, zoomed: bool
) -> str:
    """What stands in the lower edge of the frame; the keys only in that of the chosen panel."""
    keys = frame_keys(panel, key, zoomed=zoomed) if current else ""
    return "  ".join(part for part in (frame_window(panel, plan, plotted), keys) if part)
