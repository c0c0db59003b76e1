"""Cloud Logging's messages ↔ requests: the filter that is asked with, entries as they come. Pure.

Entries are read from the raw protobuf messages: proto-plus would take 30 µs more for each.
Source: google/logging/v2/log_entry.proto, google/logging/type/http_request.proto.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from typing import Any, Final
from urllib.parse import quote as url_quote

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import foreign_errors, is_answer_lost, translate
from canary.cloud.logging.windows import Request
from canary.cloud.monitoring.queries import quote
from canary.cloud.monitoring.timeseries import Side
from canary.cloud.run.sides import side_of_revision
from canary.rollout.errors import Unavailable
from canary.rollout.failures.requests import FAILING_FROM, FailedRequest
from canary.rollout.failures.routes import route_of
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

LOG_ID: Final = "run.googleapis.com/requests"
INSTANCE_LABEL: Final = "instanceId"
REFUSED: Final = frozenset({429, 500})
"""What the front answers when no instance is free; other refusals without an instance (401, 403,
404) are the caller's. Source: "The request was aborted because there was no available instance."
"""

_HOLDS_S: Final = (0.0, 0.1, 0.5)
"""Real seconds between a call and its request. gRPC loses a refusal that comes while the request is
written (7 of 100 times); where the request is held back, the refusal has come before it."""

SideOfRequest = Callable[[str, str], Side | None]
"""Which side a (service, revision) is; None: neither."""


def log_filter(plan: Plan, sampled: float = 1.0) -> str:
    """Select the request log of both sides; with `sampled` below 1 that share of its entries.

    The sample is by a hash of the entry, so it takes the same share of both sides.
    """
    target = plan.target
    names = dict.fromkeys((target.legacy, target.canary))
    if target.shares_one_service:
        names = {plan.router_service: None}
    services = " OR ".join(quote(name) for name in names)
    log = f"projects/{target.project}/logs/{url_quote(LOG_ID, safe='')}"
    parts = [
        f"logName={quote(log)}",
        'resource.type="cloud_run_revision"',
        f"resource.labels.location={quote(target.region)}",
        f"resource.labels.service_name=({services})",
    ]
    if sampled < 1.0:
        parts.append(f"sample(insertId, {sampled:.4f})")
    return " AND ".join(parts)


def side_of_request(plan: Plan, candidate: str | None, stable: str = "") -> SideOfRequest:
    """How a request's side is told: by its service, or by its revision.

    `candidate` is Canary's, `stable` Legacy's ("": all others are).
    """
    if plan.target.shares_one_service:
        return lambda _, revision: side_of_revision(revision, candidate, stable)
    sides: dict[str, Side] = {plan.target.legacy: "legacy", plan.target.canary: "canary"}
    return lambda service, _: sides.get(service)


def read_requests(
    entries: Iterable[Any], side_of: SideOfRequest, routes: Sequence[str] = ()
) -> Iterator[Request]:
    """The requests among raw LogEntry messages; an entry that is none is left out. `routes` are the
    plan's own.

    The entry's time is when the request began: it ended `latency` later, but not after the entry
    was received.
    """
    for entry in entries:
        http = entry.http_request
        labels = entry.resource.labels
        revision = labels["revision_name"]
        side = side_of(labels["service_name"], revision)
        if side is None or not 100 <= http.status <= 599:
            continue
        latency_s = http.latency.seconds + http.latency.nanos / 1e9
        if latency_s < 0:
            continue
        ended_at = entry.timestamp.seconds + entry.timestamp.nanos / 1e9 + latency_s
        received = entry.receive_timestamp
        if received.seconds:
            ended_at = min(ended_at, received.seconds + received.nanos / 1e9)
        instance = entry.labels.get(INSTANCE_LABEL) or ""
        refused = http.status in REFUSED and not instance
        latency_ms = latency_s * 1000.0
        failed = None
        if http.status >= FAILING_FROM:
            # Of the URL the route alone goes on: no query, no host; nothing of the caller is read.
            failed = FailedRequest(
                side,
                ended_at,
                sanitize(http.request_method, 10),
                route_of(http.request_url, routes),
                http.status,
                latency_ms,
                revision,
                sanitize(instance, 100),
                sanitize(entry.trace.rpartition("/")[2], 64),
                refused,
            )
        yield Request(side, ended_at, http.status, latency_ms, revision, refused, instance, failed)


# The one request that opens the tail of the request log, and whether the caller has the right to.
#
# The right cannot be asked for without one more API (Resource Manager); so the tail itself is
# opened for a moment.

RIGHT: Final = "logging.logEntries.list"
ROLE: Final = "roles/logging.viewer on the project"

BUFFER_S: Final = 1
"""The service orders entries over so much; its default of 2 s is for people who read lines."""


def tail_requests(
    types: Any, plan: Plan, sampled: float, held_s: float = 0.0
) -> tuple[AsyncIterator[Any], asyncio.Event]:
    """The request for a share `sampled` (0…1) of both sides' entries, as a stream of one message
    that is sent after `held_s` real seconds; our half of it stays open until the event is set.
    """
    request = types.TailLogEntriesRequest(
        resource_names=[f"projects/{plan.target.project}"],
        filter=log_filter(plan, sampled),
        buffer_window={"seconds": BUFFER_S},
    )
    done = asyncio.Event()

    async def ask() -> AsyncIterator[Any]:
        await asyncio.sleep(held_s)
        yield request
        await done.wait()

    return ask(), done


async def demand_log_right(connection: Connection, plan: Plan, within_s: float) -> None:
    """Open the tail for a moment; raises the refusal, translated.

    The service refuses at once, and keeps silent until there is an entry: what is not refused
    `within_s` real seconds may be read. Takes one of the project's ten streams for so long.
    """
    for held_s in _HOLDS_S:
        try:
            await _open_for_a_moment(connection, plan, within_s, held_s)
        except foreign_errors() as exc:
            if is_answer_lost(exc):
                continue
            raise translate(exc, "Cloud Logging", "tailing the request log") from exc
        return
    raise Unavailable(
        "Cloud Logging ended each call before it was asked (tailing the request log)."
    )


async def _open_for_a_moment(
    connection: Connection, plan: Plan, within_s: float, held_s: float
) -> None:
    client, types = await connection.api("logs")
    requests, done = tail_requests(types, plan, 1.0, held_s)
    call: Any = None
    try:
        async with asyncio.timeout(held_s + within_s):
            call = await client.tail_log_entries(requests, retry=None, timeout=None)
            await anext(aiter(call), None)
    except TimeoutError:
        return
    finally:
        done.set()
        if call is not None:
            call.cancel()
