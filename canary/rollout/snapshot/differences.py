"""What is different about Canary: Legacy's deployment beside Canary's, field by field. Pure.

Values of environment variables, arguments and annotations never come here: what is hidden is a
token that is the same for the same value within one process, and says nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Final, Literal

import msgspec

from canary.rollout.text import format_timestamp, sanitize

Group = Literal[
    "revision",
    "image",
    "commit",
    "env",
    "secrets",
    "resources",
    "scaling",
    "probes",
    "network",
    "identity",
    "rest",
]
GROUPS: Final[tuple[Group, ...]] = (
    "image",
    "commit",
    "revision",
    "env",
    "secrets",
    "resources",
    "scaling",
    "probes",
    "network",
    "identity",
    "rest",
)
"""In the order in which they are shown."""
ABSENT: Final = "–"
PRESENT: Final = "set"
CHANGED: Final = "changed"
_SUMMED: Final = 4
"""So many groups are named in one line; the rest is counted."""


class Fact(msgspec.Struct, frozen=True):
    """One field of a deployment. `shown` "": its value is not to be seen, and `token` tells only
    whether it is the same.
    """

    group: Group
    field: str
    shown: str
    token: str = ""


class Deployed(msgspec.Struct, frozen=True):
    """What a side runs: the revision, when it was made, by whom, and its facts, in any order."""

    service: str
    revision: str
    created_at: float | None
    by: str
    facts: tuple[Fact, ...]


class Difference(msgspec.Struct, frozen=True):
    """One row: a field, and what both sides have there; "–" where a side does not have it."""

    group: Group
    field: str
    legacy: str
    canary: str
    differs: bool = True


class Differences(msgspec.Struct, frozen=True):
    """All rows, in the order of `GROUPS`. `unknown` is what cannot be told, one sentence."""

    legacy: str
    canary: str
    rows: tuple[Difference, ...]
    unknown: str = ""

    @property
    def differing(self) -> tuple[Difference, ...]:
        """The rows in which the sides differ."""
        return tuple(row for row in self.rows if row.differs)


@lru_cache(maxsize=4)
def compare(legacy: Deployed, canary: Deployed, unknown: str = "") -> Differences:
    """Every field that either side has, in the order of `GROUPS`, then by name."""
    mine = {(f.group, f.field): f for f in legacy.facts}
    theirs = {(f.group, f.field): f for f in canary.facts}
    keys = sorted({*mine, *theirs}, key=lambda key: (_rank(key[1]), key[1]))
    rows = [_row(key, mine.get(key), theirs.get(key)) for key in keys]
    rows += _of_revisions(legacy, canary)
    rows.sort(key=lambda row: GROUPS.index(row.group))
    return Differences(legacy.service, canary.service, tuple(rows), unknown)


def _of_revisions(legacy: Deployed, canary: Deployed) -> Iterable[Difference]:
    """Which revision, made when, by whom: these always differ, and are no difference to count."""
    for field, one, other in (
        ("revision", legacy.revision, canary.revision),
        ("deployed", _when(legacy), _when(canary)),
        ("by", legacy.by, canary.by),
    ):
        yield Difference("revision", field, one or ABSENT, other or ABSENT, differs=one != other)


def _when(deployed: Deployed) -> str:
    return "" if deployed.created_at is None else format_timestamp(deployed.created_at)


def _rank(field: str) -> int:
    """What stands before the rest of its group: the image itself, CPU and memory."""
    first = ("image", "CPU", "memory", "concurrency", "timeout")
    return first.index(field) if field in first else len(first)


def _row(key: tuple[Group, str], one: Fact | None, other: Fact | None) -> Difference:
    group, field = key
    if group == "image" and one is not None and other is not None:
        return _images(field, one.shown, other.shown)
    same = one is not None and other is not None and _identity(one) == _identity(other)
    legacy = ABSENT if one is None else one.shown or PRESENT
    canary = ABSENT if other is None else other.shown or PRESENT
    if not same and one is not None and other is not None and legacy == canary:
        canary = CHANGED
    return Difference(group, field, legacy, canary, differs=not same)


def _identity(fact: Fact) -> str:
    return fact.token or fact.shown


class Image(msgspec.Struct, frozen=True):
    """A container's image, taken apart; `tag` and `digest` may be empty."""

    repository: str
    tag: str
    digest: str


def parse_image(text: str) -> Image:
    """ "host/project/name:tag@sha256:…" in its parts."""
    rest, _, digest = text.partition("@")
    head, colon, tag = rest.rpartition(":")
    if not colon or "/" in tag:
        return Image(rest, "", digest)
    return Image(head, tag, digest)


def _images(field: str, legacy: str, canary: str) -> Difference:
    """By digest where both have one: the tag may move and the digest stay."""
    one, other = parse_image(legacy), parse_image(canary)
    if one.digest and one.digest == other.digest:
        return Difference("image", field, _tagged(one), _tagged(other), differs=False)
    differs = legacy != canary
    shown = (_show_image(one), _show_image(other))
    if differs and shown[0] == shown[1]:  # the same name elsewhere
        shown = (legacy, canary)
    mine, theirs = (sanitize(text, 200) for text in shown)
    return Difference("image", field, mine, theirs, differs)


def _tagged(image: Image) -> str:
    return image.tag or _short(image.digest)


def _show_image(image: Image) -> str:
    name = image.repository.rpartition("/")[2]
    tag = f":{image.tag}" if image.tag else ""
    return f"{name}{tag} {_short(image.digest)}" if image.digest else f"{name}{tag} (by tag)"


def _short(digest: str) -> str:
    kind, _, hexes = digest.partition(":")
    return f"{kind}:{hexes[:12]}" if hexes else digest[:19]


def label_of(row: Difference) -> str:
    """A row's field as it is shown: "env ION_MODEL", "memory"."""
    named = row.group in ("env", "secrets", "probes")
    return f"{row.group.removesuffix('s')} {row.field}" if named else row.field


def summarize(differences: Differences | None) -> str:
    """One line for a question: "differs: image, commit, 3 env, resources"; why where not known."""
    if differences is None:
        return "differences not known"
    counts: dict[str, int] = {}
    for row in differences.differing:
        if row.group != "revision":
            counts[row.group] = counts.get(row.group, 0) + 1
    if not counts:
        return "differs in nothing but the revision"
    named = [
        f"{count} {group}" if group in ("env", "rest") or count > 1 else group
        for group, count in counts.items()
    ]
    more = len(named) - _SUMMED
    rest = f" and {more} more" if more > 0 else ""
    return f"differs: {', '.join(named[:_SUMMED])}{rest}"
