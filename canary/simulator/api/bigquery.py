"""bigquery.jobs.query, getQueryResults and cancel over REST: `/bigquery/v2/projects/P/…`."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

from canary.simulator.api.ab_query import COLUMNS, AbQuery, Cell, compute_rows, read_ab_query
from canary.simulator.api.rest import Call, Rest
from canary.simulator.config import SideName
from canary.simulator.wire.calls import RestError
from canary.simulator.world.ab_table import AbTable
from canary.simulator.world.faults import Fault
from canary.simulator.world.traffic.scenarios import SIDES
from canary.simulator.world.world import World

JOBS = "/google.cloud.bigquery.v2.JobService/"
DEFAULT_WAIT_MS = 10_000
LONGEST_WAIT_MS = 60_000
RECHECK_S = 0.1
MOST_ROWS = 10_000
LEAST_BILLED_BYTES = 10 * 1024 * 1024
"""Every query is billed for at least 10 MB a table."""
MOST_JOBS = 50


@dataclass(slots=True)
class Job:
    """One query job. `settles_at` is cloud time, None while it never ends."""

    id: str
    settles_at: float | None
    bytes: int
    schema: dict[str, str] = field(default_factory=dict)
    rows: list[list[Cell]] = field(default_factory=list)
    fails: bool = False
    endless: bool = False
    """Every page says that there is another, and holds no rows."""
    cancelled: bool = False


class Jobs:
    """The jobs of a world, newest MOST_JOBS; none outlives the process."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._table = AbTable(world)
        self._jobs: dict[str, Job] = {}
        self._requests: dict[str, Job] = {}

    def find(self, job_id: str) -> Job:
        """Return a job; RestError 404."""
        if job_id not in self._jobs:
            project = self._world.config.project
            raise RestError(404, "notFound", f"Not found: Job {project}:{job_id}", "NOT_FOUND")
        return self._jobs[job_id]

    def is_done(self, job: Job) -> bool:
        """Whether a job has come to its end, well or not."""
        return job.cancelled or (
            job.settles_at is not None and job.settles_at <= self._world.clock.now()
        )

    async def begin(
        self, query: AbQuery, *, most_bytes: int | None, request_id: str, fault: Fault
    ) -> Job:
        """Begin a query; RestError as BigQuery refuses it. The same request id is the same job.

        Of the fault: `late_s` and `fails` as of any operation, and these shapes:
        `never-completes`, `bytes-exceeded`, `no-rows`, `endless-pages`, `missing-column` (the last
        one), and for the columns that are no counts `nulls`, `nan`, `text`.
        """
        if request_id and request_id in self._requests:
            return self._requests[request_id]
        now = self._world.clock.now()
        billed = max(LEAST_BILLED_BYTES, self.estimate(query))
        _check_bytes(billed, 1 if fault.shape == "bytes-exceeded" else most_bytes)
        rows = await self._answer(query)
        stuck = fault.shape == "never-completes"
        job = Job(
            id=f"job_{uuid.uuid4().hex}",
            settles_at=None if stuck else now + self._world.config.query_s + fault.late_s,
            bytes=billed,
            schema=dict(COLUMNS),
            rows=rows,
            fails=fault.fails,
            endless=fault.shape == "endless-pages",
        )
        _spoil(job, fault.shape)
        self._keep(job, request_id)
        return job

    def estimate(self, query: AbQuery) -> int:
        """Return the bytes that a query would read; RestError when its table is not there."""
        config = self._world.config
        if query.table not in (config.ab_test.table, f"{config.project}.{config.ab_test.table}"):
            project, _, rest = query.table.rpartition(".")[0].partition(".")
            table = query.table.rpartition(".")[2]
            name = f"{project}:{rest}.{table}" if rest else query.table
            raise RestError(404, "notFound", f"Not found: Table {name} was not found", "NOT_FOUND")
        return self._table.size()

    def cancel(self, job: Job) -> None:
        """Stop a job that is not done."""
        if not self.is_done(job):
            job.cancelled = True

    def _keep(self, job: Job, request_id: str) -> None:
        self._jobs[job.id] = job
        if request_id:
            self._requests[request_id] = job
        while len(self._jobs) > MOST_JOBS:
            del self._jobs[next(iter(self._jobs))]
        self._requests = {key: one for key, one in self._requests.items() if one.id in self._jobs}

    async def _answer(self, query: AbQuery) -> list[list[Cell]]:
        names = self._world.config.ab_test
        groups: dict[SideName, str] = {
            side: name
            for side, name in zip(SIDES, (names.legacy_group, names.canary_group), strict=True)
            if name in query.groups
        }
        parts = [one for one in self._table.parts(query.since, query.until) if one.side in groups]
        # Half a second of computing: in a thread, so that everybody else is answered.
        return await asyncio.to_thread(compute_rows, parts, groups)


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
        query = read_ab_query(str(body.get("query") or ""), _parameters(body))
        if body.get("dryRun") is True:
            return self._estimate(query)
        job = await self._jobs.begin(
            query,
            most_bytes=_whole(body.get("maximumBytesBilled"), "maximumBytesBilled"),
            request_id=str(body.get("requestId") or ""),
            fault=call.fault,
        )
        await self._wait(job, _whole(body.get("timeoutMs"), "timeoutMs"))
        size = _whole(body.get("maxResults"), "maxResults")
        return self._show(job, "bigquery#queryResponse", 0, size)

    def _estimate(self, query: AbQuery) -> dict[str, Any]:
        """What a dry run answers: no job, and what it would read."""
        size = self._jobs.estimate(query)
        config = self._world.config
        return {
            "kind": "bigquery#queryResponse",
            "jobReference": {"projectId": config.project, "location": config.ab_test.location},
            "jobComplete": True,
            "cacheHit": False,
            "schema": _schema(COLUMNS),
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
        if job.fails:
            failed = "The job encountered an error during execution."
            told = {"reason": "internalError", "message": failed}
            return {**shown, "jobComplete": True, "errors": [told]}
        end = start + min(size if size is not None else MOST_ROWS, MOST_ROWS)
        shown |= {
            "jobComplete": True,
            "cacheHit": False,
            "schema": _schema(job.schema),
            "totalRows": str(len(job.rows)),
            "totalBytesProcessed": str(job.bytes),
        }
        if job.endless:
            return {**shown, "pageToken": str(start + 1)}
        if rows := job.rows[start:end]:
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
    return None if cell is None else str(cell)


def _schema(columns: Mapping[str, str]) -> dict[str, Any]:
    told = [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in columns.items()]
    return {"fields": told}


def _spoil(job: Job, shape: str) -> None:
    """Give a job's answer a defect; as it is when the shape means nothing for it."""
    if shape == "no-rows":
        job.rows = []
    if shape == "missing-column":
        del job.schema[next(reversed(job.schema))]
        job.rows = [row[:-1] for row in job.rows]
    if shape in _ODD:
        odd = [kind == "FLOAT" for kind in job.schema.values()]
        job.rows = [
            [_ODD[shape] if is_odd else cell for is_odd, cell in zip(odd, row, strict=True)]
            for row in job.rows
        ]
    if shape == "text":
        job.schema = {n: "STRING" if kind == "FLOAT" else kind for n, kind in job.schema.items()}


_ODD: dict[str, Cell] = {"nulls": None, "nan": "NaN", "text": "fast"}


def _check_bytes(billed: int, most: int | None) -> None:
    if most is not None and billed > most:
        raise RestError(
            400,
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {most}. {billed} or higher required.",
            "INVALID_ARGUMENT",
        )


def _invalid(message: str) -> RestError:
    return RestError(400, "invalid", message, "INVALID_ARGUMENT")
