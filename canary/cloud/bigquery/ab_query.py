"""The A/B test's query: GoogleSQL for BigQuery, its parameters, and its rows as figures.

One row for each group that has requests in the time asked for. BigQuery does the adding up: however
large the table is, two rows come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from canary.cloud.bigquery.client import Parameter
from canary.rollout.errors import Malformed
from canary.rollout.text import format_iso_time, sanitize
from canary.rollout.trials.ab_test import GroupFigures, Mean

_SQL: Final = """\
SELECT
  `group` AS side,
  COUNT(*) AS requests,
  COUNT(response_time_ms) AS response_count,
  AVG(response_time_ms) AS response_mean_ms,
  STDDEV_SAMP(response_time_ms) AS response_stddev_ms,
  APPROX_QUANTILES(response_time_ms, 100)[OFFSET(95)] AS response_p95_ms,
  COUNT(confidence_score) AS confidence_count,
  AVG(confidence_score) AS confidence_mean,
  STDDEV_SAMP(confidence_score) AS confidence_stddev,
  COUNT(success) AS success_count,
  COUNTIF(CAST(success AS BOOL)) AS succeeded
FROM `@@table@@`
WHERE `timestamp` >= @since AND `timestamp` < @until AND `group` IN (@legacy, @canary)
GROUP BY side
ORDER BY side"""


def build_query(table: str) -> str:
    """The query on `project.dataset.table`. A table cannot be a parameter; the plan's rules see to
    it that its name cannot end the quotes.
    """
    return _SQL.replace("@@table@@", table)


def build_parameters(legacy: str, canary: str, since: float, until: float) -> tuple[Parameter, ...]:
    """Both groups, and the time as [since, until), unix seconds."""
    return (
        Parameter("legacy", "STRING", legacy),
        Parameter("canary", "STRING", canary),
        Parameter("since", "TIMESTAMP", format_iso_time(since) or ""),
        Parameter("until", "TIMESTAMP", format_iso_time(until) or ""),
    )


def find_group(rows: Sequence[Mapping[str, Any]], group: str) -> GroupFigures | None:
    """The figures of one group; None when no row has it. Raises Malformed for other columns."""
    for row in rows:
        if row.get("side") == group:
            return _figures(row)
    return None


def _figures(row: Mapping[str, Any]) -> GroupFigures:
    requests = _number(row, "requests")
    judged, succeeded = _number(row, "success_count"), _number(row, "succeeded")
    return GroupFigures(
        requests=int(requests or 0),
        response_ms=_mean(row, "response", "_ms"),
        p95_ms=_number(row, "response_p95_ms"),
        confidence=_mean(row, "confidence"),
        success=mean_of_successes(int(succeeded or 0), int(judged or 0)),
    )


def mean_of_successes(succeeded: int, judged: int) -> Mean | None:
    """The success ratio as a mean of zeros and ones; None without any."""
    if judged <= 0:
        return None
    ratio = succeeded / judged
    return Mean(ratio, (ratio * (1.0 - ratio)) ** 0.5, judged)


def _mean(row: Mapping[str, Any], name: str, unit: str = "") -> Mean | None:
    mean = _number(row, f"{name}_mean{unit}")
    if mean is None:
        return None
    count = int(_number(row, f"{name}_count") or 0)
    return Mean(mean, _number(row, f"{name}_stddev{unit}"), count)


def _number(row: Mapping[str, Any], name: str) -> float | None:
    """A column's number; None for NULL and for what is not finite."""
    if name not in row:
        raise Malformed(f'BigQuery\'s answer has no column "{name}".', source="BigQuery")
    value = row[name]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Malformed(
            f'BigQuery\'s answer has "{sanitize(value, 40)}" in the column "{name}", not a number.',
            remedy="Check the types of the table's columns.",
            source="BigQuery",
        )
    number = float(value)
    return number if number - number == 0.0 else None
