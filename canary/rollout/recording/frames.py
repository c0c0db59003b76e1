"""A frame: what was shown at one moment, and as a tree without what can be made again. Pure.

Left out of the tree: the samples (kept apart, once each), the windows that are made of them, the
ages. Events, changes and plans are kept once and named by number.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any, Final, Literal, NamedTuple

import msgspec

from canary.rollout.measure.samples import Sample, Window, reduce_window
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.samples import Samples, newest_data_end
from canary.rollout.recording.tree import Tree, fields_of, from_tree, to_tree
from canary.rollout.snapshot.snapshot import ChangeView, Event, Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView

Kind = Literal["event", "change", "plan", "bounds"]
"""What is kept once and named by a number."""

KINDS: Final[tuple[Kind, ...]] = ("event", "change", "plan", "bounds")
SIDES: Final = ("legacy", "canary")
WINDOWS: Final = ("window", "criteria_window")
LEFT_OUT: Final = ("as_of", "failures")
"""When it was is said beside the tree; what failed is shown, and not kept."""

MOST_TIME: Final = 1e11
"""Unix seconds; a calendar ends somewhere."""
MADE_AGAIN: Final = True
"""In the place of a value that is made of others when it is read."""


class Frame(NamedTuple):
    """What was shown: `snapshot`, the `jobs` beside it, the plan that it was drawn by.

    `seen_at` is this host's wall clock, unix seconds; the snapshot has the cloud's (`as_of`).
    """

    snapshot: Snapshot
    jobs: JobsView
    plan: Plan
    seen_at: float


NumberOf = Callable[[Kind, Any], int]
"""The number of a tree that is kept once; a new one for a new one."""

ValueOf = Callable[[Kind, int], Any]
"""What a number stands for. Raises LookupError."""


class TreeMaker:
    """Makes a frame's tree, remembering the last: most of two frames is the same object."""

    def __init__(self, number_of: NumberOf) -> None:
        self._number_of = number_of
        self._numbers: dict[Event | ChangeView, int] = {}
        self._last: Frame | None = None
        self._tree: dict[str, Tree] = {}
        self._made: dict[tuple[str, str], tuple[Samples, Window, Tree]] = {}

    def make(self, frame: Frame) -> Tree:
        """The tree; parts of it are the last one's where nothing is different."""
        last, tree = self._last, dict(self._tree)
        if last is None or last.plan is not frame.plan:
            plan = {k: part for k, part in to_tree(frame.plan).items() if k != "notify"}
            tree["plan"] = self._number_of("plan", plan)  # a webhook's address is a secret
        if last is None or last.jobs is not frame.jobs:
            tree["jobs"] = to_tree(frame.jobs)
        tree["snapshot"] = self._make_snapshot(frame.snapshot, last.snapshot if last else None)
        self._last, self._tree = frame, tree
        return tree

    def forget(self) -> None:
        """Numbers may have been given up: ask for them anew."""
        self._numbers.clear()
        self._last, self._tree = None, {}

    def _make_snapshot(self, snapshot: Snapshot, last: Snapshot | None) -> Tree:
        tree: dict[str, Tree] = {}
        before = self._tree.get("snapshot", {})
        for name, may_be_empty in fields_of(Snapshot):
            value = getattr(snapshot, name)
            if (
                name in LEFT_OUT
                or value is msgspec.UNSET
                or (may_be_empty and (value is None or value in ("", ())))
            ):
                continue
            if name in SIDES:
                tree[name] = self._make_side(name, snapshot)
            elif last is not None and name in before and getattr(last, name) == value:
                tree[name] = before[name]
            else:
                numbered = name in _NUMBERED
                tree[name] = self._numbers_of(name, value) if numbered else to_tree(value)
        tree["stage"] = _without_soak(to_tree(snapshot.stage), snapshot)
        tree["gates"] = _without_soak_gate(tree.get("gates", []), snapshot.stage.soaked_hours)
        if isinstance(tree.get("evidence"), dict) and tree["evidence"] is not before.get(
            "evidence"
        ):
            tree["evidence"] = _count_ratios(tree["evidence"])
        return tree

    def _numbers_of(self, name: str, values: Sequence[Event | ChangeView]) -> list[int]:
        kind: Kind = "event" if name == "events" else "change"
        found = []
        for value in values:
            number = self._numbers.get(value)
            if number is None:
                number = self._numbers[value] = self._number_of(kind, to_tree(value))
            found.append(number)
        return found

    def _make_side(self, name: str, snapshot: Snapshot) -> Tree:
        side = getattr(snapshot, name)
        bare = msgspec.structs.replace(
            side, samples=(), window=_NO_WINDOW, criteria_window=_NO_WINDOW
        )
        tree: dict[str, Tree] = to_tree(bare)
        for window in WINDOWS:
            tree[window] = self._make_window(name, window, getattr(side, window), side.samples)
        age_s, at = side.data_age_s, snapshot.as_of
        is_read = age_s is not None and at - age_s > _begin(tree, at)
        if is_read and age_s == _age(side.samples, at):
            tree["data_age_s"] = MADE_AGAIN  # of a sample that whoever reads a window has
        return tree

    def _make_window(self, side: str, which: str, window: Window, samples: Samples) -> Tree:
        """[start, end] where it is made of the samples, as it is of what was observed."""
        made = self._made.get((side, which))
        if made is not None and made[0] is samples and made[1] is window:
            return made[2]
        again = reduce_part(samples, window.start, window.end)
        tree = [window.start, window.end] if again == window else to_tree(window)
        self._made[side, which] = (samples, window, tree)
        return tree


