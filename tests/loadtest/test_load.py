"""Whose an answer is, and what is counted of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.loadtest.load import LONGEST_BODY, Sides, Tally, find_side

SERVICES = Sides(canary=("ion-api-canary",), legacy=("ion-api",))
REVISIONS = Sides(
    canary=("ion-api-00002-can",), header="x-rev", field="revision", others_are_legacy=True
)


@pytest.mark.parametrize(
    ("headers", "body", "side"),
    [
        ({"x-canary-service": "ion-api"}, b"", "legacy"),
        ({"x-canary-service": "ion-api-canary"}, b"", "canary"),
        ({"x-canary-service": "ion-api-canary"}, b'{"service": "ion-api"}', "canary"),
        ({}, b'{"service": "ion-api"}', "legacy"),
        ({}, b' {"service": "ion-api-canary"}', "canary"),
        ({"x-canary-service": "another"}, b"", "unattributed"),
        ({}, b"", "unattributed"),
        ({}, None, "unattributed"),
        (None, None, "unattributed"),
        ({}, b"Rate exceeded.", "unattributed"),
        ({}, b'{"service": 3}', "unattributed"),
        ({}, b'{"service": "ion-', "unattributed"),
        ({}, b"[]", "unattributed"),
        ({}, b'{"service": "ion-api", "x": "' + b"x" * LONGEST_BODY + b'"}', "unattributed"),
    ],
)
def test_services_are_told_by_their_names(headers, body, side) -> None:
    assert find_side(SERVICES, headers, body) == side


@pytest.mark.parametrize(
    ("headers", "body", "side"),
    [
        ({"x-rev": "ion-api-00002-can"}, b"", "canary"),
        ({"x-rev": "ion-api-00001-leg"}, b"", "legacy"),
        ({}, b'{"revision": "ion-api-00007-old"}', "legacy"),
        ({}, b"", "unattributed"),
    ],
)
def test_every_other_revision_is_legacys(headers, body, side) -> None:
    assert find_side(REVISIONS, headers, body) == side


def tally_of(*answers: tuple[int, float]) -> Tally:
    tally = Tally()
    for status, latency_ms in answers:
        tally.add(status, latency_ms)
    return tally


@pytest.mark.parametrize(
    ("status", "counted"),
    [
        (200, "successes"),
        (302, "successes"),
        (399, "successes"),
        (400, "client_errors"),
        (429, "client_errors"),
        (500, "server_errors"),
        (503, "server_errors"),
        (0, "unanswered"),
    ],
)
def test_a_status_is_counted_in_its_class(status: int, counted: str) -> None:
    figures = tally_of((status, 1.0)).figures()
    names = ("successes", "client_errors", "server_errors", "unanswered")
    assert {name: figures[name] for name in names} == {name: int(name == counted) for name in names}


def test_without_requests_latencies_are_null() -> None:
    figures = Tally().figures()
    assert figures["requests"] == 0
    assert [figures[name] for name in ("mean_ms", "p50_ms", "p95_ms", "p99_ms")] == [None] * 4


@given(st.lists(st.floats(0.05, 1e6), min_size=1, max_size=200), st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_known_to_a_hundredth(latencies: list[float], fraction: float) -> None:
    tally = tally_of(*((200, ms) for ms in latencies))
    rank = max(1, -int(-fraction * len(latencies) // 1))
    exact = sorted(latencies)[rank - 1]
    assert tally.percentile(fraction) == pytest.approx(exact, rel=0.0101)


def test_memory_does_not_grow_with_the_requests() -> None:
    tally = tally_of(*((200, 0.001 * 1.1**i) for i in range(300)))
    buckets = len(tally._buckets)
    for _ in range(1000):
        tally.add(200, 123.4)
    assert len(tally._buckets) == buckets + 1 or len(tally._buckets) == buckets
