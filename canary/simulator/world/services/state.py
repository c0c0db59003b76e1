"""What Cloud Run keeps in the world's state file: services, their revisions, operations.

google.longrunning.Operations answers from it: changes that take time.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any, Literal

import msgspec

from canary.simulator.wire import messages
from canary.simulator.wire.calls import not_found
from canary.simulator.wire.messages import short_name
from canary.simulator.world.saved import Saved
from canary.simulator.world.services.resources import with_addresses
from canary.simulator.world.world import World

_KEY = "run"
MOST_OPERATIONS = 200
"""Done operations beyond this many are forgotten, oldest first; so does the real service."""

OperationKind = Literal["update", "delete"]


class OperationRecord(msgspec.Struct, kw_only=True):
    """One long-running operation.

    `wanted` is the serialized Service as the caller wanted it.
    `settles_at` is cloud time; None while it is stuck. `fails` is settled when it begins.
    """

    id: str
    kind: OperationKind
    service: str
    wanted: bytes
    started_at: float
    settles_at: float | None
    takes_s: float
    fails: bool = False
    done: bool = False
    error_code: int = 0
    error_message: str = ""
    result: bytes = b""


class _Kept(msgspec.Struct, kw_only=True):
    services: dict[str, bytes]
    revisions: dict[str, dict[str, bytes]]
    templates: dict[str, dict[str, bytes]]
    operations: list[OperationRecord]
    marks: dict[str, float]


class RunState:
    """The state of Cloud Run, by short names. Mutable; whoever changes it calls `save`.

    `templates` holds, for each revision, the template it was made of, without its name.
    `marks` remembers what a scenario does only once: what → `since` of the scenario.
    """

    def __init__(self) -> None:
        self.services: dict[str, Any] = {}
        self.revisions: dict[str, dict[str, Any]] = {}
        self.templates: dict[str, dict[str, bytes]] = {}
        self.operations: dict[str, OperationRecord] = {}
        self.marks: dict[str, float] = {}

    @classmethod
    def load(cls, saved: Saved) -> RunState | None:
        """Return what was saved, or None when nothing was."""
        text = saved.get(_KEY)
        if text is None:
            return None
        kept = msgspec.msgpack.decode(text, type=_Kept)
        state = cls()
        state.services = {
            name: messages.Service.FromString(data) for name, data in kept.services.items()
        }
        state.revisions = {
            service: {name: messages.Revision.FromString(data) for name, data in of.items()}
            for service, of in kept.revisions.items()
        }
        state.templates = kept.templates
        state.operations = {record.id: record for record in kept.operations}
        state.marks = kept.marks
        return state

    def save(self, saved: Saved) -> None:
        """Put everything into the state file; the caller commits it with the timeline."""
        kept = _Kept(
            services={name: one.SerializeToString() for name, one in self.services.items()},
            revisions={
                service: {name: one.SerializeToString() for name, one in of.items()}
                for service, of in self.revisions.items()
            },
            templates=self.templates,
            operations=list(self.operations.values()),
            marks=self.marks,
        )
        saved.put(_KEY, msgspec.msgpack.encode(kept))

    def pending(self) -> list[OperationRecord]:
        """Return the operations that are not done, in the order they began."""
        return [record for record in self.operations.values() if not record.done]

    def add_operation(self, record: OperationRecord) -> None:
        """Keep an operation, and forget the oldest done ones if there are too many."""
        self.operations[record.id] = record
        excess = len(self.operations) - MOST_OPERATIONS
        for old in [r.id for r in self.operations.values() if r.done][: max(0, excess)]:
            del self.operations[old]


RECHECK_S = 0.25
"""Real seconds between two looks of WaitOperation: the clock may jump, or the scenario end."""
LONGEST_WAIT_S = 30.0


def begin_operation(
    world: World, wanted: Any, kind: OperationKind, now: float, takes_s: float
) -> OperationRecord:
    """Return a new operation on a Service, as scenario and fault table let it go."""
    mode = world.scenario.current(now).operation_mode
    fault = world.present_fault
    if fault is not None:
        takes_s += fault.late_s
        mode = "failing" if fault.fails else mode
    return OperationRecord(
        id=str(uuid.uuid4()),
        kind=kind,
        service=short_name(wanted.name),
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
        """Return the Operation message: metadata and response are a Service."""
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

    def _find(self, name: str) -> OperationRecord:
        record = self._state.operations.get(short_name(name))
        if record is None or name != f"{self._parent}/operations/{record.id}":
            raise not_found(f"Operation '{name}' was not found.")
        return record

    def _real_seconds_left(self, record: OperationRecord) -> float:
        if record.settles_at is None:
            return RECHECK_S
        left_s = max(0.0, record.settles_at - self._world.clock.now())
        return self._world.clock.real_seconds(left_s) + 0.001
