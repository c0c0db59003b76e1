"""From a key to a change: greyed keys, the strip, typed-ahead keys, a world that moves."""

from __future__ import annotations

import msgspec
import pytest
from rich.console import Console
from textual import events
from textual._compositor import CompositorUpdate

from canary.rollout.change.change import SetScale, SetTraffic
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import Drift, Snapshot
from tests.tui import scenes
from tests.tui.scripted import greyed, staged
from tui.palette import best
from widgets.bars.confirm_strip import ConfirmStrip


def ready() -> Snapshot:
    """Stage 2 with every gate met."""
    return scenes.snapshot(soaked_hours=25)


async def test_two_keys_take_everybody_off() -> None:
    async with staged() as stage:
        await stage.press("R")
        assert "Roll back all" in stage.frame()
        assert stage.engine.sent == []
        await stage.press("y")
        (change,) = stage.engine.sent
        assert change.kind == "rollback_all"
        (step,) = change.steps
        assert isinstance(step, SetTraffic)
        assert step.percent == 0
        assert step.guard.etag == "etag-1"
        assert change.author == scenes.AUTHOR


async def test_everybody_off_works_without_any_data() -> None:
    async with staged((80, 24), scenes.snapshot(canary_samples=False)) as stage:
        await stage.press("R", "y")
        assert [c.kind for c in stage.engine.sent] == ["rollback_all"]
        assert stage.engine.sent[0].evidence.verdict == "no_data"
        assert stage.engine.sent[0].evidence.error_ratio is None


@pytest.mark.parametrize("key", ["n", "escape"])
async def test_leaving_the_strip_changes_nothing(key: str) -> None:
    async with staged() as stage:
        await stage.press("R", key, "y")
        assert stage.engine.sent == []
        assert "y confirm" not in stage.frame()


async def test_the_key_that_opens_the_strip_does_not_confirm_it() -> None:
    async with staged() as stage:
        await stage.press("R", "R", "enter", "space")
        assert stage.engine.sent == []


async def test_everybody_off_takes_the_place_of_whatever_else_is_asked() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        assert "Promote to stage 3" in stage.frame()
        await stage.press("R")
        assert "Roll back all" in stage.frame()
        await stage.press("y")
        assert [c.kind for c in stage.engine.sent] == ["rollback_all"]


async def test_a_change_that_is_refused_leaves_the_open_question_too() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("R", "5")
        assert "Stage 5 is entered from stage 4" in stage.frame()
        await stage.press("y")
        assert stage.engine.sent == []


async def test_the_key_of_the_open_question_does_not_ask_it_anew() -> None:
    async with staged() as stage:
        await stage.press("R")
        asked = stage.app.commands.context.pending
        await stage.press("R")
        assert stage.app.commands.context.pending is asked


async def test_a_key_typed_ahead_of_the_strip_does_not_count() -> None:
    async with staged() as stage:
        early = events.Key("y", "y")
        await stage.press("R")
        driver = stage.app._driver
        early.set_sender(stage.app)
        driver.send_message(early)
        await stage.settle()
        assert stage.engine.sent == []
        await stage.press("y")
        assert len(stage.engine.sent) == 1


async def test_both_keys_in_one_burst_are_one_key() -> None:
    """What reaches the terminal in one read was typed before the strip could be seen."""
    async with staged() as stage:
        driver = stage.app._driver
        for key in ("R", "y"):
            event = events.Key(key, key)
            event.set_sender(stage.app)
            driver.send_message(event)
        await stage.settle()
        assert stage.engine.sent == []
        assert "Roll back all" in stage.frame()


async def test_confirming_twice_is_one_change() -> None:
    async with staged() as stage:
        await stage.press("R", "y", "y", "y")
        assert len(stage.engine.sent) == 1


async def test_promotion_needs_every_gate() -> None:
    async with staged() as stage:
        assert "promote" in greyed(stage.app)
        await stage.press("p")
        assert "› Blocked: soak 17 h 12 m of 24 h." in stage.frame()
        assert "y confirm" not in stage.frame()


