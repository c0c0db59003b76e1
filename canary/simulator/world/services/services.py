"""Changes of services: what UpdateService and DeleteService accept, and what they begin.

The scenario `conflict` changes the split here too, as somebody else's hand; `churn` does not.
"""

from __future__ import annotations

from typing import Any

import grpc

from canary.simulator.wire import messages
from canary.simulator.wire.calls import ApiError, apply_mask, not_found, unimplemented
from canary.simulator.wire.messages import short_name
from canary.simulator.world.services.others import acted_version, foreign_version
from canary.simulator.world.services.resources import (
    bare_template,
    build_revision,
    has_failed,
    new_revision_name,
    served_percents,
    show_reconciling,
    stamp_etag,
    version_of,
)
from canary.simulator.world.services.rules import check_service
from canary.simulator.world.services.state import OperationRecord, RunState, begin_operation
from canary.simulator.world.timeline import Removed
from canary.simulator.world.traffic.scenarios import Act
from canary.simulator.world.world import World

OTHER_PERCENT_STEP = 5
"""The second foreign change differs from the first by so many percent."""


MUTABLE = frozenset(
    [
        "description",
        "labels",
        "annotations",
        "client",
        "client_version",
        "ingress",
        "launch_stage",
        "binary_authorization",
        "template",
        "traffic",
        "scaling",
        "invoker_iam_disabled",
        "default_uri_disabled",
        "iap_enabled",
        "custom_audiences",
        "build_config",
    ]
)
WRITTEN_BY_CLOUD_RUN = frozenset(
    field.name for field in messages.Service.DESCRIPTOR.fields if field.name not in MUTABLE
)
MOST_REVISIONS = 100
"""Of one service; the real limit is 1 000."""
NEW_REVISION_FACTOR = 1.5
"""A new revision starts up before it serves: its operation takes so much longer."""

_FAILED = messages.Condition.State.Value("CONDITION_FAILED")


