"""google.logging.v2.LoggingServiceV2 of the embedded cloud: Cloud Run's request log, tailed; what
ListLogEntries tells of the past is in `log_list`.

Its limits are the real ones: ten streams a project, 60 000 entries a minute; what goes beyond is
left out and said in `suppression_info`, and after an hour a stream ends. On request of the fault
table a running stream is cut (a fault with a code for `TailLogEntries`) or has entries left out
(the shape `suppress`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import grpc
import grpc.aio

from canary.simulator.api.log_list import LogList
from canary.simulator.api.log_messages import LogWriter, log_messages
from canary.simulator.wire.calls import ApiError, invalid
from canary.simulator.wire.filters import Fields, parse_log_filter
from canary.simulator.wire.peers import REFUSAL, Doorkeeper
from canary.simulator.world.faults import Fault
from canary.simulator.world.past_requests import PastRequests
from canary.simulator.world.requests import LogEntry, RequestLog
from canary.simulator.world.world import World

SERVICE = "google.logging.v2.LoggingServiceV2"
PATH = f"/{SERVICE}/TailLogEntries"
LIST_PATH = f"/{SERVICE}/ListLogEntries"

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
        self._writer = LogWriter(world.config)
        self.past = PastRequests(world)
        self._list = LogList(world, self.past, self._writer)

    def handler(self) -> grpc.GenericRpcHandler[Any, Any]:
        """Return the handler of the service."""
        method = grpc.stream_stream_rpc_method_handler(
            self.tail,
            request_deserializer=lambda data: log_messages().request.FromString(data),
            response_serializer=lambda message: message.SerializeToString(),
        )
        listed = grpc.unary_unary_rpc_method_handler(
            self.list_entries,
            request_deserializer=lambda data: log_messages().list_request.FromString(data),
            response_serializer=lambda message: message.SerializeToString(),
        )
        methods = {"TailLogEntries": method, "ListLogEntries": listed}
        return grpc.method_handlers_generic_handler(SERVICE, methods)

    async def list_entries(self, request: Any, context: grpc.aio.ServicerContext[Any, Any]) -> Any:
        """Answer ListLogEntries."""
        if not self._door.admits_grpc(context.peer()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)
        self._world.calls["ListLogEntries"] += 1
        fault = self._world.fault_for(LIST_PATH)
        if fault is not None:
            await suffer(fault, context)
        try:
            return self._list.answer(request)
        except ApiError as refusal:
            await context.abort(refusal.code, refusal.message)

    async def tail(
        self, requests: AsyncIterator[Any], context: grpc.aio.ServicerContext[Any, Any]
    ) -> AsyncIterator[Any]:
        """Answer TailLogEntries: entries as they come, until the caller has enough."""
        if not self._door.admits_grpc(context.peer()):
            await context.abort(grpc.StatusCode.UNAUTHENTICATED, REFUSAL)
        # Whose log is asked for stands in the message, so nothing is refused before it is read. A
        # refusal of the headers alone would also come amid the caller's writing: gRPC loses those.
        request = await anext(aiter(requests), None)
        fault = self._world.fault_for(PATH)
        if fault is not None:
            await suffer(fault, context)
        try:
            stream = self._open(request)
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
        stream = Stream(parse_log_filter(request.filter).matches, self._world.clock.now())
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
        offered = [(entry, self._writer.fields(entry)) for entry in drawn.entries]
        self.past.stream(drawn.entries, self._log.began_at)
        for stream in self._streams:
            stream.offer(offered, drawn.left_out, now)

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
                self._writer.write(message.entries.add(), stream.waiting.popleft())
            found.append(message)
        return found


async def suffer(fault: Fault, context: grpc.aio.ServicerContext[Any, Any]) -> None:
    """Make a gRPC call late, and fail it, as a fault says."""
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if fault.code:
        code = grpc.StatusCode[fault.code]
        await context.abort(code, fault.message or f"The fault table says {fault.code}.")
