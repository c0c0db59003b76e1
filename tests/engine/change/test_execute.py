"""A change is carried out once, in order, and ends with what is true."""

from pathlib import Path

import pytest

from canary.engine.change.execute import carry_out
from canary.engine.change.notes import intend
from canary.engine.change.settling import Pace
from canary.rollout.change.change import ChangeEvidence, Guard, Outcome, SetScale, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from canary.store.stage_file import read_stage_file
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router
from tests.engine.carried import ask, carry, router_service

SPLIT_PLAN = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")


def states(journal: Journal, change_id: str = "c1") -> list[tuple[int, str]]:
    return [(n.step, n.state) for n in journal.entry(change_id).notes]


async def test_a_promotion_ends_when_the_cloud_shows_it(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "promote")
    outcome = await carry(embedded, journal, change)
    assert (outcome.state, outcome.percent) == ("done", 25)
    assert outcome.message == "Canary has 25 % (was 10 %), stage 3."
    after = await router_service(embedded)
    assert (after.percent, after.record.change, after.reconciling) == (25, "c1", False)
    assert states(journal) == [(0, "sent"), (0, "accepted"), (0, "settled")]
    assert journal.entry("c1").outcome == outcome


@pytest.mark.parametrize("kind", ["promote", "step_back", "rollback_all"])
async def test_the_split_between_revisions_is_set_the_same_way(
    embed: Embed, journal: Journal, kind: str
):
    async with embed(SPLIT_PLAN) as cloud:
        change = await ask(cloud, kind)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done"
        assert (await router_service(cloud)).percent == change.steps[-1].percent


async def test_a_scale_ends_when_the_service_shows_it(embedded: Embedded, journal: Journal):
    outcome = await carry(embedded, journal, await ask(embedded, "scale"))
    assert outcome.state == "done"
    assert outcome.message == "ion-api-canary runs 2 to 7 instances (was 1 to 10)."
    assert (await embedded.run.service("ion-api-canary")).scale == ScalePreset(2, 7)


async def test_after_a_split_the_stage_file_is_written(
    embedded: Embedded, journal: Journal, tmp_path: Path
):
    path = tmp_path / "rollout.toml"
    change = await ask(embedded, "step_back")
    await carry(embedded, journal, change, stage_file=path)
    assert read_stage_file(path) == change.steps[0].record


async def test_a_stage_file_that_cannot_be_written_is_said_and_undoes_nothing(
    embedded: Embedded, journal: Journal, tmp_path: Path
):
    (tmp_path / "rollout.toml").mkdir()
    change = await ask(embedded, "step_back")
    outcome = await carry(embedded, journal, change, stage_file=tmp_path / "rollout.toml")
    assert outcome.state == "done"
    assert "rollout.toml is not written" in outcome.message
    assert (await router_service(embedded)).percent == 5


async def test_leaving_production_scales_legacy_up_and_then_moves_the_traffic(
    embed: Embed, journal: Journal
):
    async with embed(percent=100, stage=5) as cloud:
        await _make_backup(cloud)
        change = await ask(cloud, "rollback_all")
        assert [type(s).__name__ for s in change.steps] == ["SetScale", "SetTraffic"]
        before = await router_service(cloud)
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "done", outcome
        after = await router_service(cloud)
        assert (after.percent, after.scale) == (0, ScalePreset(1, 10))
        assert after.generation == before.generation + 2
        assert "runs 1 to 10 instances" in outcome.message
        assert "All traffic is on Legacy" in outcome.message


async def test_somebody_elses_change_between_two_steps_ends_the_change(
    embed: Embed, journal: Journal
):
    async with embed(percent=100, stage=5) as cloud:
        await _make_backup(cloud)
        change = await ask(cloud, "rollback_all")
        meddled = []

        async def meddle():
            if not meddled:
                meddled.append(True)
                guard = Guard("ion-api", "", None)
                record = StageRecord(5, 100, cloud.now, by="eve", change="theirs")
                await cloud.writer.send(SetTraffic("ion-api", 100, 100, record, guard))

        outcome = await carry(cloud, journal, change, between=meddle)
        assert outcome.state == "refused"
        assert "Done before, and it stays: ion-api runs 1 to 10" in outcome.message
        assert outcome.percent == 100


