"""A scraper's view of a process that watches."""

from __future__ import annotations

import socket

import httpx
import pytest

from canary.engine.metrics_port import MetricsPort, serving
from canary.rollout.errors import UsageError
from tests.rollout.build import PLAN, snapshot, window


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def test_a_scrape_is_answered_with_the_newest_snapshot() -> None:
    told, port = MetricsPort(PLAN, lambda: 0.0), free_port()
    async with serving(port, told), httpx.AsyncClient(trust_env=False) as client:
        before = await client.get(f"http://127.0.0.1:{port}/metrics")
        told.show(snapshot())
        after = await client.get(f"http://127.0.0.1:{port}/metrics")
    assert before.text == "# EOF\n"
    assert after.headers["content-type"].startswith("application/openmetrics-text")
    assert "canary_rollout_stage{" in after.text


async def test_a_port_that_is_taken_is_said() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = int(taken.getsockname()[1])
        with pytest.raises(UsageError, match=f"Port {port}"):
            async with serving(port, MetricsPort(PLAN)):
                pass


def test_waiting_for_a_person_is_counted_from_when_it_began() -> None:
    at = [0.0]
    told = MetricsPort(PLAN, lambda: at[0])
    told.show(snapshot(window(error_ratio=0.08)))
    at[0] = 90.0
    line = next(x for x in told.text().splitlines() if "waiting_for_person_seconds{" in x)
    assert float(line.rsplit(" ", 1)[1]) == pytest.approx(90.0)
    told.show(snapshot())
    assert "waiting_for_person_seconds{" not in told.text()
