"""A scraper's view of a process that watches."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import httpx
import pytest

from canary.engine.metrics_port import MOST_CONNECTIONS, MetricsPort, serving
from canary.rollout.errors import UsageError
from tests.rollout.build import PLAN, snapshot, window


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@pytest.mark.parametrize(
    ("accept", "kind", "line", "end"),
    [
        (
            "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;version=0.0.4;q=0.5",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
            "# UNIT canary_rollout_set_ratio ratio\n",
            "# EOF\n",
        ),
        (
            "text/plain;version=0.0.4",
            "text/plain; version=0.0.4; charset=utf-8",
            "# TYPE canary_rollout_info gauge\n",
            "",
        ),
        (
            "*/*",
            "text/plain; version=0.0.4; charset=utf-8",
            "# TYPE canary_rollout_info gauge\n",
            "",
        ),
    ],
)
async def test_a_scrape_is_answered_with_the_newest_snapshot_in_the_format_asked_for(
    accept: str, kind: str, line: str, end: str
) -> None:
    told, port = MetricsPort(PLAN, lambda: 0.0), free_port()
    headers = {"accept": accept}
    async with serving(port, told), httpx.AsyncClient(trust_env=False, headers=headers) as client:
        before = await client.get(f"http://127.0.0.1:{port}/metrics")
        told.show(snapshot())
        after = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert before.text == end
    assert after.headers["content-type"] == kind
    assert "canary_rollout_stage{" in after.text
    assert line in after.text
    assert after.text.endswith("# EOF\n") is bool(end)


SCRAPE = b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text;version=1.0.0\r\n\r\n"


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionResetError:
        return b""
    finally:
        writer.close()


async def test_whoever_opens_connections_and_says_nothing_takes_no_file_of_the_process() -> None:
    """A guard that has no file descriptor left cannot roll back."""
    told, port = MetricsPort(PLAN, lambda: 0.0), free_port()
    async with serving(port, told):
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(64)]
        assert (await ask(port, SCRAPE)).endswith(b"# EOF\n")
        for reader, _ in opened[:-MOST_CONNECTIONS]:
            async with asyncio.timeout(20):
                with contextlib.suppress(ConnectionResetError):
                    assert await reader.read() == b""
        for _, writer in opened:
            writer.close()


@pytest.mark.parametrize(
    ("request_", "begin"),
    [
        (b"GET /metrics?a=b HTTP/1.1\r\nhost: LocalHost:9464\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /metrics HTTP/1.1\r\nHost: [::1]\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET /metrics HTTP/1.1\r\nHost: evil.example:9464\r\n\r\n", b"HTTP/1.1 421 "),
        (b"GET /metrics HTTP/1.1\r\na: b\r\nHOST:127.0.0.1.evil\r\n\r\n", b"HTTP/1.1 421 "),
        (b"GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: x\r\n\r\n", b"HTTP/1.1 421 "),
        (b"HEAD /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 "),
        (b"GET / HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"GET /metrics/../../etc/passwd HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 "),
        (b"POST /metrics HTTP/1.1\r\ncontent-length: 9999999999\r\n\r\n", b"HTTP/1.1 405 "),
        (b"\xff\x00\r\n\r\n", b"HTTP/1.1 404 "),
        (b"GET /" + b"a" * 100_000, b""),
        (b"x: y\r\n" * 20_000, b""),
    ],
)
async def test_any_request_is_answered_or_dropped_and_the_next_is_served(
    request_: bytes, begin: bytes
) -> None:
    told, port = MetricsPort(PLAN, lambda: 0.0), free_port()
    async with serving(port, told):
        async with asyncio.timeout(20):
            answer = await ask(port, request_)
        assert answer.startswith(begin)
        assert bool(answer) == bool(begin)
        assert (await ask(port, SCRAPE)).endswith(b"# EOF\n")


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with pytest.raises(UsageError, match=f"Port {port}"):
            async with serving(port, MetricsPort(PLAN)):
                pass
        said: list[str] = []
        async with serving(port, MetricsPort(PLAN), said.append):
            assert len(said) == 1
            assert f"Port {port}" in said[0]


def test_waiting_for_a_person_is_counted_from_when_it_began() -> None:
    at = [0.0]
    told = MetricsPort(PLAN, lambda: at[0])
    told.show(snapshot(window(error_ratio=0.08)))
    at[0] = 90.0
    line = next(x for x in told.text().splitlines() if "waiting_for_person_seconds{" in x)
    assert float(line.rsplit(" ", 1)[1]) == pytest.approx(90.0)
    told.show(snapshot())
    assert "waiting_for_person_seconds{" not in told.text()


def test_whoever_is_connected_at_the_end_has_nothing_said_of_it(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """A second user who keeps connections open would write tracebacks on the terminal."""

    async def watch() -> None:
        port = free_port()
        async with serving(port, MetricsPort(PLAN, lambda: 0.0)):
            for _ in range(2 * MOST_CONNECTIONS):
                stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            assert (await ask(port, SCRAPE)).endswith(b"# EOF\n")

    with contextlib.ExitStack() as stack:
        asyncio.run(watch())
    assert capfd.readouterr().err == ""
    assert caplog.records == []