async def test_a_first_step_that_fails_leaves_the_second_unbegun(embed: Embed, journal: Journal):
    async with embed(percent=100, stage=5) as cloud:
        await _make_backup(cloud)
        change = await ask(cloud, "rollback_all")
        cloud.set_scenario("denied")
        outcome = await carry(cloud, journal, change)
        assert outcome.state == "failed"
        assert "Not begun: Canary to 0 %." in outcome.message
        assert "ion-api is set to 0 to 1 instances now." in outcome.message
        assert (await router_service(cloud)).percent == 100
        assert {step for step, _ in states(journal)} == {0}


async def test_a_slow_first_step_does_not_keep_the_traffic_waiting(embed: Embed, journal: Journal):
    async with embed(percent=100, stage=5) as cloud:
        await _make_backup(cloud)
        change = await ask(cloud, "rollback_all")
        cloud.set_scenario("stuck-operation")
        sent_at = []

        async def watch():
            traffic = [n for n in journal.entry("c1").notes if (n.step, n.state) == (1, "sent")]
            if traffic and not sent_at:
                sent_at.append(traffic[0].at)

        await carry(cloud, journal, change, between=watch, step_s=10.0)
        assert sent_at
        assert sent_at[0] - change.created_at <= 60.0


async def test_a_refusal_says_what_is_true_now(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "promote")
    embedded.set_scenario("denied")
    outcome = await carry(embedded, journal, change)
    assert (outcome.state, outcome.percent) == ("failed", 10)
    assert "Canary is set to 10 % now" in outcome.message
    assert outcome.remedy


async def test_an_operation_that_fails_is_a_failed_change(embedded: Embedded, journal: Journal):
    change = await ask(embedded, "promote")
    embedded.set_scenario("failing-operation")
    outcome = await carry(embedded, journal, change)
    assert outcome.state == "failed"
    assert "What serves may still be the split from before (10 %)." in outcome.message
    assert states(journal) == [(0, "sent"), (0, "accepted")]


async def test_an_operation_that_never_ends_is_an_unknown_outcome(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "promote")
    embedded.set_scenario("stuck-operation")
    outcome = await carry(embedded, journal, change, step_s=60.0)
    assert outcome.state == "unknown"
    assert "not finished" in outcome.message


async def test_what_was_decided_on_another_etag_is_refused(embedded: Embedded, journal: Journal):
    mine, theirs = await ask(embedded, "promote", "mine"), await ask(embedded, "promote", "theirs")
    assert (await carry(embedded, journal, theirs)).state == "done"
    outcome = await carry(embedded, journal, mine)
    assert (outcome.state, outcome.percent) == ("refused", 25)
    assert (await router_service(embedded)).record.change == "theirs"


async def test_a_change_that_arrives_in_the_same_moment_wins_alone(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "promote")
    embedded.set_scenario("conflict")
    outcome = await carry(embedded, journal, change)
    after = await router_service(embedded)
    assert (outcome.state, outcome.percent) == ("refused", after.percent)
    assert after.percent != 25


@pytest.mark.parametrize("code", ["UNAVAILABLE", "RESOURCE_EXHAUSTED", "PERMISSION_DENIED"])
async def test_while_cloud_run_cannot_be_read_a_promotion_is_not_sent(
    embedded: Embedded, journal: Journal, code: str
):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    embedded.break_method("GetService", code=code)
    outcome = await carry(embedded, journal, change)
    assert (outcome.state, outcome.percent) == ("failed", None)
    assert "Nothing was changed. What is set now is not known" in outcome.message
    assert outcome.remedy
    embedded.world.faults.clear()
    assert (await router_service(embedded)).etag == before.etag


@pytest.mark.parametrize("code", ["DEADLINE_EXCEEDED", "UNAVAILABLE", "INTERNAL", "UNKNOWN"])
async def test_an_answer_lost_after_the_change_is_looked_up_and_found(
    embedded: Embedded, journal: Journal, code: str
):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    embedded.break_method("UpdateService", code=code, after_apply=True, times=1)
    outcome = await carry(embedded, journal, change)
    assert (outcome.state, outcome.percent) == ("done", 25)
    assert states(journal) == [(0, "sent"), (0, "unknown"), (0, "settled")]
    assert (await router_service(embedded)).generation == before.generation + 1


