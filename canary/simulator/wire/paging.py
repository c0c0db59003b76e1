"""Page tokens: opaque to the caller, bound to the request they came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, TypeVar

import msgspec

from canary.simulator.wire.errors import invalid_field

T = TypeVar("T")


class PageToken(msgspec.Struct, frozen=True):
    """Where the next page begins.

    `digest` is of the request without its paging fields, `offset` counts what was handed out,
    `until_ns` freezes what was visible when the first page was asked for (0: not used).
    """

    digest: str
    offset: int = 0
    until_ns: int = 0

    def encode(self) -> str:
        """Return the text that goes into `next_page_token`."""
        return base64.urlsafe_b64encode(msgspec.json.encode(self)).decode()


def request_digest(request: Any) -> str:
    """Return a digest of a request that is the same for each of its pages."""
    bare = type(request)()
    bare.CopyFrom(request)
    bare.page_token = ""
    bare.page_size = 0
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()[:16]


def read_token(request: Any) -> PageToken:
    """Return where the asked page begins; the start when the request carries no token.

    Raises ApiError INVALID_ARGUMENT for a token that isn't one, or belongs to another request.
    """
    digest = request_digest(request)
    text = request.page_token
    if not text:
        return PageToken(digest)
    try:
        token = msgspec.json.decode(base64.urlsafe_b64decode(text), type=PageToken)
    except (binascii.Error, ValueError, msgspec.MsgspecError) as exc:
        raise invalid_field("page_token", text, "It is not a page token.") from exc
    if token.digest != digest or token.offset < 0:
        raise invalid_field("page_token", text, "It belongs to another request.")
    return token


def page_size(request: Any, default: int, most: int) -> int:
    """Return how many results a page may hold; INVALID_ARGUMENT for a negative size."""
    size = int(request.page_size)
    if size < 0:
        raise invalid_field("page_size", str(size), "It must not be negative.")
    return min(size or default, most)


def cut_page(items: Sequence[T], request: Any, default: int, most: int) -> tuple[list[T], str]:
    """Return the asked page of a list and the token of the next ("" after the last)."""
    token, size = read_token(request), page_size(request, default, most)
    end = token.offset + size
    following = PageToken(token.digest, end).encode() if end < len(items) else ""
    return list(items[token.offset : end]), following
