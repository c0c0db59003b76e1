"""The protobuf exposition: who gets it, and what is in it."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.simulator.api.native_histograms import (
    CONTENT_TYPE,
    encode_family,
    encode_metric,
    spread,
    wants_native,
)
from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS
from tests.embedded import Embed

BOUNDS_S = [bound_ms / 1000.0 for bound_ms in LATENCY_BOUNDS_MS]
SCRAPER = (
    "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited,"
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,"
    "text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
"""As Prometheus 2.42 sends it with the feature on (scrape/scrape.go); else the first is missing."""


@pytest.mark.parametrize(
    ("accept", "native"),
    [
        (SCRAPER, True),
        (SCRAPER.partition(",")[2], False),
        ("*/*", False),
        ("", False),
        ("application/vnd.google.protobuf;proto=other.Family;encoding=delimited", False),
        (f"{CONTENT_TYPE};q=0", False),
        (f"{CONTENT_TYPE};q=0.6", True),
    ],
)
def test_who_asks_for_protobuf_gets_it(accept: str, native: bool) -> None:
    assert wants_native(accept) == native


async def test_a_service_answers_in_the_format_that_was_asked_for(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        url = f"{cloud.world.endpoints.services['ion-api']}/metrics"
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(url, headers={"accept": SCRAPER})
    assert answer.headers["content-type"] == CONTENT_TYPE
    ((_, family),) = _fields(b"\x0a" + answer.content)  # one family: its length, and no more
    told = dict(_fields(family))
    assert told[1] == b"http_server_request_duration_seconds"
    assert told[3] == 4


@given(st.lists(st.integers(0, 5000), max_size=len(BOUNDS_S) + 1))
def test_spread_over_native_buckets_nobody_is_lost_or_moved_far(counts: list[int]) -> None:
    found = spread(counts)
    assert sum(found.values()) == sum(counts)
    assert all(count > 0 for count in found.values())
    for index, bound in enumerate(BOUNDS_S[: len(counts)]):
        below = sum(counts[: index + 1])
        # A bound of ours lies within a native bucket: all below it end at that one's end.
        assert below <= sum(n for i, n in found.items() if 2.0 ** ((i - 1) / 8) <= bound)
        assert sum(n for i, n in found.items() if 2.0 ** (i / 8) <= bound) <= below


def test_a_histogram_is_written_as_the_format_says() -> None:
    classic = [0] * len(BOUNDS_S) + [6]
    metric = encode_metric({"a": "b"}, classic, {-3: 1, -2: 3, 5: 2}, 1.5, 60)
    ((_, family),) = _fields(b"\x0a" + encode_family("x_seconds", "Help.", [metric]))
    written = dict(_fields(dict(_fields(family))[4]))
    assert _fields(written[1]) == [(1, b"a"), (2, b"b")]
    assert written[6] == 60_000
    histogram = _fields(written[7])
    assert dict(histogram)[1] == 6
    assert dict(histogram)[5] == _zigzag(3)
    spans = [tuple(value for _, value in _fields(s)) for number, s in histogram if number == 12]
    assert spans == [(_zigzag(-3), 2), (_zigzag(6), 1)]  # from −3 two; six on, one
    assert list(_varints(dict(histogram)[13])) == [_zigzag(1), _zigzag(2), _zigzag(-1)]
    assert len([1 for number, _ in histogram if number == 3]) == len(classic)


def test_of_nothing_there_is_no_family() -> None:
    assert encode_family("x_seconds", "Help.", []) == b""


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _varints(data: bytes) -> Iterator[int]:
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def _fields(data: bytes) -> list[tuple[int, object]]:
    """(number, value) of a message, by the wire format's own rules."""
    found: list[tuple[int, object]] = []
    at = 0

    def varint() -> int:
        nonlocal at
        end = at
        while data[end] & 0x80:
            end += 1
        value = next(_varints(data[at : end + 1]))
        at = end + 1
        return value

    while at < len(data):
        number, kind = divmod(varint(), 8)
        if kind == 0:
            found.append((number, varint()))
            continue
        length = varint() if kind == 2 else 8
        found.append((number, data[at : at + length]))
        at += length
    return found
