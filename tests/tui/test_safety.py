"""Rollback readiness, automatic rollback, and what is not finished, on the screen."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.decision.guard import GuardView
from canary.rollout.decision.readiness import Readiness, RollbackFacts, judge_readiness
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import ChangeView, Event, OperatorSession, Presence, Snapshot
from tests.tui import scenes
from tests.tui.scripted import rows, staged
from tests.widgets.evidence_scenes import ADVICE, VIEW
from tui.pages.summary import rings, terminal_title
from widgets.bars.proposal import Proposal

SIZES = [(80, 24), (120, 40), (200, 60)]
WAY = RollbackFacts(
    "ion-api",
    revision="ion-api-00007-abc",
    revision_ready=True,
    missing_rights=(),
    scale=ScalePreset(1, 10),
    expected_s=12.4,
)
ARMED = GuardView(armed=True, by="oncall@bastion-2", countdown_s=60.0)
COUNTING = GuardView(True, "oncall@bastion-2", 60.0, "error ratio 8 % > 5 %", "rollback_all", 43.0)


def judged(**changes: Any) -> Readiness:
    return judge_readiness(msgspec.structs.replace(WAY, **changes))


def at(**changes: Any) -> Snapshot:
    """A healthy stage 2 with a rollback readiness, and what else is given."""
    given = {"readiness": judged(), "guard": GuardView(armed=False), **changes}
    return msgspec.structs.replace(scenes.snapshot(), **given)


def line(text: str, word: str) -> str:
    return next(iter(rows(text, word)))


def change(outcome: Outcome | None = None, **more: Any) -> ChangeView:
    title = "roll back all 10 % → 0 %"
    return ChangeView("c9", "rollback_all", title, "me@host", scenes.NOW, "", outcome, **more)


WAITS = change(waiting_since=scenes.NOW - 5, is_withdrawable=True)
UNKNOWN = change(Outcome("unknown", "No answer came.", scenes.NOW, remedy="Look it up."))
NO_TARGET = judged(exists=False)


# -- rollback readiness ---------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_the_way_back_and_automatic_rollback_are_always_there(size: tuple[int, int]) -> None:
    async with staged(size, at()) as stage:
        shown = line(stage.frame(), "rollback ready")
        assert "✓ rollback ready, about 12 s" in shown
        assert "auto rollback off, press A to arm" in shown
        assert ("✓ etag fresh" in shown) == (size[0] == 200)


async def test_what_is_not_known_is_not_ready() -> None:
    async with staged((80, 24), at(readiness=None)) as stage:
        assert "… checking rollback readiness" in stage.frame()
        await stage.emit(at(readiness=judged(missing_rights=None)))
        assert "… checking the right" in stage.frame()


async def test_of_what_is_being_checked_none_is_cut_where_one_has_room() -> None:
    seen = judged(revision_ready=None, missing_rights=None)
    assert seen.is_only_unknown
    first = seen.reasons[0][1:]
    async with staged((80, 24), at(readiness=seen)) as stage:
        said = line(stage.frame(), "… checking")
        assert f"{first}   auto rollback off" in said
    async with staged((200, 60), at(readiness=seen)) as stage:
        said = line(stage.frame(), "… checking")
        assert f"{first} {seen.reasons[1]}   auto rollback off" in said


@pytest.mark.parametrize("size", [(40, 10), *SIZES])
async def test_no_way_back_is_loud_and_says_what_to_do(size: tuple[int, int]) -> None:
    async with staged(size, at(readiness=NO_TARGET)) as stage:
        text = stage.frame()
        assert "✗ ROLL BACK ALL IS NOT POSSIBLE NOW" in text
        assert "✗ ROLLBACK NOT POSSIBLE" in text
        assert (
            "→ Deploy a revision of ion-api" if size[0] > 40 else "NEXT Deploy a revision"
        ) in text


def test_the_bell_rings_once_when_the_way_back_is_lost() -> None:
    well, lost = at(), at(readiness=NO_TARGET)
    assert [rings(well, lost), rings(lost, lost), rings(lost, well)] == [True, False, False]


def test_the_bell_rings_when_it_begins_to_count_and_when_it_acts() -> None:
    armed, counting = at(guard=ARMED), at(guard=COUNTING)
    acted = at(guard=ARMED, changes=(change(is_automatic=True),))
    assert rings(armed, counting)
    assert not rings(counting, counting)
    assert rings(counting, acted)
    assert not rings(armed, at(guard=ARMED, changes=(change(),)))


def test_the_bell_rings_when_the_end_of_a_change_is_not_known() -> None:
    assert rings(at(changes=(change(),)), at(changes=(UNKNOWN,)))


def test_the_title_says_what_is_more_urgent_than_the_verdict() -> None:
    assert terminal_title(at(readiness=NO_TARGET), scenes.plan()).startswith(
        "✗ ROLLBACK NOT POSSIBLE 10 % "
    )
    assert terminal_title(at(guard=COUNTING), scenes.plan()).startswith("✗ AUTO ROLLBACK COUNTS ")


async def test_the_last_move_is_told_where_there_is_room_with_its_day() -> None:
    entry = HistoryEntry(
        scenes.NOW - 80_000, "promote", 10, 2, "alice", "bastion-3", 5, why="soaked " * 9
    )
    async with staged((200, 60), at(presence=Presence((), entry))) as stage:
        shown = line(stage.frame(), "rollback ready")
        assert "✓ etag fresh" in shown
        assert "last: 02-28 alice@bastion-3 promoted 5 % → 10 %" in shown
        assert shown.endswith("…")


@pytest.mark.parametrize("size", SIZES)
async def test_its_page_has_every_check_the_people_and_the_last_moves(
    size: tuple[int, int],
) -> None:
    bob = OperatorSession(4711, "bob", "bastion-2", scenes.NOW, terminal="pts/3", client="10.0.0.7")
    entry = HistoryEntry(scenes.NOW, "promote", 10, 2, "alice", "bastion-3", 5)
    full = at(
        readiness=judged(needed=30.0),
        presence=Presence((bob,), entry),
    )
    async with staged(size, full) as stage:
        assert "also here: bob" in stage.frame() or size[0] == 80
        await stage.press("b")
        await stage.press(*["pagedown"] * 2 * (size[1] < 30))
        text = stage.frame()
        assert "bob on pts/3 from 10.0.0.7 since 14:03:22Z (console, process 4711)" in text
        assert "alice@bastion-3 promoted 5 % → 10 % at 14:03:22Z" in text
        await stage.press("pageup", "pageup")
        assert "→ Let ion-api run more instances before everything goes back" in stage.frame()
        await stage.press("escape")
        assert not stage.app.main.zoomed


async def test_a_change_in_flight_elsewhere_is_shown() -> None:
    entry = HistoryEntry(scenes.NOW, "promote", 25, 3, "bob", "bastion-3", 10)
    async with staged((120, 40), at(presence=Presence((), entry, entry))) as stage:
        assert "▸ IN FLIGHT ELSEWHERE bob@bastion-3 promoted 10 % → 25 %" in stage.frame()


# -- automatic rollback --------------------------------------------------------------------------


async def test_it_is_armed_by_a_question_and_disarmed_at_once() -> None:
    async with staged((80, 24), at()) as stage:
        await stage.press("A")
        assert (
            "Arm automatic rollback  acts 1 m after the decision tree calls for it  c st"
            in stage.frame()
        )
        await stage.press("A", "n")
        assert stage.engine.asked == []
        await stage.press("A")
        await stage.press("y")
        assert stage.engine.asked == [("arm", None)]
        await stage.emit(at(guard=ARMED))
        assert "● AUTO ROLLBACK ARMED, 1 m" in stage.frame()
        await stage.press("A")
        assert stage.engine.asked[1:] == [("disarm",)]


@pytest.mark.parametrize("size", [(40, 10), *SIZES])
async def test_a_countdown_takes_the_line_and_one_key_stops_it(size: tuple[int, int]) -> None:
    async with staged(size, at(guard=COUNTING)) as stage:
        assert "AUTO in 43 s, c stops it" in stage.frame()
        assert "✗ AUTO ROLLBACK in 43 s" in stage.frame() or size == (40, 10)
        await stage.press("c")
        assert stage.engine.asked == [("cancel",)]


async def test_the_key_that_stops_it_works_beside_an_open_question() -> None:
    async with staged((80, 24), at(guard=COUNTING)) as stage:
        await stage.press("R")
        await stage.press("c")
        assert stage.engine.asked == [("cancel",)]
        assert "y confirm" in stage.frame()
        await stage.press("y")
        assert [c.kind for c in stage.engine.sent] == ["rollback_all"]


async def test_while_a_name_is_typed_it_is_a_letter() -> None:
    async with staged((80, 24), at(guard=COUNTING)) as stage:
        stage.app.main.talk.open(Proposal("c1", "Into production", typed_name="canary"))
        await stage.settle()
        await stage.press("c")
        assert "type canary: c" in stage.frame()
        assert stage.engine.asked == []


async def test_why_it_holds_is_said_and_who_armed_it_elsewhere() -> None:
    held = msgspec.structs.replace(ARMED, held="3 times in 24 hours is the limit")
    async with staged((120, 40), at(guard=held)) as stage:
        assert "ARMED, 1 m, paused: 3 times in 24 hours is the limit" in stage.frame()
        guard = OperatorSession(99, "oncall", "bastion-2", scenes.NOW, "guard", armed=True)
        await stage.emit(at(presence=Presence((guard,))))
        assert "● auto rollback armed by canary guard, process 99" in stage.frame()
        counts = msgspec.structs.replace(guard, due_at=scenes.NOW + 43, cause="p95 41 s > 30 s")
        await stage.emit(at(presence=Presence((counts,))))
        shown = line(stage.frame(), "AUTO ROLLBACK")
        assert "✗ AUTO ROLLBACK in 43 s  by canary guard: p95 41 s > 30 s" in shown
        assert shown.endswith("process 99")


async def test_read_only_arms_nothing_and_says_why() -> None:
    async with staged((80, 24), at(), read_only=True) as stage:
        await stage.press("A")
        assert "This console is read-only" in stage.frame()
        assert "A arms" not in stage.frame()
        assert stage.engine.asked == []


async def test_without_the_right_to_change_it_is_not_armed() -> None:
    denied = at(missing_rights=("run.services.update on ion-api",))
    async with staged((80, 24), denied) as stage:
        assert "A arms" not in stage.frame()
        await stage.press("A")
        assert "It could not act: the right to change the split is missing." in stage.frame()


async def test_what_it_did_is_told_from_what_a_person_did() -> None:
    done = Outcome("done", "All traffic is on Legacy.", scenes.NOW)
    async with staged((120, 40), at(changes=(change(done, is_automatic=True),))) as stage:
        assert "✓ DONE  AUTOMATIC ROLLBACK roll back all" in stage.frame()


# -- what is not finished ------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_rollback_that_waits_says_since_when_and_is_taken_back(
    size: tuple[int, int],
) -> None:
    async with staged(size, at(changes=(WAITS,))) as stage:
        text = stage.frame()
        assert "◐ WAITING FOR CLOUD RUN since 14:03:17Z" in text
        assert "W withdraws it" in text
        assert "nothing has gone out yet (5 s): it goes out the moment Cloud Run answers" in text
        await stage.press("W")
        assert stage.engine.asked == [("withdraw", "c9")]


async def test_a_rollback_that_waits_in_a_shell_is_seen() -> None:
    shell = OperatorSession(99, "bob", "bastion-2", scenes.NOW, "rollback")
    async with staged((80, 24), at(presence=Presence((shell,)))) as stage:
        assert "◐ bob waits in a shell to roll back (process 99): goes out when" in stage.frame()


async def test_without_a_waiting_change_there_is_nothing_to_take_back() -> None:
    async with staged((80, 24), at(changes=(change(),))) as stage:
        await stage.press("W")
        assert "No change waits for Cloud Run." in stage.frame()
        assert stage.engine.asked == []


@pytest.mark.parametrize("size", SIZES)
async def test_an_unknown_end_names_its_ways_on(size: tuple[int, int]) -> None:
    async with staged(size, at(changes=(UNKNOWN,))) as stage:
        text = stage.frame()
        assert "? OUTCOME UNKNOWN" in text
        assert "i check status   G resume   D abandon   o show" in text
        await stage.press("i")
        assert stage.engine.asked == [("verify", "c9")]
        said = f"looked up: {UNKNOWN.title}: It was sent, and nothing is to be seen."
        found = Event(scenes.NOW, "warning", said)
        await stage.emit(at(changes=(UNKNOWN,), events=(found,)))
        assert "› It was sent, and nothing is to be seen." in stage.frame()


@pytest.mark.parametrize(("key", "how"), [("G", "resume"), ("D", "abandon")])
async def test_going_on_and_giving_up_are_asked_about(key: str, how: str) -> None:
    async with staged((80, 24), at(changes=(UNKNOWN,))) as stage:
        await stage.press(key)
        assert f"$ canary recover c9 --{how}" in stage.frame()
        await stage.press("n")
        assert stage.engine.asked == []
        await stage.press(key)
        await stage.press("y")
        assert stage.engine.asked == [(how, "c9")]


async def test_of_several_the_cursor_says_which() -> None:
    older = msgspec.structs.replace(UNKNOWN, id="c1", title="scale ion-api 1–10 → 0–1")
    async with staged((80, 24), at(changes=(UNKNOWN, older))) as stage:
        await stage.press("o", "down")
        assert "▶ scale ion-api" in stage.frame()
        await stage.press("i")
        assert stage.engine.asked == [("verify", "c1")]


async def test_with_every_end_known_there_is_nothing_to_recover() -> None:
    async with staged((80, 24), at()) as stage:
        await stage.press("G")
        assert "No pending changes." in stage.frame()
        await stage.press("o")
        assert "✓ no pending changes" in stage.frame()


async def test_a_key_dismisses_a_proof_after_a_reason_and_a_question() -> None:
    async with staged((120, 40), at(evidence=VIEW, advice=ADVICE)) as stage:
        await stage.press("N", *"new disk", "enter")
        assert "because: new disk" in stage.frame()
        assert "canary evidence --dismiss --reason 'new disk'" in stage.frame()
        assert "Dismiss the proof" in stage.frame()
        assert "Canary is proven to be worse: 5xx at 14:18:00Z" in stage.frame()
        assert stage.engine.asked == []
        await stage.press("y")
        assert stage.engine.asked == [("dismiss_proof", "errors", "new disk")]


async def test_a_proof_is_not_dismissed_without_a_reason() -> None:
    async with staged((120, 40), at(evidence=VIEW, advice=ADVICE)) as stage:
        await stage.press("N", "space", "enter")
        assert "A proof is dismissed only with a reason" in stage.frame()
        await stage.press("y")
        assert stage.engine.asked == []


async def test_without_a_proof_there_is_nothing_to_dismiss() -> None:
    async with staged((120, 40), at()) as stage:
        await stage.press("N")
        assert "No regression of Canary is proven: there is nothing to dismiss." in stage.frame()
        assert stage.engine.asked == []
