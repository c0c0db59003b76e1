"""The history: samples come back as they were, oldest first, none twice."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.errors import RecordError
from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.store.history import History, _without_overlaps

BOUNDS = tuple(float(i) for i in range(40))


@pytest.fixture
def history(tmp_path: Path):
    with History(tmp_path / "history.db") as opened:
        yield opened


def sample(end: float, period_s: float = 60.0, **fields) -> Sample:
    return Sample(start=end - period_s, end=end, **fields)


def full(end: float) -> Sample:
    return sample(
        end,
        responses=Responses(90, 1, 2, 3, 4),
        latency=Distribution(BOUNDS, (1, 2, 3), 6, 1.5, 2.5),
        confidence=Distribution((0.25, 0.5, 0.75), (0, 1), 1, 0.3),
        cpu=0.4,
        memory=None,
        instances=3.0,
        instances_active=2.0,
    )


def test_samples_come_back_as_they_were_oldest_first(history):
    history.add("canary", [full(180.0), sample(120.0), full(60.0)])
    assert history.load("canary", 0.0) == (full(60.0), sample(120.0), full(180.0))


def test_the_sides_are_apart(history):
    history.add("canary", [full(60.0)])
    assert history.load("legacy", 0.0) == ()


def test_a_sample_that_ends_at_since_is_left_out(history):
    history.add("legacy", [sample(60.0), sample(120.0)])
    assert history.load("legacy", 60.0) == (sample(120.0),)


def test_the_same_period_again_replaces_what_was_there(history):
    history.add("legacy", [sample(60.0)])
    history.add("legacy", [sample(60.0, cpu=0.5)])
    assert history.load("legacy", 0.0) == (sample(60.0, cpu=0.5),)


def test_fine_samples_win_over_a_coarse_one(history):
    history.add("legacy", [sample(600.0, 600.0), sample(540.0), sample(600.0), sample(660.0)])
    assert history.load("legacy", 0.0) == (sample(540.0), sample(600.0), sample(660.0))


@given(st.lists(st.tuples(st.integers(1, 60), st.sampled_from([1, 2, 10])), max_size=40))
def test_what_is_kept_never_overlaps(spans):
    samples = sorted({(e * 60.0, (e - n) * 60.0) for e, n in spans})
    kept = _without_overlaps(Sample(start=s, end=e) for e, s in samples)
    assert all(a.end <= b.start for a, b in pairwise(kept))
    assert bool(kept) == bool(samples)


def test_all_samples_share_one_tuple_of_bounds(tmp_path):
    with History(tmp_path / "history.db") as history:
        history.add("legacy", [full(60.0), full(120.0)])
    with History(tmp_path / "history.db") as again:
        first, second = again.load("legacy", 0.0)
    assert first.latency.bounds is second.latency.bounds


def test_a_layout_learned_by_another_console_is_understood(tmp_path):
    with History(tmp_path / "history.db") as one, History(tmp_path / "history.db") as two:
        two.add("legacy", [full(60.0)])
        assert one.load("legacy", 0.0) == (full(60.0),)


def test_old_samples_can_be_pruned(history):
    history.add("legacy", [sample(60.0), sample(120.0)])
    history.prune(60.0)
    assert history.load("legacy", 0.0) == (sample(120.0),)


def test_a_row_that_cannot_be_read_says_that_the_cache_may_be_deleted(history):
    with history._database.writing() as db:
        db.execute("INSERT INTO samples VALUES ('legacy', 60.0, 0.0, ?)", (b"\x93rubbish",))
    with pytest.raises(RecordError, match="Delete the file"):
        history.load("legacy", 0.0)
