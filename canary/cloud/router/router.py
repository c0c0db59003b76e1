"""How the share of Canary is read and set: the one seam between the plan's router and the rest.

A `Router` is all that reads and changes Cloud Run for one plan. The four kinds differ in where the
split is kept, what guards it, and what a person would type to do the same; services, scale, records
and deletions are alike for all.

=========== ============================================== ============ ====================
kind        what "set to N %" does                         guard        record and split
=========== ============================================== ============ ====================
revisions   `traffic[]` of one service, tags kept          etag         one update
env         one environment variable of the template       etag         one update
url-map     weights of a URL map's default route           fingerprint  one update
command     runs the team's own program                    none         intent, run, record
=========== ============================================== ============ ====================
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgspec

from canary.cloud.connection.errors import translate_failed_operation
from canary.cloud.registry import OPERATION as IMAGE_OPERATION
from canary.cloud.registry import ImageRegistry
from canary.cloud.router.own_etags import OwnEtags
from canary.cloud.run.client import SOURCE, RunClient
from canary.cloud.run.images import read_images
from canary.cloud.run.services import put_annotations, put_scale, read_service, start_update
from canary.cloud.run.serving import Serving, read_serving
from canary.cloud.views import OperationState, ServiceState
from canary.rollout.change.annotations import annotation_key, writer_of
from canary.rollout.change.change import (
    Annotate,
    DeleteImages,
    DeleteService,
    Guard,
    KeepRecord,
    Removal,
    SetTraffic,
    Step,
)
from canary.rollout.change.history_entries import append_history, history_key
from canary.rollout.change.irreversible import TOPIC as IRREVERSIBLE
from canary.rollout.change.marks import append_mark
from canary.rollout.change.stage_record import StageRecord, encode_record
from canary.rollout.errors import Conflict, NotFound
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import quote_command, sanitize

NO_GUARD = "no guard against a change made elsewhere meanwhile"
"""What a program of the team's is without; said wherever it is to be run."""

LastLook = Callable[[], Awaitable[None]]
"""Asked when what is to be changed has been read and nothing but the change itself is left to be
done: what it rests on elsewhere is looked at there. It raises what refuses the change."""


async def look_no_more() -> None:
    """What rests on nothing elsewhere."""


