"""How the shell shows a verification or a comparison: while it goes on, and in the end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from canary.cli.output import ProgressLine, print_table, say
from canary.rollout.text import (
    format_count,
    format_milliseconds,
    format_ratio,
    format_score,
    sanitize,
)
from canary.rollout.trials.comparison import Comparison, SideFigures
from canary.rollout.trials.verification import (
    CHECK_GLYPHS,
    CHECK_WORDS,
    Verification,
    VerificationVerdict,
    verification_line,
)

if TYPE_CHECKING:
    from canary.engine.jobs.verify import VerifyProgress

EXITS: Final[dict[VerificationVerdict, int]] = {"passed": 0, "not_passed": 1, "unverified": 30}

_BAR: Final = 24

_ROWS: Final[tuple[tuple[str, Callable[[SideFigures], str]], ...]] = (
    ("requests", lambda s: format_count(s.requests)),
    ("error ratio", lambda s: format_ratio(s.error_ratio)),
    ("success ratio", lambda s: format_ratio(s.success_ratio)),
    ("p50", lambda s: format_milliseconds(s.p50_ms)),
    ("p95", lambda s: format_milliseconds(s.p95_ms)),
    ("p99", lambda s: format_milliseconds(s.p99_ms)),
    ("confidence", lambda s: format_score(s.confidence)),
)


LEAST_PAUSE_S: Final = 0.1
"""The line is rewritten at most ten times a second: a slow terminal must not hold requests up."""


def progress_on(
    line: ProgressLine, monotonic: Callable[[], float] = time.monotonic
) -> Callable[[VerifyProgress], None]:
    """What shows a verification's progress on the line."""
    shown_at = float("-inf")

    def show(progress: VerifyProgress) -> None:
        nonlocal shown_at
        now = monotonic()
        is_step = 0 < progress.done < progress.total
        if is_step and now - shown_at < LEAST_PAUSE_S:
            return
        shown_at = now
        line.show(progress_text(progress))

    return show


def progress_text(progress: VerifyProgress) -> str:
    """ "████░░░░ 40 of 100 requests   legacy 36   canary 4"."""
    if progress.step == "health":
        return "verifying: asking both sides for their health"
    filled = _BAR * progress.done // max(1, progress.total)
    bar = "█" * filled + "░" * (_BAR - filled)
    failed = f"   no answer {progress.failed}" if progress.failed else ""
    sides = f"legacy {progress.legacy}   canary {progress.canary}"
    return f"{bar} {progress.done} of {progress.total} requests   {sides}{failed}"


def print_verification(verification: Verification) -> None:
    """The checks, both sides, and the verdict last; one that is not passed on standard error."""
    print_table(
        [
            (
                f"{CHECK_GLYPHS[c.state]} {CHECK_WORDS[c.state]}",
                sanitize(c.label),
                sanitize(c.said, 300),
            )
            for c in verification.checks
        ],
        indent="  ",
    )
    if verification.comparison is not None:
        print_comparison(verification.comparison)
    line = verification_line(verification)
    if verification.verdict == "passed":
        say(line)
        return
    remedy = {
        "not_passed": "Verify again with `canary verify`, or go back with `canary rollback`.",
        "unverified": "That is not a pass: see to what is named, then `canary verify`.",
    }[verification.verdict]
    click.echo(f"canary: {line}. {remedy}", err=True)


def print_comparison(comparison: Comparison) -> None:
    """Both sides beside each other; latencies are as measured from here."""
    legacy, canary = comparison.legacy, comparison.canary
    rows = [("", sanitize(legacy.service, 60), sanitize(canary.service, 60))]
    rows += [(label, show(legacy), show(canary)) for label, show in _ROWS]
    print_table(rows, indent="  ")
    if comparison.unnamed:
        say(f"  {format_count(comparison.unnamed)} answers do not say which side they are from.")
    if comparison.unanswered:
        why = f": {sanitize(comparison.first_error)}" if comparison.first_error else ""
        say(f"  {format_count(comparison.unanswered)} requests were not answered{why}.")
