"""Artifact Registry over REST: `/v1/projects/P/locations/L/repositories/R/…`.

Its own REST rather than the Docker registry protocol (`/v2/…/manifests/DIGEST`), because that is
what a real deletion takes: it says why a version cannot go (tags lead to it) and deletes them along
on request (`force`), answers with an operation that can be looked up after a lost answer, takes the
same bearer token as the other APIs and one permission (`artifactregistry.versions.delete`). The
Docker protocol needs a token exchange and every tag to be deleted first.
Source: https://cloud.google.com/artifact-registry/docs/reference/rest

The images of both sides are versions of the packages that the services were deployed from; a
deletion takes versions, not files. Kept in the world's state file.
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from canary.simulator.api.rest import Call, Rest
from canary.simulator.wire.calls import RestError, failed_precondition, not_found
from canary.simulator.wire.messages import timestamp
from canary.simulator.world.world import World

_KEY = "images"
_BYTES = 182_452_224
OLDER_VERSIONS = 3
"""Builds from before the rollout, without a tag, as a repository that nobody cleans has them."""


class Version(msgspec.Struct, kw_only=True):
    """One image: `digest` is `sha256:…`, times are unix seconds."""

    digest: str
    created_at: float
    updated_at: float
    bytes: int
    tags: list[str] = []


class Images:
    """Versions by package: `(location, repository, package)`. Mutable, saved with each change."""

    def __init__(self, world: World, deployed: Iterable[str]) -> None:
        self._world = world
        text = world.saved.get(_KEY)
        self._packages: dict[str, list[Version]] = {}
        if text is not None:
            self._packages = msgspec.json.decode(text, type=dict[str, list[Version]])
            return
        for image in deployed:
            self._push(image)
        self._save()

    def has_repository(self, repository: str) -> bool:
        """Whether there is, or was at the start, a repository of this name."""
        config = self._world.config
        return repository == f"projects/{config.project}/locations/{config.region}/repositories/ion"

    def versions(self, package: str) -> list[Version]:
        """Return a package's versions, newest first; ApiError NOT_FOUND if there is none."""
        if package not in self._packages:
            raise not_found("Requested entity was not found.")
        return self._packages[package]

    def version(self, package: str, digest: str) -> Version:
        """Return a version; ApiError NOT_FOUND."""
        for one in self.versions(package):
            if one.digest == digest:
                return one
        raise not_found("Requested entity was not found.")

    def delete_version(self, package: str, digest: str, *, force: bool) -> Version:
        """Delete a version; FAILED_PRECONDITION while tags lead to it, unless forced."""
        gone = self.version(package, digest)
        if gone.tags and not force:
            raise failed_precondition(
                f"Version {digest} has tags ({', '.join(gone.tags)}); delete them first or force."
            )
        self.versions(package).remove(gone)
        if not self._packages[package]:
            del self._packages[package]
        self._save()
        return gone

    def _push(self, image: str) -> None:
        """Put a deployed image into its package, with a few builds that came before it."""
        package, tag = _package_of(image, self._world.config.project)
        versions = self._packages.setdefault(package, [])
        deployed_at = self._world.history_start - 86_400.0
        if any(one.digest == digest_of(image) for one in versions):
            return
        names = [image, *(f"{image}~{age}" for age in range(1, OLDER_VERSIONS + 1))]
        for age, name in enumerate(names):
            at = deployed_at - age * 7 * 86_400.0
            versions.append(
                Version(
                    digest=digest_of(name),
                    created_at=at,
                    updated_at=at,
                    bytes=_BYTES - age * 1_048_576,
                    tags=[] if age else [tag],
                )
            )
        versions.sort(key=lambda one: -one.created_at)

    def _save(self) -> None:
        self._world.saved.put(_KEY, msgspec.json.encode(self._packages))
        self._world.save()


def _package_of(image: str, project: str) -> tuple[str, str]:
    """Return (package's full name, tag) of `REGION-docker.pkg.dev/P/REPOSITORY/IMAGE:TAG`."""
    host, _, repository, name = image.split("/", 3)
    name, _, tag = name.partition(":")
    location = host.removesuffix("-docker.pkg.dev")
    place = f"projects/{project}/locations/{location}/repositories/{repository}"
    return f"{place}/packages/{name.replace('/', '%2F')}", tag or "latest"


# Digests of container images: what a tag of the embedded registry points at.


def digest_of(image: str) -> str:
    """Return the digest (`sha256:…`) of an image by its full name with tag, always the same one.

    There are no layers here; a name that carries a digest already has that one.
    """
    _, found, digest = image.partition("@")
    return digest if found else f"sha256:{hashlib.sha256(image.encode()).hexdigest()}"


def by_digest(image: str) -> str:
    """Return the image's name with its digest instead of its tag."""
    name = image.partition("@")[0]
    head, slash, last = name.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}@{digest_of(image)}"


REGISTRY = "/google.devtools.artifactregistry.v1.ArtifactRegistry/"
TYPES = "type.googleapis.com/google.devtools.artifactregistry.v1"
MOST_OPERATIONS = 100
_PAGE, _LARGEST_PAGE = 100, 1000


class RegistryApi:
    """Handlers of versions and tags."""

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
        version = f"{package}/versions/{{version}}"

        delete = rest.handler(f"{REGISTRY}DeleteVersion", self.delete_version, changes=True)

        def reading(path: str, name: str, answer: Any) -> web.RouteDef:
            return web.get(path, rest.handler(f"{REGISTRY}{name}", answer))

        return [
            reading(version, "GetVersion", self.version),
            reading(f"{package}/tags", "ListTags", self.tags),
            reading(f"{place}/operations/{{operation}}", "GetOperation", self.operation),
            web.delete(version, delete),
        ]

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

    def delete_version(self, call: Call) -> dict[str, Any]:
        """Answer DELETE …/versions/DIGEST (`force=true` with its tags) with an operation."""
        force = call.query("force") == "true"
        self._images.delete_version(self._package(call), call.part("version"), force=force)
        return self._begin(call)

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
