"""Freezes: times of the week, by the calendar of a zone, in which nobody promotes. Pure.

Part of `plan`, as `[[freeze]]`. A freeze blocks promotion and never a rollback.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Final, Literal

import msgspec

from canary.rollout.plan.tables import text
from canary.rollout.plan.zones import DAY_MINUTES, at_wall_time, find_zone

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEK: Final[tuple[Weekday, ...]] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
AHEAD_DAYS: Final = 15
"""A freeze that does not end within so long has no end."""

DayTime = Annotated[
    str, text("([01]?[0-9]|2[0-3]):[0-5][0-9]|24:00", 'a time of day, as "16:00"; "24:00" ends it')
]
ZoneName = Annotated[
    str, text(r"[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*", 'a time zone, as "Europe/Berlin"')
]


class Freeze(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One window of the week: on each of `days` from `begins` to `ends`, by the clocks of `zone`.

    `ends` at or before `begins` is on the next day. `name` is what it is called, "" for nothing.
    """

    days: tuple[Weekday, ...] = WEEK
    begins: DayTime = "00:00"
    ends: DayTime = "24:00"
    zone: ZoneName = "UTC"
    name: Annotated[str, text(r"[^\x00-\x1f\x7f]{0,80}", "at most 80 characters")] = ""


class Frozen(msgspec.Struct, frozen=True):
    """A freeze that holds now. `until` None: it has no end that can be told; `why` is its name, or
    what is wrong with it.
    """

    until: float | None
    why: str


def find_freeze(freezes: Iterable[Freeze], now: float) -> Frozen | None:
    """The freeze at `now`, until all that follow each other without a gap are over; None: none.

    It holds from its first moment on, and no longer at its last. One whose zone this host does not
    know holds: when it is over cannot be told.
    """
    spans: list[tuple[float, float, str]] = []
    for freeze in freezes:
        zone = find_zone(freeze.zone)
        if zone is None:
            return Frozen(None, f"the zone {freeze.zone} of a freeze is not known on this host")
        today = datetime.fromtimestamp(now, zone).date()
        begins, ends = _minutes(freeze.begins), _minutes(freeze.ends)
        ends += DAY_MINUTES if ends <= begins else 0
        for days in range(-2, AHEAD_DAYS + 2):
            day = today + timedelta(days)
            if WEEK[day.weekday()] in freeze.days:
                start = at_wall_time(day, begins, zone)
                spans.append((start, at_wall_time(day, ends, zone, last=True), freeze.name))
    return _last_of(sorted(spans), now)


def _last_of(spans: list[tuple[float, float, str]], now: float) -> Frozen | None:
    end, why = now, ""
    for start, stop, name in spans:
        if start <= end < stop:
            why = why or name
            end = stop
    if end == now:
        return None
    return Frozen(end if end - now <= AHEAD_DAYS * 86_400 else None, why)


def _minutes(shown: str) -> int:
    hours, _, minutes = shown.partition(":")
    return int(hours) * 60 + int(minutes)
