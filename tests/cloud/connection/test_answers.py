"""What is learned from every answer: its date, and whether it is whole."""

import pytest

from canary.cloud.connection.clients import Connection, read_date
from canary.cloud.connection.clock import SKEW_FROM_S, SystemClock
from canary.cloud.router.choice import open_router
from canary.rollout.errors import Unavailable
from tests.embedded import Embedded

HOST = 1_760_000_040.0


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Thu, 09 Oct 2025 08:54:00 GMT", 1_760_000_040.0),
        ("", None),
        (None, None),
        ("yesterday", None),
        ("Thu, 99 Oct 2025 08:54:00 GMT", None),
    ],
)
def test_a_date_is_read_or_it_is_none(text, expected):
    assert read_date(text) == expected


@pytest.mark.parametrize(
    ("ahead_s", "skew_s"),
    [
        (0.0, 0.0),
        (SKEW_FROM_S - 1.0, 0.0),
        (600.0, 600.0),
        (-600.0, -600.0),
        (86_400.0, 86_400.0),
    ],
)
def test_a_clock_that_is_off_is_put_right_by_the_answers(ahead_s: float, skew_s: float):
    clock = SystemClock(wall=lambda: HOST)
    assert (clock.skew_s, clock.now()) == (None, HOST)
    clock.hear(HOST + ahead_s, 0.1)
    assert clock.skew_s == pytest.approx(skew_s, abs=1.0)
    assert clock.now() == pytest.approx(HOST + skew_s, abs=1.0)


def test_an_answer_that_took_long_says_nothing_about_the_clock():
    clock = SystemClock(wall=lambda: HOST)
    clock.hear(HOST + 600.0, 60.0)
    assert clock.now() == HOST


def test_a_clock_that_was_set_right_is_believed_again():
    clock = SystemClock(wall=lambda: HOST)
    clock.hear(HOST + 600.0, 0.0)
    clock.hear(HOST, 0.0)
    assert clock.now() == HOST


def test_a_clock_put_right_does_not_jump_about_with_every_answer():
    passed = [0.0]
    clock = SystemClock(wall=lambda: HOST + passed[0])
    seen = set()
    for tenth in range(20):
        passed[0] = tenth / 10
        clock.hear(float(int(HOST + 600.0 + passed[0])), 0.0)
        seen.add(clock.skew_s)
    assert len(seen) == 1


async def test_every_adapter_tells_the_clock(embedded: Embedded):
    clock = SystemClock(wall=lambda: embedded.now - 600.0)
    connection = Connection(embedded.endpoints, clock.hear)
    try:
        await open_router(embedded.plan, connection).service("ion-api")
    finally:
        await connection.close()
    assert clock.now() == pytest.approx(embedded.now, abs=1.5)


async def test_an_answer_cut_short_is_a_failure_and_no_mistake_of_ours(embedded: Embedded):
    embedded.break_method("GetService", shape="truncated")
    with pytest.raises(Unavailable, match="cut short"):
        await embedded.run.service("ion-api")