_NO_WINDOW: Final = Window(0.0, 0.0)
_NUMBERED: Final = ("events", "changes")


def read_frame(
    tree: Tree, at: float, seen_at: float, samples: tuple[Samples, Samples], value_of: ValueOf
) -> Frame:
    """The frame of a tree. Raises ValueError, TypeError, LookupError or AttributeError for a tree
    that is none.
    """
    known: dict[str, Any] = dict(tree["snapshot"])
    numbered = {name: known.pop(name, []) for name in _NUMBERED}
    windows: dict[str, dict[str, Any]] = {}
    for name, side_samples in zip(SIDES, samples, strict=True):
        known[name], windows[name] = _read_side(known[name], side_samples, at)
    known["stage"] = stage = _with_soak(known["stage"], at)
    known["gates"] = _with_soak_gate(known.get("gates", []), stage.get("soaked_hours"))
    if isinstance(known.get("evidence"), dict):
        known["evidence"] = _divide_ratios(known["evidence"])
    known["as_of"] = at
    snapshot = from_tree(known, Snapshot)
    plan: Plan = value_of("plan", tree["plan"])
    _check(snapshot, plan)
    sides = {
        name: msgspec.structs.replace(getattr(snapshot, name), samples=kept, **windows[name])
        for name, kept in zip(SIDES, samples, strict=True)
    }
    snapshot = msgspec.structs.replace(
        snapshot,
        **sides,
        events=tuple(value_of("event", number) for number in numbered["events"]),
        changes=tuple(value_of("change", number) for number in numbered["changes"]),
    )
    jobs = from_tree(tree["jobs"], JobsView) if "jobs" in tree else NOTHING_RUN
    return Frame(snapshot, jobs, plan, seen_at)


def _check(snapshot: Snapshot, plan: Plan) -> None:
    """What is drawn relies on these; a file may be anybody's."""
    stages, percents = (
        snapshot.stage.index,
        (snapshot.traffic.canary_percent, snapshot.stage.percent),
    )
    if stages is not None and not 0 <= stages <= len(plan.stages):
        raise ValueError("a stage that its plan does not have")
    if any(percent is not None and not 0 <= percent <= 100 for percent in percents):
        raise ValueError("a share that is none")
    if not (isfinite(snapshot.as_of) and 0 <= snapshot.as_of < MOST_TIME and snapshot.speed >= 0):
        raise ValueError("a time that is none")
    stage = snapshot.stage
    hours = (stage.soak_hours, stage.soaked_hours, stage.entered_at, stage.lost_s)
    if any(length is not None and not 0 <= length < MOST_TIME for length in hours):
        raise ValueError("a soak that is none")


