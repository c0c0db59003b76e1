"""A plan's limits over what was recorded: the alarms there would have been, and their grounds.

The tree and its watch are walked over the samples as they were known at the end, a step a minute;
the splits are those that were. Pure but for the recording.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import sqrt
from typing import Final

import msgspec

from canary.engine.observe.replay import Replayed, VerdictTransition, replay
from canary.rollout.decision.tree import SEVERITY, Verdict
from canary.rollout.measure.samples import Sample, reduce_window
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.player import Recording

ALARMS: Final = frozenset({"watch", "rollback_stage", "rollback_all"})
SURE: Final = 2.0
"""An excess of so many standard deviations is no chance."""


class Alarm(msgspec.Struct, frozen=True):
    """One alarm, from its begin to its end (cloud time); `verdict` is its worst.

    `requests`, `failed` are Canary's meanwhile, `excess` how many more than Legacy would have had
    (None: Legacy says nothing); `is_founded`: more than chance makes. `percent` is Canary's share
    then. `rolled_back_at`: when it was rolled back in fact, meanwhile; None: it was not.
    """

    at: float
    until: float
    verdict: Verdict
    reason: str
    percent: int | None
    requests: int
    failed: int
    excess: float | None
    is_founded: bool
    rolled_back_at: float | None = None


class Backtest(msgspec.Struct, frozen=True):
    """All alarms of a span, oldest first, and the span that there are samples of."""

    since: float
    until: float
    alarms: tuple[Alarm, ...]


def backtest(recording: Recording, plan: Plan, since: float, until: float) -> Backtest:
    """The alarms that `plan` would have given from `since` to `until` (cloud time)."""
    legacy, canary = recording.last_samples()
    shares = tuple(_shares(recording))
    changes = tuple(at for at, _ in shares[1:])
    turns = _transitions(plan, canary, changes)
    alarms = [
        _weigh(legacy, canary, shares, begin, end)
        for begin, end in _spans(turns, recording.end)
        if begin.at >= since and begin.at <= until
    ]
    first = max(since, canary[0].end) if canary else since
    return Backtest(first, min(until, recording.end), tuple(alarms))


def _shares(recording: Recording) -> Iterator[tuple[float, int | None]]:
    """(cloud time, Canary's share from then on), the first one at the begin."""
    last: object = object()
    for moment in recording.moments:
        if moment.percent != last:
            last = moment.percent
            yield moment.at, moment.percent


def _transitions(
    plan: Plan, canary: Sequence[Sample], changes: tuple[float, ...]
) -> list[VerdictTransition]:
    """Every turn of the verdict; one observation at a time, since only the last are kept."""
    state, found = Replayed(), []
    for index in range(len(canary)):
        before = state.transitions[-1:]
        state = replay(plan, canary, [index], changes, state)
        if state.transitions[-1:] != before:
            found.append(state.transitions[-1])
    return found


def _spans(
    turns: Sequence[VerdictTransition], end: float
) -> Iterator[tuple[VerdictTransition, float]]:
    """(the worst turn, at the begin, and the end) of each stretch of alarms."""
    stretch: list[VerdictTransition] = []
    for turn in turns:
        if turn.verdict in ALARMS:
            stretch.append(turn)
        elif stretch:
            yield _worst(stretch), turn.at
            stretch = []
    if stretch:
        yield _worst(stretch), end


def _worst(stretch: Sequence[VerdictTransition]) -> VerdictTransition:
    worst = max(stretch, key=lambda turn: SEVERITY[turn.verdict])
    return msgspec.structs.replace(worst, at=stretch[0].at)


def _weigh(
    legacy: Sequence[Sample],
    canary: Sequence[Sample],
    shares: Sequence[tuple[float, int | None]],
    turn: VerdictTransition,
    until: float,
) -> Alarm:
    # The alarm rests on the minutes before it.
    begin = turn.at - 300.0
    bad, good = (reduce_window(side, begin, until).responses for side in (canary, legacy))
    requests, failed = (bad.total, bad.failed) if bad is not None else (0, 0)
    ratio = good.error_ratio if good is not None else None
    excess = None if ratio is None else failed - requests * ratio
    noise = 0.0 if ratio is None else sqrt(requests * ratio * (1 - ratio))
    percent = next((p for at, p in reversed(shares) if at <= turn.at), None)
    less = ((at, p) for at, p in shares if turn.at < at <= until + 300.0)
    back = next(
        (at for at, p in less if p is not None and percent is not None and p < percent), None
    )
    return Alarm(
        turn.at,
        until,
        turn.verdict,
        turn.reason,
        percent,
        requests,
        failed,
        excess,
        excess is not None and excess > max(1.0, SURE * noise),
        back,
    )
