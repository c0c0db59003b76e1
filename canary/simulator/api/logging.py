"""google.logging.v2.LoggingServiceV2/TailLogEntries of the embedded cloud: Cloud Run's request log.

Its limits are the real ones: ten streams a project, 60 000 entries a minute; what goes beyond is
left out and said in `suppression_info`, and after an hour a stream ends. On request of the fault
table a running stream is cut (a fault with a code for `TailLogEntries`) or has entries left out
(the shape `suppress`).
"""

from __future__ import annotations

import asyncio
import functools
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio
import msgspec

from canary.simulator.wire.calls import ApiError, invalid
from canary.simulator.wire.filters import Fields, parse_log_filter
from canary.simulator.wire.messages import load_types, timestamp
from canary.simulator.wire.peers import REFUSAL, Doorkeeper
from canary.simulator.world.faults import Fault
from canary.simulator.world.requests import LogEntry, RequestLog
from canary.simulator.world.world import World

SERVICE = "google.logging.v2.LoggingServiceV2"
PATH = f"/{SERVICE}/TailLogEntries"

MOST_STREAMS = 10
MOST_PER_S = 1_000.0
"""60 000 entries a minute, of cloud time."""

LONGEST_S = 3_600.0
"""A stream's life, of cloud time; then it ends with OUT_OF_RANGE, and may be opened again."""

BURST_S = 5.0
TICK_S = 0.2
ENTRIES_A_MESSAGE = 1_000
KEPT_UNREAD = 20_000
SUPPRESS = "suppress"
NO_INSTANCE = "The request was aborted because there was no available instance."


_OVER = "The maximum duration for a tail has been met; the same request may be repeated."


class Stream:
    """One caller: what is selected, what waits for it, what was left out."""

    def __init__(self, selects: Callable[[Fields], bool], now: float) -> None:
        self.waiting: deque[LogEntry] = deque()
        self.rate_limited = 0
        self.not_consumed = 0
        self._selects = selects
        self._allowed = MOST_PER_S * BURST_S
        self._at = now

    def offer(self, entries: Sequence[tuple[LogEntry, Fields]], unseen: int, now: float) -> None:
        """Take what is selected and within the limit."""
        self._allowed = min(
            MOST_PER_S * max(BURST_S, now - self._at),
            self._allowed + (now - self._at) * MOST_PER_S,
        )
        self._at = now
        self.rate_limited += unseen
        for entry, fields in entries:
            if not self._selects(fields):
                continue
            if self._allowed < 1:
                self.rate_limited += 1
            elif len(self.waiting) >= KEPT_UNREAD:
                self.not_consumed += 1
            else:
                self._allowed -= 1
                self.waiting.append(entry)

    def suppress(self) -> None:
        """Leave out all that waits, as the real service does when it cannot keep up."""
        self.rate_limited += max(1, len(self.waiting))
        self.waiting.clear()


