"""BigQuery's jobs: a query is checked, begun, and later complete, with its schema and rows."""

from __future__ import annotations

import asyncio
import functools
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from canary.simulator.api.sql_aggregates import Cell, GroupAnswer, columns_of, type_of
from canary.simulator.api.sql_constants import Constants, Where
from canary.simulator.api.sql_query import Call, Column, Item, Literal, Node, Query, parse_query
from canary.simulator.api.sql_tokens import invalid_query
from canary.simulator.config import SideName
from canary.simulator.wire.errors import RestError
from canary.simulator.world.traffic.ab_table import AbTable, Part, Rows, draw_rows
from canary.simulator.world.traffic.profiles import SIDES
from canary.simulator.world.world import World

LEAST_BILLED_BYTES = 10 * 1024 * 1024
"""Every query is billed for at least 10 MB a table."""
MOST_JOBS = 50


@dataclass(slots=True)
class Job:
    """One query job. `settles_at` is cloud time, None while it never ends."""

    id: str
    settles_at: float | None
    bytes: int
    schema: list[dict[str, str]] = field(default_factory=list)
    rows: list[list[Cell]] = field(default_factory=list)
    failure: str = ""
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
        self,
        sql: str,
        parameters: Mapping[str, tuple[str, str | None]],
        *,
        most_bytes: int | None,
        request_id: str,
        shape: str,
    ) -> Job:
        """Check a query and begin it; RestError as BigQuery refuses it.

        `shape` of the fault table: `never-completes`, `bytes-exceeded`, `job-fails`. The same
        request id is the same job.
        """
        if request_id and request_id in self._requests:
            return self._requests[request_id]
        now, config = self._world.clock.now(), self._world.config
        query, constants, where = self._check(sql, parameters)
        billed = max(LEAST_BILLED_BYTES, self._read_bytes(query))
        _check_bytes(billed, 1 if shape == "bytes-exceeded" else most_bytes)
        rows = await self._answer(query, where, constants)
        stuck = shape == "never-completes"
        job = Job(
            id=f"job_{uuid.uuid4().hex}",
            settles_at=None if stuck else now + config.query_s,
            bytes=billed,
            schema=_schema(query),
            rows=rows,
            failure="The job encountered an error during execution." * (shape == "job-fails"),
        )
        self._keep(job, request_id)
        return job

    def estimate(
        self, sql: str, parameters: Mapping[str, tuple[str, str | None]]
    ) -> tuple[list[dict[str, str]], int]:
        """Check a query as `begin` does; return its columns and the bytes that it would read."""
        query, _, _ = self._check(sql, parameters)
        return _schema(query), self._read_bytes(query)

    def _check(
        self, sql: str, parameters: Mapping[str, tuple[str, str | None]]
    ) -> tuple[Query, Constants, Where]:
        query = _with_aliases(parse_query(sql))
        self._check_table(query.table)
        constants = Constants(parameters, self._world.clock.now())
        return query, constants, constants.where(query.where)

    def _read_bytes(self, query: Query) -> int:
        return self._table.size({name for node in _nodes(query) for name in columns_of(node)})

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

    def _check_table(self, table: str) -> None:
        config = self._world.config
        known = (config.ab_test.table, f"{config.project}.{config.ab_test.table}")
        if table not in known:
            project, _, rest = table.rpartition(".")[0].partition(".")
            name = f"{project}:{rest}.{table.rpartition('.')[2]}" if rest else table
            raise RestError(404, "notFound", f"Not found: Table {name} was not found", "NOT_FOUND")

    async def _answer(self, query: Query, where: Where, constants: Constants) -> list[list[Cell]]:
        names = self._world.config.ab_test
        groups: dict[SideName, str] = {
            side: name
            for side, name in zip(SIDES, (names.legacy_group, names.canary_group), strict=True)
            if where.admits(name)
        }
        parts = [one for one in self._table.parts(where.since, where.until) if one.side in groups]
        # Half a second of computing: in a thread, so that everybody else is answered.
        return await asyncio.to_thread(
            functools.partial(compute_answer, query, parts, groups, constants)
        )


def compute_answer(
    query: Query, parts: list[Part], groups: Mapping[SideName, str], constants: Constants
) -> list[list[Cell]]:
    """Return the rows of the answer: one for each group that has rows, or one for all. Pure."""
    drawn = draw_rows(parts)
    if query.group:
        answers = [
            GroupAnswer(name, drawn[side], constants)
            for side, name in groups.items()
            if len(drawn[side])
        ]
    else:
        answers = [GroupAnswer(None, _together(drawn), constants)]
    found = [([one.value(item.node) for item in query.items], one) for one in answers]
    for node, descending in reversed(query.order):
        found.sort(key=lambda pair: _sort_key(pair[1].value(node)), reverse=descending)
    return [cells for cells, _ in found]


def _together(drawn: Mapping[SideName, Rows]) -> Rows:
    merged = Rows()
    for rows in drawn.values():
        merged.extend(rows)
    return merged


def _sort_key(value: Cell) -> tuple[bool, float, str]:
    """NULL comes first, as in BigQuery."""
    if value is None or isinstance(value, str):
        return value is not None, 0.0, value or ""
    return True, float(value), ""


def _with_aliases(query: Query) -> Query:
    """Return the query with the aliases and numbers in GROUP BY and ORDER BY resolved.

    RestError for a grouping that the table's one dimension cannot give.
    """
    group = tuple(_resolve(node, query.items) for node in query.group)
    for node in group:
        if not (isinstance(node, Column) and node.name.lower() == "group"):
            raise invalid_query("The embedded cloud groups by `group` only", node.token)
    order = tuple((_resolve(node, query.items), descending) for node, descending in query.order)
    return Query(query.items, query.table, query.where, group, order)


def _resolve(node: Node, items: tuple[Item, ...]) -> Node:
    if isinstance(node, Literal) and isinstance(node.value, float):
        index = int(node.value) - 1
        if not 0 <= index < len(items):
            raise invalid_query("The column number is out of range", node.token)
        return items[index].node
    if isinstance(node, Column):
        return next((one.node for one in items if one.name.lower() == node.name.lower()), node)
    return node


def _nodes(query: Query) -> list[Node]:
    conditions = [node for one in query.where if isinstance(one, Call) for node in one.arguments]
    return [*(item.node for item in query.items), *conditions, *query.group]


def _check_bytes(billed: int, most: int | None) -> None:
    if most is not None and billed > most:
        raise RestError(
            400,
            "bytesBilledLimitExceeded",
            f"Query exceeded limit for bytes billed: {most}. {billed} or higher required.",
            "INVALID_ARGUMENT",
        )


def _schema(query: Query) -> list[dict[str, str]]:
    return [
        {"name": item.name, "type": type_of(item.node), "mode": "NULLABLE"} for item in query.items
    ]
