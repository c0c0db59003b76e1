"""The procedure on the screen: verification, load test, A/B test, loop, checklists, approval."""

from __future__ import annotations

import re

import msgspec
import pytest

from canary.rollout.change.change import Outcome, SetScale, SetTraffic, StepView
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import AbTestResult, StageEvidence, check_gates
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.trials.jobs import JobsView
from canary.rollout.trials.verification import HealthAnswer, VerifyProgress
from tests.tui import proceedings as given
from tests.tui import scenes
from tests.tui.scripted import rows, staged
from tui.pages.layout import PAGES

SIZES = [(80, 24), (120, 40)]
BACKUP, SMALL = ScalePreset(0, 1), ScalePreset(0, 4)
ILL = (given.WELL[0], HealthAnswer("canary", "ion-api-canary", False, "503 in 12 ms"))


def asked(stage) -> list[tuple[object, ...]]:  # type: ignore[no-untyped-def]
    return stage.engine.asked


def lines(text: str, word: str) -> list[str]:
    return list(rows(text, word))


# -- verification --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_verification_shows_how_far_it_is(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        await stage.press("v")
        assert asked(stage) == [("verify",)]
        await stage.tell(given.with_verification(None, given.verifying(62)))
        (line,) = lines(stage.frame(), "VERIFYING")
        assert "▸ VERIFYING ████████████▍░░░░░░░ 62 of 100 requests" in line
        assert line.rstrip().endswith("x stops")
        # Both sides are there, and neither is cut.
        told = re.search(r"requests  (legacy|L) (\d+)  (canary|C) (\d+)  ", line)
        assert told is not None, line
        assert int(told[2]) + int(told[4]) == 62


async def test_nothing_is_drawn_while_the_progress_stays() -> None:
    async with staged() as stage:
        at = given.with_verification(None, given.verifying(62))
        await stage.tell(at)
        bar = stage.app.main.outcome
        before = bar.cells_repainted
        await stage.tell(msgspec.structs.replace(at))
        assert bar.cells_repainted == before
        await stage.tell(given.with_verification(None, given.verifying(63)))
        assert 0 < bar.cells_repainted - before < 60


async def test_the_health_that_comes_first_has_no_bar() -> None:
    async with staged() as stage:
        await stage.tell(given.with_verification(None, VerifyProgress("health", total=100)))
        assert "▸ VERIFYING asking both sides for their health" in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_a_verification_that_was_not_passed_stays_until_it_is_put_away(
    size: tuple[int, int],
) -> None:
    async with staged(size) as stage:
        wrong = given.verified(canary=60, legacy=40, change="c9")
        await stage.tell(given.with_verification(wrong))
        text = stage.frame()
        assert "✗ VERIFICATION NOT PASSED" in text
        assert "Enter dismisses it" in text
        assert "measured split: 60.0 % (99 %: 47.1 to 71.6 %) of 100" in text
        assert "V show all" in text
        assert "R roll back all" in text
        await stage.emit(scenes.snapshot())
        assert "✗ VERIFICATION NOT PASSED" in stage.frame()
        await stage.press("enter")
        assert asked(stage) == [("acknowledge", "verification")]
        view = msgspec.structs.replace(
            given.with_verification(wrong).verification, acknowledged=True
        )
        await stage.tell(given.of(verification=view))
        assert "NOT PASSED" not in stage.frame()


async def test_a_change_that_stays_in_effect_is_said_so() -> None:
    async with staged() as stage:
        wrong = given.verified(canary=60, legacy=40, change="c9")
        await stage.tell(given.with_verification(wrong))
        assert "The change stays in effect." in stage.frame()


async def test_what_could_not_be_verified_is_not_green() -> None:
    async with staged() as stage:
        await stage.tell(given.with_verification(given.verified(measured=False)))
        text = stage.frame()
        assert "? COULD NOT VERIFY" in text
        assert "It is not known where requests enter" in text
        assert "✓ VERIFIED" not in text


async def test_a_bad_verification_comes_before_the_change_that_was_done() -> None:
    async with staged((120, 40), scenes.snapshot(changes=(done("c9"),))) as stage:
        await stage.tell(given.with_verification(given.verified(health=ILL, change="c9")))
        assert "✗ VERIFICATION NOT PASSED" in stage.frame()
        assert "✓ DONE" not in stage.frame()
        await stage.press("enter")
        assert asked(stage) == [("acknowledge", "verification")]


