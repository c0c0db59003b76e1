"""The same counters as native histograms, in the protobuf exposition format, for who asks for it.

    delimited: varint length, then one io.prometheus.client.MetricFamily; and so on

A Prometheus with `--enable-feature=native-histograms` puts it first in `Accept`. Source of the
fields' numbers: prometheus/client_model, io/prometheus/client/metrics.proto, as it is since 0.3
(2022); of the buckets: prometheus.io/docs/specs/native_histograms ("Schema", "Spans").

Weighed and rejected: prometheus-client, which writes no native histograms, and generated messages:
seven kinds of field are written here, and none is read.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterable, Mapping, Sequence

from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS

CONTENT_TYPE = (
    "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited"
)
SCHEMA = 3
"""Eight buckets to a doubling: bucket i ends at 2**(i / 8) s and begins where i - 1 ends."""

_STEPS = 8
_SMALLEST = -10 * _STEPS
"""All below 1 ms are in the bucket that ends at 2**-10 s."""

_HISTOGRAM = 4
_ZERO_THRESHOLD = 2.0**-128
_BOUNDS_S = tuple(bound_ms / 1000.0 for bound_ms in LATENCY_BOUNDS_MS)


def wants_native(accept: str) -> bool:
    """Whether an `Accept` header names the protobuf format, delimited."""
    ranges = (part.replace(" ", "").lower() for part in accept.split(","))
    return any(
        one.startswith("application/vnd.google.protobuf;")
        and "proto=io.prometheus.client.metricfamily" in one
        and "encoding=delimited" in one
        and ";q=0" not in one.replace(";q=0.", "")
        for one in ranges
    )


def spread(counts: Sequence[int]) -> dict[int, int]:
    """Counts by native bucket, of those by Cloud Monitoring's: evenly within each of these.

    Their sum stays; what is above the last bound is in the bucket behind it.
    """
    found: dict[int, int] = {}
    for index, count in enumerate(counts):
        if not count:
            continue
        if index == len(_BOUNDS_S):
            beyond = _bucket_of(_BOUNDS_S[-1]) + 1
            found[beyond] = found.get(beyond, 0) + count
            continue
        lower, upper = (_BOUNDS_S[index - 1] if index else 0.0), _BOUNDS_S[index]
        told = 0
        for native in range(_bucket_of(lower), _bucket_of(upper) + 1):
            end = min(upper, 2.0 ** (native / _STEPS))
            below = round(count * max(0.0, end - lower) / (upper - lower))
            if below > told:
                found[native] = found.get(native, 0) + below - told
                told = below
    return found


def _bucket_of(value_s: float) -> int:
    if value_s <= 0:
        return _SMALLEST
    return max(_SMALLEST, math.ceil(math.log2(value_s) * _STEPS - 1e-9))


def encode_family(name: str, help_text: str, metrics: Iterable[bytes]) -> bytes:
    """One family with its length before it; "" of nothing, as a family has at least one metric."""
    written = b"".join(_message(4, metric) for metric in metrics)
    if not written:
        return b""
    family = _text(1, name) + _text(2, help_text) + _number(3, _HISTOGRAM) + written
    return _varint(len(family)) + family


def encode_metric(
    labels: Mapping[str, str],
    classic: Sequence[int],
    native: Mapping[int, int],
    sum_s: float,
    at_s: int,
) -> bytes:
    """One histogram, classic and native, as of `at_s`. `classic` counts by bucket, not cumulated;
    a scraper that knows no native ones reads those.
    """
    pairs = b"".join(
        _message(1, _text(1, name) + _text(2, value)) for name, value in labels.items()
    )
    buckets, total = b"", 0
    for bound, count in zip((*_BOUNDS_S, math.inf), classic, strict=True):
        total += count
        buckets += _message(3, _number(1, total) + _double(2, bound))
    histogram = _number(1, total) + _double(2, sum_s) + buckets + _native(native)
    return pairs + _number(6, at_s * 1000) + _message(7, histogram)


def _native(counts: Mapping[int, int]) -> bytes:
    """Spans of buckets that follow each other, and each count less the one before it."""
    spans, deltas, behind, before = b"", b"", 0, 0
    indices = sorted(counts)
    for first, length in _runs(indices):
        spans += _message(12, _number(1, _zigzag(first - behind)) + _number(2, length))
        behind = first + length
    for index in indices:
        deltas += _varint(_zigzag(counts[index] - before))
        before = counts[index]
    settings = _number(5, _zigzag(SCHEMA)) + _double(6, _ZERO_THRESHOLD) + _number(7, 0)
    return settings + spans + _message(13, deltas)


def _runs(indices: Sequence[int]) -> list[tuple[int, int]]:
    """(first, length) of those that follow each other."""
    runs: list[tuple[int, int]] = []
    for index in indices:
        if runs and index == sum(runs[-1]):
            runs[-1] = (runs[-1][0], runs[-1][1] + 1)
        else:
            runs.append((index, 1))
    return runs


# The wire format: a field is its number and kind, then what it has.


def _varint(value: int) -> bytes:
    written = bytearray()
    while value > 0x7F:
        written.append(value & 0x7F | 0x80)
        value >>= 7
    written.append(value)
    return bytes(written)


def _zigzag(value: int) -> int:
    return 2 * value if value >= 0 else -2 * value - 1


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _double(field: int, value: float) -> bytes:
    return _varint(field << 3 | 1) + struct.pack("<d", value)


def _message(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _text(field: int, text: str) -> bytes:
    return _message(field, text.encode())
