"""google.longrunning.Operations of Cloud Run: changes that take time."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

from canary.simulator.wire import messages
from canary.simulator.wire.errors import failed_precondition, invalid_field, not_found
from canary.simulator.wire.paging import cut_page
from canary.simulator.world.services.run_state import (
    OperationKind,
    OperationRecord,
    RunState,
    short_name,
)
from canary.simulator.world.services.status import with_addresses
from canary.simulator.world.world import World

RECHECK_S = 0.25
"""Real seconds between two looks of WaitOperation: the clock may jump, or the scenario end."""
LONGEST_WAIT_S = 30.0


def begin_operation(
    world: World, wanted: Any, kind: OperationKind, now: float, takes_s: float
) -> OperationRecord:
    """Return a new operation on a Service or Revision, as scenario and fault table let it go."""
    mode = world.scenario.current(now).operation_mode
    fault = world.present_fault
    if fault is not None:
        takes_s += fault.late_s
        mode = "failing" if fault.fails else mode
    path = wanted.name.split("/")
    return OperationRecord(
        id=str(uuid.uuid4()),
        kind=kind,
        service=path[5],
        revision=path[7] if kind == "delete-revision" else "",
        wanted=wanted.SerializeToString(),
        started_at=now,
        settles_at=None if mode == "stuck" else now + takes_s,
        takes_s=takes_s,
        fails=mode == "failing",
    )


class OperationsApi:
    """Answers about operations; settles what is due first."""

    def __init__(self, world: World, state: RunState) -> None:
        self._world = world
        self._state = state
        self._parent = f"projects/{world.config.project}/locations/{world.config.region}"

    def describe(self, record: OperationRecord) -> Any:
        """Return the Operation message: metadata and response are a Service or a Revision."""
        operation = messages.Operation(
            name=f"{self._parent}/operations/{record.id}", done=record.done
        )
        target = self._target(record)
        operation.metadata.Pack(target)
        if record.done and record.error_code:
            operation.error.code = record.error_code
            operation.error.message = record.error_message
        elif record.done:
            operation.response.Pack(target)
        return operation

    def _target(self, record: OperationRecord) -> Any:
        data = record.result or record.wanted
        if record.kind == "delete-revision":
            return messages.Revision.FromString(data)
        return with_addresses(messages.Service.FromString(data), self._world.endpoints)

    def get(self, request: Any) -> Any:
        """Answer GetOperation; NOT_FOUND for one that never was, or long done."""
        self._world.settle()
        return self.describe(self._find(request.name))

    async def wait(self, request: Any) -> Any:
        """Answer WaitOperation: when it is done, or the request's timeout is over."""
        timeout_s = messages.nanoseconds(request.timeout) / 1e9 or LONGEST_WAIT_S
        loop = asyncio.get_running_loop()
        deadline = loop.time() + min(timeout_s, LONGEST_WAIT_S)
        self._world.settle()
        record = self._find(request.name)
        while not record.done and (left := deadline - loop.time()) > 0:
            await asyncio.sleep(min(left, RECHECK_S, self._real_seconds_left(record)))
            self._world.settle()
        return self.describe(record)

    def list(self, request: Any) -> Any:
        """Answer ListOperations: newest first; `done=true` and `done=false` can be asked for."""
        self._world.settle()
        wanted = {"": (True, False), "done=true": (True,), "done=false": (False,)}
        done = wanted.get(request.filter.replace(" ", "").lower())
        if done is None:
            raise invalid_field("filter", request.filter, "Only done=true or done=false.")
        if request.name != self._parent:
            raise not_found(f"Resource '{request.name}' was not found.")
        found = [one for one in self._state.operations.values() if one.done in done]
        page, following = cut_page(found[::-1], request, default=100, most=100)
        return messages.ListOperationsResponse(
            operations=[self.describe(one) for one in page], next_page_token=following
        )

    def _find(self, name: str) -> OperationRecord:
        record = self._state.operations.get(short_name(name))
        if record is None or name != f"{self._parent}/operations/{record.id}":
            raise not_found(f"Operation '{name}' was not found.")
        return record

    def delete(self, request: Any) -> Any:
        """Answer DeleteOperation: forgets a done one; FAILED_PRECONDITION while it runs."""
        record = self._find(request.name)
        if not record.done:
            raise failed_precondition(f"Operation '{request.name}' is not done.")
        del self._state.operations[record.id]
        self._state.save(self._world.saved)
        self._world.save()
        return messages.Empty()

    def _real_seconds_left(self, record: OperationRecord) -> float:
        if record.settles_at is None:
            return RECHECK_S
        left_s = max(0.0, record.settles_at - self._world.clock.now())
        return self._world.clock.real_seconds(left_s) + 0.001