async def test_a_change_and_its_passed_verification_are_one_result() -> None:
    async with staged((120, 40), scenes.snapshot(changes=(done("c9"),))) as stage:
        await stage.tell(given.with_verification(given.verified(change="c9")))
        (line,) = lines(stage.frame(), "DONE")
        assert "✓ verified: health ok, split 10.0 %" in line
        await stage.press("enter")
        assert asked(stage) == [("acknowledge", "c9"), ("acknowledge", "verification")]


def done(change_id: str) -> ChangeView:
    outcome = Outcome("done", "Canary has 10 %.", scenes.NOW - 2, 10)
    title = "promote 5 % → 10 %"
    return ChangeView(change_id, "promote", title, "oncall@b", scenes.NOW - 9, "", outcome)


@pytest.mark.parametrize("size", SIZES)
async def test_the_page_of_a_verification_sets_all_shares_and_sides_beside_each_other(
    size: tuple[int, int],
) -> None:
    async with staged(size) as stage:
        await stage.tell(given.with_verification(given.verified()))
        await stage.press("V")
        text = stage.frame()
        assert "✓ VERIFIED  2026-03-01 14:03:22Z  stage 2  asked for" in text
        assert "split       intended 10 %   reported 10 %   measured 10.0 %" in text
        (span,) = lines(text, "0 % ┄.*━◉━.* 100 %")
        assert "99 %: 4.6 to 20.4 %, 10 of 100" in span
        assert lines(text, r"legacy +90 +1\.11 % +97\.8 %")
        assert lines(text, r"canary +10 +0 % +100 %")
        await stage.press("escape")
        assert "✓ VERIFIED  2026" not in stage.frame()


async def test_on_the_page_what_was_not_passed_comes_first() -> None:
    async with staged((80, 24)) as stage:
        await stage.tell(given.with_verification(given.verified(health=ILL, reported=25)))
        await stage.press("V")
        inside = [line for line in stage.frame().splitlines() if line.startswith("│")]
        assert "✗ health of ion-api-canary: 503 in 12 ms" in inside[1]
        assert "✗ share that Cloud Run reports: 25 %, intended 10 %" in inside[2]


async def test_the_stop_key_is_greyed_until_something_runs() -> None:
    async with staged() as stage:
        await stage.press("x")
        assert "Nothing runs here that could be stopped." in stage.frame()
        await stage.tell(given.with_verification(None, given.verifying()))
        await stage.press("x")
        assert asked(stage) == [("stop",)]


# -- load test -----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_a_load_test_asks_before_it_makes_real_load(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        await stage.press("L")
        text = stage.frame()
        assert "Load test  50 users, 5 more a second  1 h  profile light" in text
        assert "It makes real load, up to about 25 requests/s" in text
        assert "canary load-test --users 50 --spawn-rate 5 --duration 60m" in text
        assert asked(stage) == []
        await stage.press("y")
        assert asked(stage) == [("load test", 50, 3600.0)]


async def test_the_target_is_named_with_the_local_cloud() -> None:
    async with staged() as stage:
        await stage.press("L")
        assert "http://127.0.0.1:8080 (the local cloud)" in stage.frame()
        await stage.press("n")
        assert asked(stage) == []


async def test_a_read_only_console_makes_no_load_and_says_why() -> None:
    async with staged(read_only=True) as stage:
        await stage.press("L")
        assert "read-only. A load test would put load on both sides" in stage.frame()


