"""A hold: a person has stopped the rollout where it stands, for everybody, until a moment. Pure.

It is an annotation on the service that carries the split (or stands for it), beside the record:
whoever looks from any host sees it. It blocks promotion and never a rollback. It is never deleted
but written anew as released: whether a mask of Cloud Run merges or replaces is not documented.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Final

import msgspec

from canary.rollout.errors import UsageError
from canary.rollout.plan.zones import at_wall_time, find_zone
from canary.rollout.text import format_until, sanitize

MOST_REASON: Final = 200
"""Characters that are kept of a reason: an annotation is not a log."""
MOST_S: Final = 31 * 86_400.0
"""A hold that ends by itself ends within so long; a longer one is released by a person."""


class Hold(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who holds the rollout, since when (`at`), until when, and why.

    `until` None: until it is released. `change` is the id of the change that wrote it, "" where a
    person did by hand. `released`: it is over, and `by` and `at` are of who released it. Times are
    the cloud's, unix seconds.
    """

    until: float | None = None
    reason: str = ""
    by: str = ""
    host: str = ""
    at: float = 0.0
    change: str = ""
    released: bool = False


UNREADABLE: Final = Hold(reason="what is written on the service cannot be read")
"""What was meant to be a hold, and cannot be read, holds: missing data permits no promotion."""


def encode_hold(hold: Hold) -> str:
    """The annotation's text: compact JSON, with a reason that is cut where it is too long."""
    reason = hold.reason
    if len(reason) > MOST_REASON:
        reason = f"{reason[: MOST_REASON - 1]}…"
    return msgspec.json.encode(msgspec.structs.replace(hold, reason=reason)).decode()


def decode_hold(text: str) -> Hold | None:
    """The hold in an annotation; None where the text is empty, `UNREADABLE` where it is none."""
    if not text.strip():
        return None
    try:
        return msgspec.json.decode(text.encode(), type=Hold)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return UNREADABLE


def find_hold(hold: Hold | None, now: float) -> Hold | None:
    """The hold while it holds: up to its end, and not at it. None: nothing is held."""
    if hold is None or hold.released:
        return None
    return hold if hold.until is None or now < hold.until else None


def format_hold(hold: Hold, now: float) -> str:
    """ "held by bob@bastion-2 until 09:00Z because the database moves"."""
    by = name_holder(hold)
    return f"held{f' by {by}' if by else ''} {format_extent(hold, now)}"


def format_extent(hold: Hold, now: float) -> str:
    """ "until 09:00Z because the database moves"."""
    until = "until released" if hold.until is None else f"until {format_until(hold.until, now)}"
    why = f" because {sanitize(hold.reason, MOST_REASON)}" if hold.reason else ""
    return f"{until}{why}"


def name_holder(hold: Hold) -> str:
    """Who wrote it: "bob@bastion-2"; "" where that is not told."""
    return sanitize(f"{hold.by}@{hold.host}" if hold.host else hold.by, 80)


# Until when, as people type it: "09:00", "14h", "2026-11-27 09:00", "09:00 Europe/Berlin".

UNTIL: Final = (
    'a time ("09:00", UTC), "09:00 Europe/Berlin", "2026-11-27 09:00", or a length ("14h")'
)
_MOMENT: Final = re.compile(
    r"(?:(\d{4})-(\d\d)-(\d\d)[T ])?(\d{1,2}):(\d\d)(?::(\d\d))?(?: ?(Z|[A-Za-z]+(?:/[\w+-]+)*))?"
)
_LENGTH: Final = re.compile(r"(?:(\d+)d)? ?(?:(\d+)h)? ?(?:(\d+)m)?")


def parse_until(text: str, now: float) -> float:
    """The moment that is meant, unix seconds; a time of day alone is the next one, in UTC.

    Raises UsageError: no time, one that has passed, or one that is more than 31 days ahead.
    """
    typed = " ".join(text.split())
    at = _read_length(typed, now)
    if at is None:
        at = _read_moment(typed, now)
    if at is None:
        raise UsageError(f'"{sanitize(typed, 60)}" is no time.', remedy=f"Write {UNTIL}.")
    if at <= now:
        raise UsageError(f"{format_until(at, now)} has passed already.", remedy=f"Write {UNTIL}.")
    if at - now > MOST_S:
        raise UsageError(
            f"{format_until(at, now)} is more than 31 days ahead.",
            remedy="Leave the end out: it then holds until somebody releases it.",
        )
    return at


def split_until(text: str, now: float) -> tuple[float | None, str]:
    """What was typed in one line, as "09:00 the database moves": until when, and why.

    Without a time in front all of it is the reason, and it holds until it is released. "until" and
    "because" may stand where they belong. Raises as `parse_until` for a time that cannot be.
    """
    words = text.split()
    if words and words[0].lower() == "until":
        words = words[1:]
    for count in (3, 2, 1):
        head = " ".join(words[:count])
        is_time = bool(_MOMENT.fullmatch(head) or (head and _LENGTH.fullmatch(head)))
        # A word behind a time is its zone only if there is such a zone.
        named = _MOMENT.fullmatch(head)
        if is_time and (named is None or not named[7] or find_zone(named[7]) is not None):
            rest = words[count:]
            return parse_until(head, now), _because(rest)
    return None, _because(words)


def _because(words: list[str]) -> str:
    return " ".join(words[1:] if words and words[0].lower() == "because" else words)


def _read_length(text: str, now: float) -> float | None:
    found = _LENGTH.fullmatch(text)
    if found is None or not any(found.groups()):
        return None
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return now + days * 86_400.0 + hours * 3600.0 + minutes * 60.0


def _read_moment(text: str, now: float) -> float | None:
    found = _MOMENT.fullmatch(text)
    zone = find_zone(found[7] or "UTC") if found is not None else None
    if found is None or zone is None:
        return None
    hour, minute, second = int(found[4]), int(found[5]), int(found[6] or 0)
    if hour > 23 or minute > 59 or second > 59:
        return None
    if found[1]:
        try:
            day = datetime(int(found[1]), int(found[2]), int(found[3]), tzinfo=UTC).date()
        except ValueError:
            return None
        return at_wall_time(day, hour * 60 + minute, zone) + second
    today = datetime.fromtimestamp(now, zone).date()
    for days in (0, 1, 2):
        at = at_wall_time(today + timedelta(days), hour * 60 + minute, zone) + second
        if at > now:
            return at
    return None
