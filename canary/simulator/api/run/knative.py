"""Cloud Run's v1 REST (Knative's), which gcloud speaks: another door to the same services.

gcloud's changes go through `RunApi.update_service` like everybody's, so they make a new etag and
name their author. Paths: `/apis/serving.knative.dev/v1/namespaces/PROJECT/…` for what belongs to a
region (gcloud puts it before the host name), `/v1/projects/P/locations/L/…` for the rest.
"""

from __future__ import annotations

import re
from typing import Any

from aiohttp import web

from canary.simulator.api.apis import Apis
from canary.simulator.api.rest import OPERATIONS, Call, Rest
from canary.simulator.api.run.knative_view import API_VERSION, view_revision, view_service
from canary.simulator.api.run.knative_wanted import MASK, read_wanted
from canary.simulator.wire import messages
from canary.simulator.wire.calls import invalid_field, not_found
from canary.simulator.wire.messages import short_name
from canary.simulator.world.world import World

SERVICES = "/google.cloud.run.v2.Services/"
REVISIONS = "/google.cloud.run.v2.Revisions/"

_REGION_HOST = re.compile(r"([a-z]+(?:-[a-z]+)+\d+)-")
_LABEL_IS = re.compile(r"\s*serving\.knative\.dev/(?:service|configuration)\s*={1,2}\s*(\S+)\s*")
_NONCE_IS = re.compile(r"\s*client\.knative\.dev/nonce\s*={1,2}\s*(\S+)\s*")