class Router(ABC):
    """Reads and changes one plan's services, one guarded change at a time. Decides nothing.

    It remembers the etags that its own steps led to: a step that scales Legacy up before the split
    moves changes the very service whose etag guards the second step, and that is no conflict.
    `run` and `registry` reach Cloud Run and the image registry.
    """

    def __init__(
        self, plan: Plan, run: RunClient, registry: ImageRegistry, endpoints: Endpoints
    ) -> None:
        self.plan = plan
        self.run = run
        self.registry = registry
        self.endpoints = endpoints
        self._own_etags = OwnEtags()

    # What differs.

    @abstractmethod
    async def read_split(self) -> ServiceState:
        """The service that carries the split, or stands for it, with the split."""

    @abstractmethod
    async def set_split(
        self, step: SetTraffic, *, validate_only: bool, last_look: LastLook = look_no_more
    ) -> str:
        """Send a share and its record; answers and errors as of `send`."""

    @staticmethod
    @abstractmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """Where a step sets the share, for people: "ion-api, variable X". Pure."""

    @staticmethod
    @abstractmethod
    def by_hand(step: SetTraffic, plan: Plan, stable: str) -> str:
        """The shell command that sets the same share, quoted. Pure.

        It leaves the stage record alone. `stable` is the revision that takes the rest, "" unknown.
        """

    # What is alike.

    async def service(self, name: str) -> ServiceState:
        """Return the state of a service. Raises NotFound, Denied, Unavailable, QuotaExhausted.

        Only the router's own tells of the split; what could not be read of that is `record_error`.
        """
        if name == self.plan.router_service:
            return await self.read_split()
        message = await self.run.message(name)
        return await self.add_serving(read_service(self.plan, message), message)

    async def add_serving(self, state: ServiceState, message: Any) -> ServiceState:
        """The state with what is told of the revision that serves."""
        found = await read_serving(self.run, message)
        return msgspec.structs.replace(
            state,
            serving=found.revision,
            serving_since=found.since,
            serving_created=found.created,
            affinity=found.affinity,
            deployed_mark=self.mark_of(found),
            deployed=found.deployed,
        )

    def mark_of(self, found: Serving) -> str:
        """What a deploy has written on a revision of a step that cannot be undone."""
        return found.annotations.get(annotation_key(self.plan.record.annotation, IRREVERSIBLE), "")

    async def send(
        self, step: Step, *, validate_only: bool = False, last_look: LastLook = look_no_more
    ) -> str:
        """Send one step and return the operation's name ("" when only validated).

        What is changed is read again first. SetTraffic is refused with Conflict when its guard does
        not hold (an empty etag or a share of None in it is not compared), and carries the etag that
        was read, so that whatever happens in between is refused over there. `last_look` comes
        between the reading and the call; what it raises ends it there. Raises OutcomeUnknown when
        it was sent and not clearly answered.
        """
        if isinstance(step, SetTraffic):
            return await self.set_split(step, validate_only=validate_only, last_look=last_look)
        if isinstance(step, DeleteImages):
            await last_look()
            await self._demand_unused(step)
            return "" if validate_only else await self.registry.delete(step)
        if isinstance(step, DeleteService):
            etag = self._own_etags.newest(step.etag)
            await last_look()
            return await self.run.delete(step.service, etag, validate_only=validate_only)
        service = await self.run.message(step.service)
        await last_look()
        if isinstance(step, KeepRecord):
            kept = {self.plan.record.annotation: encode_record(step.record)}
            annotations = {**service.annotations, **kept}
            return await self.annotate(service, annotations, step, validate_only=validate_only)
        if isinstance(step, Annotate):
            annotations = {**service.annotations, **self._annotation(service, step)}
            return await self.annotate(service, annotations, step, validate_only=validate_only)
        update = start_update(service)
        put_scale(update, service, step.after)
        return await self.update(update, ["scaling"], step, validate_only=validate_only)

    async def operation(self, name: str) -> OperationState:
        """How far an operation is, wherever it runs. Raises NotFound when it is not known there."""
        if name.startswith(IMAGE_OPERATION):
            return await self.registry.operation(name)
        answer = await self.run.operation(name)
        if not answer.done:
            return OperationState(name, done=False, error=None)
        before = self._own_etags.take_sent(name)
        if answer.WhichOneof("result") == "error":
            error = translate_failed_operation(
                answer.error.code, answer.error.message, SOURCE, "carrying out the change"
            )
            return OperationState(name, done=True, error=error)
        if before is not None and (etag := await self.run.etag_of(answer)):
            self._own_etags.note_became(before, etag)
        return OperationState(name, done=True, error=None)

    async def gone(self, step: Removal) -> bool:
        """Whether what a step was to delete is gone. Raises CanaryError when that is not known."""
        if isinstance(step, DeleteImages):
            for image in step.images:
                if await self.registry.exists(image):
                    return False
            return True
        try:
            await self.run.message(step.service)
        except NotFound:
            return True
        return False

    async def _demand_unused(self, step: DeleteImages) -> None:
        """Raise Conflict where an image has come into use since it was decided that nobody has it,
        be it by a Legacy that was deployed again; CanaryError where that cannot be read.
        """
        named = await read_images(self.run.connection, self.plan)
        try:
            await self.run.message(step.service)
        except NotFound:
            named.pop(step.service, None)  # a list may be behind
        for user, images in sorted(named.items()):
            used = (await self.registry.resolve_all(images)).digests & set(step.images)
            if used:
                raise Conflict(
                    f"{sanitize(user, 100)} runs {sanitize(min(used), 200)} by now.",
                    remedy="No image was deleted. Look at who needs them before they go.",
                )

    async def close(self) -> None:
        """Close the connections of its own (not those of `run`); can be called twice."""
        await self.registry.close()

    async def annotate(
        self, service: Any, annotations: Mapping[str, str], step: Step, *, validate_only: bool
    ) -> str:
        """Replace a service's annotations in one update guarded by the etag of `service`."""
        update = start_update(service)
        put_annotations(update, annotations)
        doing = f"changing {step.service}"
        return await self.run.update(update, ["annotations"], doing, validate_only=validate_only)

    async def update(
        self, update: Any, mask: Sequence[str], step: Step, *, validate_only: bool
    ) -> str:
        """Send an update, and remember which etag its operation is to replace."""
        doing = f"changing {step.service}"
        operation = await self.run.update(update, mask, doing, validate_only=validate_only)
        if operation and not validate_only:
            self._own_etags.note_sent(operation, update.etag)
        return operation

    def _annotation(self, service: Any, step: Annotate) -> dict[str, str]:
        """What a step writes. Raises Conflict where another change has written there meanwhile."""
        key = annotation_key(self.plan.record.annotation, step.topic)
        if step.topic == "marks":
            return {key: append_mark(service.annotations.get(key, ""), step.text)}
        if writer_of(service.annotations.get(key, "")) not in (step.before, step.change):
            raise Conflict(
                f"Somebody else has written on {step.service} meanwhile.",
                remedy="Nothing was changed. Look again, and decide anew.",
            )
        return {key: step.text}

    def keep_record(self, service: Any, record: StageRecord) -> dict[str, str]:
        """The record, and the history with it before what `service` has of it."""
        annotation = self.plan.record.annotation
        past = history_key(annotation)
        before = service.annotations.get(past, "")
        return {annotation: encode_record(record), past: append_history(before, record)}

    def own_etag(self, etag: str) -> str:
        """The etag that an earlier step of ours turned `etag` into; else itself."""
        return self._own_etags.newest(etag)


def check_guard(guard: Guard, percent: int | None, etag: str, *, share: str, moved: str) -> None:
    """Raise Conflict unless share and etag are as they were when a change was decided.

    `share` begins the sentence about the share ("Canary's share on ion-api"); `moved` is the whole
    one about the etag.
    """
    again = "Nothing was changed. Look again, and decide anew."
    if guard.percent is not None and percent != guard.percent:
        found = "cannot be read" if percent is None else f"is {percent} %"
        said = f"{share} {found}; this was decided at {guard.percent} %."
        raise Conflict(said, remedy=again)
    if guard.etag and etag != guard.etag:
        raise Conflict(moved, remedy=again)


def gcloud_run(plan: Plan, *arguments: str) -> str:
    """A `gcloud run services` command on the plan's project and region, quoted for a shell."""
    where = [f"--region={plan.target.region}", f"--project={plan.target.project}"]
    return quote_command(["gcloud", "run", "services", *arguments, *where])


def share_out(whole: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Parts of `whole` in proportion to `weights`; they sum to it, or are all 0 as the weights are.

    What is left by rounding down goes to the largest remainders, of equal ones to the first.
    """
    total = sum(weights)
    if total <= 0:
        return (0,) * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for index in by_remainder[: whole - sum(parts)]:
        parts[index] += 1
    return tuple(parts)
