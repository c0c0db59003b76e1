"""What Cloud Logging keeps of the past, asked for when a person wants it: ListLogEntries.

Failing requests of the last while, and the application's own lines about one of them. Bounded in
number and time; nothing of it is kept.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, Final

from canary.cloud.connection.calls import ask
from canary.cloud.connection.clients import Connection
from canary.cloud.logging.entries import log_filter, read_requests, side_of_request
from canary.cloud.monitoring.queries import quote
from canary.rollout.errors import Unavailable
from canary.rollout.failures.lines import LogLine, order_lines
from canary.rollout.failures.requests import FAILING_FROM, FailedRequest
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_iso_time, sanitize

SOURCE: Final = "Cloud Logging"
MOST_LINES: Final = 50
LINES_S: Final = 5.0
"""Real seconds until an answer is no answer any more."""

AROUND_S: Final = 60.0
"""Before and after a request, where it has no trace."""

MOST_REQUESTS: Final = 2_000
ON_A_PAGE: Final = 1_000
MOST_TEXT: Final = 4_000


async def read_failing(
    connection: Connection,
    plan: Plan,
    since: float,
    until: float,
    *,
    sides: tuple[str | None, str] = (None, ""),
    most: int = MOST_REQUESTS,
    within_s: float = 20.0,
) -> tuple[tuple[FailedRequest, ...], bool]:
    """The failing requests of both sides that began in [since, until), newest first, and whether
    those are all. Raises CanaryError.

    `sides` are Canary's and Legacy's revisions where they share a service.
    """
    text = " AND ".join(
        (
            log_filter(plan),
            f"httpRequest.status>={FAILING_FROM}",
            f"timestamp>={quote(format_iso_time(since) or '')}",
            f"timestamp<{quote(format_iso_time(until) or '')}",
        )
    )
    side_of, found = side_of_request(plan, *sides), []
    async for entry in _entries(connection, plan, text, most + 1, within_s):
        found += [r.failed for r in read_requests((entry,), side_of, plan.failures.routes)]
    known = tuple(r for r in found if r is not None)
    return known[:most], len(known) <= most


async def read_lines(
    connection: Connection, plan: Plan, request: FailedRequest
) -> tuple[LogLine, ...]:
    """What the application wrote about a request: by its trace, or else by its instance within a
    minute before and after it. The newest MOST_LINES, warnings and worse first.

    Raises CanaryError; Unavailable after LINES_S.
    """
    entries = _entries(connection, plan, lines_filter(plan, request), MOST_LINES, LINES_S)
    return order_lines([_line(entry) async for entry in entries])


def lines_filter(plan: Plan, request: FailedRequest) -> str:
    """The query, as a person may use it too: never the request log's own entries."""
    project = plan.target.project
    parts = [
        'resource.type="cloud_run_revision"',
        f"resource.labels.location={quote(plan.target.region)}",
        f"resource.labels.revision_name={quote(request.revision)}",
        f"logName!={quote(f'projects/{project}/logs/run.googleapis.com%2Frequests')}",
    ]
    if request.trace:
        parts.append(f"trace={quote(f'projects/{project}/traces/{request.trace}')}")
        return " AND ".join(parts)
    if request.instance:
        parts.append(f"labels.instanceId={quote(request.instance)}")
    began = request.at - request.latency_ms / 1000.0
    parts += [
        f"timestamp>={quote(format_iso_time(began - AROUND_S) or '')}",
        f"timestamp<={quote(format_iso_time(request.at + AROUND_S) or '')}",
        "severity>=WARNING",
    ]
    return " AND ".join(parts)


async def _entries(
    connection: Connection, plan: Plan, text: str, most: int, within_s: float
) -> AsyncIterator[Any]:
    """Raw entries, newest first, `most` at most; raises Unavailable when it takes too long."""
    client, types = await connection.api("logs")
    request = types.ListLogEntriesRequest(
        resource_names=[f"projects/{plan.target.project}"],
        filter=text,
        order_by="timestamp desc",
        page_size=min(most, ON_A_PAGE),
    )
    doing = "reading log entries"
    left = most
    try:
        async with asyncio.timeout(within_s):
            pager = await ask(
                lambda: client.list_log_entries(request, timeout=within_s), SOURCE, doing
            )
            async for page in pager.pages:
                for entry in type(page).pb(page).entries:
                    if left <= 0:
                        return
                    left -= 1
                    yield entry
    except TimeoutError as exc:
        raise Unavailable(
            f"{SOURCE} did not answer within {within_s:.0f} s ({doing}).", source=SOURCE
        ) from exc


def _line(entry: Any) -> LogLine:
    """One line of the application. A structured one says its `message`, or all of itself."""
    at = entry.timestamp.seconds + entry.timestamp.nanos / 1e9
    text = entry.text_payload
    if not text and entry.HasField("json_payload"):
        from google.protobuf.json_format import MessageToDict

        values = MessageToDict(entry.json_payload)
        said = values.get("stack_trace") or values.get("message") or values
        text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    instance = sanitize(entry.labels.get("instanceId") or "", 100)
    return LogLine(at, int(entry.severity), text[:MOST_TEXT], instance)
