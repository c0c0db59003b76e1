"""A result that took long to come by is said, whether or not its file can be written."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import click

from canary.rollout.errors import RecordError
from canary.rollout.words import plain

KeptT = TypeVar("KeptT")


def keep(write: Callable[[], KeptT]) -> tuple[KeptT | None, RecordError | None]:
    """What `write` returns, or why it could not be written."""
    try:
        return write(), None
    except RecordError as error:
        return None, error


def conclude(code: int, trouble: RecordError | None) -> int:
    """The exit code of a result that was said: its own, or 3 where all that fails is its file."""
    if trouble is None:
        return code
    click.echo(f"canary: {plain(trouble, 1000)}", err=True)
    return code or trouble.exit_code
