"""compute.urlMaps and compute.globalOperations over REST: `/compute/v1/projects/P/global/…`."""

from __future__ import annotations

import asyncio
from typing import Any

from aiohttp import web

from canary.simulator.api.rest import Call, Rest
from canary.simulator.wire.errors import RestError
from canary.simulator.world.services.state import RECHECK_S
from canary.simulator.world.url_maps import COMPUTE, ComputeOperation, UrlMaps, show_operation
from canary.simulator.world.world import World

URL_MAPS = "/google.cloud.compute.v1.UrlMaps/"
GLOBAL_OPERATIONS = "/google.cloud.compute.v1.GlobalOperations/"
LONGEST_WAIT_S = 120.0


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
            web.get(f"{space}/urlMaps", rest.handler(f"{URL_MAPS}List", self.list_maps)),
            web.get(f"{space}/urlMaps/{{name}}", rest.handler(f"{URL_MAPS}Get", self.get)),
            web.patch(f"{space}/urlMaps/{{name}}", patch),
            web.get(operation, rest.handler(f"{GLOBAL_OPERATIONS}Get", self.operation)),
            web.post(f"{operation}/wait", rest.handler(f"{GLOBAL_OPERATIONS}Wait", self.wait)),
        ]

    def list_maps(self, call: Call) -> dict[str, Any]:
        """Answer GET …/urlMaps: one page."""
        self._check_project(call)
        items = [self._maps.get(name) for name in self._maps.names()]
        return {"kind": "compute#urlMapList", "id": "urlMaps", "items": items}

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

    async def wait(self, call: Call) -> dict[str, Any]:
        """Answer POST …/operations/O/wait: when it is done, or after two minutes."""
        self._check_project(call)
        operation = self._maps.operation(call.part("name"))
        loop = asyncio.get_running_loop()
        deadline = loop.time() + LONGEST_WAIT_S
        while not operation.done and loop.time() < deadline:
            left_s = max(0.0, (operation.settles_at or 1e12) - self._world.clock.now())
            await asyncio.sleep(min(RECHECK_S, self._world.clock.real_seconds(left_s) + 0.001))
            self._world.settle()
        return self._show(operation)

    def _show(self, operation: ComputeOperation) -> dict[str, Any]:
        return show_operation(operation, self._base, self._world.clock.now())

    def _check_project(self, call: Call) -> None:
        project = call.part("project")
        if project != self._world.config.project:
            message = f"The resource 'projects/{project}' was not found"
            raise RestError(404, "notFound", message, "NOT_FOUND")
