"""The container images of the services: versions by digest, tags, in one repository.

Both sides' images are versions of the packages that the services were deployed from; a deletion
takes versions, not files. Kept in the world's state file.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import msgspec

from canary.simulator.wire.errors import failed_precondition, not_found
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

    def packages(self, repository: str) -> list[str]:
        """Return the packages' full names in a repository, `projects/P/…/repositories/R`."""
        return sorted(one for one in self._packages if one.startswith(f"{repository}/packages/"))

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

    def delete_tag(self, package: str, tag: str) -> None:
        """Delete a tag; its version stays. ApiError NOT_FOUND."""
        for one in self.versions(package):
            if tag in one.tags:
                one.tags.remove(tag)
                self._save()
                return
        raise not_found("Requested entity was not found.")

    def delete_package(self, package: str) -> None:
        """Delete a package with all its versions and tags."""
        self.versions(package)
        del self._packages[package]
        self._save()

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