async def test_a_call_lost_before_the_change_is_unknown_and_never_sent_again(
    embedded: Embedded, journal: Journal
):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    embedded.break_method("UpdateService", code="UNAVAILABLE", times=1)
    outcome = await carry(embedded, journal, change)
    assert (outcome.state, outcome.percent) == ("unknown", 10)
    assert "not sent again" in outcome.remedy
    assert (await router_service(embedded)).generation == before.generation


async def test_a_lost_answer_of_a_scale_is_looked_up_by_its_value(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "scale")
    embedded.break_method("UpdateService", code="UNAVAILABLE", after_apply=True, times=1)
    assert (await carry(embedded, journal, change)).state == "done"


async def test_a_lost_call_that_somebody_else_overtook_is_refused(
    embedded: Embedded, journal: Journal
):
    mine = await ask(embedded, "promote", "mine")
    embedded.break_method("UpdateService", code="UNAVAILABLE", times=1)
    overtaken = []

    async def overtake():
        if not overtaken:
            overtaken.append(True)
            embedded.advance(1.0)
            theirs = await ask(embedded, "rollback_all", "theirs")
            await embedded.writer.send(theirs.steps[0])

    outcome = await carry(embedded, journal, mine, between=overtake)
    assert (outcome.state, outcome.percent) == ("refused", 0)


async def test_operations_that_cannot_be_read_are_followed_on_the_service(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "promote")
    embedded.break_method("GetOperation", code="PERMISSION_DENIED")
    assert (await carry(embedded, journal, change)).state == "done"


async def test_a_change_made_right_after_ours_is_told(embedded: Embedded, journal: Journal):
    mine = await ask(embedded, "promote", "mine")
    followed = []

    async def follow():
        if not followed and (await router_service(embedded)).percent == 25:
            followed.append(True)
            await embedded.writer.send((await ask(embedded, "rollback_all", "theirs")).steps[0])

    outcome = await carry(embedded, journal, mine, between=follow)
    assert outcome.state == "done"
    assert "changed since then" in outcome.message
    assert "0 % now" in outcome.message


async def test_a_change_that_has_an_outcome_is_not_made_again(embedded: Embedded, journal: Journal):
    change, before = await ask(embedded, "promote"), await router_service(embedded)
    journal.intend(change)
    withdrawn = Outcome("abandoned", "Withdrawn.", 1.0)
    journal.settle("c1", withdrawn)
    assert await carry(embedded, journal, change) == withdrawn
    assert (await router_service(embedded)).etag == before.etag


async def test_a_change_that_is_not_in_the_journal_is_not_made(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "promote")
    with pytest.raises(RecordError, match="not in the journal"):
        await carry_out(
            change, embedded.writer, embedded.run, journal, embedded.clock, plan=embedded.plan
        )


async def test_a_promotion_with_unmet_gates_in_its_evidence_is_refused(
    embedded: Embedded, journal: Journal
):
    change = await ask(embedded, "promote", evidence=ChangeEvidence(gates_unmet=("soak",)))
    outcome = await carry(embedded, journal, change)
    assert outcome.state == "refused"
    assert states(journal) == []


async def test_what_waited_too_long_is_not_begun(embedded: Embedded, journal: Journal):
    outcome = await carry(embedded, journal, await ask(embedded, "rollback_all"), may_send=False)
    assert outcome.state == "not_begun"
    assert "Nothing was changed." in outcome.message
    assert (await router_service(embedded)).percent == 10


class FullAfter(Journal):
    """A journal whose disk is full after so many more writes."""

    writes_left = 100

    def note(self, *arguments, **keywords):
        self._write()
        return super().note(*arguments, **keywords)

    def settle(self, *arguments, **keywords):
        self._write()
        return super().settle(*arguments, **keywords)

    def intend(self, *arguments, **keywords):
        self._write()
        return super().intend(*arguments, **keywords)

    def _write(self):
        if self.writes_left == 0:
            raise RecordError("The journal cannot be written: the disk is full.")
        self.writes_left -= 1


