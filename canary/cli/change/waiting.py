"""A rollback asked for while Cloud Run is away: it waits where all can see it, then goes on.

Without an answer of Cloud Run there is nothing that an intent could be pinned to, so nothing is in
the journal yet. Others on this host see it among those who are here; an interrupt withdraws it.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Final

import click

from canary.rollout.errors import QuotaExhausted, Unavailable
from canary.rollout.text import format_age, sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session
    from canary.rollout.change.change import Author
    from canary.rollout.snapshot.snapshot import Snapshot

PAUSES_S: Final = (0.5, 1.0, 2.0)
"""Real seconds between two questions; the last is repeated. Each read tries three times itself."""
SAY_EVERY_S: Final = 60.0

Look = Callable[["Session"], Awaitable["Snapshot"]]


class Withdrawn(Exception):
    """The wait was interrupted; nothing was sent."""


async def wait_for_return(
    session: Session, snapshot: Snapshot, look: Look, author: Author, wait_s: float
) -> Snapshot:
    """Look again until Cloud Run answers; the snapshot of then.

    As it came where Cloud Run has answered, or where waiting would not help (no right, no such
    service), or where `wait_s` real seconds are over. Raises Withdrawn when it is interrupted.
    """
    if snapshot.standing is not None or wait_s <= 0 or not await _is_away(session):
        return snapshot
    from canary.engine.signals import ended_by_signal

    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - a coroutine is run by one
    # A hang-up does not end the wait: the rollback was asked for.
    with _seated(session, author), ended_by_signal(task.cancel, hang_up="ignored"):
        try:
            return await _wait(session, snapshot, look, wait_s)
        except asyncio.CancelledError:
            raise Withdrawn from None


async def _wait(session: Session, snapshot: Snapshot, look: Look, wait_s: float) -> Snapshot:
    began = said = time.monotonic()
    _say(
        f"{_why(snapshot)} Waiting for up to {format_age(wait_s)}: it goes out the moment Cloud Run"
        " answers. Nothing is in the journal yet. Ctrl-C withdraws it."
    )
    reads = 0
    while (waited := time.monotonic() - began) < wait_s:
        await asyncio.sleep(min(PAUSES_S[min(reads, len(PAUSES_S) - 1)], wait_s - waited))
        reads += 1
        if not await _is_away(session):
            snapshot = await look(session)
            if snapshot.standing is not None:
                _say(f"Cloud Run answers again, after {format_age(time.monotonic() - began)}.")
                return snapshot
        if time.monotonic() - said >= SAY_EVERY_S:
            said = time.monotonic()
            _say(f"still waiting for Cloud Run, {format_age(said - began)}. Nothing was sent.")
    _say(f"Cloud Run did not come back within {format_age(wait_s)}. Nothing was sent.")
    return snapshot


async def _is_away(session: Session) -> bool:
    """Whether Cloud Run is away or asks for patience; what it refuses is no reason to wait."""
    try:
        await session.cloud.router.service(session.plan.router_service)
    except (Unavailable, QuotaExhausted):
        return True
    except Exception:  # noqa: BLE001 - the look that follows says what it is
        return False
    return False


def _why(snapshot: Snapshot) -> str:
    source = next((s for s in snapshot.sources if s.name == "Cloud Run"), None)
    said = sanitize(source.message, 200) if source is not None else ""
    return f"Cloud Run does not answer: {said}" if said else "Cloud Run does not answer."


@contextlib.contextmanager
def _seated(session: Session, author: Author) -> Iterator[None]:
    """Be seen by the consoles of this host while waiting."""
    from canary.engine.guard.supervisor import operator_session_of
    from canary.store.presence import OperatorSessionHolder

    holder = OperatorSessionHolder(
        session.directory, operator_session_of(author, False, kind="rollback")
    )
    try:
        yield
    finally:
        holder.release()


def _say(sentence: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone by now
        click.echo(f"canary: {sentence}", err=True)
