"""A webhook: one JSON body posted to an address that is a secret.

The address never stands in a message or a log, but for its host. Redirects are not followed.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import msgspec

from canary.cloud.connection.http import open_http, read_at_most
from canary.host.listeners import find_stranger_at
from canary.host.logs import remember_address
from canary.rollout.errors import CloudError, Denied, QuotaExhausted, Rejected, Unavailable
from canary.rollout.plan.rules import find_address_mistake
from canary.rollout.text import sanitize

SOURCE = "the webhook"
AGAIN_AFTER_S = 1.0
_BODY_LIMIT = 300

LEAST_SECRET = 4
"""Pieces of an address that are shorter are no secret, and stand in any answer by chance."""


async def post_webhook(
    url: str,
    document: Mapping[str, Any],
    timeout_s: float,
    *,
    headers: Mapping[str, str] | None = None,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Post `document` as JSON; answered 2xx when this returns.

    `headers` go along. Tried once more only where nothing can have arrived (no connection);
    whoever must not lose a message asks again later, and may tell it twice. Raises Unavailable,
    Denied, QuotaExhausted or Rejected, none of which repeats the address.
    """
    wrong = find_address_mistake(url)
    if wrong:
        raise Rejected(f"The webhook's address {wrong}.", source=SOURCE)
    remember_address(url)
    if url.lower().startswith("http://") and (said := find_stranger_at(url)):
        raise Unavailable(f"The webhook was not called. {said}", source=SOURCE)
    import httpx

    try:
        await _post(url, document, timeout_s, headers)
    except httpx.ConnectError:
        await sleep(AGAIN_AFTER_S)
        try:
            await _post(url, document, timeout_s, headers)
        except (httpx.HTTPError, TimeoutError) as exc:
            raise _unreachable(url, exc) from None
    except (httpx.HTTPError, TimeoutError) as exc:
        # `from None`: httpx's own errors carry the request, and with it the address.
        raise _unreachable(url, exc) from None


async def _post(
    url: str, document: Mapping[str, Any], timeout_s: float, more: Mapping[str, str] | None
) -> None:
    headers = {"content-type": "application/json", **(more or {})}
    async with (
        asyncio.timeout(timeout_s),
        open_http(url, timeout=timeout_s) as client,
        client.stream(
            "POST", url, content=msgspec.json.encode(document), headers=headers
        ) as response,
    ):
        if response.is_success:
            return
        said = await read_at_most(response, _BODY_LIMIT)
        raise _refusal(url, response.status_code, said[:_BODY_LIMIT])


def _refusal(url: str, status: int, said: bytes) -> CloudError:
    words = sanitize(_without_address(said.decode(errors="replace"), url), 120)
    message = f"The webhook at {_host(url)} answered {status}{f': {words}' if words else ''}."
    kind: type[CloudError] = Rejected
    if status in (401, 403, 404, 410):
        kind = Denied
    elif status == 429:
        kind = QuotaExhausted
    elif status >= 500:
        kind = Unavailable
    return kind(message, source=SOURCE)


def _without_address(said: str, url: str) -> str:
    """Many servers repeat in their answer what they were asked for, and that is the secret."""
    parts = urlsplit(url)
    pieces = {parts.path, parts.query, *parts.path.split("/"), *re.split("[&=]", parts.query)}
    pieces |= {unquote(piece) for piece in pieces}
    for piece in sorted(pieces, key=len, reverse=True):
        if len(piece) >= LEAST_SECRET:
            said = said.replace(piece, "…")
    return said


def _unreachable(url: str, exc: Exception) -> Unavailable:
    why = "no answer in time" if isinstance(exc, TimeoutError) else type(exc).__name__
    return Unavailable(f"The webhook at {_host(url)} cannot be reached: {why}.", source=SOURCE)


def _host(url: str) -> str:
    return sanitize(urlsplit(url).hostname or "an unreadable address", 80)