class ServiceChanges:
    """The one way by which services change: a caller's request, or somebody else's."""

    def __init__(self, world: World, state: RunState) -> None:
        self._world = world
        self._state = state
        self._parent = f"projects/{world.config.project}/locations/{world.config.region}"

    def find(self, name: str) -> Any:
        """Return the stored Service of a full name; NOT_FOUND if there is none."""
        service = self._state.services.get(short_name(name))
        if service is None or service.name != name:
            raise not_found(
                f"Resource '{short_name(name)}' of kind 'SERVICE' in region was not found: {name}"
            )
        return service

    def update(self, request: Any, author: str = "") -> OperationRecord | Any:
        """Begin an update; return its operation, or the resulting Service if only validated.

        `author` is an account; "" is the one on call, by whom all gRPC callers are known.

        Raises ApiError: NOT_FOUND, ABORTED (etag), ALREADY_EXISTS (revision name), and
        INVALID_ARGUMENT for masks and values that cannot be.
        """
        if request.allow_missing:
            raise unimplemented("allow_missing: the embedded cloud creates no services.")
        self.find(request.service.name)
        if not request.validate_only:
            self._interfere()
            self._touch(request.service.name)
        current = self.find(request.service.name)
        _check_etag(current, request.service.etag)
        wanted = apply_mask(
            current, request.service, request.update_mask.paths, MUTABLE, WRITTEN_BY_CLOUD_RUN
        )
        if not wanted.traffic:
            wanted.traffic.add(type_=messages.TO_LATEST, percent=100)
        revision = self._plan(current, wanted)
        if request.validate_only:
            return wanted
        modifier = author or f"oncall@{self._world.config.project}.iam.gserviceaccount.com"
        return self._commit(current, wanted, revision, modifier)

    def delete(self, request: Any) -> OperationRecord | Any:
        """Begin to delete a service; return its operation, or the Service if only validated."""
        current = self.find(request.name)
        _check_etag(current, request.etag)
        if request.validate_only:
            return current
        now = self._world.clock.now()
        current.delete_time.CopyFrom(messages.timestamp(now))
        takes_s = self._world.config.operation_s
        record = begin_operation(self._world, current, "delete", now, takes_s)
        return self._keep(record)

    def delete_by_others(self, service: str) -> None:
        """Have somebody else delete a service, at once; nothing happens when there is none."""
        if self._state.services.pop(service, None) is None:
            return
        del self._state.revisions[service]
        del self._state.templates[service]
        self._world.append(Removed(self._world.clock.now(), service))
        self._state.save(self._world.saved)
        self._world.save()

    def change_by_others(self, percent: int) -> None:
        """Have somebody else set the share, without a look at our annotation."""
        service = foreign_version(self._world, self._state, percent)
        if service is None:
            return
        current = self._state.services[short_name(service.name)]
        modifier = f"release-bot@{self._world.config.project}.iam.gserviceaccount.com"
        self._commit(current, service, self._plan(current, service), modifier)

    def act_by_others(self, act: Act) -> None:
        """Have somebody else pin the traffic, move the tag, or deploy Canary anew."""
        wanted = acted_version(self._world, self._state, act)
        if wanted is None:
            return
        current = self._state.services[short_name(wanted.name)]
        modifier = f"ci@{self._world.config.project}.iam.gserviceaccount.com"
        self._commit(current, wanted, self._plan(current, wanted), modifier)

    def delete_revision(self, service: str, revision: str) -> None:
        """Delete a revision that serves nobody, at once; NOT_FOUND, or FAILED_PRECONDITION."""
        owner = self._state.services[service]
        target = f"Revision '{revision}'"
        if revision == short_name(owner.latest_created_revision):
            raise _in_use(f"{target} is the latest revision of '{service}' and cannot be deleted.")
        routed = {one.revision for one in owner.traffic} | set(served_percents(owner))
        if revision in routed:
            raise _in_use(f"{target} is assigned traffic by '{service}' and cannot be deleted.")
        del self._state.revisions[service][revision], self._state.templates[service][revision]
        self._state.save(self._world.saved)
        self._world.save()

    def _interfere(self) -> None:
        """Let the scenario's other person be faster by a moment, once."""
        scenario = self._world.scenario.current(self._world.clock.now())
        marks = self._state.marks
        if scenario.foreign_change_on_update and marks.get("on_update") != scenario.since:
            marks["on_update"] = scenario.since
            step = OTHER_PERCENT_STEP
            percent = scenario.foreign_percent + step
            self.change_by_others(percent if percent <= 100 else scenario.foreign_percent - step)

    def _touch(self, name: str) -> None:
        """Let the scenario's other tool write an annotation of its own, just before an update."""
        scenario, marks = self._world.scenario.current(self._world.clock.now()), self._state.marks
        if marks.get("touched_since") != scenario.since:
            marks["touched_since"], marks["touched"] = scenario.since, 0.0
        if marks["touched"] >= scenario.touches:
            return
        marks["touched"] += 1
        current = self.find(name)
        wanted = type(current)()
        wanted.CopyFrom(current)
        wanted.annotations["other-tool/seen"] = str(marks["touched"])
        modifier = f"other-tool@{self._world.config.project}.iam.gserviceaccount.com"
        self._commit(current, wanted, None, modifier)

    def _plan(self, current: Any, wanted: Any) -> str | None:
        """Check what is wanted; return the name of the revision that it makes, if any."""
        name = short_name(current.name)
        revisions = self._state.revisions[name]
        check_service(wanted, name, revisions)
        latest = short_name(current.latest_created_revision)
        return new_revision_name(
            name,
            current.template,
            wanted.template,
            latest,
            self._state.templates[name],
            latest_failed=latest in revisions and has_failed(revisions[latest]),
        )

    def _commit(
        self, current: Any, wanted: Any, revision: str | None, modifier: str
    ) -> OperationRecord:
        now, takes_s = self._world.clock.now(), self._world.config.operation_s
        if wanted == current and revision is None and current.terminal_condition.state != _FAILED:
            record = begin_operation(self._world, current, "update", now, 0.0)
            record.done, record.result = True, record.wanted
            return self._keep(record)
        wanted.generation += 1
        wanted.update_time.CopyFrom(messages.timestamp(now))
        wanted.last_modifier = modifier
        stamp_etag(wanted)
        if revision is not None:
            self._add_revision(wanted, revision, now)
            takes_s *= NEW_REVISION_FACTOR
        show_reconciling(wanted)
        self._state.services[short_name(wanted.name)] = wanted
        return self._keep(begin_operation(self._world, wanted, "update", now, takes_s))

    def _add_revision(self, wanted: Any, revision: str, now: float) -> None:
        name = short_name(wanted.name)
        self._state.revisions[name][revision] = build_revision(
            wanted, revision, wanted.template, now
        )
        self._state.templates[name][revision] = bare_template(wanted.template)
        wanted.latest_created_revision = f"{wanted.name}/revisions/{revision}"
        self._forget_revisions(wanted)

    def _forget_revisions(self, service: Any) -> None:
        """Drop the oldest that nothing leads to, when there are too many (Cloud Run does so)."""
        name = short_name(service.name)
        revisions, templates = self._state.revisions[name], self._state.templates[name]
        needed = {target.revision for target in service.traffic} | set(served_percents(service))
        needed |= {short_name(service.latest_created_revision)}
        spare = [one for one in revisions if one not in needed]
        for old in spare[: max(0, len(revisions) - MOST_REVISIONS)]:
            del revisions[old], templates[old]

    def _keep(self, record: OperationRecord) -> OperationRecord:
        # Changes of one service settle in the order they came, however long each takes.
        before = [
            other.settles_at
            for other in self._state.pending()
            if other.service == record.service and other.settles_at is not None
        ]
        if record.settles_at is not None:
            record.settles_at = max([record.settles_at, *before])
        self._state.add_operation(record)
        self._state.save(self._world.saved)
        self._world.save()
        self._world.settle()
        return record


def _check_etag(current: Any, etag: str) -> None:
    if etag and etag != current.etag:
        raise ApiError(
            grpc.StatusCode.ABORTED,
            f"Conflict for resource '{short_name(current.name)}': version '{version_of(etag)}' was"
            f" specified but current version is '{version_of(current.etag)}'.",
        )


def _in_use(message: str) -> ApiError:
    return ApiError(grpc.StatusCode.FAILED_PRECONDITION, message)