async def test_promotion_shows_what_it_does_and_on_what() -> None:
    async with staged((160, 48), ready()) as stage:
        assert "promote" not in greyed(stage.app)
        await stage.press("p")
        text = stage.frame()
        assert "Promote to stage 3" in text
        assert "canary 10 % → 25 %" in text
        assert "ion-api-00007-abc" in text
        assert "on data 74 s old" in text
        assert "$ gcloud run services update ion-api" in text
        await stage.press("y")
        assert [(c.kind, c.to_stage) for c in stage.engine.sent] == [("promote", 3)]


async def test_giving_canary_everything_asks_for_its_name() -> None:
    plan = scenes.plan()
    stages = (*plan.stages[:3], msgspec.structs.replace(plan.stages[3], min_ab_improvement=None))
    plan = msgspec.structs.replace(plan, stages=(*stages, plan.stages[4]))
    async with staged(
        (120, 40), scenes.snapshot(plan, stage=4, soaked_hours=80), plan=plan
    ) as stage:
        await stage.press("p", "y", "enter")
        assert stage.engine.sent == []
        await stage.press("backspace", *"ion-api", "enter")
        assert stage.engine.sent == []
        await stage.press(*"-canary", "enter")
        assert [c.to_stage for c in stage.engine.sent] == [5]


async def test_the_strip_dies_when_the_world_changes() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        moved = scenes.snapshot(soaked_hours=25, percent=40, etag="etag-2")
        await stage.emit(moved)
        assert "ion-api was changed meanwhile by oncall: the split is now 40 %" in stage.frame()
        assert "Nothing was sent." in stage.frame()
        await stage.press("y")
        assert stage.engine.sent == []
        await stage.press("escape")
        assert "y confirm" not in stage.frame()


async def test_an_answer_that_meets_a_dying_strip_says_why_nothing_was_sent() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        strip = stage.app.screen.query_one(ConfirmStrip)
        assert strip.proposal is not None
        on_its_way = ConfirmStrip.Accepted(strip.proposal)
        await stage.emit(scenes.snapshot(soaked_hours=25, percent=40, etag="etag-2"))
        strip.post_message(on_its_way)
        await stage.press("f12")
        assert stage.engine.sent == []
        assert strip.proposal is None
        assert "Nothing was sent. ion-api was changed meanwhile by oncall" in stage.frame()


async def test_the_strip_lives_while_only_numbers_change() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        await stage.emit(scenes.snapshot(soaked_hours=25.1, error_ratio=0.004))
        await stage.press("y")
        assert len(stage.engine.sent) == 1


async def test_a_promotion_dies_when_a_gate_closes_under_it() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        await stage.emit(scenes.snapshot(soaked_hours=25, error_ratio=0.09))
        assert "Blocked: error ratio" in stage.frame()
        await stage.press("y")
        assert stage.engine.sent == []


async def test_a_rollback_survives_a_cloud_that_stops_answering() -> None:
    silent = scenes.SourceView("Cloud Run", "failing", "UNAVAILABLE: try later", scenes.NOW)
    async with staged() as stage:
        await stage.press("R")
        await stage.emit(scenes.snapshot(sources=(silent,)))
        await stage.press("y")
        assert len(stage.engine.sent) == 1


@pytest.mark.parametrize(
    ("at", "key", "kind", "to"),
    [
        (2, "1", "step_back", 1),
        (3, "1", "step_back", 1),
        (3, "2", "step_back", 2),
        (2, "3", "promote", 3),
    ],
)
async def test_a_digit_goes_to_that_stage(at: int, key: str, kind: str, to: int) -> None:
    async with staged((120, 40), scenes.snapshot(stage=at, soaked_hours=50)) as stage:
        await stage.press(key, "y")
        assert [(c.kind, c.to_stage) for c in stage.engine.sent] == [(kind, to)]


