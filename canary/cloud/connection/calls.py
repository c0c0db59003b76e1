"""Calls of Google's clients: their exceptions become ours, and reads are tried again.

A bounded number of times, with backoff and jitter. Changes never are.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, TypeVar

from canary.cloud.connection.errors import foreign_errors, translate, translate_change
from canary.rollout.errors import Unavailable
from canary.rollout.text import sanitize

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


def demand_whole(page: Any, source: str, doing: str) -> None:
    """Raise Unavailable for a page, a raw message or JSON, that admits that something is missing.

    ListTimeSeries says so in `execution_errors`, lists in `unreachable`, Compute Engine's lists in
    `warning`: with an OK, and beside values that look whole (ListTimeSeriesResponse;
    googleapis/google-cloud-node#7745).
    """

    def said(field: str) -> Any:
        return page.get(field) if isinstance(page, Mapping) else getattr(page, field, None)

    whys = [one.message or f"code {one.code}" for one in said("execution_errors") or ()]
    if unreachable := said("unreachable"):
        named = [unreachable] if isinstance(unreachable, str) else map(str, unreachable)
        whys.append(f"not reached: {', '.join(named)}")
    if isinstance(page, Mapping) and isinstance(warning := page.get("warning"), Mapping):
        code = str(warning.get("code", ""))
        if code not in _HARMLESS_WARNINGS:
            whys.append(str(warning.get("message") or code))
    if whys:
        raise Unavailable(
            f"{source} answered only in part ({doing}): {sanitize('; '.join(whys), 200)}",
            remedy="What needs it is shown as no data until it answers in full.",
            source=source,
        )


_HARMLESS_WARNINGS = frozenset({"NO_RESULTS_ON_PAGE", "DEPRECATED_RESOURCE_USED"})
"""compute/v1, `warning.code`: nothing is missing."""


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