class KnativeApi:
    """Handlers of the v1 API."""

    def __init__(self, world: World, apis: Apis) -> None:
        self._world = world
        self._apis = apis
        self._project = world.config.project
        self._parent = f"projects/{self._project}/locations/{world.config.region}"

    def routes(self, rest: Rest) -> list[web.RouteDef]:
        """Return the routes."""
        space = f"/apis/{API_VERSION}/namespaces/{{project}}"
        place = "/v1/projects/{project}/locations/{region}"
        get, put = rest.handler(f"{SERVICES}GetService", self.get), self.replace
        listed = rest.handler(f"{SERVICES}ListServices", self.list_services)
        delete = rest.handler(f"{SERVICES}DeleteService", self.delete)
        wait = rest.handler(f"{OPERATIONS}WaitOperation", self.wait)
        return [
            web.get(f"{space}/services", listed),
            web.get(f"{place}/services", listed),
            web.get(f"{space}/services/{{name}}", get),
            web.put(f"{space}/services/{{name}}", rest.handler(f"{SERVICES}UpdateService", put)),
            web.delete(f"{space}/services/{{name}}", delete),
            web.get(
                f"{space}/revisions", rest.handler(f"{REVISIONS}ListRevisions", self.revisions)
            ),
            web.get(
                f"{space}/revisions/{{name}}",
                rest.handler(f"{REVISIONS}GetRevision", self.revision),
            ),
            web.delete(
                f"{space}/revisions/{{name}}",
                rest.handler(f"{REVISIONS}DeleteRevision", self.delete_revision, changes=True),
            ),
            web.get(
                f"{place}/services/{{name:[^/:]+}}:getIamPolicy",
                rest.handler(f"{SERVICES}GetIamPolicy", self.iam_policy),
            ),
            web.post(f"{place}/operations/{{id:[^/:]+}}:wait", wait),
        ]

    def get(self, call: Call) -> dict[str, Any]:
        """Answer GET …/services/S."""
        return self._view(self._service(call))

    def list_services(self, call: Call) -> dict[str, Any]:
        """Answer GET …/services: of the region, or of all (`locations/-`): here the same."""
        self._check_place(call)
        found = self._apis.run.list_services(
            messages.ListServicesRequest(parent=self._parent, page_size=1000)
        )
        return self._listing("ServiceList", [self._view(one) for one in found.services])

    async def replace(self, call: Call) -> dict[str, Any]:
        """Answer PUT …/services/S with the service as it is wanted from now on.

        `metadata.resourceVersion` guards it (409 if it is not the present one), `dryRun=all` only
        checks.
        """
        current = self._service(call)
        wanted = read_wanted(current, await call.body())
        dry = call.query("dryRun") == "all"
        request = messages.UpdateServiceRequest(service=wanted, validate_only=dry)
        request.update_mask.paths.extend(MASK)
        operation = self._apis.run.update_service(
            request, call.account(f"gcloud@{self._project}.iam.gserviceaccount.com")
        )
        if not dry:
            return self._view(self._service(call))
        result = messages.Service()
        operation.response.Unpack(result)
        return self._view(result)

    def delete(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/services/S: begun; it is gone when GET says so."""
        service = self._service(call)
        self._apis.run.delete_service(messages.DeleteServiceRequest(name=service.name))
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    def revision(self, call: Call) -> dict[str, Any]:
        """Answer GET …/revisions/R."""
        self._check_place(call)
        name = call.part("name")
        for service, revisions in self._apis.state.revisions.items():
            if name in revisions:
                full = f"{self._parent}/services/{service}/revisions/{name}"
                request = messages.GetRevisionRequest(name=full)
                return view_revision(self._apis.run.get_revision(request))
        raise not_found(f"Revision '{name}' was not found.")

    def delete_revision(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/revisions/R: at once, unless it has traffic or is the latest."""
        self._check_place(call)
        self._apis.run.delete_revision(call.part("name"))
        return {"apiVersion": "v1", "kind": "Status", "status": "Success"}

    def iam_policy(self, call: Call) -> dict[str, Any]:
        """Answer GET …/services/S:getIamPolicy: who may call it is kept nowhere here."""
        self._service(call)
        return {"version": 1, "etag": "ACAB"}

    def revisions(self, call: Call) -> dict[str, Any]:
        """Answer GET …/revisions: newest first, one page.

        The labelSelector `serving.knative.dev/service=S` chooses those of one service; gcloud
        also looks for a nonce, a label of the revision.
        """
        self._check_place(call)
        owner, nonce = _selected(call.query("labelSelector"))
        request = messages.ListRevisionsRequest(
            parent=f"{self._parent}/services/{owner}", page_size=1000
        )
        found = self._apis.run.list_revisions(request).revisions
        chosen = [
            one for one in found if nonce in (None, one.labels.get("client.knative.dev/nonce"))
        ]
        return self._listing("RevisionList", [view_revision(one) for one in chosen])

    async def wait(self, call: Call) -> dict[str, Any]:
        """Answer POST …/operations/O:wait; the response, once done, is the v1 Service."""
        body = await call.body()
        name = f"{self._parent}/operations/{call.part('id')}"
        request = messages.WaitOperationRequest(name=name)
        timeout = str(body.get("timeout") or "")
        if re.fullmatch(r"\d+(\.\d+)?s", timeout):
            request.timeout.seconds = int(float(timeout[:-1]))
        operation = await self._apis.operations.wait(request)
        shown: dict[str, Any] = {"name": operation.name, "done": operation.done}
        if operation.done and operation.error.code:
            shown["error"] = {"code": operation.error.code, "message": operation.error.message}
        elif operation.done:
            service = messages.Service()
            operation.response.Unpack(service)
            shown["response"] = self._view(service)
        return shown

    def _service(self, call: Call) -> Any:
        self._check_place(call)
        request = messages.GetServiceRequest(name=f"{self._parent}/services/{call.part('name')}")
        return self._apis.run.get_service(request)

    def _view(self, service: Any) -> dict[str, Any]:
        name = short_name(service.name)
        changes = [one.id for one in self._apis.state.operations.values() if one.service == name]
        return view_service(service, changes[-1] if changes else "")

    def _listing(self, kind: str, items: list[dict[str, Any]]) -> dict[str, Any]:
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": {}, "items": items}

    def _check_place(self, call: Call) -> None:
        """Refuse another project, and another region in the path or before the host name."""
        if call.part("project") != self._project:
            raise not_found(f"The project '{call.part('project')}' does not exist here.")
        host = _REGION_HOST.match(call.http.host)
        asked = call.http.match_info.get("region") or (host.group(1) if host else "-")
        if asked not in ("-", self._world.config.region):
            raise not_found(f"There is nothing in region '{asked}'.")


def _selected(selector: str) -> tuple[str, str | None]:
    """Return (service or `-`, nonce or None) of a label selector."""
    if not selector:
        return "-", None
    service, nonce = _LABEL_IS.fullmatch(selector), _NONCE_IS.fullmatch(selector)
    if service:
        return service.group(1), None
    if nonce:
        return "-", nonce.group(1)
    raise invalid_field("labelSelector", selector, "Only the service or the nonce can be chosen.")
