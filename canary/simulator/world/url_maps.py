"""The load balancer's URL map, whose weights are the split: state, changes, operations.

A change goes the way of Compute Engine: the PATCH is checked against the fingerprint and answered
with an operation; the map, its fingerprint and the traffic change when that is DONE. Meanwhile
the map takes no other change (`resourceNotReady`).
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

import msgspec

from canary.simulator.wire.calls import RestError
from canary.simulator.wire.messages import timestamp
from canary.simulator.world.services.services import OTHER_PERCENT_STEP
from canary.simulator.world.timeline import Split
from canary.simulator.world.url_map_rules import check_map, merge_patch, percent_of
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


COMPUTE = "https://www.googleapis.com/compute/v1"
MOST_OPERATIONS = 100
FULL_WEIGHT = 1000

_KEY = "url-map"
_OUTPUT_ONLY = frozenset(["kind", "id", "creationTimestamp", "name", "selfLink", "fingerprint"])


class _Kept(msgspec.Struct, kw_only=True):
    document: dict[str, Any]
    version: int = 1
    operations: list[ComputeOperation] = []
    marks: dict[str, float] = {}


class UrlMaps:
    """The one URL map of a world whose router is `url-map`; of any other world there is none."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._base = f"{COMPUTE}/projects/{world.config.project}/global"
        if not world.config.router.has_url_map:
            self._kept: _Kept | None = None
            return
        text = world.saved.get(_KEY)
        if text is None:
            self._kept = _Kept(document=self._first_document())
            self._stamp(self._kept)
            self._save()
        else:
            self._kept = msgspec.json.decode(text, type=_Kept)
        world.on_settle(self.settle)

    def get(self, name: str) -> dict[str, Any]:
        """Return a URL map; RestError 404 if there is none."""
        return self._find(name).document

    def patch(
        self, name: str, sent: Mapping[str, Any], user: str, request_id: str = ""
    ) -> ComputeOperation:
        """Begin a change and return its operation.

        `request_id` makes the same request twice one change. RestError: 404, 412 for a
        fingerprint that is missing or not the present one, 400 for what no URL map can be or
        while another change is under way.
        """
        kept = self._find(name)
        for earlier in kept.operations:
            if request_id and earlier.request_id == request_id:
                return earlier
        self._interfere(kept)
        self._touch(kept)
        if sent.get("fingerprint") != kept.document["fingerprint"]:
            raise RestError(
                412,
                "conditionNotMet",
                "Supplied fingerprint does not match current metadata fingerprint.",
            )
        if any(not one.done for one in kept.operations):
            link = kept.document["selfLink"].removeprefix(f"{COMPUTE}/")
            raise RestError(400, "resourceNotReady", f"The resource '{link}' is not ready")
        asked = {key: part for key, part in sent.items() if key not in _OUTPUT_ONLY}
        wanted = merge_patch(kept.document, asked)
        check_map(wanted, self._world.config.router)
        operation = begin_operation(
            self._world,
            target=kept.document["selfLink"],
            wanted=wanted,
            user=user,
            request_id=request_id,
        )
        kept.operations = [*kept.operations[1 - MOST_OPERATIONS :], operation]
        self._save()
        self._world.settle()
        return operation

    def operation(self, name: str) -> ComputeOperation:
        """Return an operation; RestError 404 if there is none, or it was forgotten."""
        for one in self._kept.operations if self._kept else ():
            if one.name == name:
                return one
        raise _not_found(f"{self._base}/operations/{name}")

    def settle(self, now: float) -> None:
        """Let the scenario's other person act, and finish what is due by now."""
        kept = self._kept
        if kept is None:
            return
        scenario = self._world.scenario.current(now)
        free = all(one.done for one in kept.operations)  # else theirs would be refused
        if scenario.foreign_change_due and free and kept.marks.get("due") != scenario.since:
            kept.marks["due"] = scenario.since
            self._change_by_others(kept, scenario.foreign_percent)
        for one in kept.operations:
            if one.done:
                continue
            if one.settles_at is None and scenario.operation_mode != "stuck":
                one.settles_at = now + one.takes_s
            if one.settles_at is not None and one.settles_at <= now:
                self._finish(kept, one, one.settles_at)

    def _finish(self, kept: _Kept, operation: ComputeOperation, at: float) -> None:
        operation.done, operation.failed = True, operation.fails
        if not operation.failed:
            self._apply(kept, operation.wanted, at)
        operation.wanted = {}
        self._save()

    def _apply(self, kept: _Kept, document: dict[str, Any], at: float) -> None:
        kept.document = document
        kept.version += 1
        self._stamp(kept)
        percent = percent_of(document, self._world.config.router)
        if percent != self._world.timeline.split_at(at):
            self._world.append(Split(at, percent))

    def _interfere(self, kept: _Kept) -> None:
        """Let the scenario's other person be faster by a moment, once."""
        scenario = self._world.scenario.current(self._world.clock.now())
        free = all(one.done for one in kept.operations)
        is_new = kept.marks.get("on_update") != scenario.since
        if scenario.foreign_change_on_update and free and is_new:
            kept.marks["on_update"] = scenario.since
            step, percent = OTHER_PERCENT_STEP, scenario.foreign_percent
            self._change_by_others(
                kept, percent + step if percent + step <= 100 else percent - step
            )

    def _touch(self, kept: _Kept) -> None:
        """Let the scenario's other tool write a line of its own, just before a change."""
        scenario = self._world.scenario.current(self._world.clock.now())
        if kept.marks.get("touched_since") != scenario.since:
            kept.marks["touched_since"], kept.marks["touched"] = scenario.since, 0.0
        if kept.marks["touched"] >= scenario.touches:
            return
        kept.marks["touched"] += 1
        said = kept.document.get("description", "").splitlines()
        lines = [line for line in said if not line.startswith("seen by another tool")]
        text = "\n".join((f"seen by another tool: {kept.marks['touched']:.0f}", *lines))
        self._apply(kept, {**kept.document, "description": text}, self._world.clock.now())
        self._save()

    def _change_by_others(self, kept: _Kept, percent: int) -> None:
        """Have somebody else's weights in the map at once: their operation is already done."""
        wanted = merge_patch(kept.document, {"defaultRouteAction": self._weights(percent)})
        self._apply(kept, wanted, self._world.clock.now())
        self._save()

    def _find(self, name: str) -> _Kept:
        if self._kept is None or name != self._world.config.router.url_map:
            raise _not_found(f"{self._base}/urlMaps/{name}")
        return self._kept

    def _first_document(self) -> dict[str, Any]:
        world, name = self._world, self._world.config.router.url_map
        created = timestamp(world.history_start - 86_400.0)
        return {
            "kind": "compute#urlMap",
            "id": str(int.from_bytes(hashlib.sha256(name.encode()).digest()[:7])),
            "creationTimestamp": created.ToJsonString(),
            "name": name,
            "selfLink": f"{self._base}/urlMaps/{name}",
            "description": self._first_description(),
            "defaultRouteAction": self._weights(world.config.percent),
        }

    def _first_description(self) -> str:
        """What people wrote, and the stage record in a line of its own."""
        said, record = "Traffic of ion-api", self._world.record
        return f"{said}\n{self._world.config.annotation}={record}" if record else said

    def _weights(self, percent: int) -> dict[str, Any]:
        router = self._world.config.router
        shares = ((router.legacy_backend, 100 - percent), (router.canary_backend, percent))
        return {
            "weightedBackendServices": [
                {
                    "backendService": f"{self._base}/backendServices/{backend}",
                    "weight": share * FULL_WEIGHT // 100,
                }
                for backend, share in shares
            ]
        }

    def _stamp(self, kept: _Kept) -> None:
        digest = hashlib.sha256(f"{kept.document['selfLink']}:{kept.version}".encode()).digest()
        kept.document["fingerprint"] = base64.urlsafe_b64encode(digest[:8]).decode()

    def _save(self) -> None:
        self._world.saved.put(_KEY, msgspec.json.encode(self._kept))
        self._world.save()


def _not_found(link: str) -> RestError:
    what = link.removeprefix(f"{COMPUTE}/")
    return RestError(404, "notFound", f"The resource '{what}' was not found", "NOT_FOUND")
