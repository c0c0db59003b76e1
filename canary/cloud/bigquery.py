"""BigQuery over its REST API: one query with named parameters, waited for, all its rows.

Sources: BigQuery REST reference, jobs.query, jobs.getQueryResults, jobs.cancel. `useLegacySql` is
true where it is not said, so it is always said. A request id makes asking again harmless: within 15
minutes the same id is the same job. What a query may read is capped by `maximumBytesBilled`; above
that it fails without a charge.
"""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from canary.cloud.bigquery_rows import Schema, read_rows, read_schema
from canary.cloud.rest import Refusal, RestClient
from canary.cloud.retries import read_again
from canary.rollout.errors import (
    CanaryError,
    Denied,
    Malformed,
    NotFound,
    OperationFailed,
    Rejected,
    Unavailable,
)
from canary.rollout.words import plain

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
        with contextlib.suppress(CanaryError, asyncio.CancelledError):
            await self._rest.call("POST", path, "cancelling", query=query, timeout_s=2.0)


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
    raise OperationFailed(f"{SOURCE}'s job failed ({doing}): {plain(said, 300)}", source=SOURCE)


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