def read_value(kind: Kind, tree: Tree) -> Any:
    """What is kept once, from its tree. Raises ValueError."""
    if kind == "bounds":
        return msgspec.convert(tree, tuple[float, ...])
    kinds: dict[Kind, type[msgspec.Struct]] = {
        "event": Event,
        "change": ChangeView,
        "plan": Plan,
    }
    return from_tree(tree, kinds[kind])


def reach_of(tree: Tree, at: float) -> float:
    """Seconds before `at` from which on samples are needed for the windows of a frame's tree."""
    return at - min(_begin(tree["snapshot"][name], at) for name in SIDES)


def _begin(side: Tree, at: float) -> float:
    """Where the samples begin that a side's windows are made of; `at` where none are."""
    parts = [side[window] for window in WINDOWS if isinstance(side[window], list)]
    return min([at, *(float(part[0]) for part in parts)])


def _read_side(tree: Tree, samples: Samples, at: float) -> tuple[Tree, dict[str, Any]]:
    side = dict(tree)
    windows = {}
    for which in WINDOWS:
        if isinstance(side[which], list):
            start, end = side[which]
            windows[which] = reduce_part(samples, float(start), float(end))
            side[which] = {"start": 0.0, "end": 0.0}
    if side.get("data_age_s") is MADE_AGAIN:
        side["data_age_s"] = _age(samples, at)
    return side, windows


def _age(samples: Samples, at: float) -> float | None:
    newest = newest_data_end(samples)
    return None if newest is None else max(0.0, at - newest)


def reduce_part(samples: Sequence[Sample], start: float, end: float) -> Window:
    """The window of those samples that lie wholly in (start, end]."""
    first = bisect_right(samples, start, key=lambda s: s.end)
    last = bisect_right(samples, end, key=lambda s: s.end)
    return reduce_window(samples[first:last], start, end)


def _soaked(stage: dict[str, Tree], at: float) -> float | None:
    entered_at = stage.get("entered_at")
    if entered_at is None:
        return None
    return max(0.0, at - float(entered_at) - float(stage.get("lost_s", 0.0))) / 3600.0


def _without_soak(stage: dict[str, Tree], snapshot: Snapshot) -> Tree:
    soaked = stage.get("soaked_hours")
    if soaked is not None and soaked == _soaked(stage, snapshot.as_of):
        return stage | {"soaked_hours": MADE_AGAIN}
    return stage


def _with_soak(stage: dict[str, Tree], at: float) -> Tree:
    if stage.get("soaked_hours") is MADE_AGAIN:
        return stage | {"soaked_hours": _soaked(stage, at)}
    return stage


def _without_soak_gate(gates: list[Tree], soaked: float | None) -> list[Tree]:
    if soaked is None:
        return gates
    same = [isinstance(g["observed"], float) and g["observed"] == soaked for g in gates]
    return [
        gate | {"observed": MADE_AGAIN} if is_soak else gate
        for gate, is_soak in zip(gates, same, strict=True)
    ]


def _with_soak_gate(gates: list[Tree], soaked: float | None) -> list[Tree]:
    return [g | {"observed": soaked} if g.get("observed") is MADE_AGAIN else g for g in gates]


def _count_ratios(evidence: Tree) -> Tree:
    """A ratio as the number of bad requests, a whole number, where it is exactly that."""
    metrics = []
    for metric in evidence.get("metrics", []):
        counted = dict(metric)
        for side in SIDES:
            ratio, count = metric.get(f"{side}_ratio"), metric.get(f"{side}_count")
            if isinstance(ratio, float) and count and isfinite(ratio):
                bad = round(ratio * count)
                counted[f"{side}_ratio"] = bad if bad / count == ratio else ratio
        metrics.append(counted)
    return evidence | {"metrics": metrics}


def _divide_ratios(evidence: Tree) -> Tree:
    metrics = []
    for metric in evidence.get("metrics", []):
        divided = dict(metric)
        for side in SIDES:
            bad = metric.get(f"{side}_ratio")
            if isinstance(bad, int):
                divided[f"{side}_ratio"] = bad / metric[f"{side}_count"]
        metrics.append(divided)
    return evidence | {"metrics": metrics}
