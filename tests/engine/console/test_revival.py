"""The embedded cloud's second life, with real processes that are really killed."""

from __future__ import annotations

import os
import signal

import pytest

from canary.cloud.embedded.embedded import STATE_FILE
from canary.engine.console.console_loop import MOST_TRIES, WITHIN_S, Revival
from canary.engine.session import Session
from tests.embedded import DEFAULT_PLAN

pytestmark = pytest.mark.usefixtures("state_dir")


def kill(session: Session) -> None:
    assert session.embedded is not None
    os.kill(session.embedded.pid, signal.SIGKILL)


async def test_one_that_is_killed_is_started_again_and_the_event_log_says_so() -> None:
    said: list[tuple[str, str]] = []
    async with await Session.open(DEFAULT_PLAN, need_metrics=False) as session:
        kill(session)
        assert await Revival(session, lambda *event: said.append(event), lambda: 0.0).poll() == 0.0
        state = await session.cloud.router.service(DEFAULT_PLAN.router_service)
        assert state.percent == 10
        kill(session)
    assert [severity for severity, _ in said] == ["warning", "good"]
    assert "runs again" in said[-1][1]


async def test_one_that_does_not_come_up_is_tried_a_few_times_and_then_only_when_asked() -> None:
    said: list[str] = []
    now = [0.0]
    async with await Session.open(DEFAULT_PLAN, need_metrics=False) as session:
        kill(session)
        assert session.embedded is not None
        await session.embedded.wait_lost()
        for suffix in ("-wal", "-shm"):
            (session.directory / f"{STATE_FILE}{suffix}").unlink(missing_ok=True)
        (session.directory / STATE_FILE).write_bytes(b"no state file" * 1000)
        revival = Revival(session, lambda _, text: said.append(text), lambda: now[0])
        pauses = [await revival.poll() for _ in range(MOST_TRIES + 1)]
        assert pauses[-1] > WITHIN_S > pauses[0]
        assert "F5" in said[-1]
        tried = sum("starting it again" in text for text in said)
        assert tried == MOST_TRIES
        await revival.poll()
        assert sum("starting it again" in text for text in said) == MOST_TRIES + 1
