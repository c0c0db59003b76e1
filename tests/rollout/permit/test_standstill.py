"""A hold and a freeze: promotion alone is blocked, with who, until when and why; to the second."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import Change
from canary.rollout.change.hold import Hold
from canary.rollout.errors import GateNotMet
from canary.rollout.permit.permit import (
    authorize,
    why_not,
    why_not_change,
    why_not_completed,
)
from canary.rollout.plan.freeze import Frozen
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.status import status_document, status_line
from tests.rollout.build import NOW, PLAN, request, snapshot, standing

HOLD = Hold(NOW + 3600, "the database moves", "bob", "bastion-2", NOW - 60, "c-0")
FREEZE = Frozen(NOW + 7200, "weekend")


def ready(**fields: object) -> Snapshot:
    base = snapshot()
    met = tuple(msgspec.structs.replace(g, state="met") for g in base.gates)
    return msgspec.structs.replace(base, gates=met, standing=standing(), **fields)


def test_a_hold_blocks_a_promotion_with_who_until_when_and_why_forced_or_not() -> None:
    held, promotion = ready(hold=HOLD), moves.promote(PLAN, standing(), request(reason="now"))
    said = "Held by bob@bastion-2 until 15:03:22Z because the database moves."
    assert why_not("promote", held, read_only=False) == said
    for force in (False, True):
        with pytest.raises(GateNotMet, match="Held by bob") as caught:
            authorize(promotion, held, read_only=False, force=force)
        assert "canary release" in caught.value.remedy
    authorize(promotion, ready(), read_only=False)


def test_a_freeze_blocks_a_promotion_unless_it_is_forced_with_a_reason() -> None:
    frozen, promotion = ready(freeze=FREEZE), moves.promote(PLAN, standing(), request(reason="now"))
    said = "Frozen by the plan until 16:03:22Z because weekend."
    assert why_not("promote", frozen, read_only=False) == said
    with pytest.raises(GateNotMet, match="Frozen by the plan"):
        authorize(promotion, frozen, read_only=False)
    authorize(promotion, frozen, read_only=False, force=True)


@pytest.mark.parametrize("kind", ["step_back", "rollback_all", "adopt", "revert", "scale", "hold"])
def test_nothing_but_a_promotion_is_blocked(kind: str) -> None:
    both, free = ready(hold=HOLD, freeze=FREEZE), ready()
    assert why_not(kind, both, read_only=False) == why_not(kind, free, read_only=False)  # type: ignore[arg-type]


def test_going_back_is_authorized_under_both() -> None:
    both = ready(hold=HOLD, freeze=FREEZE)
    for build in (moves.step_back, moves.rollback_all):
        authorize(build(PLAN, standing(), request()), both, read_only=False)


def test_a_hold_may_be_set_while_another_change_is_in_flight_and_not_read_only() -> None:
    change = moves.hold(PLAN, standing(), request(reason="why"), None)
    authorize(change, ready(), read_only=False)
    assert why_not("hold", ready(), read_only=True) == "This console is read-only."
    assert why_not("release", ready(), read_only=False) == "Nothing is held."
    assert why_not("release", ready(hold=HOLD), read_only=False) is None


def test_the_state_is_held_and_neither_ready_nor_above_an_alarm() -> None:
    state = find_state(ready(hold=HOLD, freeze=FREEZE), PLAN)
    assert (state.id, state.word, state.glyph) == ("held", "HELD", "◌")
    assert state.cause == "by bob@bastion-2 until 15:03:22Z because the database moves"
    assert state.next == "no promotion until 15:03:22Z"
    assert (state.actor.kind, state.actor.who) == ("other", "bob@bastion-2")
    frozen = find_state(ready(freeze=FREEZE), PLAN)
    assert (frozen.id, frozen.next) == ("held", "no promotion until 16:03:22Z")
    endless = find_state(ready(hold=Hold(None, "x"), freeze=FREEZE), PLAN)
    assert endless.next == "no promotion until it is released"


def test_the_contract_and_the_line_say_it() -> None:
    document = status_document(ready(hold=HOLD, freeze=FREEZE), PLAN)
    assert document["hold"] == {
        "by": "bob@bastion-2",
        "since": "2026-03-01T14:02:22Z",
        "until": "2026-03-01T15:03:22Z",
        "reason": "the database moves",
    }
    assert document["freeze"] == {"until": "2026-03-01T16:03:22Z", "reason": "weekend"}
    assert "HELD until 15:03:22Z" in status_line(ready(hold=HOLD), PLAN)
    assert "HELD" not in status_line(ready(), PLAN)
    assert (status_document(ready(), PLAN)["hold"], status_document(ready(), PLAN)["freeze"]) == (
        None,
        None,
    )


def completing(**fields: object) -> tuple[Change, Snapshot]:
    """What an approval has left undone: Canary is production, Legacy has its instances."""
    at = standing(5)
    there = msgspec.structs.replace(ready(**fields), standing=at, gates=())
    return moves.complete_approval(PLAN, at, request(reason="now")), there


@pytest.mark.parametrize(
    ("fields", "said"),
    [({"hold": HOLD}, "Held by bob"), ({"freeze": FREEZE}, "Frozen by the plan")],
    ids=["hold", "freeze"],
)
def test_what_an_approval_left_undone_is_blocked_as_a_promotion(
    fields: dict[str, object], said: str
) -> None:
    change, there = completing(**fields)
    for why in (why_not_completed(there, False), why_not_change(change, there, False)):
        assert why is not None
        assert said in why
    with pytest.raises(GateNotMet, match=said):
        authorize(change, there, read_only=False)
    by_hand = moves.scale(PLAN, standing(5), request(), "legacy", PLAN.scale.backup)
    authorize(by_hand, there, read_only=False)


def test_an_approval_is_not_completed_on_a_verdict_that_calls_for_going_back() -> None:
    change, there = completing()
    assert why_not_completed(there, False) is None
    authorize(change, there, read_only=False)
    verdict = msgspec.structs.replace(there.decision, verdict="rollback_all")
    bad = msgspec.structs.replace(there, decision=verdict)
    assert "Blocked" in (why_not_change(change, bad, False) or "")
    with pytest.raises(GateNotMet, match="Not every gate is met"):
        authorize(change, bad, read_only=False)
    authorize(change, bad, read_only=False, force=True)
