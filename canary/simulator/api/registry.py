"""Artifact Registry over REST: `/v1/projects/P/locations/L/repositories/R/…`.

Its own REST rather than the Docker registry protocol (`/v2/…/manifests/DIGEST`), because that is
what a real deletion takes: it says why a version cannot go (tags lead to it) and deletes them along
on request (`force`), answers with an operation that can be looked up after a lost answer, deletes a
package with everything in it, takes the same bearer token as the other APIs and one permission
(`artifactregistry.versions.delete`). The Docker protocol needs a token exchange and every tag to be
deleted first, and knows no packages.
Source: https://cloud.google.com/artifact-registry/docs/reference/rest
"""

from __future__ import annotations

import base64
import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote

from aiohttp import web

from canary.simulator.api.rest import Call, Rest
from canary.simulator.wire.errors import RestError, not_found
from canary.simulator.wire.messages import timestamp
from canary.simulator.world.images import Images, Version
from canary.simulator.world.world import World

REGISTRY = "/google.devtools.artifactregistry.v1.ArtifactRegistry/"
TYPES = "type.googleapis.com/google.devtools.artifactregistry.v1"
MOST_OPERATIONS = 100
_PAGE, _LARGEST_PAGE = 100, 1000


class RegistryApi:
    """Handlers of packages, versions, tags and Docker images."""

    def __init__(self, world: World, images: Images) -> None:
        self._world = world
        self._images = images
        self._operations: dict[str, float] = {}
        """When each operation is done (cloud time): deletions take a moment to be told done."""

    def routes(self, rest: Rest) -> list[web.RouteDef]:
        """Return the routes."""
        place = "/v1/projects/{project}/locations/{location}"
        shelf = f"{place}/repositories/{{repository}}"
        package = f"{shelf}/packages/{{package}}"
        version, tag = f"{package}/versions/{{version}}", f"{package}/tags/{{tag}}"

        def reading(path: str, name: str, answer: Any) -> web.RouteDef:
            return web.get(path, rest.handler(f"{REGISTRY}{name}", answer))

        def deleting(path: str, name: str, answer: Any) -> web.RouteDef:
            return web.delete(path, rest.handler(f"{REGISTRY}{name}", answer, changes=True))

        return [
            reading(f"{shelf}/dockerImages", "ListDockerImages", self.docker_images),
            reading(f"{shelf}/packages", "ListPackages", self.packages),
            reading(package, "GetPackage", self.package),
            reading(f"{package}/versions", "ListVersions", self.versions),
            reading(version, "GetVersion", self.version),
            reading(f"{package}/tags", "ListTags", self.tags),
            reading(f"{place}/operations/{{operation}}", "GetOperation", self.operation),
            deleting(package, "DeletePackage", self.delete_package),
            deleting(version, "DeleteVersion", self.delete_version),
            deleting(tag, "DeleteTag", self.delete_tag),
        ]

    def packages(self, call: Call) -> dict[str, Any]:
        """Answer GET …/packages."""
        names = self._images.packages(self._repository(call))
        return _page(call, "packages", [self._show_package(name) for name in names])

    def package(self, call: Call) -> dict[str, Any]:
        """Answer GET …/packages/K."""
        name = self._package(call)
        self._images.versions(name)
        return self._show_package(name)

    def versions(self, call: Call) -> dict[str, Any]:
        """Answer GET …/versions: newest first; tags are told with `view=FULL` only."""
        name, full = self._package(call), call.query("view") == "FULL"
        found = [_show_version(name, one, full) for one in self._images.versions(name)]
        return _page(call, "versions", found)

    def version(self, call: Call) -> dict[str, Any]:
        """Answer GET …/versions/DIGEST."""
        name = self._package(call)
        one = self._images.version(name, call.part("version"))
        return _show_version(name, one, call.query("view") == "FULL")

    def tags(self, call: Call) -> dict[str, Any]:
        """Answer GET …/tags."""
        name = self._package(call)
        found = [
            {"name": f"{name}/tags/{tag}", "version": f"{name}/versions/{one.digest}"}
            for one in self._images.versions(name)
            for tag in one.tags
        ]
        return _page(call, "tags", found)

    def docker_images(self, call: Call) -> dict[str, Any]:
        """Answer GET …/dockerImages: every version of every package, as images with their tags."""
        place = self._repository(call)
        found = [
            _show_image(place, name, one)
            for name in self._images.packages(place)
            for one in self._images.versions(name)
        ]
        return _page(call, "dockerImages", found)

    def delete_package(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/packages/K with an operation."""
        self._images.delete_package(self._package(call))
        return self._begin(call)

    def delete_version(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/versions/DIGEST (`force=true` with its tags) with an operation."""
        force = call.query("force") == "true"
        self._images.delete_version(self._package(call), call.part("version"), force=force)
        return self._begin(call)

    def delete_tag(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/tags/T with nothing."""
        self._images.delete_tag(self._package(call), call.part("tag"))
        return {}

    def operation(self, call: Call) -> dict[str, Any]:
        """Answer GET …/operations/O."""
        self._check_place(call)
        return self._show_operation(call, call.part("operation"))

    def _begin(self, call: Call) -> dict[str, Any]:
        name = str(uuid.uuid4())
        self._operations[name] = self._world.clock.now() + self._world.config.operation_s
        while len(self._operations) > MOST_OPERATIONS:
            del self._operations[next(iter(self._operations))]
        return self._show_operation(call, name)

    def _show_operation(self, call: Call, name: str) -> dict[str, Any]:
        if name not in self._operations:
            raise not_found(f"Operation '{name}' was not found.")
        project, location = call.part("project"), call.part("location")
        done = self._operations[name] <= self._world.clock.now()
        shown: dict[str, Any] = {
            "name": f"projects/{project}/locations/{location}/operations/{name}",
            "metadata": {"@type": f"{TYPES}.OperationMetadata"},
            "done": done,
        }
        if done:
            shown["response"] = {"@type": "type.googleapis.com/google.protobuf.Empty"}
        return shown

    def _show_package(self, name: str) -> dict[str, Any]:
        versions = self._images.versions(name)
        return {
            "name": name,
            "displayName": unquote(name.rpartition("/")[2]),
            "createTime": _time(min(one.created_at for one in versions)),
            "updateTime": _time(max(one.updated_at for one in versions)),
        }

    def _check_place(self, call: Call) -> None:
        config = self._world.config
        if call.part("project") != config.project or call.part("location") != config.region:
            raise RestError(
                403,
                "forbidden",
                "Permission 'artifactregistry.versions.list' denied on resource (or it may not "
                "exist).",
                "PERMISSION_DENIED",
            )

    def _repository(self, call: Call) -> str:
        self._check_place(call)
        config = self._world.config
        place = f"projects/{config.project}/locations/{config.region}"
        name = f"{place}/repositories/{call.part('repository')}"
        if not self._images.has_repository(name):
            raise not_found("Requested entity was not found.")
        return name

    def _package(self, call: Call) -> str:
        """Return the full name; a slash in a package is escaped there, whatever the path had."""
        package = call.part("package").replace("/", "%2F")
        return f"{self._repository(call)}/packages/{package}"


def _show_version(package: str, one: Version, full: bool) -> dict[str, Any]:
    name = f"{package}/versions/{one.digest}"
    shown: dict[str, Any] = {
        "name": name,
        "createTime": _time(one.created_at),
        "updateTime": _time(one.updated_at),
        "metadata": {
            "name": name,
            "imageSizeBytes": str(one.bytes),
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
        },
    }
    if full and one.tags:
        shown["relatedTags"] = [
            {"name": f"{package}/tags/{tag}", "version": name} for tag in one.tags
        ]
    return shown


def _show_image(place: str, package: str, one: Version) -> dict[str, Any]:
    _, project, _, location, _, repository = place.split("/")
    image = unquote(package.rpartition("/")[2])
    return {
        "name": f"{place}/dockerImages/{image}@{one.digest}",
        "uri": f"{location}-docker.pkg.dev/{project}/{repository}/{image}@{one.digest}",
        "tags": one.tags,
        "imageSizeBytes": str(one.bytes),
        "uploadTime": _time(one.created_at),
        "updateTime": _time(one.updated_at),
        "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    }


def _page(call: Call, key: str, items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the page that was asked for; a list that is empty is left out, as in proto's JSON."""
    try:
        size = min(int(call.query("pageSize") or _PAGE) or _PAGE, _LARGEST_PAGE)
        token = call.query("pageToken")
        start = int(base64.urlsafe_b64decode(token)) if token else 0
    except ValueError as exc:
        raise RestError(400, "invalid", f"Invalid page: {exc}", "INVALID_ARGUMENT") from exc
    if size < 0 or start < 0:
        raise RestError(400, "invalid", "Invalid page: it is negative", "INVALID_ARGUMENT")
    shown: dict[str, Any] = {key: list(items[start : start + size])} if items[start:] else {}
    if start + size < len(items):
        shown["nextPageToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return shown


def _time(unix_s: float) -> str:
    return str(timestamp(unix_s).ToJsonString())
