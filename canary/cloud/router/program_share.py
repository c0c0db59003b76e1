"""Canary's share where a program of the team's makes the split: as `read` prints it, else the
record's.
"""

from __future__ import annotations

from typing import Any

from canary.cloud.router.intent import decode_or_none, describe_begun, read_intent
from canary.cloud.router.program import run_command
from canary.rollout.errors import CanaryError, Malformed, ToolFailed
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

SOURCE = "the router's program"
READ_TIMEOUT_S = 10.0


async def read_share(plan: Plan, service: Any, change: str = "") -> tuple[int | None, str]:
    """The present share and "", or what is not as it should be (the share may be known even so).

    The intent of `change` itself, whose program has not been run yet, tells nothing of it.
    """
    intent = read_intent(plan, service)
    own = intent is not None and bool(change) and intent.change == change
    begun = "" if own else describe_begun(plan, service)
    if plan.target.router.read:
        try:
            return await ask_program(plan), begun
        except CanaryError as error:
            return None, error.message
    if begun:
        return None, begun
    record = decode_or_none(service.annotations.get(plan.record.annotation, ""))
    return (record.percent if record is not None else None), ""


async def ask_program(plan: Plan) -> int:
    """The share as `read` prints it: a whole number, 0 to 100. Raises ToolFailed, Malformed."""
    ended = await run_command(plan.target.router.read, READ_TIMEOUT_S)
    if ended.code != 0:
        raise ToolFailed(f"The program that reads the share {ended.words}.")
    text = ended.said.strip().removesuffix("%").strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and int(text) <= 100):
        raise Malformed(
            f'The program that reads the share said "{sanitize(text, 80)}", not 0 to 100.',
            source=SOURCE,
        )
    return int(text)
