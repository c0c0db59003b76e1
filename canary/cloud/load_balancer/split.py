"""A split that a load balancer's URL map makes: read beside Cloud Run, changed by one PATCH.

Record and split stay together because they are together: the record rides in the map's description,
in the same PATCH as the weights, guarded by the same fingerprint. There is nothing between the two
at which a crash could leave one without the other, and of two people at two consoles one is refused
(412). Rejected: the record as an annotation on a service, written before the PATCH; a crash between
the two leaves a record that the split does not follow.
"""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.errors import translate_failed_operation
from canary.cloud.connection.rest import Refusal, RestClient
from canary.cloud.connection.retries import read_again
from canary.cloud.load_balancer.url_map import SOURCE, build_patch, read_percent, read_record
from canary.cloud.run.reader import RunReader
from canary.cloud.run.writer import RunWriter
from canary.cloud.views import OperationState, ServiceState
from canary.rollout.change.change import SetTraffic, Step
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Malformed,
    OperationFailed,
    OutcomeUnknown,
    Unavailable,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

PUBLIC = "https://compute.googleapis.com"
READ_TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 15.0

OPERATION = "compute/"
"""How the name of an operation of Compute Engine begins here, so that it is asked for there."""

_UNCERTAIN = frozenset({408, 500, 502, 503, 504})
"""A change that is answered so may have taken effect."""


class UrlMap:
    """The plan's URL map: one resource of compute/v1."""

    def __init__(self, rest: RestClient, plan: Plan) -> None:
        self._rest = rest
        self._plan = plan
        self.name = plan.target.router.url_map or ""
        self._space = f"/compute/v1/projects/{plan.target.project}/global"

    async def get(self) -> dict[str, Any]:
        """Return the map. Raises NotFound, Denied, Unavailable, QuotaExhausted, Malformed."""
        path, doing = f"{self._space}/urlMaps/{self.name}", f"reading URL map {self.name}"
        return await read_again(
            lambda: self._rest.call("GET", path, doing, timeout_s=READ_TIMEOUT_S)
        )

    async def patch(self, body: dict[str, Any], request_id: str) -> str:
        """Send one PATCH; return the operation's name. Never sent again.

        Raises Conflict for a stale fingerprint and while another change is under way, and
        OutcomeUnknown when it was sent and not clearly answered.
        """
        path, doing = f"{self._space}/urlMaps/{self.name}", f"changing URL map {self.name}"
        try:
            answer = await self._rest.send(
                "PATCH",
                path,
                doing,
                body=body,
                query={"requestId": request_id},
                timeout_s=CHANGE_TIMEOUT_S,
            )
        except Refusal as refusal:
            raise _refused(refusal, doing) from refusal
        except (Unavailable, Malformed) as error:
            raise _unclear(doing, error.message) from error
        name = answer.get("name")
        if not isinstance(name, str) or not name:
            raise _unclear(doing, "the answer names no operation")
        return name

    async def operation(self, name: str) -> OperationState:
        """Return how far an operation is."""
        path = f"{self._space}/operations/{name}"
        doing = "asking for the operation"
        answer = await read_again(
            lambda: self._rest.call("GET", path, doing, timeout_s=READ_TIMEOUT_S)
        )
        done = answer.get("status") == "DONE"
        return OperationState(f"{OPERATION}{name}", done, _failure(answer) if done else None)

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        await self._rest.close()


class UrlMapReader(RunReader):
    """Services as Cloud Run has them; the one that stands for the split, with the map's share.

    Its `etag` is the map's fingerprint. Who changed the map and when is not told by it, so neither
    is here; what a map shows is in effect, so it is never `reconciling`.
    """

    def __init__(self, connection: Connection, plan: Plan, url_map: UrlMap) -> None:
        super().__init__(connection, plan)
        self._map = url_map

    async def service(self, name: str) -> ServiceState:
        """Return the state of a service. Raises as RunReader does, for the URL map too."""
        if name != self._plan.router_service:
            return await super().service(name)
        state, document = await asyncio.gather(
            super().service(name), self._map.get(), return_exceptions=True
        )
        # Both are awaited to their end first: a read left behind would fail unheard.
        if isinstance(state, BaseException):
            raise state
        if isinstance(document, BaseException):
            raise document
        return show_split(self._plan, state, document)


