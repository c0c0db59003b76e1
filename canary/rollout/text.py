"""Words and figures for screen and shell: the one place where a value becomes text.

Ratios are 0…1 until they come here. What is not known (None, NaN) is "no data", never a zero.
`sanitize` makes text from outside harmless before it is shown anywhere.
"""

from __future__ import annotations

import math
import re
import shlex
import unicodedata
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

NO_DATA: Final = "no data"


class AtLeast(float):
    """A value of which only a lower bound is known: a percentile beyond the last bucket's bound.

    Beyond a limit that it is above; within no limit, since it may be anything above itself.
    """


def format_percent(value: float | None) -> str:
    """A share that is 0…100 already: "10 %", "10.3 %"."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    return f"{value:.0f} %" if float(value).is_integer() else f"{value:.1f} %"


def format_ratio(value: float | None) -> str:
    """A ratio 0…1 as percent: "0.30 %", "98.7 %".

    What is not quite nothing or not quite everything never reads as such: "< 0.01 %", "> 99.9 %".
    """
    if value is None or not math.isfinite(value):
        return NO_DATA
    hundred = value * 100
    if hundred in (0.0, 100.0):
        return f"{hundred:.0f} %"
    if 0 < hundred < 0.005:
        return "< 0.01 %"
    if 99.95 <= hundred < 100:
        return "> 99.9 %"
    return f"{hundred:.2f} %" if abs(hundred) < 9.995 else f"{hundred:.1f} %"


def format_score(value: float | None) -> str:
    """A mean score 0…1: "0.85"."""
    return NO_DATA if value is None or not math.isfinite(value) else f"{value:.2f}"


def format_milliseconds(value: float | None) -> str:
    """A latency given in ms: "4.2 ms", "640 ms", "1.24 s", "30.0 s", "240 s"; "≥ 10.0 s"."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    if isinstance(value, AtLeast):
        return f"≥ {format_milliseconds(float(value))}"
    if abs(value) < 9.95:
        return f"{value:.1f} ms"
    if abs(value) < 999.5:
        return f"{value:.0f} ms"
    seconds = value / 1000
    if abs(seconds) < 9.995:
        return f"{seconds:.2f} s"
    return f"{seconds:.1f} s" if abs(seconds) < 99.95 else f"{seconds:.0f} s"


def format_rate(value: float | None) -> str:
    """Requests a second, without the unit: "4.6", "41.2", "1 240"."""
    if value is None or not math.isfinite(value):
        return NO_DATA
    return f"{value:.1f}" if abs(value) < 99.95 else format_count(round(value))


def format_count(value: int | None) -> str:
    """A number of things, thousands apart: "12 400"."""
    return NO_DATA if value is None else f"{value:,}".replace(",", " ")


def format_duration(seconds: float | None) -> str:
    """A length of time in its two greatest units: "45 s", "12 m", "17 h 12 m", "3 d 4 h"."""
    if seconds is None or not math.isfinite(seconds):
        return NO_DATA
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    minutes = whole // 60
    if minutes < 60:
        return f"{minutes} m"
    hours, minutes = divmod(minutes, 60)
    # A soak is named in hours (24, 48, 72), so days begin only beyond the longest of them.
    if hours <= 96:
        return f"{hours} h {minutes} m" if minutes else f"{hours} h"
    days, hours = divmod(hours, 24)
    return f"{days} d {hours} h" if hours else f"{days} d"


def format_age(seconds: float | None) -> str:
    """How old data is: "74 s" up to ten minutes, then as `duration`."""
    if seconds is None or not math.isfinite(seconds):
        return NO_DATA
    return f"{max(0.0, seconds):.0f} s" if seconds < 600 else format_duration(seconds)


def format_clock(at: float | None) -> str:
    """Time of day in UTC of unix seconds: "14:03:22Z"."""
    moment = _moment(at)
    return NO_DATA if moment is None else moment.strftime("%H:%M:%SZ")


def format_timestamp(at: float | None) -> str:
    """Date and time in UTC of unix seconds: "2026-03-01 14:03:22Z"."""
    moment = _moment(at)
    return NO_DATA if moment is None else moment.strftime("%Y-%m-%d %H:%M:%SZ")


def is_of_another_day(at: float, now: float) -> bool:
    """Whether a past time of day needs its date: it is of another day (UTC), and not of the last
    hour. At 11:28 "15:50:00Z" alone would be still to come.
    """
    return now - at > 3_600 and at // 86_400 != now // 86_400


