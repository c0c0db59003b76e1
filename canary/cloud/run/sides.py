"""Which revision of one service is Canary's, which Legacy's, and which is neither. Pure.

Legacy is not "100 − candidate": a deploy with `--no-traffic --tag candidate` moves the tag, and the
revision that had it keeps its percent without a tag (google-github-actions/deploy-cloudrun#529).
"""

from __future__ import annotations

from typing import Any

import msgspec

from canary.cloud.run.services import Target, find_candidate, read_targets
from canary.rollout.change.change import Portion, Side
from canary.rollout.change.history_entries import history_key, read_history, was_rolled_back
from canary.rollout.change.stage_record import decode_record
from canary.rollout.errors import Malformed
from canary.rollout.plan.plan import Plan


class Past(msgspec.Struct, frozen=True):
    """What the service's annotations say of the rollout before.

    `stable` is Legacy's revision as it was noted at the last change ("" for none). `canaries` are
    those that are not Legacy's: while a rollout is `under_way` (by the record Canary has a share)
    all that have been Canary's, else those that were rolled back. What was promoted to the end is
    the next rollout's Legacy.
    """

    stable: str = ""
    canaries: frozenset[str] = frozenset()
    under_way: bool = False


class Sides(msgspec.Struct, frozen=True):
    """The revisions of both sides, "" where not known, and what else has traffic."""

    candidate: str
    stable: str
    others: tuple[Portion, ...] = ()


def stable_key(annotation: str) -> str:
    """The annotation that holds Legacy's revision, beside the record's own."""
    return f"{annotation}-stable"


def read_past(plan: Plan, service: Any) -> Past:
    """From the annotations; what cannot be read says nothing."""
    key, notes = plan.record.annotation, dict(service.annotations)
    try:
        record = decode_record(notes[key]) if key in notes else None
    except Malformed:
        record = None
    history = read_history(notes.get(history_key(key), "[]"))
    under_way = record is not None and record.percent > 0
    canaries = {e.revision for e in history if under_way or was_rolled_back(e.revision, history)}
    if record is not None and under_way:
        canaries.add(record.revision)
    return Past(notes.get(stable_key(key), ""), frozenset(canaries - {""}), under_way)


def find_sides(candidate: str, service: Any, past: Past, traffic: Any = None) -> Sides:
    """Both sides by `traffic` (None: what is set), and what is neither.

    `candidate` is a tag or a revision's name, as of `find_candidate`.
    """
    own = find_candidate(candidate, service) or ""
    shares = _shares(read_targets(service, service.traffic if traffic is None else traffic))
    stable = _find_stable(own, read_targets(service, service.traffic), past)
    others = tuple(
        Portion(name, percent)
        for name, percent in shares.items()
        if percent > 0 and name not in (own, stable)
    )
    # Without a known Legacy revision nobody can say that a third one is not it.
    return Sides(own, stable, others if stable else ())


def side_of_revision(revision: str, candidate: str | None, stable: str) -> Side | None:
    """Whose a revision is; None: neither's. Where Legacy's is not known, all but the candidate."""
    if revision == candidate:
        return "canary"
    return "legacy" if not stable or revision == stable else None


def _find_stable(own: str, targets: tuple[Target, ...], past: Past) -> str:
    """Legacy's revision; "" where nothing tells it.

    The noted one while it has traffic; else the newest revision, where traffic follows that; else,
    while Canary has a share by the record, the noted one even so; else whatever has the most.
    What has been Canary's is never taken for Legacy's.
    """
    shares = _shares(targets)
    ours = {own, *past.canaries}
    rest = {n: p for n, p in shares.items() if n not in ours and p > 0}
    noted = past.stable if past.stable != own else ""
    if noted and shares.get(noted, 0) > 0:
        return noted
    following = [t for t in targets if t.latest and t.percent > 0 and t.revision in rest]
    if following:
        return following[0].revision
    if noted and (past.under_way or not rest):
        return noted
    return max(rest, key=lambda name: rest[name]) if rest else ""


def _shares(targets: tuple[Target, ...]) -> dict[str, int]:
    shares: dict[str, int] = {}
    for target in targets:
        shares[target.revision] = shares.get(target.revision, 0) + target.percent
    return shares