@pytest.mark.parametrize(
    ("key", "answer"),
    [
        ("2", "The rollout is at stage 2 already."),
        ("5", "Stage 5 is entered from stage 4: the next one is 3."),
        ("a", "The split is what the record says."),
        ("j", "j is no key here; ? shows all."),
        ("space", "space is no key here; ? shows all."),
        ("x", "Nothing runs here that could be stopped."),
        ("ctrl+c", "q leaves the console."),
        ("enter", "There is no result to dismiss."),
    ],
)
async def test_a_key_that_can_do_nothing_says_why(key: str, answer: str) -> None:
    async with staged() as stage:
        await stage.press(key)
        assert answer in stage.frame()
        assert stage.engine.sent == []


async def test_at_stage_one_there_is_no_step_back() -> None:
    async with staged((120, 40), scenes.snapshot(stage=1)) as stage:
        assert "one stage" in greyed(stage.app)
        await stage.press("r")
        assert "There is no stage before this one" in stage.frame()


@pytest.mark.parametrize("key", ["p", "r", "R", "s", "a", "u", "1", "3"])
async def test_read_only_refuses_every_change_and_hides_nothing(key: str) -> None:
    async with staged((120, 40), ready(), read_only=True) as stage:
        assert "READ-ONLY" in stage.frame()
        assert " gates ─" in stage.frame()
        await stage.press(key, "y", "enter")
        assert stage.engine.sent == []
        assert "y confirm" not in stage.frame()


async def test_drift_is_shown_and_adopted() -> None:
    drift = Drift(10, 25, "somebody@example.com", scenes.NOW)
    async with staged((120, 40), scenes.snapshot(percent=25, drift=drift)) as stage:
        said = "≠ drift: set to 25 %, recorded 10 %   a adopt  u revert   at 14:03:22Z by somebody@"
        assert said in stage.frame()
        await stage.press("a", "y")
        assert [(c.kind, c.to_stage) for c in stage.engine.sent] == [("adopt", 3)]


async def test_drift_to_a_share_without_a_stage_is_reverted() -> None:
    drift = Drift(10, 40, "", scenes.NOW)
    async with staged((120, 40), scenes.snapshot(percent=40, drift=drift)) as stage:
        assert "recorded 10 %   no stage has that   u revert   at 14:03:22Z" in stage.frame()
        await stage.press("a")
        assert "No stage of the plan has 40 % Canary" in stage.frame()
        await stage.press("u", "y")
        (change,) = stage.engine.sent
        (step,) = change.steps
        assert isinstance(step, SetTraffic)
        assert (change.kind, step.percent) == ("revert", 10)


async def test_scale_is_typed_and_confirmed() -> None:
    async with staged() as stage:
        await stage.press("s")
        await stage.press(*"canary 2 8", "enter")
        assert "ion-api-canary 1–10 → 2–8 instances" in stage.frame()
        await stage.press("y")
        (change,) = stage.engine.sent
        assert change.steps == (SetScale("ion-api-canary", ScalePreset(1, 10), ScalePreset(2, 8)),)


async def test_starving_the_side_that_takes_the_traffic_asks_for_its_name() -> None:
    async with staged() as stage:
        await stage.press("s", *"legacy backup", "enter")
        assert "type ion-api:" in stage.frame()
        await stage.press("escape", "s", *"canary backup", "enter", "y")
        assert [s.service for c in stage.engine.sent for s in c.steps] == ["ion-api-canary"]


@pytest.mark.parametrize(
    ("stage_at", "share", "asks"), [(4, 50, True), (4, 99, True), (5, 100, False)]
)
@pytest.mark.parametrize("by", ["prompt", "palette"])
async def test_legacy_takes_its_name_as_long_as_it_serves_anything(
    stage_at: int, share: int, asks: bool, by: str
) -> None:
    shown = scenes.snapshot(stage=stage_at, percent=share)
    async with staged((120, 40), shown) as stage:
        if by == "prompt":
            await stage.press("s", *"legacy backup", "enter", "y", "enter")
        else:
            found = best(stage.app.commands, "scale legacy backup")
            assert found is not None
            found.run()
            await stage.settle()
            await stage.press("y", "enter")
        assert bool(stage.engine.sent) != asks
        if asks:
            await stage.press("ctrl+u", *"ion-api", "enter")
        assert [s.after for c in stage.engine.sent for s in c.steps] == [ScalePreset(0, 1)]


