"""Cloud Run Admin v2: one guarded update at a time.

Changes are never tried again: an answer that is lost raises OutcomeUnknown, and whoever sent it
looks up what became of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import (
    foreign_errors,
    translate,
    translate_change,
    translate_failed_operation,
)
from canary.cloud.connection.retries import read_again
from canary.cloud.run.reader import READ_TIMEOUT_S, SOURCE, RunReader, service_name
from canary.cloud.run.shares import (
    needs_revisions,
    read_percent,
    set_percent,
    stable_revision,
)
from canary.cloud.views import OperationState
from canary.rollout.change.change import (
    DeleteImages,
    DeleteService,
    KeepRecord,
    SetScale,
    SetTraffic,
    Step,
)
from canary.rollout.change.history_entries import append_history, history_key
from canary.rollout.change.stage_record import encode_record
from canary.rollout.errors import Conflict
from canary.rollout.plan.plan import Plan

CHANGE_TIMEOUT_S = 15.0

_SYSTEM_NAMESPACES = (
    "run.googleapis.com",
    "serving.knative.dev",
    "autoscaling.knative.dev",
    "cloud.googleapis.com",
)
"""Annotations in these (and what is below them) are refused in a request."""

_AUTOMATIC_SCALING = 1
"""google.cloud.run.v2.ServiceScaling.ScalingMode.AUTOMATIC."""


class RunWriter:
    """Sends the steps of a change, each as one guarded UpdateService. Holds no decision of its own.

    It remembers the etags that its own steps led to: a step that scales Legacy up before the split
    moves changes the very service whose etag guards the second step, and that is no conflict.
    """

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        *,
        timeout_s: float = CHANGE_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> None:
        self._connection = connection
        self._plan = plan
        self._timeout_s = timeout_s
        self._reader = RunReader(connection, plan, timeout_s=read_timeout_s)
        self._sent: dict[str, tuple[str, str]] = {}
        self._own_etags: dict[str, str] = {}

    async def send(self, step: Step, *, validate_only: bool = False) -> str:
        """Send one step and return the operation's name ("" when only validated).

        The service is read again first. SetTraffic is refused with Conflict when its etag or share
        is not the guard's (an empty etag or a share of None in the guard is not compared); then one
        UpdateService is sent with the etag that was read, so that whatever happens in between is
        refused over there. Raises OutcomeUnknown when it was sent and not clearly answered.
        """
        if isinstance(step, DeleteService):
            return await self._delete(step, validate_only=validate_only)
        if isinstance(step, DeleteImages):
            raise TypeError("images are deleted in their registry, not in Cloud Run")
        service = await self._reader.message(step.service)
        if isinstance(step, KeepRecord):
            kept = {self._plan.record.annotation: encode_record(step.record)}
            annotations = {**service.annotations, **kept}
            return await self.annotate(service, annotations, step, validate_only=validate_only)
        before = service.etag
        if isinstance(step, SetTraffic):
            self._check_guard(step, service)
            update, mask = await self._build_traffic(step, service)
        else:
            update, mask = _build_scale(step, service)
        operation = await self._update(update, mask, step, validate_only=validate_only)
        if operation and not validate_only:
            self._sent[operation] = (step.service, before)
        return operation

    async def annotate(
        self, service: Any, annotations: Mapping[str, str], step: Step, *, validate_only: bool
    ) -> str:
        """Replace a service's annotations in one update guarded by the etag of `service`.

        Those of the system stay as they are. Returns the operation's name; raises as `send`.
        """
        update = _minimal(service)
        for key, value in annotations.items():
            if not _is_system(key):
                update.annotations[key] = value
        return await self._update(update, ["annotations"], step, validate_only=validate_only)

    async def operation(self, name: str) -> OperationState:
        """Return how far an operation is. Raises NotFound when it is no longer known."""
        client = await self._connection.services()

        async def read() -> Any:
            try:
                return await client.get_operation(
                    {"name": name}, retry=None, timeout=self._timeout_s
                )
            except foreign_errors() as exc:
                raise translate(exc, SOURCE, "asking for the operation") from exc

        answer = await read_again(read)
        if not answer.done:
            return OperationState(name, done=False, error=None)
        if answer.WhichOneof("result") == "error":
            error = translate_failed_operation(
                answer.error.code, answer.error.message, SOURCE, "carrying out the change"
            )
            return OperationState(name, done=True, error=error)
        await self._note_own_etag(name, answer)
        return OperationState(name, done=True, error=None)

    def _check_guard(self, step: SetTraffic, service: Any) -> None:
        guard = step.guard
        percent = read_percent(self._plan.target.router, service)
        if guard.percent is not None and percent != guard.percent:
            found = "cannot be read" if percent is None else f"is {percent} %"
            raise Conflict(
                f"Canary's share on {step.service} {found}; this was decided at {guard.percent} %.",
                remedy="Nothing was changed. Look again, and decide anew.",
            )
        known = self._own_etags.get(guard.etag, guard.etag)
        if guard.etag and service.etag not in (guard.etag, known):
            raise Conflict(
                f"{step.service} was changed since this was decided (etag {service.etag},"
                f" not {guard.etag}).",
                remedy="Nothing was changed. Look again, and decide anew.",
            )

    async def _build_traffic(self, step: SetTraffic, service: Any) -> tuple[Any, list[str]]:
        router = self._plan.target.router
        annotation = self._plan.record.annotation
        remembered = service.annotations.get(f"{annotation}-stable", "")
        names: tuple[str, ...] = ()
        if needs_revisions(router, service, step.percent):
            found = await self._reader.revisions(step.service)
            names = tuple(r.name for r in found if r.ready is not False)
        update = _minimal(service)
        annotations = {k: v for k, v in service.annotations.items() if not _is_system(k)}
        if router.kind == "revisions" and (stable := stable_revision(router, service)):
            # At 100 % nothing else says whom the traffic is to go back to.
            annotations[f"{annotation}-stable"] = stable
        annotations[annotation] = encode_record(step.record)
        past = history_key(annotation)
        annotations[past] = append_history(annotations.get(past, ""), step.record)
        changed: tuple[str, ...] = ()
        if read_percent(router, service) != step.percent:
            changed = set_percent(router, service, step.percent, names, remembered)
        for key, value in annotations.items():
            update.annotations[key] = value
        for field in changed:
            _copy_field(service, update, field)
        return update, [*changed, "annotations"]

    async def _update(
        self, update: Any, mask: list[str], step: Step, *, validate_only: bool
    ) -> str:
        client = await self._connection.services()
        from canary.cloud.connection.client_modules import run_modules

        request_class = run_modules().service_types.UpdateServiceRequest
        request = request_class.pb(request_class())
        request.service.CopyFrom(update)
        request.update_mask.paths.extend(mask)
        request.validate_only = validate_only
        try:
            answer = await client.update_service(
                request_class.wrap(request), retry=None, timeout=self._timeout_s
            )
        except foreign_errors() as exc:
            raise translate_change(exc, SOURCE, f"changing {step.service}") from exc
        name: str = answer.operation.name
        return name

    async def _delete(self, step: DeleteService, *, validate_only: bool) -> str:
        client = await self._connection.services()
        request = {
            "name": service_name(self._plan, step.service),
            "etag": self._own_etags.get(step.etag, step.etag),
            "validate_only": validate_only,
        }
        try:
            answer = await client.delete_service(request, retry=None, timeout=self._timeout_s)
        except foreign_errors() as exc:
            raise translate_change(exc, SOURCE, f"deleting {step.service}") from exc
        name: str = answer.operation.name
        return name

    async def _note_own_etag(self, operation: str, answer: Any) -> None:
        sent = self._sent.pop(operation, None)
        if sent is None:
            return
        from canary.cloud.connection.client_modules import run_modules

        service_class = run_modules().service_types.Service
        service = service_class.pb(service_class())
        if answer.response.Unpack(service) and service.etag:
            self._own_etags[sent[1]] = service.etag


def _build_scale(step: SetScale, service: Any) -> tuple[Any, list[str]]:
    """Service-level limits: they make no new revision."""
    update = _minimal(service)
    update.scaling.CopyFrom(service.scaling)
    update.scaling.min_instance_count = step.after.min
    update.scaling.max_instance_count = step.after.max
    # With manual scaling both limits would be accepted and ignored.
    update.scaling.scaling_mode = _AUTOMATIC_SCALING
    update.scaling.ClearField("manual_instance_count")
    return update, ["scaling"]


def _minimal(service: Any) -> Any:
    """A Service with nothing but its name and the etag that guards the update."""
    update = type(service)()
    update.name = service.name
    update.etag = service.etag
    return update


def _copy_field(source: Any, target: Any, field: str) -> None:
    if field == "traffic":
        target.traffic.extend(source.traffic)
    else:
        getattr(target, field).CopyFrom(getattr(source, field))


def _is_system(annotation: str) -> bool:
    prefix, slash, _ = annotation.partition("/")
    return bool(slash) and any(
        prefix == system or prefix.endswith(f".{system}") for system in _SYSTEM_NAMESPACES
    )
