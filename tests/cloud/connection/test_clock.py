"""The cloud's clock."""

import time

from canary.cloud.connection.clock import ScaledClock, SystemClock


def test_a_scaled_clock_runs_speed_times_as_fast() -> None:
    real = [100.0]
    clock = ScaledClock(1_000.0, 100.0, 60.0, monotonic=lambda: real[0])
    assert clock.now() == 1_000.0
    real[0] = 101.5
    assert clock.now() == 1_090.0


def test_it_follows_what_the_cloud_says() -> None:
    real = [100.0]
    clock = ScaledClock(1_000.0, 100.0, 60.0, monotonic=lambda: real[0])
    real[0] = 110.0
    clock.follow(5_000.0, 2.0)
    assert (clock.now(), clock.speed) == (5_000.0, 2.0)
    real[0] = 111.0
    assert clock.now() == 5_002.0


def test_the_system_clock_is_unix_time_at_speed_one() -> None:
    before = time.time()
    assert before <= SystemClock().now() <= time.time()
    assert SystemClock().speed == 1.0
