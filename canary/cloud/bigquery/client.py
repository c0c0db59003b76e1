"""BigQuery over its REST API: one query with named parameters, waited for, all its rows.

Sources: BigQuery REST reference, jobs.query, jobs.getQueryResults, jobs.cancel. `useLegacySql` is
true where it is not said, so it is always said. A request id makes asking again harmless: within 15
minutes the same id is the same job. What a query may read is capped by `maximumBytesBilled`; above
that it fails without a charge.

Weighed against google-cloud-bigquery 3.47: it blocks (one query is a thread that nobody can cancel,
where here a person's Ctrl-C cancels the job over there), adds five packages and 4.6 MB to every
installation, loads no faster than httpx (0.08 s of processor time each, beside Cloud Run's client),
and would save some 130 lines: waiting, pages and cells. Two requests in all, so REST it is.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from canary.cloud.connection.calls import read_again
from canary.cloud.connection.rest import Refusal, RestClient
from canary.rollout.errors import (
    CanaryError,
    Denied,
    Malformed,
    NotFound,
    OperationFailed,
    Rejected,
    Unavailable,
)
from canary.rollout.text import sanitize

SOURCE: Final = "BigQuery"
PUBLIC: Final = "https://bigquery.googleapis.com"
PAGE_ROWS: Final = 1000
MOST_ROWS: Final = 100_000
WAIT_S: Final = 10.0
"""How long the service may keep one request open before it says "not yet"."""
FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0

Pause = Callable[[float], Awaitable[None]]


class Parameter(msgspec.Struct, frozen=True):
    """A named parameter: BigQuery's name of the type, and the value as text."""

    name: str
    type: str
    value: str


