"""Whether the request log shows what Cloud Monitoring counts, by side and class of answer. Pure.

A log that shows nothing is not a log that judges, nor is one from which an exclusion filter takes
the 2xx. Both sources see the same requests, so for the same minutes their counts agree but for
single requests at the edges; what is missing beyond a tolerance is missing for a reason. Where
there is little traffic more minutes are put together: the last one, three, ten and thirty.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from canary.rollout.measure.samples import Responses
from canary.rollout.text import format_count

TOLERANCE: Final = 0.1
_SIGMAS: Final = 4.0
_ENOUGH: Final = 25
_SPANS: Final = (1, 3, 10, 30)
_MINUTES_KEPT: Final = _SPANS[-1]
_CLASSES: Final = ("2xx", "3xx", "4xx", "5xx")

Key = tuple[str, str]
"""(side, class of answers): ("Canary", "2xx")."""


class Compared(msgspec.Struct, frozen=True):
    """One minute: what Cloud Monitoring counts and what the log showed, in the order of KEYS."""

    counted: tuple[float, ...]
    seen: tuple[int, ...]


KEYS: Final[tuple[Key, ...]] = tuple((s, c) for s in ("Legacy", "Canary") for c in _CLASSES)


class Completeness(msgspec.Struct, frozen=True):
    """The last minutes that both sources have, oldest first; and what was found to be missing.

    `short` are the sides and classes of which too little was seen; empty: the log is whole.
    `why` says it in a sentence. It counts as whole again when each of them has been seen enough.
    """

    minutes: tuple[Compared, ...] = ()
    short: tuple[Key, ...] = ()
    why: str = ""

    def compare(
        self,
        counted: tuple[Responses, Responses],
        seen: tuple[Responses, Responses],
        sampled: float,
    ) -> Completeness:
        """After one more minute of (Legacy, Canary). `sampled`: the share of the log that is read,
        0…1.
        """
        newest = Compared(
            tuple(sampled * n for side in counted for n in _by_class(side)),
            tuple(n for side in seen for n in _by_class(side)),
        )
        minutes = (*self.minutes, newest)[-_MINUTES_KEPT:]
        if self.short:
            # What was found before it went off does not show that it is whole again.
            return self._recovered(minutes)
        missing = [(key, *most) for key in KEYS if (most := _missing(minutes, key)) is not None]
        if not missing:
            return Completeness(minutes)
        (side, kind), expected, found = max(missing, key=lambda m: m[1] - m[2])
        why = (
            f"it shows {format_count(found)} of {side}'s about {format_count(round(expected))}"
            f" {kind} that Cloud Monitoring counts"
        )
        return Completeness((), tuple(key for key, _, _ in missing), why)

    def _recovered(self, minutes: tuple[Compared, ...]) -> Completeness:
        short = tuple(key for key in self.short if not _is_whole(minutes, key))
        if short:
            return Completeness(minutes, short, self.why)
        return Completeness()


def _by_class(answers: Responses) -> tuple[int, int, int, int]:
    return answers.ok_2xx, answers.redirect_3xx, answers.client_4xx, answers.server_5xx


def _sums(minutes: tuple[Compared, ...], key: Key, span: int) -> tuple[float, int]:
    at = KEYS.index(key)
    last = minutes[-span:]
    return sum(m.counted[at] for m in last), sum(m.seen[at] for m in last)


def is_short(counted: float, seen: int) -> bool:
    """Whether clearly fewer were seen than were counted: beyond tolerance and chance."""
    return seen < (1.0 - TOLERANCE) * counted - _SIGMAS * math.sqrt(counted + seen + 1.0)


def _missing(minutes: tuple[Compared, ...], key: Key) -> tuple[float, int] | None:
    """(counted, seen) of the shortest span in which too little was seen; None: in none."""
    spans = (_sums(minutes, key, span) for span in _SPANS)
    return next(((counted, seen) for counted, seen in spans if is_short(counted, seen)), None)


def _is_whole(minutes: tuple[Compared, ...], key: Key) -> bool:
    """Whether enough was counted in the last three minutes or more, and was seen."""
    for span in _SPANS[1:]:
        counted, seen = _sums(minutes, key, span)
        if counted >= _ENOUGH and len(minutes) >= _SPANS[1]:
            return not is_short(counted, seen)
    return False