class UrlMapWriter(RunWriter):
    """Sends a split as one guarded PATCH of the URL map, and all other steps to Cloud Run."""

    def __init__(self, connection: Connection, plan: Plan, url_map: UrlMap) -> None:
        super().__init__(connection, plan)
        self._map = url_map

    async def send(self, step: Step, *, validate_only: bool = False) -> str:
        """Send one step and return the operation's name ("" when only validated)."""
        if not isinstance(step, SetTraffic):
            return await super().send(step, validate_only=validate_only)
        document = await self._map.get()
        _check_guard(self._plan, step, document)
        body = build_patch(self._plan, document, step.percent, step.record)
        if validate_only:
            return ""
        # The id of the change makes the request recognisable over there, were it ever doubled.
        request_id = str(uuid.uuid5(uuid.NAMESPACE_OID, step.record.change))
        return f"{OPERATION}{await self._map.patch(body, request_id)}"

    async def operation(self, name: str) -> OperationState:
        """Return how far an operation is, wherever it runs."""
        if not name.startswith(OPERATION):
            return await super().operation(name)
        return await self._map.operation(name.removeprefix(OPERATION))


def show_split(plan: Plan, state: ServiceState, document: dict[str, Any]) -> ServiceState:
    """The service's state with share, record and fingerprint of the URL map."""
    description = document.get("description")
    text = description if isinstance(description, str) else ""
    record, record_error = read_record(text, plan.record.annotation)
    fingerprint = document.get("fingerprint")
    return msgspec.structs.replace(
        state,
        etag=fingerprint if isinstance(fingerprint, str) else "",
        percent=read_percent(plan.target.router, document),
        served_percent=None,
        reconciling=False,
        record=record,
        record_error=record_error,
        last_modifier="",
        updated_at=None,
    )


def _check_guard(plan: Plan, step: SetTraffic, document: dict[str, Any]) -> None:
    guard, percent = step.guard, read_percent(plan.target.router, document)
    name = plan.target.router.url_map
    if guard.percent is not None and percent != guard.percent:
        found = "cannot be read" if percent is None else f"is {percent} %"
        raise Conflict(
            f"Canary's share by URL map {name} {found}; this was decided at {guard.percent} %.",
            remedy="Nothing was changed. Look again, and decide anew.",
        )
    if guard.etag and document.get("fingerprint") != guard.etag:
        raise Conflict(
            f"URL map {name} was changed since this was decided (its fingerprint is another).",
            remedy="Nothing was changed. Look again, and decide anew.",
        )


def _refused(refusal: Refusal, doing: str) -> CanaryError:
    if refusal.status in _UNCERTAIN:
        return _unclear(doing, refusal.message)
    if refusal.status == 412 or refusal.reason in ("conditionNotMet", "resourceNotReady"):
        return Conflict(
            f"The URL map is being changed by somebody else, and {SOURCE} refused ({doing}):"
            f" {refusal.message}",
            remedy="Look at what is set now, and decide again.",
        )
    return refusal.translate(SOURCE, doing)


def _unclear(doing: str, why: str) -> OutcomeUnknown:
    return OutcomeUnknown(
        f"{SOURCE} was asked, and gave no clear answer ({doing}): {sanitize(why, 300)}",
        remedy="Look up what is set now; do not send it again.",
    )


def _failure(answer: dict[str, Any]) -> CanaryError | None:
    error = answer.get("error")
    if not error:
        return None
    errors = error.get("errors") if isinstance(error, dict) else None
    first = errors[0] if isinstance(errors, list) and errors else {}
    said = first.get("message") if isinstance(first, dict) else ""
    code = first.get("code") if isinstance(first, dict) else ""
    if code in ("CONDITION_NOT_MET", "RESOURCE_NOT_READY"):
        return translate_failed_operation(10, sanitize(said), SOURCE, "changing the URL map")
    return OperationFailed(
        f"{SOURCE} accepted the change and then failed: "
        f"{sanitize(said or code, 300) or 'no reason'}",
        remedy="See the URL map's operations, then try again or roll back.",
        source=SOURCE,
    )