class LoggingApi:
    """Streams of one world. All are fed by one clock, which runs while there is any."""

    def __init__(self, world: World, door: Doorkeeper) -> None:
        self._world = world
        self._door = door
        self._log = RequestLog(world)
        self._streams: list[Stream] = []
        self._templates: dict[tuple[str, str], Any] = {}

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """Return the handler of the service."""
        method = grpc.stream_stream_rpc_method_handler(
            self.tail,
            request_deserializer=lambda data: log_messages().request.FromString(data),
            response_serializer=lambda message: message.SerializeToString(),
        )
        return grpc.method_handlers_generic_handler(SERVICE, {"TailLogEntries": method})

    async def tail(
        self, requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        """Answer TailLogEntries: entries as they come, until the caller has enough."""
        if not self._door.admits_grpc(context.peer()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)
        fault = self._world.fault_for(PATH)
        if fault is not None:
            await suffer(fault, context)
        try:
            stream = self._open(await anext(aiter(requests), None))
        except ApiError as refusal:
            await context.abort(refusal.code, refusal.message)
        try:
            # Says that the stream is open; the real one keeps silent until there is something.
            await context.send_initial_metadata(())
            opened_at = self._world.clock.now()
            while True:
                self._feed()
                if self._world.clock.now() - opened_at >= LONGEST_S:
                    await context.abort(grpc.StatusCode.OUT_OF_RANGE, _OVER)
                fault = self._world.fault_for(PATH)
                if fault is not None and fault.shape == SUPPRESS:
                    stream.suppress()
                elif fault is not None:
                    await suffer(fault, context)
                for message in self._messages(stream):
                    yield message
                await asyncio.sleep(TICK_S)
        finally:
            self._streams.remove(stream)
            if not self._streams:
                self._log.stop()

    def _open(self, request: Any) -> Stream:
        if request is None:
            raise invalid("The stream was closed without a request.")
        project = f"projects/{self._world.config.project}"
        if list(request.resource_names) != [project]:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Permission 'logging.logEntries.list' denied on resource (or it may not exist).",
            )
        if len(self._streams) >= MOST_STREAMS:
            raise ApiError(
                grpc.StatusCode.RESOURCE_EXHAUSTED,
                "Quota exceeded for quota metric 'Log entries tail sessions' and limit"
                f" '{MOST_STREAMS} sessions per project' of service 'logging.googleapis.com'",
            )
        stream = Stream(parse_log_filter(request.filter), self._world.clock.now())
        if not self._streams:
            self._log.start()
        self._streams.append(stream)
        return stream

    def _feed(self) -> None:
        """Draw what is due and offer it to every stream, whoever asked first."""
        drawn = self._log.draw()
        if not drawn.entries and not drawn.left_out:
            return
        now = self._world.clock.now()
        offered = [(entry, self._fields(entry)) for entry in drawn.entries]
        for stream in self._streams:
            stream.offer(offered, drawn.left_out, now)

    def _fields(self, entry: LogEntry) -> dict[str, str]:
        config = self._world.config
        return {
            "logName": log_name(config.project),
            "resource.type": "cloud_run_revision",
            "resource.labels.project_id": config.project,
            "resource.labels.location": config.region,
            "resource.labels.service_name": entry.service,
            "resource.labels.revision_name": entry.revision,
            "resource.labels.configuration_name": entry.service,
            "httpRequest.status": str(entry.status),
            "httpRequest.requestMethod": "GET",
            "severity": _severity(entry.status)[0],
            "insertId": entry.insert_id,
        }

    def _messages(self, stream: Stream) -> list[Any]:
        """Return what waits, as messages of a bounded size."""
        protos, found = log_messages(), []
        while stream.waiting or stream.rate_limited or stream.not_consumed:
            message = protos.response()
            for reason, count in (
                (protos.rate_limit, stream.rate_limited),
                (protos.not_consumed, stream.not_consumed),
            ):
                if count:
                    message.suppression_info.add(reason=reason, suppressed_count=count)
            stream.rate_limited = stream.not_consumed = 0
            for _ in range(min(len(stream.waiting), ENTRIES_A_MESSAGE)):
                self._write(protos, message.entries.add(), stream.waiting.popleft())
            found.append(message)
        return found

    def _write(self, protos: LogMessages, proto: Any, entry: LogEntry) -> None:
        proto.CopyFrom(self._template(protos, entry.service, entry.revision))
        latency_s = entry.latency_ms / 1000.0
        proto.timestamp.CopyFrom(timestamp(entry.ended_at - latency_s))
        proto.receive_timestamp.CopyFrom(timestamp(entry.ended_at + 0.5 + entry.late_s))
        proto.insert_id = entry.insert_id
        proto.severity = _severity(entry.status)[1]
        proto.http_request.status = entry.status
        if entry.instance:
            proto.labels["instanceId"] = entry.instance
        else:
            proto.text_payload = NO_INSTANCE
        micros = round(latency_s * 1e6)
        proto.http_request.latency.seconds = micros // 1_000_000
        proto.http_request.latency.nanos = micros % 1_000_000 * 1_000

    def _template(self, protos: LogMessages, service: str, revision: str) -> Any:
        """What all entries of a revision share; filled once, copied for each."""
        known = self._templates.get((service, revision))
        if known is None:
            config = self._world.config
            known = protos.entry(log_name=log_name(config.project))
            known.resource.type = "cloud_run_revision"
            known.resource.labels.update(
                project_id=config.project,
                location=config.region,
                service_name=service,
                revision_name=revision,
                configuration_name=service,
            )
            known.http_request.request_method = "GET"
            self._templates[service, revision] = known
        return known


def log_name(project: str) -> str:
    """Return the name of Cloud Run's request log."""
    return f"projects/{project}/logs/run.googleapis.com%2Frequests"


def _severity(status: int) -> tuple[str, int]:
    """google/logging/type/log_severity.proto, as Cloud Run sets it."""
    if status >= 500:
        return "ERROR", 500
    return ("WARNING", 400) if status >= 400 else ("INFO", 200)


async def suffer(fault: Fault, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Make a gRPC call late, and fail it, as a fault says."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.code:
        code = grpc.StatusCode[fault.code]
        await context.abort(code, fault.message or f"The fault table says {fault.code}.")


# Cloud Logging's wire messages, loaded when the first stream is opened: nobody else needs them.


class LogMessages(msgspec.Struct, frozen=True):
    """The raw protobuf classes that the tail speaks."""

    request: Any
    response: Any
    entry: Any
    rate_limit: int
    not_consumed: int


@functools.cache
def log_messages() -> LogMessages:
    """Return the classes; the first call imports them."""
    logging = load_types("google.cloud.logging_v2", "logging")
    log_entry = load_types("google.cloud.logging_v2", "log_entry")
    reasons = logging.TailLogEntriesResponse.SuppressionInfo.Reason
    return LogMessages(
        request=logging.TailLogEntriesRequest.pb(),
        response=logging.TailLogEntriesResponse.pb(),
        entry=log_entry.LogEntry.pb(),
        rate_limit=int(reasons.RATE_LIMIT),
        not_consumed=int(reasons.NOT_CONSUMED),
    )
