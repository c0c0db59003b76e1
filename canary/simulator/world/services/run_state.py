"""What Cloud Run keeps: services, their revisions, operations. Kept in the world's state file."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from canary.simulator.wire import messages
from canary.simulator.world.saved import Saved

_KEY = "run"
MOST_OPERATIONS = 200
"""Done operations beyond this many are forgotten, oldest first; so does the real service."""

OperationKind = Literal["update", "delete", "delete-revision"]


class OperationRecord(msgspec.Struct, kw_only=True):
    """One long-running operation.

    `wanted` is the serialized Service (or Revision, when one is deleted) as the caller wanted it.
    `settles_at` is cloud time; None while it is stuck. `fails` is settled when it begins.
    """

    id: str
    kind: OperationKind
    service: str
    revision: str = ""
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


def short_name(name: str) -> str:
    """Return the last part of a resource name."""
    return name.rpartition("/")[2]