class FullOnce(Journal):
    """A journal whose disk is full for a moment: the first "settled" finds no room."""

    refused = 0

    def note(self, change_id, step, state, *rest):
        if state == "settled" and not self.refused:
            self.refused += 1
            raise RecordError("The journal cannot be written: the disk is full.")
        return super().note(change_id, step, state, *rest)


async def test_what_found_no_room_is_noted_before_anything_more_is_sent(
    embed: Embed, tmp_path: Path
):
    async with embed(stage=5, percent=100) as cloud:
        await cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
        cloud.advance(60.0)
        change = await ask(cloud, "rollback_all")
        with FullOnce(tmp_path / "journal.db") as journal:
            outcome = await carry(cloud, journal, change)
            assert (outcome.state, journal.refused) == ("done", 1)
            noted = [(step, state) for step, state in states(journal) if state != "accepted"]
            assert noted == [(0, "sent"), (0, "settled"), (1, "sent"), (1, "settled")]


async def test_without_a_journal_a_change_is_refused_with_the_command_to_type(
    embedded: Embedded, tmp_path: Path
):
    change = await ask(embedded, "rollback_all")
    with FullAfter(tmp_path / "journal.db") as journal:
        journal.writes_left = 0
        with pytest.raises(RecordError) as caught:
            intend(journal, change, embedded.plan)
    assert "nothing is changed" in caught.value.message
    assert "gcloud run services update ion-api --update-env-vars" in caught.value.remedy


async def test_nothing_is_sent_when_the_sending_cannot_be_noted(embedded: Embedded, tmp_path: Path):
    change = await ask(embedded, "rollback_all")
    with FullAfter(tmp_path / "journal.db") as journal:
        journal.writes_left = 1
        with pytest.raises(RecordError, match="By hand: gcloud"):
            await carry(embedded, journal, change)
    assert (await router_service(embedded)).percent == 10


async def test_a_change_that_is_under_way_is_finished_on_a_full_disk(
    embedded: Embedded, tmp_path: Path
):
    change = await ask(embedded, "rollback_all")
    with FullAfter(tmp_path / "journal.db") as journal:
        journal.writes_left = 2
        outcome = await carry(embedded, journal, change)
    assert outcome.state == "done"
    assert "not in the journal" in outcome.message
    assert (await router_service(embedded)).percent == 0


async def _make_backup(cloud: Embedded) -> None:
    """Put Legacy into backup mode, as final approval does."""
    await cloud.writer.send(SetScale("ion-api", None, ScalePreset(0, 1)))
    cloud.advance(60.0)
    assert (await router_service(cloud)).scale == ScalePreset(0, 1)


def test_pauses_grow_to_a_limit():
    pauses = Pace(first_pause_s=1.0, growth=2.0, longest_pause_s=5.0).pauses()
    assert [next(pauses) for _ in range(6)] == [0.0, 1.0, 2.0, 4.0, 5.0, 5.0]


async def test_no_time_is_lost_before_the_first_look(embedded: Embedded, journal: Journal):
    slept = []

    async def sleep(pause_s: float) -> None:
        slept.append(pause_s)
        embedded.advance(60.0)

    change = await ask(embedded, "promote")
    journal.intend(change)
    outcome = await carry_out(
        change,
        embedded.writer,
        embedded.run,
        journal,
        embedded.clock,
        plan=embedded.plan,
        sleep=sleep,
    )
    assert outcome.state == "done"
    assert set(slept) == {0.0}


async def test_a_stage_begins_when_its_change_is_sent(
    embedded: Embedded, journal: Journal, tmp_path: Path
):
    change = await ask(embedded, "promote")
    embedded.advance(6000.0)  # the question stood open
    asked_at, sent_at = change.created_at, embedded.now
    await carry(embedded, journal, change, stage_file=tmp_path / "rollout.toml")
    entered_at = (await router_service(embedded)).record.entered_at
    assert asked_at + 6000.0 <= sent_at <= entered_at < sent_at + 60.0
    assert read_stage_file(tmp_path / "rollout.toml").entered_at == entered_at
