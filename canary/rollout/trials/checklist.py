"""Checklists: what goes with the move into a stage, before, during and after. Pure.

A stage's list begins anew with each visit to it: who rolls back from stage 3 and returns has it to
do again, and the old list stays as it was. What the program can know ticks itself, with evidence
and time; the rest, and what the program could not find out, is ticked by a person, with name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal

import msgspec

from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import Plan

Phase = Literal["before", "during", "after"]
PHASES: Final[tuple[Phase, ...]] = ("before", "during", "after")
PROGRAM: Final = ""
"""Who ticked what the program knows by itself."""
UNSEEN: Final = "nobody looked while the stage lasted"
"""Said of an item of a closed list of which nothing is known."""


class Item(msgspec.Struct, frozen=True):
    """One thing to see to. `is_known`: the program can find out by itself."""

    id: str
    phase: Phase
    label: str
    is_known: bool


class Tick(msgspec.Struct, frozen=True):
    """An item was ticked (`done`) or unticked at `at`, the cloud's time.

    `by` is "user@host", or PROGRAM; `evidence` what was found, or a person's note.
    """

    stage: int
    item: str
    done: bool
    by: str
    at: float
    evidence: str = ""


class Visit(msgspec.Struct, frozen=True):
    """The rollout was at a stage, from `entered_at` to `left_at` (None: it still is).

    `change` is the id of the change that led there ("" when nobody knows), `move` its kind.
    """

    stage: int
    change: str
    entered_at: float
    by: str = ""
    move: str = ""
    left_at: float | None = None


class Line(msgspec.Struct, frozen=True):
    """An item as it stands. `at`, `by` and `evidence` are of the tick; `hint` of what is known now.

    Open: `at` is None, `by` and `evidence` are empty.
    """

    item: Item
    done: bool
    by: str = ""
    at: float | None = None
    evidence: str = ""
    hint: str = ""


class Checklist(msgspec.Struct, frozen=True):
    """The list of one visit to a stage; `visit` None: the stage is not entered yet."""

    stage: int
    lines: tuple[Line, ...]
    visit: Visit | None = None

    @property
    def is_closed(self) -> bool:
        """Whether the rollout has left the stage: the list stays as it is."""
        return self.visit is not None and self.visit.left_at is not None

    @property
    def done(self) -> int:
        """How many items are done."""
        return sum(line.done for line in self.lines)

    def is_unseen(self, line: Line) -> bool:
        """Whether nobody will ever say if this item was done: the stage was left before somebody
        looked. It is not open: nothing can be done about it, and it may well have been done.
        """
        return self.is_closed and not line.done and not line.hint

    def line(self, item: str) -> Line | None:
        """The line of an item; None when the list has no such item."""
        return next((line for line in self.lines if line.item.id == item), None)


class ChecklistBook(msgspec.Struct, frozen=True):
    """All lists there are, in the order of their visits; the next stage's last.

    `stage` is where the rollout stands; None: not known, 0: all on Legacy. `trouble` says
    what could not be looked at, "" for nothing.
    """

    stage: int | None
    lists: tuple[Checklist, ...]
    trouble: str = ""

    def of(self, stage: int) -> tuple[Checklist, ...]:
        """The lists of a stage, oldest first; empty when it was never visited and is not next."""
        return tuple(one for one in self.lists if one.stage == stage)

    @property
    def current(self) -> Checklist | None:
        """The list of the stage that the rollout is at."""
        return next((one for one in self.lists if one.visit and not one.is_closed), None)

    @property
    def following(self) -> Checklist | None:
        """The list of the next stage, of which what comes before it can be done already."""
        return next((one for one in self.lists if one.visit is None), None)


def items_of(plan: Plan, stage: int, move: str = "promote") -> tuple[Item, ...]:
    """The items for the move into `stage` (1…n). Going back asks for no criteria and no trials."""
    before: list[tuple[str, str, bool]] = []
    if move == "promote" and stage >= 2:
        left = plan.stage(stage - 1)
        before.append(("criteria", f"criteria of stage {stage - 1} validated", True))
        if left.load_test:
            before.append(("load_test", "load test passed", True))
        if left.min_ab_improvement is not None:
            before.append(("ab_test", "A/B test: Canary is better by enough", True))
    before.append(("recorded", "configuration recorded", True))
    before.append(("committed", "record committed", True))
    before.append(("pushed", "record pushed", True))
    before.append(("dry_run", "dry run looked at", True))
    if move == "promote":
        before.append(("differences", "differences looked at", True))
    during = [
        ("applied", "applied: the split is set", True),
        ("health", "health check passed", True),
        ("split", "split confirmed", True),
    ]
    after = [
        ("monitoring", "monitoring started", True),
        ("first_hour", "first hour watched closely", False),
        ("alerts", "alerts checked", False),
    ]
    if _is_production(plan, stage):
        before.append(("approval", "final approval given", True))
        during += [
            ("canary_scale", "Canary has the instances of production", True),
            ("legacy_backup", "Legacy is in backup mode", True),
            ("mode_ended", "end of the canary mode recorded", True),
        ]
    phases = zip(PHASES, (before, during, after), strict=True)
    return tuple(Item(i, phase, label, known) for phase, rows in phases for i, label, known in rows)


def trace_visits(seen: Iterable[Visit]) -> tuple[Visit, ...]:
    """Visits in their order, each ended by the next; what is known twice counts once.

    Two in a row to the same stage are one: a split that was reverted or adopted there. Visits to
    stage 0 (all traffic is on Legacy) end the one before and are left out.
    """
    ordered = sorted({v.change or str(v.entered_at): v for v in seen}.values(), key=_entered)
    merged: list[Visit] = []
    for visit in ordered:
        if merged and merged[-1].stage == visit.stage:
            continue
        if merged:
            merged[-1] = msgspec.structs.replace(merged[-1], left_at=visit.entered_at)
        merged.append(msgspec.structs.replace(visit, left_at=None))
    return tuple(visit for visit in merged if visit.stage >= 1)


def span_of(stage: int, visit: Visit | None, visits: Sequence[Visit]) -> tuple[float, float]:
    """The time in which ticks of a stage belong to `visit` (None: to the one that is to come):
    from the end of the visit before, since the list begins before the stage is entered.
    """
    same = [v for v in visits if v.stage == stage and v != visit]
    if visit is not None:
        same = [v for v in same if v.entered_at < visit.entered_at]
    begins = max((v.left_at for v in same if v.left_at is not None), default=float("-inf"))
    ends = visit.left_at if visit is not None and visit.left_at is not None else float("inf")
    return begins, ends


def compose(
    plan: Plan,
    stage: int,
    visit: Visit | None,
    ticks: Iterable[Tick],
    hints: Mapping[str, str] | None = None,
) -> Checklist:
    """The list of one visit from its own ticks (in any order); `hints` by item.

    What the program found stays ticked; a person's last word counts for the rest.
    """
    move = visit.move or "promote" if visit is not None else "promote"
    own = sorted((t for t in ticks if t.stage == stage), key=lambda tick: tick.at)
    hints = hints or {}
    lines = []
    for item in items_of(plan, stage, move):
        said = [t for t in own if t.item == item.id]
        tick = next((t for t in said if t.by == PROGRAM and t.done), None)
        tick = tick or (said[-1] if said and said[-1].done else None)
        hint = hints.get(item.id, "")
        if tick is None:
            lines.append(Line(item, False, hint=hint))
        else:
            lines.append(Line(item, True, tick.by, tick.at, tick.evidence, hint))
    return Checklist(stage, tuple(lines), visit)


def check_tick(checklist: Checklist, item: str, *, done: bool) -> None:
    """Raise UsageError unless a person may tick or untick this item of this list now."""
    line = checklist.line(item)
    if line is None:
        known = ", ".join(each.item.id for each in checklist.lines)
        raise UsageError(
            f'The checklist of stage {checklist.stage} has no item "{item}".',
            remedy=f"It has: {known}.",
        )
    if checklist.is_closed:
        raise UsageError(f"The checklist of stage {checklist.stage} is closed: it stays as it is.")
    if not done and line.done and line.by == PROGRAM:
        raise UsageError(f'"{item}" is known by the program: {line.evidence}.')
    if done and checklist.visit is None and line.item.phase != "before":
        raise UsageError(
            f"Stage {checklist.stage} is not entered yet.", remedy="Tick it when it is done."
        )


def _is_production(plan: Plan, stage: int) -> bool:
    return stage == len(plan.stages) and plan.percent_of(stage) == 100


def _entered(visit: Visit) -> float:
    return visit.entered_at