class BigQuery:
    """Queries in one project. `endpoint` None is Google's own; plain http goes to loopback only.

    `timeout_s` bounds one query from the first request to its last row.
    """

    def __init__(
        self,
        endpoint: str | None,
        project: str,
        *,
        location: str,
        max_bytes_billed: int,
        timeout_s: float,
        pause: Pause = asyncio.sleep,
    ) -> None:
        self._rest = RestClient(endpoint, PUBLIC, key="target.endpoints.bigquery", source=SOURCE)
        self._path = f"/bigquery/v2/projects/{quote(project, safe='')}"
        self._location = location
        self._max_bytes = max_bytes_billed
        self._timeout_s = timeout_s
        self._pause = pause

    async def query(
        self, sql: str, parameters: Sequence[Parameter], doing: str
    ) -> list[dict[str, Any]]:
        """Return all rows, values by column; [] when there are none.

        Raises Rejected for a query that BigQuery does not accept or that would read too much,
        Unavailable when it takes longer than `timeout_s` (the job is then cancelled), and the usual
        errors of a service otherwise.
        """
        job: dict[str, Any] = {}
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._collect(sql, parameters, doing, job)
        except TimeoutError as exc:
            await self._cancel(job)
            raise Unavailable(
                f"{SOURCE} did not finish within {self._timeout_s:g} s ({doing}).",
                remedy="Try again, ask for fewer days, or raise ab_test.timeout_s.",
                source=SOURCE,
            ) from exc
        except asyncio.CancelledError:
            await self._cancel(job)
            raise

    async def estimate(self, sql: str, parameters: Sequence[Parameter], doing: str) -> int:
        """Return the bytes that a query would read, without running it: a dry run costs nothing,
        and is refused like the query itself where a right, a table or a column is missing.
        """
        body = self._request(sql, parameters)
        for name in ("maximumBytesBilled", "requestId"):
            del body[name]
        answer = await self._ask(
            "POST", f"{self._path}/queries", doing, body={**body, "dryRun": True}
        )
        told = str(answer.get("totalBytesProcessed", ""))
        if not told.isdecimal():
            raise Malformed(
                f"{SOURCE} did not say how much it would read ({doing}).", source=SOURCE
            )
        return int(told)

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        await self._rest.close()

    async def _collect(
        self, sql: str, parameters: Sequence[Parameter], doing: str, job: dict[str, Any]
    ) -> list[dict[str, Any]]:
        body = self._request(sql, parameters)
        answer = await self._ask("POST", f"{self._path}/queries", doing, body=body)
        job.update(_job_of(answer))
        answer = await self._wait(answer, job, doing)
        schema = read_schema(answer)
        rows = read_rows(answer, schema)
        while token := answer.get("pageToken"):
            answer = await self._results(job, doing, str(token))
            rows += self._page(answer, schema, len(rows))
        return rows

    def _request(self, sql: str, parameters: Sequence[Parameter]) -> dict[str, Any]:
        return {
            "query": sql,
            "useLegacySql": False,
            "parameterMode": "NAMED",
            "queryParameters": [
                {
                    "name": one.name,
                    "parameterType": {"type": one.type},
                    "parameterValue": {"value": one.value},
                }
                for one in parameters
            ],
            # An int64, and so a string in JSON.
            "maximumBytesBilled": str(self._max_bytes),
            "location": self._location,
            "timeoutMs": int(WAIT_S * 1000),
            "maxResults": PAGE_ROWS,
            "requestId": str(uuid.uuid4()),
        }

    async def _wait(
        self, answer: dict[str, Any], job: Mapping[str, Any], doing: str
    ) -> dict[str, Any]:
        pause_s = FIRST_PAUSE_S
        while answer.get("jobComplete") is not True:
            await self._pause(pause_s)
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
            answer = await self._results(job, doing)
        _raise_job_errors(answer, doing)
        return answer

    async def _results(self, job: Mapping[str, Any], doing: str, page: str = "") -> dict[str, Any]:
        if not job.get("jobId"):
            raise Malformed(f"{SOURCE} did not name the job ({doing}).", source=SOURCE)
        query: dict[str, str | int] = {
            "location": job.get("location") or self._location,
            "maxResults": PAGE_ROWS,
            "timeoutMs": int(WAIT_S * 1000),
        }
        if page:
            query["pageToken"] = page
        name = quote(str(job["jobId"]), safe="")
        return await self._ask("GET", f"{self._path}/queries/{name}", doing, query=query)

    def _page(self, answer: dict[str, Any], schema: Schema, so_far: int) -> list[dict[str, Any]]:
        rows = read_rows(answer, schema)
        if so_far + len(rows) > MOST_ROWS or not rows:
            what = "empty page" if not rows else f"more than {MOST_ROWS} rows"
            raise Malformed(f"{SOURCE} gave {what} where more rows were due.", source=SOURCE)
        return rows

    async def _ask(
        self,
        method: str,
        path: str,
        doing: str,
        *,
        body: Mapping[str, Any] | None = None,
        query: Mapping[str, str | int] | None = None,
    ) -> dict[str, Any]:
        async def once() -> dict[str, Any]:
            try:
                return await self._rest.send(
                    method, path, doing, body=body, query=query, timeout_s=WAIT_S * 2
                )
            except Refusal as refusal:
                raise _translate(refusal, self._max_bytes, doing) from refusal

        return await read_again(once)

    async def _cancel(self, job: Mapping[str, Any]) -> None:
        """Tell it that nobody waits any more. Best effort: the cap on bytes holds in any case."""
        if not job.get("jobId"):
            return
        path = f"{self._path}/jobs/{quote(str(job['jobId']), safe='')}/cancel"
        query = {"location": str(job.get("location") or self._location)}
        with contextlib.suppress(CanaryError, Refusal, asyncio.CancelledError):
            await self._rest.send("POST", path, "cancelling", query=query, timeout_s=2.0)


def _job_of(answer: Mapping[str, Any]) -> dict[str, Any]:
    reference = answer.get("jobReference")
    return dict(reference) if isinstance(reference, Mapping) else {}


def _raise_job_errors(answer: Mapping[str, Any], doing: str) -> None:
    """A job that is complete and has no columns failed; with columns, errors are warnings."""
    errors = answer.get("errors")
    if not errors or "schema" in answer:
        return
    first = errors[0] if isinstance(errors, list) else None
    said = first.get("message") if isinstance(first, Mapping) else first
    raise OperationFailed(f"{SOURCE}'s job failed ({doing}): {sanitize(said, 300)}", source=SOURCE)


