"""A clock that runs faster than can be read is lowered, and that is said."""

from __future__ import annotations

import msgspec
import pytest

from canary.engine.observe.poll_loop import LEAST_METRICS_S, PollLoop
from canary.engine.observe.speed import READINGS, Pace
from canary.engine.session import Session
from tests.embedded import DEFAULT_PLAN
from tests.engine.watching import texts


def pace(took_s: float) -> Pace:
    found = Pace(300.0, 0.5)
    for _ in range(READINGS):
        found.note(took_s)
    return found


@pytest.mark.parametrize(
    ("took_s", "speed", "lowered"),
    [
        (0.1, 60.0, None),
        (0.1, 3600.0, 150.0),
        (0.1, 180.0, None),
        (2.5, 60.0, 30.0),
        (9.0, 1.0, None),
    ],
)
def test_what_can_be_held_follows_from_what_a_reading_takes(
    took_s: float, speed: float, lowered: float | None
) -> None:
    assert pace(took_s).lowered(speed, 210.0) == lowered


def test_one_slow_reading_alone_lowers_nothing() -> None:
    found = Pace(300.0, 0.5)
    found.note(30.0)
    assert found.lowered(60.0, 210.0) is None


@pytest.mark.usefixtures("state_dir")
async def test_a_local_cloud_at_3600_is_lowered_and_it_is_said() -> None:
    local = msgspec.structs.replace(DEFAULT_PLAN.local, speed=3600.0)
    plan = msgspec.structs.replace(DEFAULT_PLAN, local=local)
    async with await Session.open(plan) as session:
        loop = PollLoop(session.observer, session.embedded, print)
        for _ in range(READINGS):
            await loop._poll_metrics()
        await loop._poll_embedded()
        most = (plan.metrics.stale_after_s - 60.0) / LEAST_METRICS_S
        assert session.clock.speed <= most < 3600.0
        said = texts(session.observer.snapshot())
    assert any("ran ×3600, too fast for this machine" in text for text in said)
