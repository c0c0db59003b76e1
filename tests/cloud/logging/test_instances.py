"""New instances are left out; an instance that is restarted again and again is not hidden."""

from canary.cloud.logging.instances import WarmUp
from canary.cloud.logging.windows import Request, Windows

WARM_S = 180.0
OPENED = 1000.0


def opened() -> WarmUp:
    warm_up = WarmUp(WARM_S)
    warm_up.open(OPENED)
    return warm_up


def test_what_is_seen_at_the_opening_is_of_unknown_age_and_counts():
    warm_up = opened()
    assert not warm_up.is_cold("a", OPENED + 1)
    assert not warm_up.is_cold("b", OPENED + 59)
    assert not warm_up.is_cold("b", OPENED + 70)


def test_a_later_instance_is_cold_for_its_first_minutes():
    warm_up = opened()
    assert warm_up.is_cold("new", OPENED + 100)
    assert warm_up.is_cold("new", OPENED + 100 + WARM_S - 1)
    assert not warm_up.is_cold("new", OPENED + 100 + WARM_S)


def test_a_request_without_an_instance_counts():
    assert not opened().is_cold("", OPENED + 500)


def test_without_a_warm_up_nothing_is_cold():
    warm_up = WarmUp(0.0)
    warm_up.open(OPENED)
    assert not warm_up.is_cold("new", OPENED + 500)


def test_an_instance_that_is_started_anew_every_minute_is_not_hidden():
    warm_up = opened()
    for instance in range(8):
        warm_up.is_cold(f"old-{instance}", OPENED + 1)
    cold = [warm_up.is_cold(f"crash-{n}", OPENED + 100 + 60 * n) for n in range(30)]
    assert cold[:2] == [True, True]
    assert not any(cold[3:])


def test_many_new_ones_beside_many_more_are_scaling():
    warm_up = opened()
    for instance in range(40):
        warm_up.is_cold(f"old-{instance}", OPENED + 1)
    assert all(warm_up.is_cold(f"new-{n}", OPENED + 100 + n) for n in range(10))


def test_after_a_gap_the_age_of_the_unknown_is_not_known_again():
    warm_up = opened()
    warm_up.is_cold("a", OPENED + 1)
    warm_up.open(OPENED + 30)  # a short cut: what is new now is new
    assert warm_up.is_cold("b", OPENED + 70)
    warm_up.open(OPENED + 4000)
    assert not warm_up.is_cold("c", OPENED + 4010)


def windows_of(cold: int, warm: int):
    warm_up = opened()
    warm_up.is_cold("old", OPENED + 1)
    windows = Windows(OPENED + 200, warm_up=warm_up)
    for number in range(cold + warm):
        name = "new" if number < cold else "old"
        windows.add(Request("canary", OPENED + 206, 500, 100.0, "c-1", instance=name))
    return windows.close(OPENED + 215)[0].canary


def test_requests_of_new_instances_are_counted_apart():
    side = windows_of(cold=3, warm=5)
    assert (side.requests, side.bad, side.cold) == (5, 5, 3)
    assert side.answers is not None
    assert side.answers.total == 8
    assert side.latency is not None
    assert side.latency.count == 5


def test_where_most_instances_are_new_all_count():
    side = windows_of(cold=6, warm=5)
    assert (side.requests, side.bad, side.cold) == (11, 11, 0)
    assert side.latency is not None
    assert side.latency.count == 11
