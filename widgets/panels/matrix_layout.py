"""Where the matrix's columns stand, and what all of its rows are drawn from."""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.decision.gates import Gate
from canary.rollout.decision.tree import DataState
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from themes import Palette
from widgets.panels.matrix_cells import state_of

LABEL: Final = 10
VALUE: Final = 8
_PERCENT: Final = 9
_GATE: Final = 9
WIDE_GATE: Final = 18
_LEAST_BAR, _MOST_BAR = 5, 15
_LEAST_SPARK, _MOST_SPARK = 5, 60
_WIDE: Final = 97


class Columns(msgspec.Struct, frozen=True):
    """Where each column begins, and its width; a width of 0: there is no room for it.

    `is_cut`: one that says what no other does has no room.
    """

    legacy: tuple[int, int]
    ratio: tuple[int, int]
    bar: tuple[int, int]
    percent: tuple[int, int]
    gate: tuple[int, int]
    spark: tuple[int, int]
    is_cut: bool


def lay_out(width: int) -> Columns:
    """The columns of a matrix `width` cells wide. Canary's values are always there."""
    wanted = {
        "legacy": 1 + VALUE,
        "percent": 1 + _PERCENT,
        "gate": 1 + (WIDE_GATE if width >= _WIDE else _GATE),
        "ratio": VALUE,
        "bar": 1 + _LEAST_BAR,
        "spark": 2 + _LEAST_SPARK,
    }
    widths = dict.fromkeys(wanted, 0)
    used = LABEL + VALUE
    for name, need in wanted.items():
        if used + need > width:
            break
        widths[name] = need
        used += need
    spare = max(0, width - used)
    if widths["spark"]:
        more = min(_MOST_BAR - _LEAST_BAR, spare // 2)
        widths["bar"] += more
        widths["spark"] += min(_MOST_SPARK - _LEAST_SPARK, spare - more)
    found: dict[str, tuple[int, int]] = {}
    x = LABEL + VALUE
    for name in ("legacy", "ratio", "bar", "percent", "gate", "spark"):
        gap = 2 if name == "spark" else 0 if name == "ratio" else 1
        found[name] = (x + gap, max(0, widths[name] - gap))
        x += widths[name]
    return Columns(**found, is_cut=not widths["ratio"])


class Scene(msgspec.Struct, frozen=True):
    """What all rows are drawn from."""

    snapshot: Snapshot
    plan: Plan | None
    now: float
    columns: Columns
    palette: Palette

    @property
    def canary(self) -> DataState:
        """What Canary's data is now."""
        return state_of(self.snapshot.canary, self.now, self.plan)

    @property
    def legacy(self) -> DataState:
        """What Legacy's data is now."""
        return state_of(self.snapshot.legacy, self.now, self.plan)

    @property
    def is_off(self) -> bool:
        """Whether Canary is meant to have no traffic: nothing of it is missing then."""
        return self.snapshot.traffic.is_all_on_legacy

    def gate(self, gate_id: str) -> Gate | None:
        """The gate of a metric; None: it is not asked for."""
        return next((g for g in self.snapshot.gates if g.id == gate_id), None)
