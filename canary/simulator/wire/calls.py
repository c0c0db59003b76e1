"""What all calls of Google's APIs have in common: refusals, pages, masks of what is replaced."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection, Sequence
from typing import Any, TypeVar

import grpc
import msgspec


class ApiError(Exception):
    """A call is refused: `code` and `message` go to the caller as the gRPC status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class RestError(Exception):
    """A refusal that has no gRPC code of its own: HTTP status, reason and message."""

    def __init__(self, status: int, reason: str, message: str, code: str = "") -> None:
        super().__init__(message)
        self.status, self.reason, self.message, self.code = status, reason, message, code


def invalid(message: str) -> ApiError:
    """Return INVALID_ARGUMENT with this message."""
    return ApiError(grpc.StatusCode.INVALID_ARGUMENT, message)


def invalid_field(field: str, value: str, why: str) -> ApiError:
    """Return INVALID_ARGUMENT in the wording Cloud Monitoring uses for one bad field."""
    return invalid(f'Field {field} had an invalid value of "{value}": {why}')


def not_found(message: str) -> ApiError:
    """Return NOT_FOUND with this message."""
    return ApiError(grpc.StatusCode.NOT_FOUND, message)


def failed_precondition(message: str) -> ApiError:
    """Return FAILED_PRECONDITION with this message."""
    return ApiError(grpc.StatusCode.FAILED_PRECONDITION, message)


def denied(permission: str, name: str) -> ApiError:
    """Return PERMISSION_DENIED in the wording of a resource that may not be there either."""
    text = f"Permission {permission} denied on {name} (or the resource may not exist)."
    return ApiError(grpc.StatusCode.PERMISSION_DENIED, text)


def unimplemented(message: str) -> ApiError:
    """Return UNIMPLEMENTED: the real service can do this, the embedded cloud cannot."""
    return ApiError(grpc.StatusCode.UNIMPLEMENTED, message)


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


def copy_field(source: Any, target: Any, name: str) -> None:
    """Make a field of `target` what it is in `source`, absent included."""
    target.ClearField(name)
    field = source.DESCRIPTOR.fields_by_name[name]
    if field.has_presence and not source.HasField(name):
        return
    value = getattr(source, name)
    if hasattr(value, "MergeFrom"):  # a message, a list or a map
        if field.has_presence:
            getattr(target, name).SetInParent()
        getattr(target, name).MergeFrom(value)
    else:
        setattr(target, name, value)


def apply_mask(
    stored: Any,
    sent: Any,
    paths: Sequence[str],
    mutable: Collection[str],
    ignored: Collection[str],
) -> Any:
    """Return a copy of `stored` with the masked parts taken from `sent`.

    No paths, or `*`, replaces every field in `mutable`; a path is in snake_case and may lead
    into messages (`scaling.min_instance_count`), not into lists and maps, which are replaced
    whole. Paths to `ignored` fields (name, etag, what only the service writes) change nothing.
    Raises ApiError INVALID_ARGUMENT for a path that leads nowhere.
    """
    merged = type(stored)()
    merged.CopyFrom(stored)
    for path in mutable if not paths or "*" in paths else paths:
        first, *rest = path.split(".")
        if first in ignored:
            continue
        if first not in mutable:
            raise _no_path(path)
        _replace(sent, merged, [first, *rest], path)
    return merged


def _replace(source: Any, target: Any, parts: Sequence[str], path: str) -> None:
    *owners, last = parts
    for owner in owners:
        # Lists and maps have no DESCRIPTOR: a path ends there.
        if owner not in source.DESCRIPTOR.fields_by_name or not hasattr(
            getattr(source, owner), "DESCRIPTOR"
        ):
            raise _no_path(path)
        source, target = getattr(source, owner), getattr(target, owner)
    if last not in source.DESCRIPTOR.fields_by_name:
        raise _no_path(path)
    copy_field(source, target, last)


def _no_path(path: str) -> Exception:
    return invalid_field(
        "update_mask", path, "There is no such field that can be updated (paths are snake_case)."
    )