async def test_leaving_the_prompt_scales_nothing() -> None:
    async with staged() as stage:
        await stage.press("s", *"canary 2 8", "escape", "enter", "y")
        assert stage.engine.sent == []


async def test_a_wrong_scale_says_what_was_expected() -> None:
    async with staged() as stage:
        await stage.press("s", *"both 2", "enter")
        assert 'Write "canary 2 8" or "legacy backup"' in stage.frame()


async def test_an_intent_that_cannot_be_kept_is_said_and_not_sent() -> None:
    refusal = RecordError("The journal cannot be written: disk full.", remedy="Free some space.")
    async with staged(refusal=refusal) as stage:
        await stage.press("R", "y")
        assert "Nothing was sent. The journal cannot be written: disk full." in stage.frame()


async def test_a_long_refusal_is_said_to_its_end() -> None:
    command = "gcloud run services update ion-api --update-env-vars=CANARY_TRAFFIC_PERCENTAGE=0"
    refusal = RecordError(
        f"The journal cannot be used: the disk is full (/{'a/long/way/to/the/' * 6}journal.db).",
        remedy=f"Make room on the disk. By hand: {command} --region=us-central1 --project=p",
    )
    async with staged((120, 40), refusal=refusal) as stage:
        await stage.press("R", "y")
        said = " ".join(line.strip() for line in stage.frame().splitlines())
        assert "The journal cannot be used: the disk is full" in said
        assert "--project=p" in said


async def test_a_change_in_flight_is_shown_and_blocks_the_next_promotion() -> None:
    flying = scenes.snapshot(soaked_hours=25, changes=(scenes.in_flight(),))
    async with staged((120, 40), flying) as stage:
        assert "IN FLIGHT promote stage 2 → 3" in stage.frame()
        await stage.press("p")
        assert "Another change is in flight" in stage.frame()
        await stage.press("R", "y")
        assert [c.kind for c in stage.engine.sent] == ["rollback_all"]


async def test_a_result_stays_until_it_is_put_away() -> None:
    async with staged((120, 40), scenes.snapshot(changes=(scenes.failed(),))) as stage:
        assert "✗ FAILED promote stage 2 → 3" in stage.frame()
        assert "Look at the revision's log." in stage.frame()
        await stage.press("enter")
        assert stage.engine.asked == [("acknowledge", "c1")]


async def test_quit_asks_while_a_change_is_in_flight() -> None:
    async with staged((120, 40), scenes.snapshot(changes=(scenes.in_flight(),))) as stage:
        await stage.press("q")
        assert "Leave while a change is in flight?" in stage.frame()
        await stage.press("n")
        assert stage.app.is_running
        assert stage.app.return_code is None
        await stage.press("q", "y")
        assert stage.app.return_code == 0


async def test_quit_leaves_at_once_otherwise() -> None:
    async with staged() as stage:
        await stage.press("q")
        assert stage.app.return_code == 0
    assert not stage.engine.running


async def test_a_question_that_stood_open_for_long_dies_and_says_so() -> None:
    later = scenes.NOW + 6000.0
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        aged = scenes.snapshot(soaked_hours=27, now=later)
        await stage.emit(msgspec.structs.replace(aged, speed=1.0))
        assert "This was asked 1 h 40 m ago" in stage.frame()
        await stage.press("y")
        assert stage.engine.sent == []


async def test_a_rollback_that_stood_open_goes_out_with_the_time_of_its_yes() -> None:
    later = scenes.NOW + 6000.0
    async with staged() as stage:
        await stage.press("R")
        await stage.emit(scenes.snapshot(now=later))
        await stage.press("y")
        (change,) = stage.engine.sent
    assert change.created_at == change.steps[-1].record.entered_at == later


