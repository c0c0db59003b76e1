"""A step that no rollback undoes: marked by a person or a deploy, cleared for one revision."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change import moves
from canary.rollout.change.change import Annotate
from canary.rollout.change.irreversible import (
    MOST_TEXT,
    Irreversible,
    decode_irreversible,
    encode_irreversible,
    find_irreversible,
    format_irreversible,
    format_marked,
)
from canary.rollout.decision.guard import GuardState, advance, arm, view_guard
from canary.rollout.errors import UsageError
from canary.rollout.permit.approval import name_to_type
from canary.rollout.permit.permit import authorize, find_cause, why_not
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.status import status_document, status_line
from tests.rollout.build import NOW, PLAN, request, snapshot, standing, window

MARK = Irreversible("schema 42", "bob", "bastion-2", NOW - 60, "c-0", "ion-api-canary-00007")


def marked(judged: object = None) -> Snapshot:
    base = snapshot(judged)  # type: ignore[arg-type]
    return msgspec.structs.replace(base, irreversible=MARK, standing=standing())


@pytest.mark.parametrize("text", ["", "  ", "false", "No", "none"])
def test_nothing_is_no_mark(text: str) -> None:
    assert decode_irreversible(text) is None


@pytest.mark.parametrize("text", ["schema 42", "true", "{broken", "[1]", "42"])
def test_whatever_else_a_deploy_writes_is_one(text: str) -> None:
    assert decode_irreversible(text) == Irreversible(text)


@given(st.text(min_size=1, max_size=400))
def test_what_is_written_is_read_again_and_bounded(what: str) -> None:
    read = decode_irreversible(encode_irreversible(Irreversible(what, change="c1")))
    assert read is not None
    assert (read.change, len(read.what) <= MOST_TEXT) == ("c1", True)
    assert format_irreversible(read).isprintable()


def test_a_persons_mark_goes_before_a_deploys_and_clearing_is_for_that_revision() -> None:
    cleared = Irreversible(at=NOW, change="c-1", revision="r-7", cleared=True)
    assert find_irreversible(MARK, "schema 41", "r-8") == MARK
    assert find_irreversible(None, "schema 41", "r-8") == Irreversible("schema 41")
    assert find_irreversible(cleared, "schema 41", "r-7") is None
    assert find_irreversible(cleared, "schema 41", "r-8") == Irreversible("schema 41")
    assert find_irreversible(cleared, "", "r-7") is None
    assert find_irreversible(None, "", "r-7") is None


def test_its_words() -> None:
    assert format_irreversible(MARK) == "IRREVERSIBLE: schema 42"
    assert format_marked(MARK) == (
        "IRREVERSIBLE: schema 42, marked by bob@bastion-2 at 2026-03-01 14:02:22Z:"
        " a rollback does not undo it."
    )
    assert "marked by a deploy" in format_marked(Irreversible("schema 41"))


def test_the_change_writes_it_on_canarys_service_and_notes_the_revision() -> None:
    (step,) = moves.mark_irreversible(PLAN, standing(), request(), "schema 42").steps
    assert isinstance(step, Annotate)
    assert (step.service, step.topic, step.before) == ("ion-api-canary", "irreversible", "")
    read = decode_irreversible(step.text)
    assert read is not None
    assert (read.what, read.revision, read.by) == ("schema 42", "ion-api-00007-abc", "oncall")
    with pytest.raises(UsageError):
        moves.mark_irreversible(PLAN, standing(), request(), " ")
    with pytest.raises(UsageError):
        moves.clear_irreversible(PLAN, standing(irreversible=MARK), request())
    (step,) = moves.clear_irreversible(
        PLAN, standing(irreversible=MARK), request(reason="restored")
    ).steps
    assert isinstance(step, Annotate)
    assert step.before == "c-0"
    cleared = decode_irreversible(step.text)
    assert cleared is not None
    assert cleared.cleared


def test_a_rollback_asks_for_the_services_name_and_is_never_refused() -> None:
    for build in (moves.step_back, moves.rollback_all):
        change = build(PLAN, standing(), request())
        assert name_to_type(PLAN, change, 10, MARK) == "ion-api-canary"
        assert name_to_type(PLAN, change, 10) == ""
        authorize(change, marked(), read_only=False)
    promotion = moves.promote(PLAN, standing(), request())
    assert name_to_type(PLAN, promotion, 10, MARK) == ""


def test_automatic_rollback_stands_down_and_says_so_once_even_in_a_countdown() -> None:
    spike = marked(window(error_ratio=0.083))
    seen = find_cause(PLAN, spike)
    assert seen.cause is not None
    assert seen.stands_down == "IRREVERSIBLE: schema 42"
    state, act = advance(arm(GuardState(), "bob", 60.0), seen, (), 0.0, 3)
    assert (act, state.due_at) == ("stood_down", None)
    assert "stands down: IRREVERSIBLE: schema 42" in view_guard(state, 0.0).held
    state, act = advance(state, seen, (), 120.0, 3)
    assert (act, state.due_at) == ("none", None)
    free = find_cause(PLAN, msgspec.structs.replace(spike, irreversible=None))
    counting, act = advance(arm(GuardState(), "bob", 60.0), free, (), 0.0, 3)
    assert act == "begun"
    _, act = advance(counting, seen, (), 61.0, 3)
    assert act == "stood_down"


def test_without_a_cause_nothing_stands_down() -> None:
    seen = find_cause(PLAN, marked())
    assert (seen.cause, seen.stands_down) == (None, "")


def test_state_contract_and_line_name_it() -> None:
    assert find_state(marked(window(error_ratio=0.083)), PLAN).cause.startswith(
        "IRREVERSIBLE: schema 42; error ratio"
    )
    document = status_document(marked(), PLAN)
    assert document["irreversible"] == {
        "what": "schema 42",
        "by": "bob@bastion-2",
        "at": "2026-03-01T14:02:22Z",
        "revision": "ion-api-canary-00007",
    }
    assert "IRREVERSIBLE: schema 42" in status_line(marked(), PLAN)
    assert status_document(snapshot(), PLAN)["irreversible"] is None


def test_a_mark_that_is_not_there_cannot_be_cleared() -> None:
    nothing = msgspec.structs.replace(marked(), irreversible=None)
    said = "Nothing is marked irreversible."
    assert why_not("clear_irreversible", nothing, read_only=False) == said
    assert why_not("clear_irreversible", marked(), read_only=False) is None
