"""A step that a rollback does not undo: a migrated schema, data in a new form. Pure.

It is marked by a person (an annotation on Canary's service) or by a deploy (the same annotation, on
the service or on the revision, with plain text). It is shown all the time; a rollback asks for the
service's name, and automatic rollback leaves the decision to a person.
"""

from __future__ import annotations

from typing import Final

import msgspec

from canary.rollout.text import format_timestamp, sanitize

MOST_TEXT: Final = 120
"""Characters that are kept of what it is: an annotation is not a log."""
TOPIC: Final = "irreversible"
_NOTHING: Final = frozenset({"", "false", "no", "none"})


class Irreversible(msgspec.Struct, frozen=True, omit_defaults=True):
    """What cannot be undone (`what`), who marked it, when (cloud time), at which Canary revision.

    `change` is the id of the change that wrote it, "" where a deploy did. `cleared`: a person has
    taken the mark away again, and `by`, `at` and `revision` are of that.
    """

    what: str = ""
    by: str = ""
    host: str = ""
    at: float = 0.0
    change: str = ""
    revision: str = ""
    cleared: bool = False


def encode_irreversible(mark: Irreversible) -> str:
    """The annotation's text: compact JSON, with a text that is cut where it is too long."""
    what = mark.what if len(mark.what) <= MOST_TEXT else f"{mark.what[: MOST_TEXT - 1]}…"
    return msgspec.json.encode(msgspec.structs.replace(mark, what=what)).decode()


def decode_irreversible(text: str) -> Irreversible | None:
    """The mark in an annotation; plain text is a deploy's. None for nothing, "false", "no", "none".

    What is meant to be ours and cannot be read counts as a mark: it may hide one.
    """
    plain = text.strip()
    if plain.lower() in _NOTHING:
        return None
    try:
        return msgspec.json.decode(plain.encode(), type=Irreversible)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return Irreversible(sanitize(plain, MOST_TEXT))


def find_irreversible(
    written: Irreversible | None, deployed: str, revision: str
) -> Irreversible | None:
    """What cannot be undone now: `written` on Canary's service, else `deployed` with its revision
    (the annotation's text), unless that was cleared for this revision. None: nothing.
    """
    if written is not None and not written.cleared:
        return written
    found = decode_irreversible(deployed)
    if found is None or found.cleared:
        return None
    return None if written is not None and written.revision == revision else found


def format_irreversible(mark: Irreversible) -> str:
    """ "IRREVERSIBLE: schema 42"."""
    return f"IRREVERSIBLE: {sanitize(mark.what, MOST_TEXT) or 'a step that is not named'}"


def format_marked(mark: Irreversible) -> str:
    """The same, with who marked it, when, and what follows, one sentence."""
    by = sanitize(f"{mark.by}@{mark.host}" if mark.host else mark.by, 80)
    who = f", marked by {by or 'a deploy'}"
    when = f" at {format_timestamp(mark.at)}" if mark.at else ""
    return f"{format_irreversible(mark)}{who}{when}: a rollback does not undo it."
