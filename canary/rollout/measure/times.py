"""Times that others have written: how they are read, and how far they are believed. Pure.

What tools write, and where that is said:

- seconds since 1970, as Unix has them; milliseconds are refused, since they would lie in the
  future for ever (`Date.now()` of JavaScript, `time.time_ns()` of Python)
- ISO 8601 with a zone; .NET's seven digits of a second, cut to six (`ConvertTo-Json` of PowerShell
  7: learn.microsoft.com, "ConvertTo-Json")
- "/Date(1764134154000)/": milliseconds since 1970, UTC whatever offset follows; so Windows
  PowerShell 5.1 writes them, and as {"value": …, "DateTime": …} when they come from Get-Date
  (learn.microsoft.com, "Stand-Alone JSON Serialization", DateTime wire format)
- without a zone: Python's `datetime.now().isoformat()`, Excel's "26/11/2026 14:03". Nobody knows
  which zone is meant, so that it counts only where it agrees with the file's own time.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime
from typing import Final

from canary.rollout.text import format_duration, format_iso_time, sanitize

FUTURE_S: Final = 120.0
"""Two hosts' clocks may differ by so much; a time further ahead is none at which anything was."""

WRITTEN_WITHIN_S: Final = 600.0
"""So soon after the time in it a file was written, if that time is in UTC; zones differ by more."""

MOST_S: Final = 1e11
"""Seconds up to the year 5138. Milliseconds are beyond this since 1973."""

_DOTNET: Final = re.compile(r"/Date\((-?\d{1,16})([+-]\d{4})?\)/")
_CALENDAR: Final = re.compile(
    r"(\d{1,2})([./-])(\d{1,2})\2(\d{4})[ T,]+(\d{1,2}):(\d{2})(?::(\d{2})(?:[.,]\d+)?)?"
    r"\s*([AaPp][Mm])?"
)


class NotATime(ValueError):
    """A value that is no time, or one that cannot be believed; the text says why."""


def read_time(value: object, written_at: float | None) -> float:
    """A time as unix seconds. `written_at` is when the file that says it was written, None: that
    is not known, and a time without a zone is not believed. Raises NotATime.
    """
    if isinstance(value, dict):
        value = value.get("value")
    if isinstance(value, bool):
        raise NotATime(f"{value} is no time")
    if isinstance(value, int | float):
        return _seconds(value)
    if not isinstance(value, str):
        raise NotATime(f"{sanitize(repr(value), 40)} is no time")
    text = value.strip()
    dotnet = _DOTNET.fullmatch(text)
    if dotnet is not None:
        return _seconds(int(dotnet[1]) / 1000)
    try:
        return _seconds(float(text))
    except NotATime:
        raise
    except ValueError:
        return _of_text(text, written_at)


def find_trouble(at: float, now: float) -> str:
    """Why something cannot have been at `at`: it lies in the future; "" when it can."""
    if at - now <= FUTURE_S:
        return ""
    return f"its time, {format_iso_time(at)}, lies {format_duration(at - now)} in the future"


def _seconds(number: float) -> float:
    if not math.isfinite(number):
        raise NotATime(f"{number} is no time")
    if abs(number) >= MOST_S:
        raise NotATime(f"{number:.0f} cannot be seconds since 1970: it looks like milliseconds")
    return float(number)


def _of_text(text: str, written_at: float | None) -> float:
    shown = sanitize(repr(text), 40)
    try:
        moments = [datetime.fromisoformat(text)]
    except ValueError:
        moments = _of_calendar(text)
    if not moments:
        raise NotATime(f"{shown} is no time")
    if moments[0].tzinfo is not None:
        try:
            return _seconds(moments[0].timestamp())
        except OverflowError as exc:
            raise NotATime(f"{shown} is no time") from exc
    times = [moment.replace(tzinfo=UTC).timestamp() for moment in moments]
    if written_at is None:
        raise NotATime(f"{shown} has no zone: write it in UTC, with a Z at its end")
    agreeing = [at for at in times if -FUTURE_S <= written_at - at <= WRITTEN_WITHIN_S]
    if len(agreeing) != 1:
        raise NotATime(
            f"{shown} has no zone, and as UTC it does not agree with the time at which the file was"
            f" written, {format_iso_time(written_at)}: write it with its zone"
        )
    return agreeing[0]


def _of_calendar(text: str) -> list[datetime]:
    """What "26/11/2026 14:03" may mean: with dots the day is first, else either is."""
    found = _CALENDAR.fullmatch(text)
    if found is None:
        return []
    first, second, year = int(found[1]), int(found[3]), int(found[4])
    hour, minute, rest = int(found[5]), int(found[6]), int(found[7] or 0)
    if found[8]:
        hour = hour % 12 + (12 if found[8].lower() == "pm" else 0)
    orders = [(second, first)] if found[2] == "." else [(second, first), (first, second)]
    moments = []
    for month, day in dict.fromkeys(orders):
        try:
            moments.append(datetime(year, month, day, hour, minute, rest))  # noqa: DTZ001 - no zone
        except ValueError:
            continue
    return moments
