"""ListLogEntries of the embedded cloud: failing requests of the past, and what the application
wrote about them. Requests that were answered well are not kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc

from canary.simulator.api.log_messages import (
    LogWriter,
    application_log,
    log_messages,
    request_log,
    severity_of,
)
from canary.simulator.wire.calls import ApiError, cut_page, invalid
from canary.simulator.wire.filters import Fields, LogFilter, parse_log_filter
from canary.simulator.world.past_requests import PastRequests
from canary.simulator.world.requests import LogEntry
from canary.simulator.world.world import World

MOST_FOUND = 5_000
DEFAULT_PAGE, MOST_ON_A_PAGE = 50, 1_000
AROUND_S = 60.0


class LogList:
    """Answers from what a world's requests left behind."""

    def __init__(self, world: World, past: PastRequests, writer: LogWriter) -> None:
        self._world = world
        self._past = past
        self._writer = writer

    def answer(self, request: Any) -> Any:
        """Return one page. Raises ApiError for what the real service refuses."""
        project = self._world.config.project
        if list(request.resource_names) != [f"projects/{project}"]:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Permission 'logging.logEntries.list' denied on resource (or it may not exist).",
            )
        if request.order_by not in ("", "timestamp asc", "timestamp desc"):
            raise invalid(f"Unsupported order_by: {request.order_by}")
        selects = parse_log_filter(request.filter)
        found = [*self._requests(selects), *self._lines(selects)]
        found.sort(
            key=lambda entry: (entry.timestamp.seconds, entry.timestamp.nanos),
            reverse=request.order_by == "timestamp desc",
        )
        page, following = cut_page(found, request, DEFAULT_PAGE, MOST_ON_A_PAGE)
        return log_messages().list_response(entries=page, next_page_token=following)

    def _requests(self, selects: LogFilter) -> Iterator[Any]:
        if not selects.admits("logName", request_log(self._world.config.project)):
            return
        count = 0
        for entry in self._candidates(selects):
            if count < MOST_FOUND and selects.matches(self._writer.fields(entry)):
                count += 1
                proto = log_messages().entry()
                self._writer.write(proto, entry)
                yield proto

    def _lines(self, selects: LogFilter) -> Iterator[Any]:
        if not selects.admits("logName", application_log(self._world.config.project)):
            return
        count = 0
        for entry in self._candidates(selects):
            for line in self._past.lines(entry):
                if count < MOST_FOUND and selects.matches(self._writer.line_fields(line)):
                    count += 1
                    proto = log_messages().entry()
                    self._writer.write_line(proto, line)
                    yield proto

    def _candidates(self, selects: LogFilter) -> Iterator[LogEntry]:
        """Yield the failing requests that may be selected, newest first."""
        trace = selects.value_of("trace")
        if trace is not None:
            entry = self._past.find(trace.rpartition("/")[2])
            if entry is not None:
                yield entry
            return
        since, until = selects.span()
        yield from self._past.between(
            since - AROUND_S, until + AROUND_S, lambda status: _may_be(selects, status)
        )


def _may_be(selects: LogFilter, status: int) -> bool:
    """Whether a request of a status, or a line about it, may be selected."""
    fields: Fields = {"httpRequest.status": str(status), "severity": severity_of(status)}
    return all(selects.admits(field, value) for field, value in fields.items())
