"""Checklists of a rollout: what ticks itself, on which evidence; visits that close; who ticked."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.jobs.checklist import ChecklistJob, Checklists, choose
from canary.engine.jobs.checklist_facts import Known, find_facts
from canary.engine.jobs.job import Host
from canary.engine.session import SessionOpening
from canary.rollout.change import change as changes
from canary.rollout.change import moves
from canary.rollout.change.change import Author, ChangeEvidence, Outcome, Request
from canary.rollout.decision.gates import AbTestResult, StageEvidence, check_gates
from canary.rollout.errors import UsageError
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import Snapshot, StageView, TrafficView
from canary.rollout.trials.checklist import Checklist, ChecklistBook, Visit
from canary.store.journal import Entry, Journal
from canary.store.monitoring import LoopState
from canary.store.outputs import write_output
from canary.store.results import CheckSeen, VerificationSeen
from canary.store.stage_file import GitStanding
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry
from tests.engine.watching import Watching
from tests.rollout.build import EMPTY, NOW, PLAN, record, snapshot, standing, window

ANN = Author("ann", "bastion-1")
SEEN = ChangeEvidence("continue", 1000, 0.003, 0.991, 610.0, 0.85, 74.0)


def entered(stage: int = 3, **fields: Any) -> tuple[Entry, Visit, Snapshot]:
    """A promotion into `stage` that is done, its visit, and the moment after."""
    request = Request("c9", Author("oncall", "bastion-2"), NOW, evidence=SEEN, **fields)
    change = moves.promote(PLAN, standing(stage - 1), request)
    entry = Entry(1, change, (), Outcome("done", "So it is.", NOW + 9), False, NOW, "x")
    made = next(s.record for s in change.steps if isinstance(s, changes.SetTraffic))
    now = msgspec.structs.replace(
        snapshot(stage=stage),
        as_of=NOW + 600,
        traffic=TrafficView(made.percent, made),
        stage=StageView(stage, f"stage {stage}", made.percent),
    )
    return entry, Visit(stage, "c9", NOW, "oncall@bastion-2", "promote"), now


def found(known: Known, visit: Visit | None, stage: int | None = None) -> dict[str, str]:
    """Evidence by item, of all that is known; the first that was found."""
    facts = find_facts(known, visit.stage if visit else stage or 0, visit)
    return {t.item: t.evidence for t in reversed((*facts.lasting, *facts.passing))}


def hints(known: Known, visit: Visit | None, stage: int = 3) -> dict[str, str]:
    return find_facts(known, visit.stage if visit else stage, visit).hints


def test_a_promotion_ticks_what_it_carries():
    entry, visit, now = entered(dry_run_shown=True)
    ticked = found(Known(PLAN, now, (entry,)), visit)
    assert ticked["criteria"] == ("error 0.30 %, p95 610 ms, success 99.1 %, confidence 0.85")
    assert ticked["dry_run"] == "shown to oncall@bastion-2, who confirmed it"
    assert ticked["recorded"] == "on ion-api, in one update with the split"
    assert ticked["applied"] == "So it is."


def test_a_forced_promotion_has_no_validated_criteria():
    evidence = msgspec.structs.replace(SEEN, gates_unmet=("soak_hours",))
    entry, visit, now = entered(forced=True, reason="the fair")
    change = msgspec.structs.replace(entry.change, evidence=evidence)
    known = Known(PLAN, now, (msgspec.structs.replace(entry, change=change),))
    assert "criteria" not in found(known, visit)
    assert hints(known, visit)["criteria"] == "forced over soak_hours: the fair"
    assert hints(known, visit)["dry_run"] == "confirmed unasked (--yes)"


def test_a_stage_entered_from_another_host_is_known_by_its_record():
    _, visit, now = entered()
    ticked = found(Known(PLAN, now), visit)
    assert {"recorded", "applied"} <= set(ticked)
    assert "criteria" not in ticked
    assert "not from this host" in hints(Known(PLAN, now), visit)["dry_run"]


@pytest.mark.parametrize(
    ("git", "ticked", "hint"),
    [
        (None, set(), "no git repository"),
        (GitStanding("untracked"), set(), "untracked"),
        (GitStanding("changed", "abc", NOW), set(), "changed"),
        (GitStanding("committed", "abc", NOW), {"committed"}, None),
        (GitStanding("committed", "abc", NOW, pushed=False), {"committed"}, None),
        (GitStanding("committed", "abc", NOW, pushed=True), {"committed", "pushed"}, None),
    ],
)
def test_git_is_believed_only_for_this_very_record(git, ticked, hint):
    _, visit, now = entered()
    known = Known(PLAN, now, stage_file=now.traffic.record, git=git)
    assert set(found(known, visit)) & {"committed", "pushed"} == ticked
    if hint:
        assert hint in hints(known, visit)["committed"]
    other = Known(PLAN, now, stage_file=record(2), git=GitStanding("committed", "abc", NOW))
    assert "committed" not in found(other, visit)


def test_a_record_without_a_file_on_this_host_is_not_said_to_lie_outside_git():
    _, visit, now = entered()
    said = hints(Known(PLAN, now), visit)
    assert said["committed"] == said["pushed"]
    assert said["committed"] == "the record was not written into a file on this host"


def verification(state: str = "passed", at: float = NOW + 60, change: str = "c9"):
    checks = {"health_canary": CheckSeen("passed", "well"), "split": CheckSeen(state, "25.1 %")}
    return VerificationSeen(at, "passed", change, checks)


def test_a_verification_of_this_visit_ticks_health_and_split():
    _, visit, now = entered()
    ticked = found(Known(PLAN, now, verifications={3: verification()}), visit)
    assert (ticked["health"], ticked["split"]) == ("well", "25.1 %")


def test_a_verification_that_is_not_passed_ticks_nothing_and_is_said():
    _, visit, now = entered()
    known = Known(PLAN, now, verifications={3: verification("not_passed")})
    assert "split" not in found(known, visit)
    assert hints(known, visit)["split"].startswith("not passed at")


def test_a_verification_of_an_earlier_visit_is_not_taken():
    _, visit, now = entered()
    old = verification(at=NOW - 60, change="c1")
    assert "split" not in found(Known(PLAN, now, verifications={3: old}), visit)


@pytest.mark.parametrize("runs", [True, False])
def test_monitoring_is_started_while_its_loop_lives(runs: bool):
    _, visit, now = entered()
    loop = LoopState(77, NOW + 30, 1800.0, None, "outputs")
    known = Known(PLAN, now, loop=loop, loop_runs=runs)
    assert ("monitoring" in found(known, visit)) is runs
    if runs:
        assert found(known, visit)["monitoring"] == "every 30 m, process 77"


def test_alerts_and_the_first_hour_are_a_persons_with_a_hint():
    _, visit, now = entered()
    said = hints(Known(PLAN, now), visit)
    assert said["alerts"] == "no limit is passed now"
    assert said["first_hour"] == "50 m to go"
    blind = msgspec.structs.replace(now, canary=snapshot(EMPTY, "missing").canary)
    assert hints(Known(PLAN, blind), visit)["alerts"] == "no data"
    assert {"alerts", "first_hour"}.isdisjoint(found(Known(PLAN, now), visit))


def test_before_a_stage_is_entered_criteria_hold_only_for_now():
    gates = check_gates(PLAN, 2, window(), "ok", 25.0, StageEvidence(), "continue")
    known = Known(PLAN, snapshot(stage=2, gates=gates))
    facts = find_facts(known, 3, None)
    assert [t.item for t in facts.passing] == ["criteria"]
    assert facts.lasting == ()
    bad = Known(PLAN, snapshot(window(error_ratio=0.9), stage=2))
    assert "not met: error ratio" in find_facts(bad, 3, None).hints["criteria"]


def test_the_trials_are_ticked_with_what_their_results_say():
    tested = StageEvidence(ab_test=AbTestResult(0.51, NOW, "51 % faster"))
    gates = check_gates(PLAN, 4, window(), "ok", 80.0, tested, "continue")
    known = Known(PLAN, snapshot(stage=4, gates=gates), evidence=tested)
    assert found(known, None, 5)["ab_test"] == "51 % faster"
    without = check_gates(PLAN, 4, window(), "ok", 80.0, StageEvidence(), "continue")
    open_one = Known(PLAN, snapshot(stage=4, gates=without))
    assert "ab_test" not in found(open_one, None, 5)
    assert find_facts(open_one, 5, None).hints["ab_test"] == "no result found"


@pytest.mark.parametrize(
    ("scale", "backup"),
    [(ScalePreset(0, 1), True), (ScalePreset(1, 10), False), (ScalePreset(1, 1), False)],
)
def test_production_is_ticked_by_scale_and_record(scale: ScalePreset, backup: bool):
    entry, visit, now = entered(5, dry_run_shown=True)
    now = msgspec.structs.replace(
        now,
        legacy=msgspec.structs.replace(now.legacy, scale=scale),
        canary=msgspec.structs.replace(now.canary, scale=ScalePreset(1, 10)),
    )
    ticked = found(Known(PLAN, now, (entry,)), visit)
    assert ticked["approval"] == "by oncall@bastion-2, who typed the name"
    assert ticked["mode_ended"] == "production_service = ion-api-canary"
    assert ticked["canary_scale"] == "1 to 10"
    assert ("legacy_backup" in ticked) is backup


# -- on the embedded cloud ------------------------------------------------------------------------


class Desk:
    """The checklists of an embedded cloud, read after each move."""

    def __init__(self, cloud: Embedded, directory: Path) -> None:
        self.cloud = cloud
        self.directory = directory
        self.watching = Watching(cloud, directory)
        assert self.watching.journal is not None
        self.journal: Journal = self.watching.journal
        self.lists = Checklists(cloud.plan, directory / "canary.toml", directory, self.journal)

    async def read(self) -> ChecklistBook:
        return self.lists.read(await self.watching.observer.refresh())

    async def move(self, kind: str, change_id: str) -> None:
        change = await ask(self.cloud, kind, change_id, dry_run_shown=True)
        outcome = await carry(
            self.cloud, self.journal, change, stage_file=self.directory / "rollout.toml"
        )
        assert outcome.state == "done"
        self.cloud.advance(60.0)

    def close(self) -> None:
        self.lists.close()
        self.watching.close()


@pytest.fixture
async def desk(embed: Embed, tmp_path: Path):
    async with embed() as cloud:
        opened = Desk(cloud, tmp_path)
        yield opened
        opened.close()


def line(checklist: Checklist | None, item: str) -> Any:
    assert checklist is not None
    return checklist.line(item)


async def test_a_list_goes_with_its_stage_and_stays_readable_when_it_is_left(desk: Desk):
    await desk.read()
    await desk.move("promote", "c1")
    book = await desk.read()
    assert (book.stage, book.current.stage, book.following.stage) == (3, 3, 4)
    desk.lists.tick(book.current, "first_hour", ANN, desk.cloud.now)
    await desk.move("step_back", "c2")
    book = await desk.read()
    assert [(one.stage, one.is_closed) for one in book.lists] == [
        (2, True),
        (3, True),
        (2, False),
        (3, False),
    ]
    closed = book.of(3)[0]
    assert line(closed, "first_hour").by == "ann@bastion-1"
    assert line(closed, "applied").done
    with pytest.raises(UsageError, match="closed"):
        desk.lists.tick(closed, "alerts", ANN, desk.cloud.now)


async def test_a_stage_that_is_entered_again_starts_with_nothing_ticked_by_people(desk: Desk):
    await desk.move("promote", "c1")
    book = await desk.read()
    desk.lists.tick(book.current, "alerts", ANN, desk.cloud.now)
    await desk.move("step_back", "c2")
    await desk.move("promote", "c3")
    book = await desk.read()
    assert [line(one, "alerts").done for one in book.of(3)] == [True, False]
    assert line(book.current, "dry_run").done


async def test_what_was_seen_once_stays_when_it_is_not_to_be_seen_any_more(desk: Desk):
    await desk.move("promote", "c1")
    check = {"id": "split", "label": "split", "state": "passed", "said": "25.1 %"}
    at = "2099-01-01T00:00:00Z"
    path = desk.directory / "outputs" / "compare_stage3.json"
    write_output(path, {"timestamp": at, "verdict": "passed", "change": "c1", "checks": [check]})
    assert line((await desk.read()).current, "split").evidence == "25.1 %"
    path.unlink()
    assert line((await desk.read()).current, "split").evidence == "25.1 %"


async def test_reading_again_writes_nothing_new(desk: Desk):
    await desk.move("promote", "c1")
    await desk.move("step_back", "c2")
    await desk.read()
    ticks = desk.lists._record.ticks()
    await desk.read()
    await desk.read()
    assert desk.lists._record.ticks() == ticks


async def test_what_comes_before_is_ticked_for_the_next_stage_the_rest_for_the_present(
    desk: Desk,
):
    await desk.move("promote", "c1")
    book = await desk.read()
    assert choose(book, "dry_run", None).stage == 4
    assert choose(book, "first_hour", None).stage == 3
    assert choose(book, "dry_run", 3).stage == 3
    with pytest.raises(UsageError, match="no item"):
        choose(book, "coffee", None)
    with pytest.raises(UsageError, match="neither present nor next"):
        choose(book, "dry_run", 5)


async def test_a_dry_run_that_was_asked_for_is_ticked_by_who_asked(desk: Desk):
    await desk.move("promote", "c1")
    desk.lists.note_dry_run(4, ANN, desk.cloud.now)
    seen = line((await desk.read()).following, "dry_run")
    assert (seen.done, seen.by) == (True, "ann@bastion-1")


async def test_the_console_reads_on_a_thread_and_ticks(embed: Embed, tmp_path: Path, state_dir):
    async with embed() as cloud:
        opening = SessionOpening(cloud.plan, tmp_path / "canary.toml")
        session = await opening.connect()
        session.clock = cloud.clock
        told: list[ChecklistBook] = []
        arrived = asyncio.Event()
        troubles: list[str] = []
        loop = asyncio.get_running_loop()

        def changed() -> None:
            told.append(reading.book)
            arrived.set()

        def unasked(*_: object) -> None:
            raise AssertionError

        in_loop = loop.call_soon_threadsafe
        reading = ChecklistJob(
            Host(opening, in_loop, unasked, unasked, changed, troubles.append, ANN)
        )
        reading.look(await session.observer.refresh())
        assert told == []
        reading.read()
        await asyncio.wait_for(arrived.wait(), 10)
        assert line(told[-1].current, "alerts").done is False
        arrived.clear()
        reading.tick("alerts")
        await asyncio.wait_for(arrived.wait(), 10)
        assert line(told[-1].current, "alerts").by == "ann@bastion-1"
        assert reading.book == told[-1]
        assert troubles == []
        await session.close()
