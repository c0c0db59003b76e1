"""Requests that really arrived."""

from canary.simulator.world.traffic.arrivals import NOTHING, Arrivals


def counted():
    arrivals = Arrivals()
    arrivals.count(119.9, "a", "a-1", 200, 100.0, 0.8)
    arrivals.count(119.9, "a", "a-1", 500, 50.0, None)
    arrivals.count_refused(119.9, "a", "a-1", 429)
    return arrivals


def test_a_request_counts_in_the_minute_in_which_it_was_answered():
    arrivals = counted()
    assert arrivals.get(120, "a", "a-1").requests == 2
    arrivals.count(120.0, "a", "a-1", 200, 1.0, None)
    assert arrivals.get(180, "a", "a-1").requests == 1


def test_code_latency_and_confidence_are_kept():
    arrived = counted().get(120, "a", "a-1")
    assert arrived.latencies[200].sum == 100.0
    assert arrived.latencies[500].sum == 50.0
    assert (arrived.confidence.count, arrived.confidence.sum) == (1, 0.8)


def test_a_refused_request_is_no_response():
    assert counted().get(120, "a", "a-1").refused == 1


def test_nothing_arrived_is_nothing():
    assert Arrivals().get(120, "a", "a-1") is NOTHING
    assert Arrivals().per_s(120, "a", "a-1") == 0.0


def test_what_changed_is_given_once_and_can_be_taken_back():
    arrivals = counted()
    changed = list(arrivals.take_changed())
    assert list(arrivals.take_changed()) == []
    again = Arrivals()
    for end, service, revision, value in changed:
        again.restore(end, service, revision, value)
    assert again.get(120, "a", "a-1") == arrivals.get(120, "a", "a-1")


def test_lately_looks_back_as_many_minutes_as_asked():
    arrivals = counted()
    assert arrivals.lately(120 + 60 * 14, "a", "a-1", 15)
    assert not arrivals.lately(120 + 60 * 15, "a", "a-1", 15)
    assert not arrivals.lately(120, "b", "b-1", 15)


def test_old_minutes_can_be_dropped():
    arrivals = counted()
    arrivals.drop(121)
    assert arrivals.get(120, "a", "a-1") is NOTHING
    assert list(arrivals.take_changed()) == []
