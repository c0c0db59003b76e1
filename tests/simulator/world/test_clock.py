"""Cloud time."""

import pytest

from canary.simulator.world.world import Clock


class Real:
    """A real clock that is moved by hand."""

    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def test_cloud_time_runs_speed_times_as_fast():
    real = Real()
    clock = Clock(1000.0, 60.0, real)
    real.now += 2.0
    assert clock.now() == 1120.0


def test_another_speed_counts_from_now_on():
    real = Real()
    clock = Clock(1000.0, 60.0, real)
    real.now += 1.0
    clock.set_speed(1.0)
    real.now += 1.0
    assert clock.now() == 1061.0


def test_a_jump_goes_forwards():
    clock = Clock(1000.0, 60.0, Real())
    clock.advance(30.0)
    assert clock.now() == 1030.0


def test_cloud_seconds_are_shorter_on_the_wall():
    assert Clock(0.0, 60.0, Real()).real_seconds(120.0) == 2.0


@pytest.mark.parametrize("cloud_s", [-1.0, float("inf"), float("nan")])
def test_a_jump_backwards_or_beyond_all_time_is_refused(cloud_s):
    clock = Clock(1000.0, 1.0, Real())
    with pytest.raises(ValueError, match="advance_s"):
        clock.advance(cloud_s)
    assert clock.now() == 1000.0


@pytest.mark.parametrize("speed", [0.0, -1.0, float("inf"), float("nan")])
def test_a_speed_that_no_clock_has_is_refused(speed):
    with pytest.raises(ValueError, match="speed"):
        Clock(0.0, 1.0, Real()).set_speed(speed)
