"""Another user of the host can neither steer nor read somebody's embedded cloud."""

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from canary.cloud.connection.clients import Connection
from canary.cloud.router.choice import open_router
from canary.rollout.errors import CanaryError
from canary.simulator.wire import peers
from canary.simulator.wire.peers import Doorkeeper
from tests.embedded import Embed
from tests.hostile.other import OTHER_UID, needs_root

ASKED = ("GET /_cloud/clock", "POST /_cloud/end", "GET /apis/serving.knative.dev/v1/x", "GET /")


@contextmanager
def another_user() -> Iterator[None]:
    """Sockets that are made meanwhile are the second user's."""
    os.seteuid(OTHER_UID)
    try:
        yield
    finally:
        os.seteuid(0)


async def ask(url: str, asked: str) -> str:
    """The status line of the answer; the socket belongs to whoever this process is just now."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"{asked} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n".encode())
    line = (await reader.readline()).decode()
    writer.close()
    return line


@needs_root
@pytest.mark.parametrize("asked", ASKED)
async def test_another_user_is_refused_over_http(embed: Embed, asked: str):
    async with embed(http=True) as cloud:
        assert "403" not in await ask(cloud.control_url, "GET /_cloud/clock")
        with another_user():
            assert " 403 " in await ask(cloud.control_url, asked)


@needs_root
async def test_another_user_is_refused_over_grpc(embed: Embed):
    # Another cloud first, for all that is imported on the way: the second user may not read it. And
    # another, since channels to one address share a connection within a process.
    async with embed() as first:
        await first.run.read_split()
    async with embed() as cloud:
        with another_user():
            connection = Connection(cloud.endpoints)
            router = open_router(cloud.plan, connection)
            with pytest.raises(CanaryError, match="another user of this host"):
                await router.read_split()
        await connection.close()
        await router.close()


@pytest.mark.parametrize(
    ("header", "answered"),
    [
        ("Host: evil.example", False),
        ("Host: 127.0.0.1.evil.example:80", False),
        ("Host: 127.0.0.1\r\nOrigin: https://evil.example", False),
        ("Host: localhost:8080", True),
        ("Host: [::1]", True),
        ("Host: us-central1-run.localhost:80", True),
        ("Host: localhost.evil.example", False),
    ],
)
async def test_a_page_in_the_persons_browser_is_refused(embed: Embed, header: str, answered: bool):
    """By a name of its own that points to loopback, or by a form that it sends across."""
    async with embed(http=True) as cloud:
        parts = urlsplit(cloud.control_url)
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        head = f"POST /_cloud/clock HTTP/1.1\r\n{header}\r\nContent-Length: 2\r\n\r\n"
        writer.write(head.encode() + b"{}")
        line = await reader.readline()
        writer.close()
        assert (b" 200 " in line) == answered
        assert (b" 403 " in line) != answered


async def test_ones_own_user_is_answered_over_both(embed: Embed):
    async with embed(http=True) as cloud:
        assert " 200 " in await ask(cloud.control_url, "GET /_cloud/clock")
        assert (await cloud.run.read_split()).percent is not None


def test_a_connection_that_is_closing_is_nobodys():
    """A socket that was closed at once counts as root's: that must not open the door."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = server.getsockname()[1]
        client = socket.create_connection(("127.0.0.1", own))
        port = client.getsockname()[1]
        accepted, _ = server.accept()
        door = Doorkeeper()
        assert door.admits(port, own)
        client.close()
        assert not door.admits(port, own)
        accepted.close()


def test_whom_the_table_does_not_know_is_not_admitted():
    assert not Doorkeeper().admits(1, 2)


def test_the_kernel_says_the_same_of_one_socket_as_its_table_of_all() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        own = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", own)) as client:
            port = client.getsockname()[1]
            with server.accept()[0]:
                table = peers._look_up(port, own)
                assert table == [(peers.ESTABLISHED, os.getuid())]
                assert peers._ask(port, own) in (None, table)
    assert peers._ask(1, 2) in (None, [])
    assert peers._look_up(1, 2) == []


def test_where_the_kernel_does_not_answer_for_one_socket_the_table_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(peers, "_ask", lambda *_: None)
    assert not Doorkeeper().admits(1, 2)
