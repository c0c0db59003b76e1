"""Who owns a state file, and who holds a lease."""

from __future__ import annotations

import asyncio
import os
import socket
import stat
from collections.abc import Iterator

import msgspec
import pytest

from canary.simulator.control.ownership import Leases, Ownership, Ready

READY = Ready(
    pid=os.getpid(),
    grpc="127.0.0.1:1",
    http="http://127.0.0.1:2",
    router="http://127.0.0.1:2",
    services={"a": "http://127.0.0.1:3"},
    speed=60.0,
    now=1.0,
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield listening


def where(listener: socket.socket) -> Ready:
    http = f"http://127.0.0.1:{listener.getsockname()[1]}"
    return msgspec.structs.replace(READY, http=http)


def test_the_first_owns_and_the_second_is_told_where_it_is(tmp_path, listener):
    first, second = Ownership(tmp_path / "state.db"), Ownership(tmp_path / "state.db")
    assert first.acquire() is None
    first.announce(where(listener))
    shared = second.acquire()
    assert (shared.http, shared.shared) == (where(listener).http, True)
    first.release()


def test_one_that_is_dying_is_waited_for(tmp_path, listener, monkeypatch):
    """Its sockets are closed, its lock and its pid are still there: nobody is sent to it."""
    first, second = Ownership(tmp_path / "state.db"), Ownership(tmp_path / "state.db")
    assert first.acquire() is None
    first.announce(where(listener))
    listener.close()
    looks: list[float] = []

    def look_again(after_s: float) -> None:
        looks.append(after_s)
        first.release()

    monkeypatch.setattr("canary.simulator.control.ownership.time.sleep", look_again)
    assert second.acquire() is None
    assert len(looks) == 1
    second.release()


def test_after_the_owner_let_go_another_owns(tmp_path):
    first, second = Ownership(tmp_path / "state.db"), Ownership(tmp_path / "state.db")
    assert first.acquire() is None
    first.release()
    assert second.acquire() is None
    second.release()


def test_a_line_left_by_a_killed_owner_is_removed_by_the_next(tmp_path):
    left = tmp_path / "state.db.endpoint.json"
    left.write_text(READY.line())
    ownership = Ownership(tmp_path / "state.db")
    assert ownership.acquire() is None
    assert not left.exists()
    ownership.release()


def test_the_line_is_its_owners_only_and_nothing_is_left_beside_it(tmp_path):
    ownership = Ownership(tmp_path / "state.db")
    ownership.acquire()
    ownership.announce(READY)
    path = tmp_path / "state.db.endpoint.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(p.name for p in tmp_path.iterdir()) == ["state.db.endpoint.json", "state.db.lock"]
    ownership.withdraw()
    assert not path.exists()
    ownership.release()


def test_the_line_of_an_owner_says_nothing_of_sharing():
    assert "shared" not in READY.line()
    assert READY.line().count("\n") == 1


NEVER_S = 3600.0


async def test_without_a_first_lease_the_cloud_ends():
    ended = asyncio.Event()
    Leases(ended.set, first_s=0.0, grace_s=NEVER_S).start()
    await ended.wait()


async def test_the_last_lease_that_closes_ends_the_cloud():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=NEVER_S, grace_s=0.0)
    leases.start()
    with leases.hold():
        assert leases.held == 1
    await ended.wait()


async def test_a_cloud_with_a_lease_left_does_not_end():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=0.0, grace_s=0.0)
    leases.start()
    with leases.hold():
        with leases.hold():
            pass
        await _turns()
        assert not ended.is_set()


async def test_a_lease_within_the_grace_keeps_the_cloud():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=NEVER_S, grace_s=0.0)
    with leases.hold():
        pass
    with leases.hold():
        await _turns()
        assert not ended.is_set()


async def test_stopped_leases_end_nothing_any_more():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=0.0, grace_s=0.0)
    leases.start()
    leases.stop()
    await _turns()
    assert not ended.is_set()


async def _turns():
    """Let everything run that is due."""
    for _ in range(5):
        await asyncio.sleep(0)
