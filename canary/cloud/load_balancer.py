"""One URL map of a global load balancer: compute/v1 over REST, read and patched.

Google's client for it is a package of 240 services for three requests.
"""

from __future__ import annotations

from typing import Any

from canary.cloud.connection.errors import translate_failed_operation
from canary.cloud.connection.rest import Refusal, open_rest
from canary.cloud.views import OperationState
from canary.rollout.errors import CanaryError, Conflict, OperationFailed
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import sanitize

SOURCE = "Compute Engine"
PUBLIC = "https://compute.googleapis.com"
READ_TIMEOUT_S = 10.0
CHANGE_TIMEOUT_S = 15.0

OPERATION = "compute/"
"""How the name of an operation of Compute Engine begins here, so that it is asked for there."""


class UrlMap:
    """The plan's URL map. Raises PlanError when the plan runs locally and does not say where."""

    def __init__(self, plan: Plan, endpoints: Endpoints) -> None:
        self._rest = open_rest(plan, endpoints, "compute", PUBLIC, SOURCE)
        self.name = plan.target.router.url_map or ""
        self._space = f"/compute/v1/projects/{plan.target.project}/global"
        self._path = f"{self._space}/urlMaps/{self.name}"

    async def get(self) -> dict[str, Any]:
        """Return the map. Raises NotFound, Denied, Unavailable, QuotaExhausted, Malformed."""
        return await self._rest.read(
            self._path, f"reading URL map {self.name}", timeout_s=READ_TIMEOUT_S
        )

    async def patch(self, body: dict[str, Any], request_id: str) -> str:
        """Send one PATCH; return the operation's name. Never sent again.

        Raises Conflict for a stale fingerprint and while another change is under way, and
        OutcomeUnknown when it was sent and not clearly answered.
        """
        doing = f"changing URL map {self.name}"
        try:
            name = await self._rest.change(
                "PATCH",
                self._path,
                doing,
                body=body,
                query={"requestId": request_id},
                timeout_s=CHANGE_TIMEOUT_S,
                remedy="Look up what is set now; do not send it again.",
            )
        except Refusal as refusal:
            raise _refused(refusal, doing) from refusal
        return f"{OPERATION}{name}"

    async def operation(self, name: str) -> OperationState:
        """How far an operation is that `patch` named."""
        path = f"{self._space}/operations/{name.removeprefix(OPERATION)}"
        answer = await self._rest.read(path, "asking for the operation", timeout_s=READ_TIMEOUT_S)
        done = answer.get("status") == "DONE"
        return OperationState(name, done, _failure(answer) if done else None)

    async def close(self) -> None:
        """Close the connections; can be called twice."""
        await self._rest.close()


def _refused(refusal: Refusal, doing: str) -> CanaryError:
    if refusal.status == 412 or refusal.reason in ("conditionNotMet", "resourceNotReady"):
        return Conflict(
            f"The URL map is being changed by somebody else, and {SOURCE} refused ({doing}):"
            f" {refusal.message}",
            remedy="Look at what is set now, and decide again.",
        )
    return refusal.translate(SOURCE, doing)


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
