"""Calls of Google's clients: their exceptions become ours, and reads are tried again.

A bounded number of times, with backoff and jitter. Changes never are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from canary.cloud.connection.errors import foreign_errors, translate, translate_change
from canary.rollout.errors import Unavailable

ATTEMPTS = 3
FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 2.0

_Answer = TypeVar("_Answer")


async def ask(call: Callable[[], Awaitable[_Answer]], source: str, doing: str) -> _Answer:
    """Return the answer of `call`, a read of `source`; tried again. Raises CanaryError.

    `doing` says in messages what for: "reading ion-api".
    """

    async def once() -> _Answer:
        try:
            return await call()
        except foreign_errors() as exc:
            raise translate(exc, source, doing) from exc

    return await read_again(once)


async def send(call: Awaitable[_Answer], source: str, doing: str) -> _Answer:
    """Return the answer of `call`, a change, made once.

    Raises OutcomeUnknown where it may have taken effect, and CanaryError where it has not.
    """
    try:
        return await call
    except foreign_errors() as exc:
        raise translate_change(exc, source, doing) from exc


async def read_again(call: Callable[[], Awaitable[_Answer]]) -> _Answer:
    """Return the answer of `call`, a read; after Unavailable it is made up to twice more.

    Other errors pass at once: QuotaExhausted above all, which asking again would only prolong.
    The last Unavailable is raised when all attempts failed.
    """
    try:
        return await call()
    except Unavailable:
        pass

    async def again() -> _Answer:
        # tenacity awaits what it knows for a coroutine function, which a lambda is not.
        return await call()

    # Imported only when something failed: 15 ms that a rollback in good weather need not wait for.
    import tenacity

    waits = tenacity.wait_random_exponential(multiplier=FIRST_WAIT_S, max=LONGEST_WAIT_S)
    attempts = tenacity.AsyncRetrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS - 1),
        wait=waits,
        retry=tenacity.retry_if_exception_type(Unavailable),
        reraise=True,
    )
    return await attempts(again)
