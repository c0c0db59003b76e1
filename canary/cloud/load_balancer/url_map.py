"""Canary's share ↔ the default route of a URL map (compute/v1 `UrlMap` as JSON). Pure.

    {"fingerprint": …, "description": …, "defaultRouteAction": {"weightedBackendServices":
        [{"backendService": ".../backendServices/B", "weight": 0…1000}, …]}}

Weights count by their part of the sum. A PATCH is a merge patch: objects are merged, arrays are
replaced whole, so every entry that is there goes along. Host rules and path matchers stay as they
are, and what they catch is not split by the default route: the verification measures that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from canary.rollout.change.stage_record import StageRecord, decode_record, encode_record
from canary.rollout.errors import Malformed, Rejected
from canary.rollout.plan.plan import Plan, Router
from canary.rollout.text import sanitize

FULL_WEIGHT = 1000
SOURCE = "Compute Engine"

Document = Mapping[str, Any]


def read_percent(router: Router, document: Document) -> int | None:
    """Canary's share (0…100) by the map's default route; None when it has none that splits.

    0 and 100 are said only when they are exact: 99.9 % reads as 99 %, so that nobody takes Legacy
    for idle while a weight is left on it.
    """
    entries = _entries(document)
    total = sum(weight for _, weight in entries)
    if total <= 0:
        return None
    canary = sum(weight for backend, weight in entries if backend == router.canary_backend)
    percent = round(100 * canary / total)
    return percent if canary in (0, total) else min(99, max(1, percent))


def build_patch(
    plan: Plan, document: Document, percent: int, record: StageRecord
) -> dict[str, Any]:
    """The body of the PATCH: weights for `percent` and the record, guarded by the fingerprint.

    Weights that are as wanted are left out. Other backends than the two keep their proportion to
    Legacy's. Raises Malformed for a map without a fingerprint.
    """
    fingerprint = document.get("fingerprint")
    if not isinstance(fingerprint, str) or not fingerprint:
        raise Malformed("The URL map has no fingerprint to guard a change with.", source=SOURCE)
    description = document.get("description")
    text = description if isinstance(description, str) else ""
    patch: dict[str, Any] = {
        "fingerprint": fingerprint,
        "description": write_record(text, plan.record.annotation, record),
    }
    if read_percent(plan.target.router, document) == percent:
        return patch
    patch["defaultRouteAction"] = {"weightedBackendServices": _weigh(plan, document, percent)}
    if "defaultService" in document:
        patch["defaultService"] = None  # a map has either the one or the other
    return patch


def _weigh(plan: Plan, document: Document, percent: int) -> list[dict[str, Any]]:
    """The entries for `percent`; each keeps what else it says (its header actions)."""
    router = plan.target.router
    entries = [dict(one) for one in _weighted(document)]
    names = [_name(one.get("backendService")) for one in entries]
    for backend in (router.legacy_backend, router.canary_backend):
        if backend not in names:
            entries.append({"backendService": backend_path(plan, backend or ""), "weight": 0})
            names.append(backend or "")
    own = names.index(router.canary_backend or "")
    rest = [
        0 if name == router.canary_backend else _weight(one)
        for name, one in zip(names, entries, strict=True)
    ]
    if not any(rest):
        rest[names.index(router.legacy_backend or "")] = 1
    canary = percent * FULL_WEIGHT // 100
    shares = share_out(FULL_WEIGHT - canary, rest)
    for index, entry in enumerate(entries):
        entry["weight"] = canary if index == own else shares[index]
    return entries


def backend_path(plan: Plan, backend: str) -> str:
    """A backend service as a URL map names it."""
    return f"projects/{plan.target.project}/global/backendServices/{backend}"


def _entries(document: Document) -> list[tuple[str, int]]:
    """(backend, weight) of the default route; a single default service has all of it."""
    weighted = _weighted(document)
    if weighted:
        return [(_name(one.get("backendService")), _weight(one)) for one in weighted]
    service = document.get("defaultService")
    return [(_name(service), FULL_WEIGHT)] if service else []


def _weighted(document: Document) -> Sequence[Mapping[str, Any]]:
    action = document.get("defaultRouteAction")
    found = action.get("weightedBackendServices") if isinstance(action, Mapping) else None
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _weight(entry: Mapping[str, Any]) -> int:
    weight = entry.get("weight", 0)
    return weight if isinstance(weight, int) and weight > 0 else 0


def _name(link: object) -> str:
    return link.rpartition("/")[2] if isinstance(link, str) else ""


# The stage record in a free text that people may write in, too: one line, `ANNOTATION={…}`.
#
# A URL map has no annotations; its `description` is the one field in which the record can ride in
# the
# same guarded PATCH as the weights. Pure.

LONGEST_TEXT = 2048
"""Characters that a description may have."""


def read_record(text: str, annotation: str) -> tuple[StageRecord | None, str]:
    """The record in `text` and "", or None and why it cannot be read; None and "" without one."""
    line = next((each for each in text.splitlines() if each.startswith(f"{annotation}=")), None)
    if line is None:
        return None, ""
    try:
        return decode_record(line.partition("=")[2]), ""
    except Malformed as error:
        return None, sanitize(error.message, 300)


def write_record(text: str, annotation: str, record: StageRecord) -> str:
    """`text` with the record as its last line; what people wrote in it stays.

    A reason that is too long for the space that is left is cut, and ends in "…".
    Raises Rejected when there is no space for the record even so.
    """
    kept = [line for line in text.splitlines() if not line.startswith(f"{annotation}=")]
    reason = record.reason
    while True:
        line = f"{annotation}={encode_record(record)}"
        written = "\n".join((*kept, line))
        excess = len(written) - LONGEST_TEXT
        if excess <= 0:
            return written
        if not reason:
            raise Rejected(
                f"The description of the URL map leaves no space for the stage record:"
                f" {len(written)} characters of at most {LONGEST_TEXT}.",
                remedy="Shorten the description of the URL map.",
                source="Compute Engine",
            )
        reason = reason[: max(0, len(reason) - excess - 1)]
        record = msgspec.structs.replace(record, reason=f"{reason}…" if reason else "")


# Sharing out a whole in whole parts, by largest remainder. Pure.


def share_out(whole: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Parts of `whole` in proportion to `weights`; they sum to it, or are all 0 as the weights are.

    What is left by rounding down goes to the largest remainders, of equal ones to the first.
    """
    total = sum(weights)
    if total <= 0:
        return (0,) * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for index in by_remainder[: whole - sum(parts)]:
        parts[index] += 1
    return tuple(parts)
