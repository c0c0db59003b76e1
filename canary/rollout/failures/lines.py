"""Lines of the application's own log, as they are shown: stack traces folded, the worst first.

They are shown and forgotten: a line may have anything in it, so none is stored or exported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from canary.rollout.failures.requests import FailedRequest
from canary.rollout.text import format_count, sanitize

WARNING: Final = 400
"""google/logging/type/log_severity.proto."""

_NAMES: Final = (
    (800, "EMERGENCY"),
    (700, "ALERT"),
    (600, "CRITICAL"),
    (500, "ERROR"),
    (400, "WARNING"),
    (300, "NOTICE"),
    (200, "INFO"),
    (100, "DEBUG"),
    (0, "DEFAULT"),
)
_EXCEPTION: Final = re.compile(
    r"^(?:Caused by: |Uncaught |Exception in thread \S+ )?"
    r"[\w.$]*(?:Error|Exception|Panic|Warning|Exit|Interrupt)\b(?::.*)?$"
)
_FRAME: Final = re.compile(
    r"^(\s+|at [^(]*\(.*\)$|Traceback \(most recent call last\):|goroutine \d+|[~^ ]+$"
    r"|\.\.\. \d+ more)"
)


_LONGEST_ROW: Final = 2_000
_MOST_ROWS: Final = 1_000


class LogLine(msgspec.Struct, frozen=True):
    """One line. `at`: cloud time; `severity` as Cloud Logging numbers it; `text` as it came."""

    at: float
    severity: int
    text: str
    instance: str = ""

    @property
    def severity_name(self) -> str:
        """ "ERROR", as Cloud Logging calls it."""
        return next(name for least, name in _NAMES if self.severity >= least)


class LinesView(msgspec.Struct, frozen=True):
    """The lines about one request: being asked for, or what came, or why nothing did."""

    request: FailedRequest
    running: bool = False
    lines: tuple[LogLine, ...] = ()
    trouble: str = ""


def order_lines(lines: Iterable[LogLine]) -> tuple[LogLine, ...]:
    """Warnings and worse first, each kind newest first."""
    return tuple(sorted(lines, key=lambda line: (line.severity < WARNING, -line.at)))


def fold(text: str, limit: int = 300) -> str:
    """A line as one harmless row. Of a stack trace: the exception, and how many lines it had.

    "KeyError: 'tier' (5 lines)"; of several exceptions the last, which is what was thrown at last.
    """
    rows = [row for row in text.splitlines() if row.strip()]
    count = len(rows)
    if count < 2:
        return sanitize(text, limit)
    # Whoever may call the service may have megabytes written into its log.
    rows = [row[:_LONGEST_ROW] for row in rows[-_MOST_ROWS:]]
    named = [row.strip() for row in rows if _EXCEPTION.match(row.strip())]
    plain = [row.strip() for row in rows if not _FRAME.match(row)]
    said = (named or plain or [rows[-1].strip()])[-1]
    return f"{sanitize(said, limit)} ({format_count(count)} lines)"
