"""bigquery.jobs.query, getQueryResults and cancel over REST: `/bigquery/v2/projects/P/…`."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from canary.simulator.api.bigquery_jobs import Job, Jobs
from canary.simulator.api.rest import Call, Rest
from canary.simulator.api.sql_aggregates import Cell
from canary.simulator.wire.errors import RestError
from canary.simulator.world.world import World

JOBS = "/google.cloud.bigquery.v2.JobService/"
DEFAULT_WAIT_MS = 10_000
LONGEST_WAIT_MS = 60_000
RECHECK_S = 0.1
MOST_ROWS = 10_000


class BigQueryApi:
    """Handlers of query jobs."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._jobs = Jobs(world)

    def routes(self, rest: Rest) -> list[web.RouteDef]:
        """Return the routes."""
        space = "/bigquery/v2/projects/{project}"
        results = rest.handler(f"{JOBS}GetQueryResults", self.results)
        return [
            web.post(f"{space}/queries", rest.handler(f"{JOBS}Query", self.query)),
            web.get(f"{space}/queries/{{job}}", results),
            web.post(f"{space}/jobs/{{job}}/cancel", rest.handler(f"{JOBS}CancelJob", self.cancel)),
        ]

    async def query(self, call: Call) -> dict[str, Any]:
        """Answer POST …/queries; jobComplete is false if it is not done within timeoutMs."""
        self._check_project(call)
        body = await call.body()
        if body.get("useLegacySql", True):
            raise _invalid("useLegacySql: the embedded cloud speaks GoogleSQL; it must be false.")
        self._check_location(str(body.get("location") or ""))
        if body.get("dryRun") is True:
            return self._estimate(body)
        job = await self._jobs.begin(
            str(body.get("query") or ""),
            _parameters(body),
            most_bytes=_whole(body.get("maximumBytesBilled"), "maximumBytesBilled"),
            request_id=str(body.get("requestId") or ""),
            shape=call.shape,
        )
        await self._wait(job, _whole(body.get("timeoutMs"), "timeoutMs"))
        size = _whole(body.get("maxResults"), "maxResults")
        return self._show(job, "bigquery#queryResponse", 0, size)

    def _estimate(self, body: dict[str, Any]) -> dict[str, Any]:
        """What a dry run answers: no job, and what it would read."""
        schema, size = self._jobs.estimate(str(body.get("query") or ""), _parameters(body))
        config = self._world.config
        return {
            "kind": "bigquery#queryResponse",
            "jobReference": {"projectId": config.project, "location": config.ab_test.location},
            "jobComplete": True,
            "cacheHit": False,
            "schema": {"fields": schema},
            "totalBytesProcessed": str(size),
        }

    async def results(self, call: Call) -> dict[str, Any]:
        """Answer GET …/queries/JOB (`timeoutMs`, `maxResults`, `pageToken`)."""
        self._check_project(call)
        self._check_location(call.query("location"))
        job = self._jobs.find(call.part("job"))
        await self._wait(job, _whole(call.query("timeoutMs") or None, "timeoutMs"))
        start = _whole(call.query("pageToken") or "0", "pageToken") or 0
        size = _whole(call.query("maxResults") or None, "maxResults")
        return self._show(job, "bigquery#getQueryResultsResponse", start, size)

    def cancel(self, call: Call) -> dict[str, Any]:
        """Answer POST …/jobs/JOB/cancel."""
        self._check_project(call)
        job = self._jobs.find(call.part("job"))
        self._jobs.cancel(job)
        told = {"jobReference": self._reference(job), "status": {"state": self._state(job)}}
        return {"kind": "bigquery#jobCancelResponse", "job": told}

    async def _wait(self, job: Job, timeout_ms: int | None) -> None:
        loop = asyncio.get_running_loop()
        wait_ms = DEFAULT_WAIT_MS if timeout_ms is None else min(timeout_ms, LONGEST_WAIT_MS)
        deadline = loop.time() + wait_ms / 1000.0
        while not self._jobs.is_done(job) and (left_s := deadline - loop.time()) > 0:
            pause_s = min(left_s, RECHECK_S, self._real_seconds_left(job))
            await asyncio.sleep(pause_s)

    def _real_seconds_left(self, job: Job) -> float:
        if job.settles_at is None:
            return RECHECK_S
        clock = self._world.clock
        return clock.real_seconds(max(0.0, job.settles_at - clock.now())) + 0.001

    def _show(self, job: Job, kind: str, start: int, size: int | None) -> dict[str, Any]:
        shown: dict[str, Any] = {"kind": kind, "jobReference": self._reference(job)}
        if not self._jobs.is_done(job):
            return {**shown, "jobComplete": False}
        if job.cancelled:
            raise RestError(
                400, "stopped", "Job execution was cancelled: User requested", "ABORTED"
            )
        if job.failure:
            told = {"reason": "internalError", "message": job.failure}
            return {**shown, "jobComplete": True, "errors": [told]}
        end = start + min(size if size is not None else MOST_ROWS, MOST_ROWS)
        shown |= {
            "jobComplete": True,
            "cacheHit": False,
            "schema": {"fields": job.schema},
            "totalRows": str(len(job.rows)),
            "totalBytesProcessed": str(job.bytes),
        }
        if job.rows[start:end]:
            rows = job.rows[start:end]
            shown["rows"] = [{"f": [{"v": _text(cell)} for cell in row]} for row in rows]
        if end < len(job.rows):
            shown["pageToken"] = str(end)
        return shown

    def _reference(self, job: Job) -> dict[str, str]:
        config = self._world.config
        return {
            "projectId": config.project,
            "jobId": job.id,
            "location": config.ab_test.location,
        }

    def _state(self, job: Job) -> str:
        return "DONE" if self._jobs.is_done(job) else "RUNNING"

    def _check_project(self, call: Call) -> None:
        project = call.part("project")
        if project != self._world.config.project:
            message = (
                f"Access Denied: Project {project}: User does not have bigquery.jobs.create "
                f"permission in project {project}."
            )
            raise RestError(403, "accessDenied", message, "PERMISSION_DENIED")

    def _check_location(self, location: str) -> None:
        config = self._world.config
        if location and location.upper() != config.ab_test.location.upper():
            dataset = config.ab_test.table.partition(".")[0]
            message = (
                f"Not found: Dataset {config.project}:{dataset} was not found in location "
                f"{location}"
            )
            raise RestError(404, "notFound", message, "NOT_FOUND")


def _parameters(body: dict[str, Any]) -> dict[str, tuple[str, str | None]]:
    """Return the named parameters as (type, text); RestError for positional and odd ones."""
    given = body.get("queryParameters") or []
    if given and body.get("parameterMode") != "NAMED":
        raise _invalid("parameterMode: the embedded cloud takes NAMED parameters only.")
    try:
        return {
            one["name"]: (one["parameterType"]["type"], one["parameterValue"].get("value"))
            for one in given
        }
    except (KeyError, TypeError, AttributeError) as exc:
        raise _invalid(f"queryParameters: {type(exc).__name__} {exc}") from exc


def _whole(value: object, name: str) -> int | None:
    """Return an int64, which is text in JSON; None for none. RestError when it is not one."""
    if value is None:
        return None
    try:
        number = int(str(value))
    except ValueError as exc:
        raise _invalid(f"Invalid value for {name}: {value} is not a valid value") from exc
    if number < 0:
        raise _invalid(f"Invalid value for {name}: {number} is negative")
    return number


def _text(cell: Cell) -> str | None:
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return None if cell is None else str(cell)


def _invalid(message: str) -> RestError:
    return RestError(400, "invalid", message, "INVALID_ARGUMENT")
