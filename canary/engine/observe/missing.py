"""What of the past is missing, and the questions that would fill it.

Two kinds: where no side has any sample (a gap of the series), and where a metric was asked for in
vain while others answered, or nobody asked at all (`Unanswered`). A series alone cannot tell the
second kind from silence: a minute without requests has no value either.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence

import msgspec

from canary.engine.observe.series import FIELDS_OF, KEPT_S, find_gaps
from canary.rollout.measure.samples import Sample

FINE_S, COARSE_S = 60.0, 600.0
FINE_HOURS = 6.0
LONGEST_S = 86_400.0
"""One question covers at most a day, so that something new is shown after each."""

LEAST_GAP_S = 180.0
"""Shorter gaps are taken for what they are: minutes without a request."""

MOST_GAPS = 8

Span = tuple[float, float]
"""(start, end], unix seconds."""


class Piece(msgspec.Struct, frozen=True):
    """One question: (start, end] in periods of `period_s`."""

    start: float
    end: float
    period_s: float


class Unanswered:
    """For each metric, by its role, the times of which nothing was learned."""

    def __init__(self) -> None:
        self._spans: dict[str, list[Span]] = {role: [] for role in FIELDS_OF}

    def add(self, roles: Iterable[str], start: float, end: float) -> None:
        """Nothing is known of these metrics in (start, end]. Nothing when start ≥ end."""
        if start < end:
            for role in roles:
                self._spans[role] = _join([*self._spans[role], (start, end)])

    def answer(self, roles: Iterable[str], start: float, end: float) -> None:
        """These metrics were read over (start, end]."""
        for role in roles:
            self._spans[role] = [p for s in self._spans[role] for p in _without(s, start, end)]

    def spans(self, roles: Iterable[str]) -> list[Span]:
        """Where any of these metrics is not known; oldest first, none touching another."""
        return _join([span for role in roles for span in self._spans[role]])

    def first_after(self, at: float) -> float | None:
        """The first moment from `at` on at which some metric is not known; None without any."""
        return min((max(a, at) for a, b in self.spans(self._spans) if b > at), default=None)

    def forget(self, before: float) -> None:
        """Drop what ended before this."""
        self.answer(self._spans, -math.inf, before)


def columns_missing(sides: Sequence[Sequence[Sample]], late_s: float) -> dict[str, list[Span]]:
    """For each role the times in samples read earlier of which nobody knows whether it was asked.

    That is where neither side has a value: one question is for both sides, so a value of either
    proves that it was answered. What came shortly before, for `late_s`, may have been arriving
    still. Shorter gaps than `LEAST_GAP_S` between samples are minutes without a request.
    """
    known: dict[Span, set[str]] = {}
    for side in sides:
        for sample in side:
            there = known.setdefault((sample.start, sample.end), set())
            there.update(r for r, (f, *_) in FIELDS_OF.items() if getattr(sample, f) is not None)
    if not known:
        return {}
    holes = find_gaps(sides, min(a for a, _ in known), max(b for _, b in known), LEAST_GAP_S)
    found: dict[str, list[Span]] = {}
    for role in FIELDS_OF:
        lacking = [span for span, there in known.items() if role not in there]
        found[role] = _join((a - late_s, b) for a, b in _join([*lacking, *holes]))
    return found


def begin_of_backfill(entered_at: float | None, now: float, least_s: float = 0.0) -> float:
    """How far back the history is wanted: an hour before the stage began, six hours at least, and
    `least_s`.

    At most `KEPT_S`. On a full minute.
    """
    wanted = now - max(FINE_HOURS * 3600, least_s)
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


def plan_again(
    unanswered: Sequence[Span], since: float, until: float, planned: Collection[Piece]
) -> tuple[Piece, ...]:
    """The questions for spans of which not every metric is known, newest first.

    In fine periods: samples of the other metrics are there, and a coarse one would give way to
    them. What is `planned` already is left out.
    """
    spans = [(max(a, since), min(b, until)) for a, b in unanswered if a < until and b > since]
    for piece in planned:
        spans = [part for span in spans for part in _without(span, piece.start, piece.end)]
    if len(spans) > MOST_GAPS:
        spans = [(spans[0][0], spans[-1][1])]
    pieces = [piece for a, b in spans for piece in _split(_down(a, FINE_S), _up(b, FINE_S), FINE_S)]
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


def _join(spans: Iterable[Span]) -> list[Span]:
    joined: list[Span] = []
    for start, end in sorted(spans):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(end, joined[-1][1]))
        else:
            joined.append((start, end))
    return joined


def _without(span: Span, start: float, end: float) -> list[Span]:
    """What of `span` lies outside of (start, end]."""
    parts = ((span[0], min(span[1], start)), (max(span[0], end), span[1]))
    return [(a, b) for a, b in parts if a < b]


def _down(at: float, step: float) -> float:
    return math.floor(at / step) * step


def _up(at: float, step: float) -> float:
    return math.ceil(at / step) * step
