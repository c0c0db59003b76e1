"""Whether the log is believed: what is missing beyond tolerance and chance, and when it is back."""

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.completeness import Completeness
from canary.rollout.measure.samples import Responses
from canary.simulator.world.traffic.sampling import poisson

LEGACY = Responses(ok_2xx=5600, client_4xx=50, server_5xx=50)
CANARY = Responses(ok_2xx=280, client_4xx=10, server_5xx=10)
NOTHING = Responses()


def after(minutes: int, seen, counted=(LEGACY, CANARY), start=None, sampled=1.0) -> Completeness:
    found = start if start is not None else Completeness()
    for _ in range(minutes):
        found = found.compare(counted, seen, sampled)
    return found


def without_2xx(side: Responses) -> Responses:
    return Responses(client_4xx=side.client_4xx, server_5xx=side.server_5xx)


def test_the_same_counts_are_whole():
    assert after(30, (LEGACY, CANARY)).short == ()


def test_an_empty_log_is_found_with_the_first_minute():
    found = after(1, (NOTHING, NOTHING))
    assert ("Legacy", "2xx") in found.short
    assert found.why == "it shows 0 of Legacy's about 5 600 2xx that Cloud Monitoring counts"


def test_a_log_without_2xx_is_found_by_class():
    found = after(1, (without_2xx(LEGACY), without_2xx(CANARY)))
    assert set(found.short) == {("Legacy", "2xx"), ("Canary", "2xx")}


def test_a_log_without_one_side_is_found_by_side():
    found = after(1, (LEGACY, NOTHING))
    assert {side for side, _ in found.short} == {"Canary"}


def test_a_log_without_5xx_is_found_once_there_were_enough():
    blind = Responses(ok_2xx=280, client_4xx=10)
    assert after(1, (LEGACY, blind)).short == ()
    assert after(4, (LEGACY, blind)).short == (("Canary", "5xx"),)


def test_with_little_traffic_minutes_are_put_together():
    one = Responses(ok_2xx=1)
    assert after(10, (NOTHING, NOTHING), (one, one)).short == ()
    assert after(30, (NOTHING, NOTHING), (one, one)).short != ()


def test_a_sample_of_the_log_is_whole():
    tenth = Responses(ok_2xx=560, client_4xx=5, server_5xx=5)
    small = Responses(ok_2xx=28, client_4xx=1, server_5xx=1)
    assert after(30, (tenth, small), sampled=0.1).short == ()
    assert after(1, (tenth, small)).short != ()


def test_it_comes_back_when_it_is_whole_for_three_minutes():
    off = after(1, (NOTHING, NOTHING))
    assert after(2, (LEGACY, CANARY), start=off).short == off.short
    assert after(3, (LEGACY, CANARY), start=off).short == ()


def test_it_does_not_come_back_because_nothing_was_counted():
    off = after(1, (NOTHING, NOTHING))
    assert after(40, (NOTHING, NOTHING), (NOTHING, NOTHING), start=off).short == off.short


def test_a_side_with_little_traffic_must_be_seen_before_it_comes_back():
    few = Responses(ok_2xx=2)
    off = after(30, (LEGACY, NOTHING), (LEGACY, few))
    assert off.short == (("Canary", "2xx"),)
    assert after(9, (LEGACY, NOTHING), (LEGACY, few), start=off).short == off.short
    assert after(30, (LEGACY, few), (LEGACY, few), start=off).short == ()


@given(st.integers(0, 2**32), st.sampled_from([0.2, 3.0, 40.0, 900.0]))
def test_chance_alone_is_never_taken_for_a_gap(seed, expected):
    # The embedded cloud draws both independently; the real ones count the same requests.
    rng, found = Random(seed), Completeness()
    for _ in range(60):
        sides = [Responses(*(poisson(rng, expected) for _ in range(4))) for _ in range(4)]
        found = found.compare((sides[0], sides[1]), (sides[2], sides[3]), 1.0)
        assert found.short == ()


def test_a_twentieth_less_is_within_the_tolerance_and_a_third_less_is_not():
    counted = (Responses(ok_2xx=6000), Responses(ok_2xx=6000))
    little, much = Responses(ok_2xx=5700), Responses(ok_2xx=4000)
    assert after(30, (little, little), counted).short == ()
    assert after(1, (much, much), counted).short != ()