def format_until(at: float, now: float) -> str:
    """A moment to come, in UTC, with the day where it is not today's: "Fri 27 Nov 09:00Z"."""
    moment, today = _moment(at), _moment(now)
    if moment is None or today is None:
        return NO_DATA
    day = "" if moment.date() == today.date() else moment.strftime("%a %-d %b ")
    if moment.year != today.year:
        day = moment.strftime("%Y-%m-%d ")
    return day + moment.strftime("%H:%M:%SZ" if moment.second else "%H:%MZ")


def format_iso_time(at: float | None) -> str | None:
    """RFC 3339 in UTC for machines: "2026-03-01T14:03:22Z"; None stays None."""
    moment = _moment(at)
    return None if moment is None else moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def format_value(metric: str, value: float | None) -> str:
    """A value in the manner of its metric's id: `…_ratio`, `…_ms`, `…_hours`, "confidence", …"""
    if value is None:
        return NO_DATA
    if metric.endswith("_ratio") or metric in ("cpu", "memory", "ab_test"):
        return format_ratio(value)
    if metric.endswith("_ms"):
        return format_milliseconds(value)
    if metric.endswith("_hours"):
        return format_duration(value * 3600)
    if metric == "confidence":
        return format_score(value)
    if metric == "watch":
        return format_duration(value)
    if metric in ("load_test", "verdict"):
        return "yes" if value else "no"
    return f"{value:g}"


def format_limit(metric: str, limit: float | None) -> str:
    """A limit as short as it is exact: "1.5 %", "15 s", "0.73", "24 h"; "no limit" for None."""
    if limit is None:
        return "no limit"
    if metric.endswith("_ratio") or metric == "ab_test":
        return f"{limit * 100:.6g} %"
    if metric.endswith("_ms"):
        return f"{limit / 1000:.6g} s" if limit >= 1000 else f"{limit:.6g} ms"
    if metric == "confidence":
        return f"{limit:.6g}"
    return format_value(metric, limit)


_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI, as colours and cursor moves
    r"|\x1b[\]PX^_].*?(?:\x07|\x1b\\|\x9c|$)"  # OSC, DCS, SOS, PM, APC up to their end
    r"|\x9b[0-?]*[ -/]*[@-~]"  # CSI as one C1 character
    r"|[\x90\x98\x9d\x9e\x9f].*?(?:\x07|\x1b\\|\x9c|$)"
    r"|\x1b[ -/]*[0-~]?",
    re.DOTALL,
)
_SPACES = re.compile(r"\s+")
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})
"""Controls, formats (bidi overrides, zero widths, tags), surrogates, private, unassigned."""


def sanitize(text: object, limit: int = 200) -> str:
    """Text from outside on one line, without anything a terminal would act on.

    Escape sequences, control characters, bidi overrides and zero-width characters are removed,
    runs of white space become one space; longer than `limit` characters is cut with "…".
    """
    # A hostile text may be megabytes long: nothing beyond what could be shown is looked at.
    raw = str(text)[: limit * 20 + 1000]
    if raw.isprintable():  # nothing hidden in it, and no white space but spaces: as nearly always
        kept = " ".join(raw.split())
    else:
        spaced = _SPACES.sub(" ", _ESCAPES.sub("", raw))
        shown = (c for c in spaced if c == " " or unicodedata.category(c) not in _HIDDEN)
        kept = _SPACES.sub(" ", "".join(shown)).strip()
    return kept if len(kept) <= limit else kept[: max(0, limit - 1)].rstrip() + "…"


def keep_printable(line: str) -> str:
    """A finished line without anything a terminal would act on; its spaces stay as they are.

    The last gate of what goes to a terminal, for what was not made `plain` on its way.
    """
    if line.isprintable():
        return line
    shown = _ESCAPES.sub("", line)
    return "".join(c for c in shown if unicodedata.category(c) not in _HIDDEN)


def quote_command(arguments: Iterable[str]) -> str:
    """A command to be copied into a shell: each argument made harmless first, and quoted last.

    The other way round an escape sequence that begins in one argument would take the quotes of the
    next with it.
    """
    return shlex.join(keep_printable(argument) for argument in arguments)


def fields_of(value: object, *names: str) -> dict[str, Any]:
    """The named attributes as JSON may hold them: text sanitized, null for what is not finite."""
    return {name: plain_value(getattr(value, name)) for name in names}


def plain_value(value: Any) -> Any:
    """One of them. JSON has no NaN and no infinity: what is not a finite number is not known."""
    if isinstance(value, str):
        return sanitize(value)
    if not isinstance(value, float):
        return value
    return float(value) if math.isfinite(value) else None


def _moment(at: float | None) -> datetime | None:
    if at is None or not math.isfinite(at):
        return None
    try:
        return datetime.fromtimestamp(at, UTC)
    except (ValueError, OverflowError, OSError):
        return None
