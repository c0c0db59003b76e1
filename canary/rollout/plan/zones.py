"""Time zones: what a wall clock shows there, as a moment. Standard library only; pure but for it.

A time of day that a zone skips (clocks go forward) is the moment of the change; one that it has
twice (clocks go back) is the first of both, or the last where an end is asked for: what is bounded
by both is then never shorter than it reads.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from functools import lru_cache

DAY_MINUTES = 1440


@lru_cache(maxsize=32)
def find_zone(name: str) -> tzinfo | None:
    """The zone of that name ("Europe/Berlin", "UTC", "Z"); None: this host does not know it."""
    if name in ("UTC", "Z"):
        return UTC
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError  # where a zone is named at all

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


def has_zones() -> bool:
    """Whether this host knows any zone beside UTC: some have no database of them."""
    return find_zone("Europe/London") is not None


def at_wall_time(day: date, minutes: int, zone: tzinfo, *, last: bool = False) -> float:
    """When the clocks of `zone` show `minutes` past midnight on `day`, unix seconds.

    1440 is the midnight that ends the day. `last`: of a time that there is twice, the second.
    """
    shown = datetime(day.year, day.month, day.day) + timedelta(minutes=minutes)  # noqa: DTZ001
    first, second = (shown.replace(tzinfo=zone, fold=fold).timestamp() for fold in (0, 1))
    if first > second:
        return _change_between(second, first, zone)
    return second if last else first


def _change_between(before: float, after: float, zone: tzinfo) -> float:
    """The moment at which the zone's clocks are set, to the second."""
    offset = datetime.fromtimestamp(before, zone).utcoffset()
    low, high = int(before), int(after)
    while high - low > 1:
        middle = (low + high) // 2
        same = datetime.fromtimestamp(middle, zone).utcoffset() == offset
        low, high = (middle, high) if same else (low, middle)
    return float(high)
