"""What to ask for so that the whole soak is there: newest first, coarser further back. Pure.

Only what no side has is asked for. The last hours come minute by minute; what is older comes in
periods of ten minutes, which is more than a screen can show and a tenth of the cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

from canary.engine.observe.series import KEPT_S, find_gaps
from canary.rollout.measure.samples import Sample

FINE_S, COARSE_S = 60.0, 600.0
FINE_HOURS = 6.0
LONGEST_S = 86_400.0
"""One question covers at most a day, so that something new is shown after each."""

LEAST_GAP_S = 180.0
"""Shorter gaps are taken for what they are: minutes without a request."""

MOST_GAPS = 8


class Piece(msgspec.Struct, frozen=True):
    """One question: (start, end] in periods of `period_s`."""

    start: float
    end: float
    period_s: float


def begin_of_backfill(entered_at: float | None, now: float) -> float:
    """How far back the history is wanted: an hour before the stage began, six hours at least.

    At most `KEPT_S`. On a full minute.
    """
    wanted = now - FINE_HOURS * 3600
    if entered_at is not None:
        wanted = min(wanted, entered_at - 3600)
    return _down(max(wanted, now - KEPT_S), FINE_S)


def plan_backfill(
    sides: Sequence[Sequence[Sample]], since: float, until: float, now: float
) -> tuple[Piece, ...]:
    """The questions for all gaps in (since, until], newest first. Empty when nothing is missing.

    A gap that is older than the fine hours is asked for in coarse periods that lie wholly in it;
    what is left at its edges, less than one coarse period, in fine ones: overlapping what is
    there would count requests twice.
    """
    border = _down(now - FINE_HOURS * 3600, COARSE_S)
    gaps = find_gaps(sides, since, until, LEAST_GAP_S)[-MOST_GAPS:]
    pieces: list[Piece] = []
    for start, end in gaps:
        if end > border:
            pieces += _split(max(start, border), end, FINE_S)
        if start < border:
            pieces += _coarse(start, min(end, border), since)
    return tuple(sorted(pieces, key=lambda p: -p.end))


def _coarse(start: float, end: float, since: float) -> list[Piece]:
    # Before `since` nothing is known, so the oldest period may begin earlier.
    first = _down(start, COARSE_S) if start <= since else _up(start, COARSE_S)
    last = _down(end, COARSE_S)
    if first >= last:
        return _split(start, end, FINE_S)
    edges = [(start, first), (last, end)]
    pieces = [Piece(a, b, FINE_S) for a, b in edges if b - a >= FINE_S]
    return pieces + _split(first, last, COARSE_S)


def _split(start: float, end: float, period_s: float) -> list[Piece]:
    pieces = []
    while end > start:
        begin = max(start, end - LONGEST_S)
        pieces.append(Piece(begin, end, period_s))
        end = begin
    return pieces


def _down(at: float, step: float) -> float:
    return math.floor(at / step) * step


def _up(at: float, step: float) -> float:
    return math.ceil(at / step) * step
