import msgspec
import pytest

from canary.rollout.evidence.window import (
    LATENCY_BOUNDS_MS,
    EvidenceWindow,
    SideWindow,
    slow_bound_ms,
    window_of_samples,
)
from canary.rollout.measure.samples import Distribution, Responses, Sample
from tests.rollout.evidence.windows import latencies, window

SOME = Responses(98, 0, 1, 1)


def sample(start=0.0, responses: Responses | None = SOME, **fields) -> Sample:
    return Sample(start, start + 60.0, responses, **fields)


def test_the_bound_of_slow_is_the_first_bucket_bound_at_or_above_the_p95():
    d = Distribution((100.0, 200.0, 400.0), (0, 90, 10, 0), 100)
    assert d.percentile(0.95) == 300.0
    assert slow_bound_ms(d) == 400.0


def test_a_p95_exactly_on_a_bound_takes_that_bound():
    d = Distribution((100.0, 200.0, 400.0), (0, 95, 5, 0), 100)
    assert slow_bound_ms(d) == 200.0


def test_without_values_there_is_no_bound():
    assert slow_bound_ms(Distribution((1.0, 2.0), (), 0)) is None


def test_slow_requests_are_those_above_the_bound():
    bound = slow_bound_ms(latencies(100))
    assert bound is not None
    found = window(0, (475, 0), (25, 0), slow=(20, 5)).slow(bound)
    assert found is not None
    assert (found.legacy, found.canary, found.bad_legacy, found.bad_canary) == (475, 25, 20, 5)


def test_a_source_with_other_buckets_rounds_the_bound_up():
    both = Distribution((100.0, 200.0, 400.0), (1, 2, 3, 4), 10)
    side = SideWindow(10, 0, both)
    found = EvidenceWindow(0.0, 60.0, "monitoring", side, side).slow(150.0)
    assert found is not None
    assert found.bad_legacy == 7  # from 200 ms on


def test_sides_with_different_buckets_cannot_be_compared():
    one = SideWindow(1, 0, Distribution((1.0,), (0, 1), 1))
    other = SideWindow(1, 0, Distribution((2.0,), (0, 1), 1))
    assert EvidenceWindow(0.0, 5.0, "tail", one, other).slow(1.0) is None


def test_samples_of_one_minute_are_a_window():
    found = window_of_samples(sample(), sample(responses=Responses(5, 0, 0, 2)))
    assert found is not None
    assert (found.errors.legacy, found.errors.canary) == (100, 7)
    assert (found.errors.bad_legacy, found.errors.bad_canary) == (1, 2)


@pytest.mark.parametrize(
    ("legacy", "canary"),
    [(sample(), sample(60.0)), (sample(responses=None), sample()), (sample(), Sample(0.0, 60.0))],
    ids=["other minutes", "legacy unknown", "canary unknown"],
)
def test_samples_that_do_not_belong_together_are_no_window(legacy, canary):
    assert window_of_samples(legacy, canary) is None


def test_a_window_survives_msgpack():
    packed = msgspec.msgpack.encode(window(0, slow=(3, 1)))
    assert msgspec.msgpack.decode(packed, type=EvidenceWindow) == window(0, slow=(3, 1))


def test_the_buckets_of_the_log_reach_from_a_millisecond_to_a_quarter_of_an_hour():
    assert LATENCY_BOUNDS_MS[0] == 1.0
    assert LATENCY_BOUNDS_MS[-1] > 15 * 60 * 1000 * 0.9
