"""The final approval in words, and what completes one that ended half-way."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from canary.rollout.change import moves
from canary.rollout.change.change import Change, Request, is_final_approval
from canary.rollout.change.text import format_order, format_step
from canary.rollout.errors import CanaryError, GateNotMet
from canary.rollout.permit import permit
from canary.rollout.permit.approval import describe_consequences, format_evidence
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from tui.actions.pending import Pending, Situation, make_request, pin

if TYPE_CHECKING:
    from widgets.pages.approval import Approval

COMPLETE = "Complete the final approval"


def approval_of(change: Change, plan: Plan, snapshot: Snapshot) -> Approval | None:
    """What the page of the final approval shows; None for every other change."""
    if not is_final_approval(change):
        return None
    from widgets.pages.approval import Approval  # here: the first frame comes before the pages

    return Approval(
        change_id=change.id,
        becomes_true=describe_consequences(change, plan),
        steps=tuple(map(format_step, change.steps)),
        order=format_order(change),
        evidence=format_evidence(snapshot.gates),
    )


def is_half_way(situation: Situation) -> bool:
    """Whether Canary is production, and a scale that belongs to it is missing."""
    snapshot = situation.snapshot
    if snapshot is None or snapshot.standing is None:
        return False
    request = Request("", situation.author, situation.now)
    try:
        moves.complete_approval(situation.plan, snapshot.standing, request)
    except CanaryError:
        return False
    return True


def prepare_completion(situation: Situation, new_id: Callable[[], str]) -> Pending:
    """What is missing of a final approval, as a change. Raises CanaryError when it may not be."""
    snapshot = situation.snapshot
    reason = permit.why_not("scale", snapshot, situation.read_only)
    if reason is not None or snapshot is None or snapshot.standing is None:
        raise GateNotMet(reason or "Cloud Run has not answered yet.")
    request = make_request(situation, snapshot, new_id)
    change = moves.complete_approval(situation.plan, snapshot.standing, request)
    return msgspec.structs.replace(pin(situation, snapshot, change), title=COMPLETE)
