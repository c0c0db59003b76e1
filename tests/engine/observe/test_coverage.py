import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.engine.observe.evidence_store import Coverage

spans = st.tuples(st.integers(0, 60), st.integers(1, 10)).map(lambda s: (s[0], s[0] + s[1]))


@pytest.mark.parametrize(
    ("start", "end", "overlaps"),
    [
        (0, 10, False),
        (5, 11, True),
        (10, 20, True),
        (12, 13, True),
        (19, 30, True),
        (20, 30, False),
    ],
)
def test_stretches_are_open_at_their_start(start, end, overlaps):
    coverage = Coverage()
    coverage.add(10, 20)
    assert coverage.overlaps(start, end) is overlaps


def test_what_touches_becomes_one():
    coverage = Coverage()
    for start in range(0, 500, 5):
        coverage.add(start, start + 5)
    assert len(coverage) == 1


@given(st.lists(spans, max_size=20), spans)
def test_it_agrees_with_the_set_of_seconds(added, asked):
    coverage, seconds = Coverage(), set()
    for start, end in added:
        coverage.add(start, end)
        seconds.update(range(start, end))
    assert coverage.overlaps(*asked) is bool(seconds & set(range(*asked)))
