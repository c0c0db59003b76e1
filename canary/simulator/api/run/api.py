"""google.cloud.run.v2.Services and Revisions of the embedded cloud."""

from __future__ import annotations

from typing import Any

from canary.simulator.wire import messages
from canary.simulator.wire.calls import cut_page, invalid, not_found
from canary.simulator.wire.messages import short_name
from canary.simulator.world.services.resources import with_addresses
from canary.simulator.world.services.services import ServiceChanges
from canary.simulator.world.services.state import OperationRecord, OperationsApi, RunState
from canary.simulator.world.world import World

CHANGE_PERMISSIONS = frozenset(
    {
        "run.services.create",
        "run.services.update",
        "run.services.delete",
        "run.services.setIamPolicy",
        "run.revisions.delete",
        "iam.serviceAccounts.actAs",
    }
)
PERMISSIONS = CHANGE_PERMISSIONS | {
    "run.services.get",
    "run.services.list",
    "run.services.getIamPolicy",
    "run.revisions.get",
    "run.revisions.list",
    "run.operations.get",
    "run.operations.list",
    "run.routes.invoke",
}
_PAGE, _LARGEST_PAGE = 100, 1000


class RunApi:
    """Answers about services and revisions. Every method takes and returns the wire message."""

    def __init__(
        self, world: World, state: RunState, changes: ServiceChanges, operations: OperationsApi
    ) -> None:
        self._world = world
        self._state = state
        self._changes = changes
        self._operations = operations
        self.jobs: list[Any] = []
        self.abroad: list[Any] = []
        """Services, revisions and jobs of other regions: read, never changed."""
        self.away: list[str] = []
        """Full names of locations that a list of all regions does not reach."""
        self._parent = f"projects/{world.config.project}/locations/{world.config.region}"

    def get_service(self, request: Any) -> Any:
        """Answer GetService."""
        self._world.settle()
        return self._shown(self._changes.find(request.name))

    def list_services(self, request: Any) -> Any:
        """Answer ListServices: by name."""
        self._world.settle()
        if request.parent not in (self._parent, self._anywhere()):
            raise not_found(f"Resource '{request.parent}' was not found.")
        found = [self._state.services[name] for name in sorted(self._state.services)]
        everywhere = request.parent == self._anywhere()
        if everywhere:
            found += [one for one in self.abroad if isinstance(one, messages.Service)]
        page, following = cut_page(found, request, _PAGE, _LARGEST_PAGE)
        return messages.ListServicesResponse(
            services=[self._shown(service) for service in page],
            next_page_token=following,
            unreachable=self.away if everywhere else [],
        )

    def update_service(self, request: Any, author: str = "") -> Any:
        """Answer UpdateService with an operation (a done one if it was only to be validated).

        `author` is the account that becomes `last_modifier`; "" is the one on call.
        """
        self._world.settle()
        return self._answer(self._changes.update(request, author))

    def delete_service(self, request: Any) -> Any:
        """Answer DeleteService with an operation."""
        self._world.settle()
        return self._answer(self._changes.delete(request))

    def test_iam_permissions(self, request: Any) -> Any:
        """Answer TestIamPermissions: which of the asked ones the caller has, in their order."""
        strange = [one for one in request.permissions if one not in PERMISSIONS]
        if strange:
            raise invalid(f"Permission {strange[0]} is not valid for this resource.")
        denied = self._world.scenario.current(self._world.clock.now()).changes_denied
        held = PERMISSIONS - CHANGE_PERMISSIONS if denied else PERMISSIONS
        return messages.TestIamPermissionsResponse(
            permissions=[one for one in request.permissions if one in held]
        )

    def get_revision(self, request: Any) -> Any:
        """Answer GetRevision."""
        self._world.settle()
        return self._shown_revision(self._find_revision(request.name)[1])

    def list_revisions(self, request: Any) -> Any:
        """Answer ListRevisions of a service, or of all (`-`): newest first."""
        self._world.settle()
        owner = short_name(request.parent)
        region, _, of = request.parent.partition("/services/")
        if any(one.name.startswith(f"{region}/") for one in self.abroad):
            parent = f"{region}/services/{of}".removesuffix("/-")
            found = self._find_abroad(parent, messages.Revision)
            return messages.ListRevisionsResponse(revisions=found)
        if owner != "-":
            self._changes.find(request.parent)
        elif request.parent.removesuffix("/services/-") not in (self._parent, self._anywhere()):
            raise not_found(f"Resource '{request.parent}' was not found.")
        names = sorted(self._state.revisions) if owner == "-" else [owner]
        # Kept in the order of creation, which two revisions of one second need.
        found = [one for name in names for one in reversed(self._state.revisions[name].values())]
        page, following = cut_page(found, request, _PAGE, _LARGEST_PAGE)
        return messages.ListRevisionsResponse(
            revisions=[self._shown_revision(one) for one in page], next_page_token=following
        )

    def delete_revision(self, revision: str) -> None:
        """Delete a revision by its short name; NOT_FOUND, or FAILED_PRECONDITION while in use."""
        self._world.settle()
        for service, revisions in self._state.revisions.items():
            if revision in revisions:
                self._changes.delete_revision(service, revision)
                return
        raise not_found(f"Revision '{revision}' was not found.")

    def list_jobs(self, request: Any) -> Any:
        """Answer ListJobs: whatever was put into `jobs`, or of another region into `abroad`."""
        if request.parent != self._parent:
            found = self._find_abroad(f"{request.parent}/jobs", messages.Job)
            return messages.ListJobsResponse(jobs=found)
        return messages.ListJobsResponse(jobs=self.jobs)

    def _find_abroad(self, parent: str, kind: Any) -> list[Any]:
        return [
            one
            for one in self.abroad
            if isinstance(one, kind) and one.name.startswith(f"{parent}/")
        ]

    def _find_revision(self, name: str) -> tuple[Any, Any]:
        """Return the service and the revision of a full name; NOT_FOUND if there is none."""
        owner, _, short = name.partition("/revisions/")
        service = self._changes.find(owner)
        revision = self._state.revisions[short_name(owner)].get(short)
        if revision is None:
            raise not_found(f"Resource '{short}' of kind 'REVISION' was not found: {name}")
        return service, revision

    def _anywhere(self) -> str:
        return f"projects/{self._world.config.project}/locations/-"

    def _shown(self, service: Any) -> Any:
        shown = with_addresses(service, self._world.endpoints)
        if self._sticks:
            shown.template.session_affinity = True
        return shown

    def _shown_revision(self, revision: Any) -> Any:
        if not self._sticks:
            return revision
        shown = messages.Revision()
        shown.CopyFrom(revision)
        shown.session_affinity = True
        return shown

    @property
    def _sticks(self) -> bool:
        """Whether the scenario has session affinity on."""
        return self._world.scenario.current(self._world.clock.now()).session_affinity

    def _answer(self, outcome: OperationRecord | Any) -> Any:
        if isinstance(outcome, OperationRecord):
            return self._operations.describe(outcome)
        return self._done(self._shown(outcome))

    def _done(self, result: Any) -> Any:
        """Return an operation that only says what would be: nothing of it is kept."""
        operation = messages.Operation(name=f"{self._parent}/operations/validate-only", done=True)
        operation.metadata.Pack(result)
        operation.response.Pack(result)
        return operation
