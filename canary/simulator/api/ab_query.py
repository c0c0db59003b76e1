"""The one query that the embedded BigQuery answers: the A/B test's, recognised by its text.

The embedded cloud knows nothing of the product, so the text stands here a second time; a test
proves that what the product sends is recognised. A SQL engine stood here before: 700 lines that
answered a hundred queries which nobody sends, and whose figures only its own tests compared.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import msgspec

from canary.simulator.config import SideName
from canary.simulator.wire.calls import RestError
from canary.simulator.world.ab_table import Part, Rows, draw_rows

Cell = str | float | int | None

COLUMNS = {
    "side": "STRING",
    "requests": "INTEGER",
    "response_count": "INTEGER",
    "response_mean_ms": "FLOAT",
    "response_stddev_ms": "FLOAT",
    "response_p95_ms": "FLOAT",
    "confidence_count": "INTEGER",
    "confidence_mean": "FLOAT",
    "confidence_stddev": "FLOAT",
    "success_count": "INTEGER",
    "succeeded": "INTEGER",
}
"""The answer's columns with the type that BigQuery names."""

_TEXT = (
    "SELECT `group` AS side, COUNT(*) AS requests, COUNT(response_time_ms) AS response_count,"
    " AVG(response_time_ms) AS response_mean_ms,"
    " STDDEV_SAMP(response_time_ms) AS response_stddev_ms,"
    " APPROX_QUANTILES(response_time_ms, 100)[OFFSET(95)] AS response_p95_ms,"
    " COUNT(confidence_score) AS confidence_count, AVG(confidence_score) AS confidence_mean,"
    " STDDEV_SAMP(confidence_score) AS confidence_stddev, COUNT(success) AS success_count,"
    " COUNTIF(CAST(success AS BOOL)) AS succeeded FROM `@@` WHERE `timestamp` >= @since"
    " AND `timestamp` < @until AND `group` IN (@legacy, @canary) GROUP BY side ORDER BY side"
)
_QUERY = re.compile(re.escape(_TEXT).replace("@@", "(?P<table>[^`]+)"))
_PARAMETERS = {"legacy": "STRING", "canary": "STRING", "since": "TIMESTAMP", "until": "TIMESTAMP"}

OTHER_SQL = "The embedded cloud's BigQuery answers Canary Console's A/B query only, no other SQL."


class AbQuery(msgspec.Struct, frozen=True):
    """What is asked: the groups' rows of `table` with since ≤ timestamp < until (unix seconds)."""

    table: str
    groups: tuple[str, str]
    since: float
    until: float


def read_ab_query(sql: str, given: Mapping[str, tuple[str, str | None]]) -> AbQuery:
    """Recognise the query, whatever its white space; `given` has (type, text) of each parameter.

    Raises RestError `invalidQuery` for any other SQL, and for a parameter that is absent or odd.
    """
    found = _QUERY.fullmatch(" ".join(sql.split()))
    if found is None:
        raise _invalid_query(OTHER_SQL)
    texts: dict[str, str] = {}
    for name, kind in _PARAMETERS.items():
        sent, text = given.get(name, ("", None))
        if sent != kind or text is None:
            raise _invalid_query(f"Query parameter '{name}' of the type {kind} was not found")
        texts[name] = text
    return AbQuery(
        found["table"],
        (texts["legacy"], texts["canary"]),
        _read_time(texts["since"]),
        _read_time(texts["until"]),
    )


def compute_rows(parts: Sequence[Part], groups: Mapping[SideName, str]) -> list[list[Cell]]:
    """Return the answer: a row for each group that has any, ordered by name. Pure.

    300 000 rows take half a second.
    """
    drawn = draw_rows(parts)
    named = sorted((name, drawn[side]) for side, name in groups.items() if len(drawn[side]))
    return [_summarize(name, rows) for name, rows in named]


def _summarize(name: str, rows: Rows) -> list[Cell]:
    times, scores, success = rows.response_time_ms, rows.confidence_score, rows.success
    p95_ms = sorted(times)[round(0.95 * (len(times) - 1))]
    return [
        name, len(rows),
        len(times), *_mean_and_deviation(times), p95_ms,
        len(scores), *_mean_and_deviation(scores),
        len(success), sum(success),
    ]  # fmt: skip


def _mean_and_deviation(values: Sequence[float]) -> tuple[float | None, float | None]:
    """Return AVG and STDDEV_SAMP; NULL of none, and no deviation of a single one."""
    if not values:
        return None, None
    mean = math.fsum(values) / len(values)
    if len(values) == 1:
        return mean, None
    return mean, math.sqrt(math.fsum((one - mean) ** 2 for one in values) / (len(values) - 1))


def _read_time(text: str) -> float:
    """Return unix seconds of a TIMESTAMP's text; UTC where it names no zone."""
    try:
        time = datetime.fromisoformat(text.strip().removesuffix(" UTC"))
    except ValueError as exc:
        raise _invalid_query(f"Invalid timestamp: '{text}'") from exc
    return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()


def _invalid_query(message: str) -> RestError:
    return RestError(400, "invalidQuery", message, "INVALID_ARGUMENT")
