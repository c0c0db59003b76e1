"""The windows that are judged: where they begin and end, and remembering what was added up.

A window ends at the newest visible sample of either side, never later than now, because the cloud
shows a minute only minutes later and an empty end would judge silence. It does not begin before
the last change of the split: numbers from before say nothing about the share that is set now.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from canary.engine.observe.series import between, newest_data_end
from canary.rollout.measure.samples import Sample, Window, reduce_window
from canary.rollout.plan.plan import Plan

Reduce = Callable[[Sequence[Sample], float, float], Window]
"""(samples oldest first, start, end) → the window."""


class Spans(msgspec.Struct, frozen=True):
    """Where the tree's and the criteria's windows begin and end, unix seconds."""

    tree_start: float
    criteria_start: float
    end: float


def place_windows(
    plan: Plan,
    newest: Sequence[float | None],
    now: float,
    changed_at: float | None,
    entered_at: float | None,
) -> Spans:
    """Place both windows. `newest` are the ends of each side's newest data, None without any.

    The criteria window is clipped to the stage's entry too. A clipped window may be empty; then
    start equals end.
    """
    end = min(now, max((n for n in newest if n is not None), default=now))
    tree = _latest(end - plan.metrics.window_minutes * 60, changed_at)
    criteria = _latest(end - plan.metrics.criteria_window_minutes * 60, changed_at, entered_at)
    return Spans(tree, criteria, max(end, tree, criteria))


def reduce_part(samples: Sequence[Sample], start: float, end: float) -> Window:
    """`reduce_window` over only those samples that can lie within."""
    return reduce_window(between(samples, start, end), start, end)


class WindowMemory:
    """Remembers the last few windows: between two new samples the same ones are asked for."""

    def __init__(self, size: int = 8) -> None:
        self._size = size
        self._known: list[tuple[Sequence[Sample], float, float, Window]] = []

    def reduce(self, samples: Sequence[Sample], start: float, end: float) -> Window:
        """As `reduce_part`; `samples` are recognised by identity, so they must be immutable."""
        for known, known_start, known_end, window in self._known:
            if known is samples and known_start == start and known_end == end:
                return window
        window = reduce_part(samples, start, end)
        self._known = [(samples, start, end, window), *self._known[: self._size - 1]]
        return window


def _latest(*times: float | None) -> float:
    return max(at for at in times if at is not None)


def data_age_s(samples: Sequence[Sample], now: float) -> float | None:
    """Seconds since the newest data of a side; None when there never was any."""
    newest = newest_data_end(samples)
    return None if newest is None else max(0.0, now - newest)