async def test_a_reason_typed_in_the_strip_is_in_the_change_and_in_its_record() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p", "i", *"a sale ends", "enter", "y")
        (change,) = stage.engine.sent
        assert change.reason == "a sale ends"
        (step,) = (s for s in change.steps if isinstance(s, SetTraffic))
        assert step.record.reason == "a sale ends"


async def test_after_an_automatic_rollback_a_promotion_asks_for_its_reason() -> None:
    snapshot = ready()
    record = snapshot.traffic.record
    assert record is not None
    after = msgspec.structs.replace(record, move="step_back", reason="automatic rollback: errors")
    traffic = msgspec.structs.replace(snapshot.traffic, record=after)
    rolled = msgspec.structs.replace(snapshot, traffic=traffic)
    async with staged((120, 40), rolled) as stage:
        assert "promote" not in greyed(stage.app)
        await stage.press("p", "y")
        assert stage.engine.sent == []
        assert "takes a reason" in stage.frame()
        await stage.press(*"mended", "enter", "y")
        (change,) = stage.engine.sent
        assert change.reason == "mended"


async def test_the_age_of_the_data_in_the_strip_grows() -> None:
    async with staged((120, 40), ready()) as stage:
        await stage.press("p")
        assert "on data 74 s old" in stage.frame()
        stage.app.main.now = scenes.NOW + 10
        await stage.settle()
        assert "on data 84 s old" in stage.frame()


@pytest.mark.parametrize("size", [(160, 48), (120, 40), (100, 30), (80, 24), (60, 18)])
async def test_the_command_of_a_change_is_whole_at_every_size(size: tuple[int, int]) -> None:
    async with staged(size, ready()) as stage:
        await stage.press("p")
        assert "--update-env-vars=CANARY_TRAFFIC_PERCENTAGE=25" in stage.frame()
        assert "--project=naeda-genesis" in stage.frame()
        assert "y confirm" in stage.frame()
        await stage.press("escape")
        assert stage.app.main.talk.size.height in (4, 6)


@pytest.mark.parametrize("size", [(160, 48), (120, 40), (200, 60)])
async def test_the_question_leaves_the_newest_events_in_the_rows_it_does_not_need(
    size: tuple[int, int],
) -> None:
    async with staged(size, ready()) as stage:
        talk = stage.app.main.talk
        before = talk.cells_repainted
        await stage.press("p")
        assert "promoted 5 % → 10 %; verified" in stage.frame()
        assert "y confirm" in stage.frame()
        assert talk.cells_repainted - before < 350


@pytest.mark.parametrize("tip", ["", "? help, : commands; try :error-spike, then R y"])
async def test_opening_the_strip_costs_at_most_500_bytes_each_time(
    monkeypatch: pytest.MonkeyPatch, tip: str
) -> None:
    """At 160×48 and 256 colours, in a moment in which nothing else changes; a note or a tip that
    stood there before neither moves the rest nor makes room for another.
    """
    monkeypatch.setenv("TERM", "xterm-256color")
    sent: list[str] = []
    async with staged((160, 48)) as stage:
        console, shorten = Console(force_terminal=True, color_system="256"), stage.app.shorten

        def send(update: CompositorUpdate) -> CompositorUpdate:
            sent.append(shorten(update).render_segments(console))
            return update

        monkeypatch.setattr(stage.app, "shorten", send)
        stage.app.main.talk.tip = tip
        stage.app.redraw()
        await stage.settle()
        for _ in range(3):
            before = stage.frame().split("\n")[:42]
            sent.clear()
            await stage.press("R")
            assert "Roll back all" in stage.frame()
            assert "gcloud run services update" in stage.frame()
            assert stage.frame().split("\n")[2:40] == before[2:40]
            assert 0 < len("".join(sent).encode()) <= 500
            await stage.press("n")
            assert "Left; nothing was changed" in stage.frame()
