"""What a scraper is told by a process that watches: the newest snapshot, on a loopback port.

Anybody on this host may ask: no secret is in it, and nothing can be changed by it.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Final

from canary.host.clock import read_steady_clock
from canary.rollout.errors import UsageError
from canary.rollout.export.openmetrics import CONTENT_TYPE, TEXTFILE_TYPE, write_openmetrics
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state

LOOPBACK: Final = "127.0.0.1"
NOTHING_YET: Final = "# EOF\n"
PLAIN: Final = "text/plain"
END_OF_HEAD: Final = b"\r\n\r\n"
LONGEST_HEAD: Final = 8192
REQUEST_S: Final = 5.0
MOST_CONNECTIONS: Final = 8
"""At the same time. A guard answers here, too, and needs its file descriptors to roll back."""


class MetricsPort:
    """Keeps what is told; `show` is given each snapshot. The cloud's time goes on from the newest
    one's by the host's steady clock.
    """

    def __init__(self, plan: Plan, steady: Callable[[], float] = read_steady_clock) -> None:
        self._plan = plan
        self._steady = steady
        self._shown_at = 0.0
        self._snapshot: Snapshot | None = None
        self._waiting_since: float | None = None

    def show(self, snapshot: Snapshot) -> None:
        """Tell of this snapshot from now on."""
        if find_state(snapshot, self._plan).actor.kind != "you":
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = snapshot.verdict_since or snapshot.as_of
        self._snapshot, self._shown_at = snapshot, self._steady()

    def text(self, *, textfile: bool = False) -> str:
        """What a scrape is answered, as OpenMetrics or in the older text format; nothing before the
        first snapshot.
        """
        if self._snapshot is None:
            return "" if textfile else NOTHING_YET
        known = self._snapshot
        now = known.as_of + (self._steady() - self._shown_at) * known.speed
        return write_openmetrics(
            known, self._plan, now, known.changes, self._waiting_since, textfile=textfile
        )


class _Door:
    """Answers one request on each connection. Of too many at once the oldest is dropped: whoever
    opens connections and says nothing takes neither the scraper's turn nor this process's files.
    """

    def __init__(self, told: MetricsPort) -> None:
        self._told = told
        self._open: dict[asyncio.StreamWriter, None] = {}
        self._answering: set[asyncio.Task[None]] = set()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while len(self._open) >= MOST_CONNECTIONS:
            self._drop(next(iter(self._open)))
        self._open[writer] = None
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - for the type checker
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)
        try:
            async with asyncio.timeout(REQUEST_S):
                head = await reader.readuntil(END_OF_HEAD)
                writer.write(_reply(head, self._told))
                await writer.drain()
        except (TimeoutError, OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass  # whoever asks so gets no answer
        finally:
            self._open.pop(writer, None)
            writer.close()

    async def close(self) -> None:
        """Drop who is still here, and wait until that is done: a task that the end of the loop
        cancels would say so on the terminal.
        """
        for writer in tuple(self._open):
            self._drop(writer)
        if self._answering:
            await asyncio.wait(self._answering, timeout=REQUEST_S)

    def _drop(self, writer: asyncio.StreamWriter) -> None:
        self._open.pop(writer, None)
        writer.transport.abort()


def _reply(head: bytes, told: MetricsPort) -> bytes:
    """The answer to the head of a request; no connection is kept."""
    method, _, rest = head.partition(b" ")
    path = rest.partition(b" ")[0].partition(b"?")[0]
    status, kind, body = "200 OK", PLAIN, b""
    if not _is_for_loopback(head):
        status = "421 Misdirected Request"
    elif path != b"/metrics":
        status = "404 Not Found"
    elif method not in (b"GET", b"HEAD"):
        status = "405 Method Not Allowed"
    else:
        # Whoever does not ask for OpenMetrics may not read its infos and state sets.
        textfile = _OPENMETRICS.search(head) is None
        kind = TEXTFILE_TYPE if textfile else CONTENT_TYPE
        body = told.text(textfile=textfile).encode()
    lines = (
        f"HTTP/1.1 {status}",
        f"content-type: {kind}",
        f"content-length: {len(body)}",
        "connection: close",
    )
    said = "\r\n".join(lines).encode() + END_OF_HEAD
    return said if method == b"HEAD" else said + body


def _is_for_loopback(head: bytes) -> bool:
    """Whether a request names this machine, or nobody. A page in a browser here that has its own
    name point to loopback (DNS rebinding) names itself.
    """
    hosts = [value.strip().lower() for value in _HOST.findall(head)]
    return all(_LOCAL.fullmatch(host) for host in hosts)


_OPENMETRICS: Final = re.compile(rb"(?im)^accept:[^\r\n]*application/openmetrics-text")
_HOST: Final = re.compile(rb"(?im)^host:([^\r\n]*)")
_LOCAL: Final = re.compile(rb"(([a-z0-9-]+\.)*localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?")


@contextlib.asynccontextmanager
async def serving(
    port: int | None, told: MetricsPort, without: Callable[[str], None] | None = None
) -> AsyncIterator[None]:
    """Answer `GET /metrics` on loopback while this lasts; nothing for None.

    When the port cannot be had `without` is told so, and it goes on; None: raises UsageError.
    """
    if port is None:
        yield
        return
    door = _Door(told)
    try:
        server = await asyncio.start_server(door.answer, LOOPBACK, port, limit=LONGEST_HEAD)
    except OSError as exc:
        said = f"Port {port} of {LOOPBACK} cannot be used: {exc.strerror or exc}."
        if without is None:
            raise UsageError(said, remedy="Name another with --metrics-port.") from exc
        without(said)
        yield
        return
    try:
        yield
    finally:
        server.close()
        await door.close()
        await server.wait_closed()
