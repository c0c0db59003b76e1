"""Operations of Compute Engine: PENDING, RUNNING, DONE."""

from __future__ import annotations

import uuid
from typing import Any

import msgspec

from canary.simulator.wire.messages import timestamp
from canary.simulator.world.world import World

FAILURE = "An internal error has occurred while the change was applied."


class ComputeOperation(msgspec.Struct, kw_only=True):
    """One operation. `settles_at` is cloud time, None while it is stuck; `wanted` what is then."""

    name: str
    target: str
    user: str
    started_at: float
    takes_s: float
    settles_at: float | None
    wanted: dict[str, Any] = {}
    request_id: str = ""
    fails: bool = False
    done: bool = False
    failed: bool = False


def begin_operation(
    world: World, *, target: str, wanted: dict[str, Any], user: str, request_id: str
) -> ComputeOperation:
    """Return a new operation on a resource, as the scenario lets it go."""
    now, takes_s = world.clock.now(), world.config.operation_s
    mode = world.scenario.current(now).operation_mode
    return ComputeOperation(
        name=f"operation-{int(now * 1000)}-{uuid.uuid4().hex[:12]}",
        target=target,
        user=user,
        started_at=now,
        takes_s=takes_s,
        settles_at=None if mode == "stuck" else now + takes_s,
        wanted=wanted,
        request_id=request_id,
        fails=mode == "failing",
    )


def finish(operation: ComputeOperation) -> None:
    """Say that an operation is done, well or not."""
    operation.done, operation.failed = True, operation.fails


def show_operation(operation: ComputeOperation, base: str, now: float) -> dict[str, Any]:
    """Return the JSON of a global operation; `base` is the URL of the project's `global`."""
    ended_at = operation.settles_at if operation.done else None
    running = now > operation.started_at
    shown: dict[str, Any] = {
        "kind": "compute#operation",
        "id": str(int(operation.name.rpartition("-")[2], 16)),
        "name": operation.name,
        "operationType": "patch",
        "targetLink": operation.target,
        "user": operation.user,
        "status": "DONE" if operation.done else "RUNNING" if running else "PENDING",
        "progress": 100 if operation.done else 0,
        "insertTime": timestamp(operation.started_at).ToJsonString(),
        "startTime": timestamp(operation.started_at).ToJsonString(),
        "selfLink": f"{base}/operations/{operation.name}",
    }
    if ended_at is not None:
        shown["endTime"] = timestamp(ended_at).ToJsonString()
    if operation.request_id:
        shown["clientOperationId"] = operation.request_id
    if operation.failed:
        shown["error"] = {"errors": [{"code": "INTERNAL_ERROR", "message": FAILURE}]}
        shown["httpErrorStatusCode"] = 500
        shown["httpErrorMessage"] = "INTERNAL SERVER ERROR"
    return shown