def _translate(refusal: Refusal, max_bytes: int, doing: str) -> CanaryError:
    if refusal.reason == "bytesBilledLimitExceeded":
        return Rejected(
            f"{SOURCE} would have to read more than {max_bytes} bytes ({doing}): {refusal.message}",
            remedy="Ask for fewer days, partition the table by timestamp, or raise"
            " ab_test.max_bytes_billed.",
            source=SOURCE,
        )
    if refusal.reason in ("invalidQuery", "invalid") and refusal.status == 400:
        return Rejected(
            f"{SOURCE} does not accept the query ({doing}): {refusal.message}",
            remedy="Check the columns of ab_test.table: group, response_time_ms,"
            " confidence_score, success, timestamp.",
            source=SOURCE,
        )
    if refusal.status == 403 and refusal.reason in ("accessDenied", "forbidden"):
        return Denied(
            f"{SOURCE} refused access ({doing}): {refusal.message}",
            remedy="Needed: roles/bigquery.jobUser on the project and"
            " roles/bigquery.dataViewer on the table's dataset.",
            source=SOURCE,
        )
    if refusal.status == 404:
        return NotFound(
            f"{SOURCE} does not know it ({doing}): {refusal.message}",
            remedy="Check ab_test.table and ab_test.location in the plan.",
            source=SOURCE,
        )
    return refusal.translate(SOURCE, doing)


# BigQuery's rows: cells of text with a schema beside them → values under their columns' names.
#
# Source: BigQuery REST reference, QueryResponse, TableSchema, TableRow. Every value is a string in
# JSON, NULL is null; timestamps are seconds.

Schema = tuple[tuple[str, str], ...]
"""Columns in order: (name, type)."""

_WHOLE = frozenset({"INTEGER", "INT64"})
_REAL = frozenset({"FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC", "TIMESTAMP"})
_TRUTH = frozenset({"BOOLEAN", "BOOL"})


def read_schema(answer: Mapping[str, Any]) -> Schema:
    """The columns of an answer. Raises Malformed: none, or of a kind that is not asked for here."""
    schema = answer.get("schema")
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    if not isinstance(fields, list) or not fields:
        raise _malformed("it has no columns")
    columns = []
    for field in fields:
        name = field.get("name") if isinstance(field, Mapping) else None
        kind = field.get("type") if isinstance(field, Mapping) else None
        if not isinstance(name, str) or not isinstance(kind, str):
            raise _malformed("a column has no name or no type")
        if field.get("mode") == "REPEATED" or kind in ("RECORD", "STRUCT"):
            raise _malformed(f'the column "{sanitize(name, 60)}" is not a single value')
        columns.append((name, kind))
    return tuple(columns)


def read_rows(answer: Mapping[str, Any], schema: Schema) -> list[dict[str, Any]]:
    """The rows of one page; an answer without the key `rows` has none. Raises Malformed."""
    rows = answer.get("rows", [])
    if not isinstance(rows, list):
        raise _malformed("its rows are no list")
    return [_read_row(row, schema) for row in rows]


def _read_row(row: object, schema: Schema) -> dict[str, Any]:
    cells = row.get("f") if isinstance(row, Mapping) else None
    if not isinstance(cells, list) or len(cells) != len(schema):
        raise _malformed("a row has not as many cells as there are columns")
    return {
        name: _read_cell(cell, name, kind) for cell, (name, kind) in zip(cells, schema, strict=True)
    }


def _read_cell(cell: object, name: str, kind: str) -> object:
    if not isinstance(cell, Mapping) or "v" not in cell:
        raise _malformed(f'a cell of "{sanitize(name, 60)}" has no value')
    value = cell["v"]
    if value is None:
        return None
    try:
        return _convert(value, kind)
    except (KeyError, TypeError, ValueError) as exc:
        said = f'"{sanitize(value, 40)}" in the column "{sanitize(name, 60)}" is no {kind}'
        raise _malformed(said) from exc


def _convert(value: Any, kind: str) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("not the text of a value")
    if kind in _WHOLE:
        return int(value)
    if kind in _REAL:
        return float(value)
    if kind in _TRUTH:
        return {"true": True, "false": False}[str(value).lower()]
    return str(value)


def _malformed(why: str) -> Malformed:
    return Malformed(f"BigQuery gave an answer that cannot be read: {why}.", source="BigQuery")
