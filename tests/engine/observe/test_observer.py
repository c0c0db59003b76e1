"""The observer on the embedded cloud: what each day, and each bad day, looks like."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from canary.engine.change.execute import carry_out
from canary.rollout.change.change import Author, Request
from canary.rollout.change.moves import promote, rollback_all
from canary.simulator.world.traffic.scenarios import SCENARIOS
from canary.store.results import read_results
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.watching import Watching, go_on_is_founded, source, texts


async def test_the_first_look_shows_live_numbers(embedded: Embedded) -> None:
    snapshot = await Watching(embedded).observer.refresh()
    assert (snapshot.stage.index, snapshot.traffic.canary_percent) == (2, 10)
    assert snapshot.decision.verdict == "continue"
    assert snapshot.legacy.window.requests
    assert snapshot.canary.criteria_window.requests
    assert snapshot.standing is not None
    assert {s.state for s in snapshot.sources} <= {"ok", "never"}


async def test_the_second_look_asks_only_for_the_newest_minutes(embedded: Embedded) -> None:
    watching = Watching(embedded)
    first = await watching.observer.refresh()
    await watching.after(1)
    start, end, period_s = watching.reader.asked[-1]
    newest = first.canary.samples[-1].end
    assert period_s == 60
    assert newest - 600 <= start < newest
    assert end == embedded.now


async def test_every_minute_is_there_once_however_often_it_was_asked_for(
    embedded: Embedded,
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    snapshot = (await watching.after(8, every=0.5))[-1]
    ends = [s.end for s in snapshot.canary.samples]
    assert ends == sorted(set(ends))
    assert all(b - a == 60 for a, b in itertools.pairwise(ends))


VERDICTS = {
    "healthy": "continue",
    "error-spike": "rollback_all",
    "slow-burn": "watch",
    "latency": "rollback_all",
    "low-confidence": "continue",
    "no-data": "no_data",
    "stale": "no_data",
    "quota": "no_data",
    "monitoring-outage": "no_data",
    "run-outage": "no_data",
    "denied": "continue",
    "stuck-operation": "continue",
    "failing-operation": "continue",
}
"""What the tree says half an hour into each scenario."""


@pytest.mark.parametrize("scenario", list(SCENARIOS))
async def test_no_scenario_shows_go_on_without_fresh_sufficient_data(
    embedded: Embedded, scenario: str, is_long: bool
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario(scenario)
    seen = await watching.after(30, every=1 if is_long else 5)
    assert all(go_on_is_founded(s, embedded.plan) for s in seen)
    if scenario in VERDICTS:
        assert seen[-1].decision.verdict == VERDICTS[scenario]


@pytest.mark.parametrize("scenario", ["no-data", "stale", "quota", "monitoring-outage"])
async def test_without_data_no_gate_on_metrics_is_met(embedded: Embedded, scenario: str) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario(scenario)
    snapshot = (await watching.after(15, every=5))[-1]
    states = {g.id: g.state for g in snapshot.gates}
    assert {states[i] for i in ("error_ratio", "p95_ms", "confidence", "verdict")} == {"no_data"}


async def test_silence_and_its_end_are_events(embedded: Embedded) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("monitoring-outage")
    assert any(t.startswith("? STALE") for t in texts((await watching.after(10, every=5))[-1]))
    embedded.set_scenario("healthy")
    assert any(t == "data again: ✓ HEALTHY" for t in texts((await watching.after(10, every=5))[-1]))


async def test_after_an_outage_of_monitoring_what_was_missed_is_there(embedded: Embedded) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("monitoring-outage")
    await watching.after(20, every=10)
    embedded.set_scenario("healthy")
    snapshot = (await watching.after(2))[-1]
    ends = [s.end for s in snapshot.canary.samples]
    assert all(b - a == 60 for a, b in itertools.pairwise(ends))


async def test_quota_is_backed_off_from_with_growing_pauses_that_are_shown(
    embedded: Embedded,
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("quota")
    before = len(watching.reader.asked)
    seen = await watching.after(40)
    asked_at = [end - watching.reader.asked[before][1] for _, end, _ in watching.reader.asked]
    assert [round(at / 60) for at in asked_at[before:]] == [0, 2, 6, 14, 24, 34]
    view = source(seen[-1], "Cloud Monitoring")
    assert view.state == "failing"
    assert "Asked again at" in view.message
    embedded.set_scenario("healthy")
    assert source((await watching.after(10))[-1], "Cloud Monitoring").state == "ok"


async def test_while_cloud_run_is_away_the_last_known_split_stays_with_its_age(
    embedded: Embedded,
) -> None:
    watching = Watching(embedded)
    first = await watching.observer.refresh()
    embedded.set_scenario("run-outage")
    snapshot = (await watching.after(10, every=5))[-1]
    view = source(snapshot, "Cloud Run")
    assert snapshot.traffic == first.traffic
    assert snapshot.standing == first.standing
    assert view.state == "failing"
    assert view.answered_at == first.as_of
    assert view.since is not None
    assert view.since > first.as_of


@pytest.mark.parametrize(("minutes", "verdict"), [(1, "continue"), (3, "no_data")])
async def test_a_cloud_run_that_stays_away_leaves_no_go_on(
    embedded: Embedded, minutes: int, verdict: str
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("run-outage")
    snapshot = (await watching.after(minutes))[-1]
    assert snapshot.decision.verdict == verdict
    if verdict == "no_data":
        assert snapshot.decision.reason.startswith("Cloud Run has not answered for ")


async def test_while_cloud_run_is_away_metrics_go_on(embedded: Embedded) -> None:
    watching = Watching(embedded)
    first = await watching.observer.refresh()
    embedded.set_scenario("run-outage")
    snapshot = (await watching.after(3))[-1]
    assert snapshot.canary.samples[-1].end > first.canary.samples[-1].end


async def test_before_cloud_run_ever_answered_nothing_can_be_changed(embedded: Embedded) -> None:
    embedded.set_scenario("run-outage")
    snapshot = await Watching(embedded).observer.refresh()
    assert snapshot.standing is None
    assert snapshot.stage.index is None


async def test_one_metric_that_fails_does_not_lose_the_others(embedded: Embedded) -> None:
    embedded.break_method("ListTimeSeries", code="PERMISSION_DENIED", times=1)
    snapshot = await Watching(embedded).observer.refresh()
    assert source(snapshot, "Cloud Monitoring").state == "failing"
    assert snapshot.canary.samples


async def test_a_split_changed_elsewhere_is_drift_and_masks_what_was_before(
    embedded: Embedded,
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("conflict")
    seen = await watching.after(12, every=0.5)
    drifted = [s for s in seen if s.traffic.drift is not None]
    first = drifted[0]
    assert first.traffic.drift is not None
    assert first.traffic.drift.actual_percent == 15
    assert first.canary.data == "masked"
    assert any(t.startswith("drift: the split is 15 %") for t in texts(first))
    begun = first.as_of - 60
    assert all(s.canary.window.start >= begun for s in drifted)
    assert drifted[-1].decision.verdict == "continue"


async def test_after_a_promotion_old_numbers_do_not_count(
    embedded: Embedded, state_dir: Path
) -> None:
    watching = Watching(embedded, state_dir)
    snapshot = await watching.observer.refresh()
    assert snapshot.standing is not None
    assert watching.journal is not None
    request = Request("c-1", Author("oncall", "bastion-2"), embedded.now)
    change = promote(embedded.plan, snapshot.standing, request)
    watching.journal.intend(change)

    async def pass_time(seconds: float) -> None:
        embedded.advance(max(1.0, seconds))

    outcome = await carry_out(
        change,
        embedded.writer,
        embedded.run,
        watching.journal,
        embedded.clock,
        plan=embedded.plan,
        sleep=pass_time,
    )
    assert outcome.state == "done"
    seen = [await watching.observer.refresh(), *await watching.after(12)]
    watching.close()
    assert (seen[0].stage.index, seen[0].traffic.canary_percent) == (3, 25)
    assert seen[0].canary.data == "masked"
    assert all(go_on_is_founded(s, embedded.plan) for s in seen)
    assert all(s.canary.criteria_window.start >= outcome.at for s in seen)
    assert seen[-1].decision.verdict == "continue"
    assert seen[0].changes[0].outcome is not None
    assert any(t.startswith("done: promote 10 % → 25 %") for t in texts(seen[0]))


async def test_everybody_off_can_be_asked_for_in_every_scenario_in_which_run_answers(
    embedded: Embedded,
) -> None:
    for scenario in SCENARIOS:
        if scenario in ("run-outage", "errors-run-away"):
            continue
        embedded.set_scenario(scenario)
        embedded.advance(1200)
        snapshot = await Watching(embedded).observer.refresh()
        assert snapshot.standing is not None
        request = Request("c-1", Author("oncall", "bastion-2"), embedded.now)
        assert rollback_all(embedded.plan, snapshot.standing, request).to_stage == 0


async def test_a_warning_for_hours_goes_from_watch_to_one_stage_back(embedded: Embedded) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("slow-burn")
    seen = await watching.after(90, every=3)
    verdicts = [s.decision.verdict for s in seen]
    assert verdicts.index("watch") < verdicts.index("rollback_stage")
    assert verdicts[-1] == "rollback_stage"
    lines = texts(seen[-1])
    assert any("▼ ROLL BACK ONE STAGE" in t for t in lines)
    assert any("◐ WATCH" in t for t in lines)


async def test_a_console_opened_later_finds_the_same_watch(embedded: Embedded) -> None:
    early = Watching(embedded)
    await early.observer.refresh()
    embedded.set_scenario("slow-burn")
    before = (await early.after(50, every=2))[-1]
    late = Watching(embedded)
    after = await late.observer.refresh()
    assert before.decision.watch is not None
    assert after.decision.watch == before.decision.watch


async def test_the_whole_soak_is_filled_newest_first(embed: Embed, state_dir: Path) -> None:
    async with embed(soaked_hours=30.0) as cloud:
        watching = Watching(cloud, state_dir)
        await watching.observer.refresh()
        await watching.backfill()
        snapshot = watching.observer.snapshot()
        watching.close()
    asked = watching.reader.asked
    assert [end for _, end, _ in asked] == sorted((e for _, e, _ in asked), reverse=True)
    assert {period for _, _, period in asked} == {60, 600}
    assert snapshot.backfilled
    assert snapshot.canary.samples[0].start <= cloud.world.entered_at
    assert snapshot.decision.verdict == "continue"


async def test_what_is_in_the_history_is_not_asked_for_again(embed: Embed, state_dir: Path) -> None:
    async with embed(soaked_hours=30.0) as cloud:
        first = Watching(cloud, state_dir)
        await first.observer.refresh()
        await first.backfill()
        samples = first.observer.snapshot().canary.samples
        first.close()
        again = Watching(cloud, state_dir)
        assert again.observer.load_history()
        snapshot = await again.observer.refresh()
        await again.backfill()
        again.close()
    assert snapshot.canary.samples == samples
    assert all(end - start <= 3600 for start, end, _ in again.reader.asked)


async def test_a_backfill_that_fails_is_taken_up_later(embed: Embed) -> None:
    async with embed(soaked_hours=10.0) as cloud:
        watching = Watching(cloud)
        await watching.observer.refresh()
        cloud.set_scenario("monitoring-outage")
        await watching.backfill()
        assert watching.observer.needs_backfill
        assert not watching.observer.snapshot().backfilled
        cloud.set_scenario("healthy")
        await watching.backfill()
        assert not watching.observer.needs_backfill
        assert watching.observer.snapshot().canary.samples[0].start <= cloud.world.entered_at


async def test_after_a_long_pause_the_newest_hour_comes_first_and_the_gap_is_filled(
    embedded: Embedded,
) -> None:
    watching = Watching(embedded)
    await watching.observer.refresh()
    await watching.backfill()
    embedded.advance(4 * 3600)
    await watching.observer.refresh()
    assert watching.observer.needs_backfill
    await watching.backfill()
    ends = [s.end for s in watching.observer.snapshot().canary.samples]
    assert all(b - a <= 600 for a, b in itertools.pairwise(ends))


async def test_two_revisions_of_one_service_are_observed_alike(embed: Embed) -> None:
    plan = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")
    async with embed(plan) as cloud:
        snapshot = await Watching(cloud).observer.refresh()
    assert (snapshot.stage.index, snapshot.traffic.canary_percent) == (2, 10)
    assert snapshot.decision.verdict == "continue"
    assert snapshot.canary.revision


async def test_results_of_the_load_test_reach_the_gates(embedded: Embedded, tmp_path: Path) -> None:
    (tmp_path / "load_test_summary.json").write_text('{"status": "PASSED"}')
    watching = Watching(embedded, results=lambda: read_results(tmp_path))
    assert watching.observer.read_results()
    assert not watching.observer.read_results()


async def test_without_a_monitoring_reader_the_judgement_is_no_data(embedded: Embedded) -> None:
    from canary.engine.observe.observer import Observer

    observer = Observer(embedded.plan, embedded.run, None, None, None, embedded.clock)
    snapshot = await observer.refresh()
    assert snapshot.standing is not None
    assert snapshot.decision.verdict == "no_data"
    assert [s.name for s in snapshot.sources] == ["Cloud Run", "Journal"]


async def test_reading_a_snapshot_writes_nothing(embedded: Embedded):
    watching = Watching(embedded)
    await watching.observer.refresh()
    embedded.set_scenario("monitoring-outage")
    embedded.advance(1200)  # there is news to tell: the data has become stale
    before = watching.observer.log.events
    first, second = watching.observer.snapshot(), watching.observer.snapshot()
    assert first == second
    assert first.decision.verdict == "no_data"
    assert watching.observer.log.events == before
    judged = watching.observer.judge()
    assert len(watching.observer.log.events) == len(before) + 1
    assert "STALE: The newest data is older" in judged.events[0].text


async def test_a_confidence_metric_that_does_not_exist_holds_nothing_up(embed: Embed) -> None:
    """Over the real protocol: the past is filled, Monitoring is well, and it is said once."""
    async with embed(confidence_metric="custom.googleapis.com/other") as cloud:
        watching = Watching(cloud)
        await watching.observer.refresh()
        await watching.backfill()
        snapshot = (await watching.after(5))[-1]
        assert not watching.observer.needs_backfill
        assert snapshot.backfilled
        assert source(snapshot, "Cloud Monitoring").state == "ok"
        assert snapshot.decision.verdict == "continue"
        assert {g.id: g.state for g in snapshot.gates}["confidence"] == "no_data"
        assert len([t for t in texts(snapshot) if "confidence is shown as no data" in t]) == 1
