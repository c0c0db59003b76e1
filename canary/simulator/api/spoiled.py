"""Answers in a bad shape, on request of the fault table: what a client must survive."""

from __future__ import annotations

import math
from typing import Any

from canary.simulator.wire import messages


class Truncated:
    """An answer of which only the first part arrives."""

    def __init__(self, response: Any) -> None:
        data = response.SerializeToString()
        self.data = data[: -max(1, len(data) // 3)]


def serialize(response: Any) -> bytes:
    """Return the bytes of an answer."""
    data: bytes = response.data if isinstance(response, Truncated) else response.SerializeToString()
    return data


def spoil(response: Any, shape: str) -> Any:
    """Return the answer with a defect; as it is when the shape means nothing for it.

    For all: `truncated` (its bytes end too early).

    For ListTimeSeries: `empty` (no series), `nan` (not-a-number values), `unordered` (oldest
    point first), `cut` (series without points), `duplicate` (every point twice).
    """
    if shape == "truncated":
        return Truncated(response)
    if not isinstance(response, messages.ListTimeSeriesResponse):
        return response
    if shape == "empty":
        return messages.ListTimeSeriesResponse()
    for series in response.time_series:
        _spoil_points(series, shape)
    return response


def _spoil_points(series: Any, shape: str) -> None:
    points = list(series.points)
    if shape == "nan":
        for point in points:
            if point.value.HasField("distribution_value"):
                point.value.distribution_value.mean = math.nan
            else:
                point.value.double_value = math.nan
        return
    shaped = {
        "unordered": points[::-1],
        "cut": [],
        "duplicate": [point for point in points for _ in range(2)],
    }.get(shape, points)
    copies = messages.TimeSeries(points=shaped)
    del series.points[:]
    series.points.extend(copies.points)
