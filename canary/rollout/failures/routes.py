"""A request's path as the route that it is grouped by: whatever tells one caller from the next is
left out. Pure.

Query, fragment and host are cut off first; numbers, UUIDs, hashes, tokens, dates and addresses in
the path become `{id}`. What remains is bounded and harmless to show.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Final
from urllib.parse import unquote

from canary.rollout.text import sanitize

ID: Final = "{id}"
MOST_COLUMNS: Final = 120
MOST_SEGMENTS: Final = 6
REST: Final = "…"

_HOST: Final = re.compile(r"\A[A-Za-z][A-Za-z0-9+.-]*://[^/?#]*")
_UUID: Final = re.compile(r"\A[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
_LONG_HEX: Final = re.compile(r"\A[0-9a-f]{12,}\Z", re.IGNORECASE)
_HASH: Final = re.compile(r"\A(?=[a-f]*[0-9])[0-9a-f]{8,}\Z", re.IGNORECASE)
_TIME: Final = re.compile(r"\A\+?[0-9][0-9TZ:._+-]{5,}\Z")
_MIXED: Final = re.compile(r"\A(?=[^0-9]*[0-9])(?=[^A-Za-z]*[A-Za-z])[\w.~+=:-]{20,}\Z")
_PLAIN: Final = re.compile(r"\A[\w/{}.~=:+…-]*\Z", re.ASCII)
"""Nothing in it that would have to be made harmless."""
_NUMBER_INSIDE: Final = re.compile(r"[0-9]{5,}")

_LONGEST: Final = 4_096
"""Of a path; what lies behind is not read."""


def route_of(url: str, own: Sequence[str] = ()) -> str:
    """The route of a request's URL, or of its path: "/users/{id}/orders/{id}".

    `own` are the plan's routes; the first that fits is returned as it is written.
    """
    segments = tuple(_segments(url))
    for pattern in own:
        if fits(pattern, segments):
            return pattern
    shown = [_general(segment) for segment in segments[:MOST_SEGMENTS]]
    if len(segments) > MOST_SEGMENTS:
        shown.append(REST)
    route = "/" + "/".join(shown)
    if len(route) <= MOST_COLUMNS and _PLAIN.match(route):
        return route
    return sanitize(route, MOST_COLUMNS)


def fits(pattern: str, segments: Iterable[str]) -> bool:
    """Whether a route of the plan is that of these segments: `{…}` is any one of them, a last `…`
    is all that follow.
    """
    wanted = [part for part in pattern.split("/") if part]
    found = list(segments)
    if wanted and wanted[-1] in (REST, "..."):
        wanted.pop()
        found = found[: len(wanted)] if len(found) >= len(wanted) else found
    if len(wanted) != len(found):
        return False
    return all(
        w == f or (w.startswith("{") and w.endswith("}"))
        for w, f in zip(wanted, found, strict=True)
    )


def _segments(url: str) -> Iterator[str]:
    """The path's parts, decoded. What a `%3F` or a `;` hides is a query too."""
    path = _cut(_HOST.sub("", url[:_LONGEST], count=1))
    for segment in _cut(unquote(path, errors="replace")).split("/"):
        kept = segment.partition(";")[0]
        if kept:
            yield kept


def _cut(path: str) -> str:
    return path.partition("?")[0].partition("#")[0]


@functools.lru_cache(maxsize=2_048)
def _general(segment: str) -> str:
    """A part of the path without what tells one caller from the next."""
    if segment.isdigit() or "@" in segment or _UUID.match(segment) or _LONG_HEX.match(segment):
        return ID
    if _TIME.match(segment):
        return ID
    if "=" in segment:
        return f"{segment.partition('=')[0]}={ID}"
    parts = segment.split(".")
    if len(parts) > 1 and (hashed := _without_hash(parts)) is not None:
        return hashed
    if _MIXED.match(segment):
        return ID
    return _NUMBER_INSIDE.sub(ID, segment)


def _without_hash(parts: list[str]) -> str | None:
    """A file's name without a hash between its dots, or a number before them; None: it has none."""
    first = parts[0].isdigit() or bool(_UUID.match(parts[0]) or _LONG_HEX.match(parts[0]))
    inner = [bool(_HASH.match(part)) for part in parts[1:-1]]
    if not first and not any(inner):
        return None
    shown = [ID if first else _NUMBER_INSIDE.sub(ID, parts[0])]
    shown += [ID if is_hash else part for is_hash, part in zip(inner, parts[1:-1], strict=True)]
    if first and len(parts[-1]) > 8:
        return ID
    return ".".join([*shown, parts[-1]])
