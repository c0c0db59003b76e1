"""compute.urlMaps and compute.globalOperations over REST: `/compute/v1/projects/P/global/…`."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from canary.simulator.api.rest import Call, Rest
from canary.simulator.wire.calls import RestError
from canary.simulator.world.url_maps import COMPUTE, ComputeOperation, UrlMaps, show_operation
from canary.simulator.world.world import World

URL_MAPS = "/google.cloud.compute.v1.UrlMaps/"
GLOBAL_OPERATIONS = "/google.cloud.compute.v1.GlobalOperations/"


class UrlMapApi:
    """Handlers of the URL map and its operations."""

    def __init__(self, world: World, url_maps: UrlMaps) -> None:
        self._world = world
        self._maps = url_maps
        self._base = f"{COMPUTE}/projects/{world.config.project}/global"

    def routes(self, rest: Rest) -> list[web.RouteDef]:
        """Return the routes."""
        space = "/compute/v1/projects/{project}/global"
        patch = rest.handler(f"{URL_MAPS}Patch", self.patch, changes=True)
        operation = f"{space}/operations/{{name}}"
        return [
            web.get(f"{space}/urlMaps/{{name}}", rest.handler(f"{URL_MAPS}Get", self.get)),
            web.patch(f"{space}/urlMaps/{{name}}", patch),
            web.get(operation, rest.handler(f"{GLOBAL_OPERATIONS}Get", self.operation)),
        ]

    def get(self, call: Call) -> dict[str, Any]:
        """Answer GET …/urlMaps/M."""
        self._check_project(call)
        return self._maps.get(call.part("name"))

    async def patch(self, call: Call) -> dict[str, Any]:
        """Answer PATCH …/urlMaps/M (`?requestId=` as in Compute Engine) with an operation."""
        self._check_project(call)
        user = call.account(f"oncall@{self._world.config.project}.iam.gserviceaccount.com")
        body = await call.body()
        return self._show(self._maps.patch(call.part("name"), body, user, call.query("requestId")))

    def operation(self, call: Call) -> dict[str, Any]:
        """Answer GET …/operations/O."""
        self._check_project(call)
        return self._show(self._maps.operation(call.part("name")))

    def _show(self, operation: ComputeOperation) -> dict[str, Any]:
        return show_operation(operation, self._base, self._world.clock.now())

    def _check_project(self, call: Call) -> None:
        project = call.part("project")
        if project != self._world.config.project:
            message = f"The resource 'projects/{project}' was not found"
            raise RestError(404, "notFound", message, "NOT_FOUND")