async def test_with_everybody_on_legacy_there_is_nothing_to_load() -> None:
    async with staged((120, 40), scenes.snapshot(stage=0)) as stage:
        await stage.press("L")
        assert "Canary takes 0 %: a load test would not reach it." in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_a_running_load_test_shows_both_sides_live(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        await stage.tell(given.of(load_test=given.loading()))
        (line,) = lines(stage.frame(), "LOAD TEST")
        assert "▸ LOAD TEST ████░░░░░░░░░░░░░░░░ 12 m of 1 h  50 users  18.4 req" in line
        await stage.press("L")
        text = stage.frame()
        assert lines(text, r"legacy +9 800 +13\.6 +0\.41 %")
        assert lines(text, r"canary +3 200 +4\.44 +0\.06 %")
        assert "✓ canary error ratio 0.06 % ≤ 2 %" in text
        assert "✓ canary p95 900 ms ≤ 20 s" in text
        await stage.press("x")
        assert asked(stage) == [("stop",)]


async def test_too_few_requests_so_far_are_no_fault_yet() -> None:
    async with staged() as stage:
        seen = msgspec.structs.replace(given.load_progress(60.0), canary=given.LoadFigures(20, 20))
        await stage.tell(given.of(load_test=given.loading(progress=seen)))
        await stage.press("L")
        assert "◌ canary requests 20 so far ≥ 100" in stage.frame()
        assert "? canary p95 no data ≤ 20 s" in stage.frame()


async def test_a_load_test_that_failed_says_why_until_it_is_put_away() -> None:
    async with staged() as stage:
        await stage.tell(given.of(load_test=given.load_ended(p95_ms=24_000.0)))
        (line,) = lines(stage.frame(), "LOAD TEST FAILED")
        assert "canary p95 24.0 s, expected ≤ 20.0 s" in line
        await stage.press("enter")
        assert asked(stage) == [("acknowledge", "load_test")]


async def test_a_stopped_load_test_is_failed() -> None:
    async with staged() as stage:
        await stage.tell(given.of(load_test=given.load_ended("stopped")))
        assert (
            "✗ LOAD TEST FAILED  was stopped after 12 m of 1 h (by oncall@bastion-2)"
            in stage.frame()
        )


async def test_a_load_test_that_passed_says_on_what() -> None:
    async with staged() as stage:
        await stage.tell(given.of(load_test=given.load_ended()))
        assert "✓ LOAD TEST PASSED  13 000 requests; canary p95 900 ms" in stage.frame()


async def test_a_load_test_that_did_not_begin_says_why() -> None:
    async with staged() as stage:
        trouble = "Locust (it makes the load) is not installed. Run pip install …"
        view = given.loading(state="idle", progress=None, trouble=trouble)
        await stage.tell(given.of(load_test=view))
        await stage.press("L", "n")
        stage.app.commands.context.open_page("load-test")
        await stage.settle()
        assert "– NOT BEGUN" in stage.frame()
        assert "! Locust (it makes the load) is not installed." in stage.frame()


async def test_leaving_while_a_load_test_runs_asks() -> None:
    async with staged() as stage:
        await stage.tell(given.of(load_test=given.loading()))
        await stage.press("q")
        assert "Leave while the load test runs?  It is ended with the console" in stage.frame()
        await stage.press("n")
        assert stage.app.return_code is None


# -- A/B test, monitoring loop, retirement -------------------------------------------------------


async def choose(stage, name: str) -> None:  # type: ignore[no-untyped-def]
    stage.app.commands.do(name)
    await stage.settle()


@pytest.mark.parametrize("size", SIZES)
async def test_the_ab_test_shows_improvements_with_their_intervals(
    size: tuple[int, int],
) -> None:
    async with staged(size) as stage:
        await choose(stage, "ab_test")
        assert asked(stage) == [("ab test",)]
        await stage.tell(given.of(ab_test=given.ab_test()))
        text = stage.frame()
        assert "✓ APPROVED  Canary is 51.1 % faster; more than 10 % faster is needed" in text
        assert lines(text, r"mean response time +450 ms +220 ms +51\.1 % +50\.\d % to 51\.\d %")
        assert lines(text, r"p95 response time +1\.20 s +600 ms +50\.0 % +not known")
        assert "naeda-genesis.ab_test.results, 2026-01-30 14:03 to 2026-03-01 14:03" in text


async def test_an_ab_test_that_does_not_approve_is_not_green() -> None:
    async with staged() as stage:
        await choose(stage, "ab_test")
        await stage.tell(given.of(ab_test=given.ab_test(canary_ms=410.0)))
        assert "✗ NOT APPROVED  Canary is 8.89 % faster" in stage.frame()


async def test_an_ab_test_that_fails_says_why() -> None:
    async with staged() as stage:
        await choose(stage, "ab_test")
        await stage.tell(given.of(ab_test=given.AbTestView(trouble="BigQuery: denied.")))
        assert "! BigQuery: denied." in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_the_monitoring_loop_is_on_the_screen(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        await stage.tell(given.of(monitoring=given.monitoring()))
        if size[0] >= 120:
            assert "● monitoring, next in 20 m" in stage.frame()
        await choose(stage, "monitoring")
        text = stage.frame()
        assert "● MONITORING  every 30 m  next in 20 m" in text
        assert lines(text, "since +2026-03-01 12:03:22Z")
        assert lines(text, "files +5 in /srv/rollout/outputs")
        assert lines(text, "newest +monitor_20260301T135322Z.json")
        assert lines(text, "last verdict +✓ HEALTHY  2026-03-01 13:53:22Z")


async def test_a_loop_that_was_killed_is_not_taken_for_running() -> None:
    async with staged() as stage:
        await stage.tell(given.of(monitoring=given.monitoring(running=False)))
        assert "● monitoring" not in stage.frame()
        await choose(stage, "monitoring")
        assert "– NO MONITORING LOOP  it was killed, or its host was" in stage.frame()


async def test_starting_the_loop_asks_and_says_what_it_replaces() -> None:
    async with staged() as stage:
        await stage.tell(given.of(monitoring=given.monitoring()))
        await choose(stage, "start_monitoring")
        assert "It replaces the loop that runs since 2026-03-01 12:03:22Z" in stage.frame()
        await stage.press("y")
        assert asked(stage) == [("start monitoring",)]
        assert "The monitoring loop is started (process 4711)." in stage.frame()


async def test_stopping_the_loop_asks() -> None:
    async with staged() as stage:
        await choose(stage, "stop_monitoring")
        assert "No monitoring loop runs on this host." in stage.frame()
        await stage.tell(given.of(monitoring=given.monitoring()))
        await choose(stage, "stop_monitoring")
        await stage.press("y")
        assert asked(stage) == [("stop monitoring",)]


async def test_a_read_only_console_leaves_the_loop_alone() -> None:
    async with staged(read_only=True) as stage:
        await stage.tell(given.of(monitoring=given.monitoring()))
        for name in ("start_monitoring", "stop_monitoring"):
            await choose(stage, name)
            assert "This console is read-only." in stage.frame()
        assert asked(stage) == []


def production(days: float = 4.2, scale: ScalePreset = BACKUP) -> Snapshot:
    """Stage 5 for so many days; Legacy in backup size unless `scale` says otherwise."""
    at = scenes.snapshot(stage=5, soaked_hours=days * 24)
    assert at.standing is not None
    entered = scenes.NOW - days * 86_400
    record = StageRecord(5, 100, entered, "oncall", "bastion-2", "c5", "promote", enabled=False)
    return msgspec.structs.replace(
        at,
        traffic=msgspec.structs.replace(at.traffic, record=record),
        legacy=msgspec.structs.replace(at.legacy, scale=scale),
        standing=msgspec.structs.replace(at.standing, record=record, scale_legacy=scale),
    )


@pytest.mark.parametrize("size", SIZES)
async def test_at_the_last_stage_the_day_of_the_calendar_is_shown(size: tuple[int, int]) -> None:
    async with staged(size, production()) as stage:
        assert "day 5" in stage.frame()
        await choose(stage, "retirement")
        text = stage.frame()
        assert "day 5 since Canary became production, 2026-02-25" in text
        (today,) = lines(text, "▶")
        assert "day 1–7    Legacy is the backup, ready for an emergency rollback" in today
        assert "It is day 5; Legacy may be deleted from day 31 on." in text


async def test_once_legacy_is_retired_the_calendar_says_so_and_nobody_is_sent_back() -> None:
    async with staged((120, 40), msgspec.structs.replace(production(), retired=True)) as stage:
        await stage.press("R")
        assert "Legacy has been retired: there is nothing to go back to." in stage.frame()
        await choose(stage, "retirement")
        text = stage.frame()
        assert "✓ Legacy is retired: ion-api is deleted" in text
        assert "may be deleted" not in text


# -- checklists ----------------------------------------------------------------------------------


@pytest.mark.parametrize("size", SIZES)
async def test_the_checklist_is_of_the_present_stage(size: tuple[int, int]) -> None:
    async with staged(size) as stage:
        await stage.press("l")
        assert asked(stage) == [("read checklists",)]
        assert "reading …" in stage.frame()
        await stage.tell(given.of(checklists=given.book()))
        text = stage.frame()
        assert "stage 2  4 of 12 done  ◂ list 2 of 3 ▸  since 2026-02-28 20:51" in text
        assert "before  ▸[✓] criteria of stage 1 validated" in text
        assert "[✓] configuration recorded  known 02-28 20:51: on ion-api" in text

        assert "[ ] record pushed  not pushed" in text
        await stage.press(*["down"] * 11)
        assert "[✓] alerts checked  oncall@bastion-2 02-28 21:58" in stage.frame()


async def test_the_checklist_opens_at_the_present_stage_whatever_was_looked_at_before() -> None:
    async with staged((120, 40)) as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", "right")
        assert "list 3 of 3" in stage.frame()
        await stage.press("escape", "l")
        assert "list 2 of 3" in stage.frame()


async def test_earlier_stages_stay_readable_and_the_next_one_is_there() -> None:
    async with staged() as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", "left")
        head = (
            "stage 1  2 of 11 done    list 1 of 3 ▸  2026-02-27 19:51 to 2026-02-28 20:51, closed"
        )
        assert head in stage.frame()
        assert "first hour watched closely  lead@bastion-1" in stage.frame()
        # What nobody saw to in time is neither done nor open.
        assert "[?] split confirmed  nobody looked while the stage lasted" in stage.frame()
        assert "[ ]" not in stage.frame()
        await stage.press("left", "right", "right")
        assert "stage 3  0 of 12 done  ◂ list 3 of 3    not entered yet" in stage.frame()
        assert "not met: soak" in stage.frame()


@pytest.mark.parametrize("key", ["space", "enter"])
async def test_an_item_is_ticked_and_unticked_by_a_person(key: str) -> None:
    async with staged() as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", *["down"] * 10, key, "down", key)
        assert asked(stage)[1:] == [("tick", 2, "first_hour", True), ("tick", 2, "alerts", False)]


async def test_what_the_program_knows_cannot_be_unticked() -> None:
    async with staged() as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", "space")
        assert '"criteria" is known by the program: error 0.30 %' in stage.frame()
        assert asked(stage) == [("read checklists",)]


async def test_a_closed_list_stays_as_it_is() -> None:
    async with staged() as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", "left", "down", "space")
        assert "The checklist of stage 1 is closed" in stage.frame()


async def test_a_read_only_console_ticks_nothing() -> None:
    async with staged(read_only=True) as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", *["down"] * 9, "space")
        assert "Nothing can be ticked from here." in stage.frame()
        assert asked(stage) == [("read checklists",)]


async def test_the_item_at_the_cursor_shows_its_evidence_whole() -> None:
    async with staged((80, 24)) as stage:
        await stage.tell(given.of(checklists=given.book()))
        await stage.press("l", "down")
        assert "in one update with the split" in stage.frame()


async def test_tab_goes_round_the_pages_and_escape_leaves_them() -> None:
    async with staged() as stage:
        await stage.press("l")
        seen = []
        for _ in range(len(PAGES) - 1):
            seen.append(stage.app.main.panel)
            await stage.press("tab")
        assert stage.app.main.panel == "checklist"
        # Without an approval that was asked for, its page is passed over.
        assert seen == [page for page in PAGES if page != "approval"]
        await stage.press("escape")
        assert not stage.app.main.zoomed
        assert stage.app.main.panel == "plots"


# -- final approval ------------------------------------------------------------------------------


def before_approval(canary: ScalePreset = SMALL) -> Snapshot:
    """Stage 4 with every gate met."""
    plan = scenes.plan()
    at = scenes.snapshot(plan, stage=4, soaked_hours=80)
    assert at.standing is not None
    tested = StageEvidence(
        ab_test=AbTestResult(0.511, scenes.NOW, "51.1 % faster (95 % interval 50.9 % to 51.4 %)")
    )
    gates = check_gates(plan, 4, at.canary.criteria_window, "ok", 80.0, tested, "continue")
    standing = msgspec.structs.replace(at.standing, scale_canary=canary)
    return msgspec.structs.replace(at, gates=gates, standing=standing)


@pytest.mark.parametrize("size", SIZES)
async def test_the_final_approval_lists_what_becomes_true_and_asks_for_the_name(
    size: tuple[int, int],
) -> None:
    async with staged(size, before_approval()) as stage:
        await stage.press("p")
        text = stage.frame()
        assert "Final approval, into stage 5" in text
        assert "Canary (ion-api-canary) is production and takes 100 %" in text
        assert "Legacy (ion-api) is the backup" in text
        assert "enabled = false, stage = 5" in text
        assert "1. ion-api-canary 0–4 → 1–10 instances" in text
        assert "2. canary 50 % → 100 %" in text
        assert "3. ion-api 1–10 → 0–1 instances" in text
        assert "type ion-api-canary:" in text
        if size[1] >= 40:
            assert "✓ A/B improvement 51.1 % > 10 %: 51.1 % faster (95 % interval" in text
        await stage.press("y", "enter")
        assert stage.engine.sent == []
        await stage.press("backspace", *"ion-api-canary", "enter")
        (change,) = stage.engine.sent
        kinds = [type(step) for step in change.steps]
        assert kinds == [SetScale, SetTraffic, SetScale]
        assert change.evidence.ab_improvement == 0.511


async def test_leaving_the_approval_gives_the_panels_back() -> None:
    async with staged((120, 40), before_approval()) as stage:
        await stage.press("p", "escape")
        assert stage.engine.sent == []
        assert " ── canary ×" in stage.frame()
        assert "what becomes true" not in stage.frame()


STEPS = (
    StepView("ion-api-canary 0–4 → 1–10", "done"),
    StepView("50 % → 100 %", "under_way", "settling"),
    StepView("ion-api 1–10 → 0–1"),
)


def approving(change_id: str, steps: tuple[StepView, ...], outcome: Outcome | None) -> Snapshot:
    view = ChangeView(
        change_id,
        "promote",
        "promote 50 % → 100 % (stage 4 → 5)",
        "oncall@bastion-2",
        scenes.NOW - 9,
        "" if outcome else "step 2 of 3: accepted, settling",
        outcome,
        steps=steps,
    )
    at = before_approval() if outcome is None else production(0.0, ScalePreset(1, 10))
    return msgspec.structs.replace(at, changes=(view,))


@pytest.mark.parametrize("size", SIZES)
async def test_the_steps_of_an_approval_show_how_far_they_are(size: tuple[int, int]) -> None:
    async with staged(size, before_approval()) as stage:
        await stage.press("p", *"ion-api-canary", "enter")
        await stage.emit(approving(stage.engine.sent[0].id, STEPS, None))
        text = stage.frame()
        assert "✓ 1. ion-api-canary 0–4 → 1–10" in text
        assert "▸ 2. 50 % → 100 %  settling" in text
        assert "◌ 3. ion-api 1–10 → 0–1" in text
        assert "IN FLIGHT" in text


@pytest.mark.parametrize("size", SIZES)
async def test_an_approval_that_ended_half_way_says_what_is_true_and_the_ways_on(
    size: tuple[int, int],
) -> None:
    async with staged(size, before_approval()) as stage:
        await stage.press("p", *"ion-api-canary", "enter")
        steps = (
            STEPS[0],
            StepView("50 % → 100 %", "done"),
            StepView("ion-api 1–10 → 0–1", "failed"),
        )
        outcome = Outcome("failed", "Quota exceeded. Done before, and it stays.", scenes.NOW)
        await stage.emit(approving(stage.engine.sent[0].id, steps, outcome))
        text = stage.frame()
        assert "✗ it ended half-way" in text
        assert "Quota exceeded. Done before, and it stays." in text
        assert "p does what is missing   r one stage back   R roll back all" in text
        # The way on: the same key, and only what is missing.
        await stage.press("p")
        assert "Complete the final approval  ion-api 1–10 → 0–1 instances" in stage.frame()
        await stage.press("y")
        change = stage.engine.sent[-1]
        assert change.steps == (SetScale("ion-api", ScalePreset(1, 10), ScalePreset(0, 1)),)


async def test_where_nothing_is_missing_the_last_stage_is_the_last() -> None:
    async with staged((120, 40), production()) as stage:
        await stage.press("p")
        assert "Stage 5 is the last one." in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_everybody_off_from_production_says_that_legacy_is_scaled_up_first_and_why(
    size: tuple[int, int],
) -> None:
    async with staged(size, production()) as stage:
        await stage.press("R")
        text = stage.frame()
        assert "ion-api 0–1 → 1–10 instances  canary 100 % → 0 %" in text
        assert "! In this order: ion-api is in backup size, and could not take the" in text
        await stage.press("y")
        (change,) = stage.engine.sent
        assert [type(step) for step in change.steps] == [SetScale, SetTraffic]


@pytest.mark.parametrize("size", [(40, 10), (20, 5), (200, 60)])
async def test_every_page_fits_into_every_size(size: tuple[int, int]) -> None:
    whole = JobsView(
        verification=given.with_verification(given.verified()).verification,
        load_test=given.loading(),
        ab_test=given.ab_test(),
        monitoring=given.monitoring(),
        checklists=given.book(),
    )
    async with staged(size, production()) as stage:
        await stage.tell(whole)
        for page in PAGES:
            stage.app.commands.context.open_page(page)
            await stage.press("down", "down", "pagedown", "up")
            text = stage.frame().splitlines()
            assert len(text) <= size[1], page
            assert all(len(line) <= size[0] for line in text), page
