"""A guard that a console leaves behind when it is suspended: `canary guard`, a session of its own.

It is armed as the console was, with the same countdown, and ends at SIGTERM or SIGINT.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path
from typing import Final

import msgspec

from canary.engine.guard.command import GuardOrder, guard
from canary.engine.observe.event_log import Severity
from canary.host.children import python_command, start_apart
from canary.host.logs import set_up_logging
from canary.paint.last_seen import Subject
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Plan

COMMAND: Final = tuple(python_command("canary.cli.background", "guard"))
LOG_FILE: Final = "guard.log"

log = logging.getLogger(__name__)


class GuardJob(msgspec.Struct, frozen=True):
    """What such a guard reads on its standard input. `countdown_s` None: the plan's.

    `subject`: for which plan's file what is seen is kept.
    """

    plan: Plan
    plan_path: str
    author: Author
    countdown_s: float | None = None
    subject: Subject | None = None


def leave_guard(job: GuardJob, directory: Path) -> int:
    """Start a guard that outlives this process; returns its number at once.

    Raises RecordError when it cannot be started.
    """
    try:
        return start_apart(COMMAND, directory, LOG_FILE, msgspec.json.encode(job))
    except OSError as exc:
        raise RecordError(
            f"No guard can be left behind: {exc.strerror or exc}.",
            remedy="Run `canary guard` in another shell.",
        ) from exc


def run_left_guard() -> int:
    """Be that guard: the job on standard input. Returns the exit code."""
    set_up_logging(own=logging.INFO, bounded=True)
    try:
        job = msgspec.json.decode(sys.stdin.buffer.read(), type=GuardJob)
    except msgspec.DecodeError as error:
        log.warning("no job on standard input: %s", error)
        return 2

    def say(severity: Severity, text: str) -> None:
        log.info("%s: %s", severity, text)

    try:
        order = GuardOrder(job.countdown_s, subject=job.subject)
        asyncio.run(guard(job.plan, Path(job.plan_path), order, job.author, say))
    except CanaryError as error:
        log.warning("%s", error)
        return error.exit_code
    return 0
