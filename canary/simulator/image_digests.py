"""Digests of container images: what a tag of the embedded registry points at."""

from __future__ import annotations

import hashlib


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
