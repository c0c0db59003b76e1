"""HTTP to the embedded cloud's control side over plain asyncio streams.

httpx would cost the start-up 0.1 s for three kinds of requests to loopback.
"""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import msgspec

from canary.cloud.connection.endpoints import is_loopback
from canary.host.listeners import find_stranger_at

_LONGEST_ANSWER = 1_000_000


class ControlError(Exception):
    """The answer is not HTTP, or not one that this speaks."""


class Lease:
    """An open connection that keeps the embedded cloud alive."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        # The heartbeat must be taken off the socket, or its buffer fills up in some months.
        self._draining = asyncio.create_task(_drain(reader))

    @property
    def held(self) -> bool:
        """Whether the other end still keeps it open."""
        return not self._draining.done()

    async def wait_lost(self) -> None:
        """Return when the other end has closed it, or it was given back."""
        await asyncio.wait((self._draining,))

    async def close(self) -> None:
        """Give it back; can be called twice."""
        self._draining.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._draining
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


async def open_lease(base_url: str) -> Lease:
    """Connect and ask for a lease. It does not wait for the answer: the cloud may still be loading
    its HTTP side, and holds the connection in its backlog meanwhile. Raises OSError.
    """
    host, port = _loopback(base_url)
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(_head("GET", "/_cloud/lease", host, port))
    await writer.drain()
    return Lease(reader, writer)


async def request_json(
    base_url: str, method: str, path: str, body: object = None
) -> tuple[int, bytes]:
    """Make one request; return status and body. Raises OSError and ControlError."""
    host, port = _loopback(base_url)
    content = b"" if body is None else msgspec.json.encode(_without_none(body))
    reader, writer = await asyncio.open_connection(host, port)
    try:
        writer.write(_head(method, path, host, port, len(content), close=True) + content)
        await writer.drain()
        answer = await reader.read(_LONGEST_ANSWER)
        while more := await reader.read(_LONGEST_ANSWER - len(answer)):
            answer += more
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()
    return _parse(answer)


def _parse(answer: bytes) -> tuple[int, bytes]:
    head, separator, body = answer.partition(b"\r\n\r\n")
    words = head.split(b"\r\n", 1)[0].split(b" ", 2)
    if not separator or len(words) < 2 or not words[0].startswith(b"HTTP/1."):
        raise ControlError("the answer is not HTTP")
    if not words[1].isdigit():
        raise ControlError("the answer has no status")
    if b"transfer-encoding: chunked" in head.lower():
        raise ControlError("the answer is chunked")
    return int(words[1]), body


def _head(
    method: str, path: str, host: str, port: int, length: int = 0, *, close: bool = False
) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", f"host: {host}:{port}", f"content-length: {length}"]
    if length:
        lines.append("content-type: application/json")
    if close:
        lines.append("connection: close")
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def _loopback(base_url: str) -> tuple[str, int]:
    parts = urlsplit(base_url)
    if parts.hostname is None or parts.port is None or not is_loopback(parts.hostname):
        raise ControlError(f"{base_url!r} is not on this host")
    if said := find_stranger_at(base_url):
        raise ControlError(said)
    return parts.hostname, parts.port


def _without_none(body: object) -> object:
    if isinstance(body, dict):
        return {key: value for key, value in body.items() if value is not None}
    return body


async def _drain(reader: asyncio.StreamReader) -> None:
    with contextlib.suppress(OSError):
        while await reader.read(4096):
            pass
