"""What the program knows of a checklist's items by itself: from facts to ticks and hints. Pure."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from canary.rollout.change.change import Change, SetTraffic, is_final_approval
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.decision.gates import DATA_WORDS, GATE_WORDS, StageEvidence
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import (
    format_clock,
    format_duration,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_score,
    sanitize,
)
from canary.rollout.trials.checklist import PROGRAM, Tick, Visit
from canary.store.entries import Entry
from canary.store.monitoring import LoopState
from canary.store.results import VerificationSeen
from canary.store.stage_file import GitStanding

FIRST_HOUR_S = 3600.0


class Known(msgspec.Struct, frozen=True):
    """All that is looked at, read at one moment.

    `verifications` by stage; `stage_file` what rollout.toml says, `git` how it stands there (None:
    not in a repository). `loop` is the last monitoring loop's word, `loop_runs` whether it lives.
    """

    plan: Plan
    snapshot: Snapshot
    entries: tuple[Entry, ...] = ()
    evidence: StageEvidence = StageEvidence()
    verifications: dict[int, VerificationSeen] = {}
    stage_file: StageRecord | None = None
    git: GitStanding | None = None
    loop: LoopState | None = None
    loop_runs: bool = False


class Facts(msgspec.Struct, frozen=True):
    """What was found for one visit: ticks that stay, those that hold only now, hints by item."""

    lasting: tuple[Tick, ...] = ()
    passing: tuple[Tick, ...] = ()
    hints: dict[str, str] = {}


def visits_in(entries: Iterable[Entry]) -> list[Visit]:
    """The visits that the journal tells of: changes of the split that were done."""
    found = []
    for entry in entries:
        record = _record_of(entry.change)
        if record is None or entry.outcome is None or not _moved(entry):
            continue
        by = str(entry.change.author)
        at = entry.change.created_at
        found.append(Visit(record.stage, entry.change.id, at, by, entry.change.kind))
    return found


def visit_by_record(record: StageRecord | None) -> list[Visit]:
    """The visit that the record in the cloud tells of, whoever made it, from wherever."""
    if record is None:
        return []
    by = f"{record.by}@{record.host}" if record.host else record.by
    # Without the id of a change the moment stands for it: a record that somebody wrote by hand.
    change = record.change or f"record of {record.entered_at:.0f}"
    return [Visit(record.stage, change, record.entered_at, by, record.move)]


def find_facts(known: Known, stage: int, visit: Visit | None) -> Facts:
    """What is known of the items of one visit (None: of the stage that comes next)."""
    finder = _Finder(known, stage, visit)
    if visit is None:
        finder.look_ahead()
    else:
        finder.look_at_change(visit)
        if visit.left_at is None:
            finder.look_at_record(visit)
            finder.look_at_split(visit)
            finder.look_at_scale()
            finder.look_at_loop(visit)
            finder.look_at_clock(visit)
    return Facts(tuple(finder.lasting), tuple(finder.passing), finder.hints)


class _Finder:
    """Collects what is found for one list."""

    def __init__(self, known: Known, stage: int, visit: Visit | None) -> None:
        self._known = known
        self._stage = stage
        self._change = visit.change if visit is not None else ""
        self.lasting: list[Tick] = []
        self.passing: list[Tick] = []
        self.hints: dict[str, str] = {}

    def look_ahead(self) -> None:
        """Before the stage is entered: what holds now, and may hold no more in an hour."""
        snapshot, evidence = self._known.snapshot, self._known.evidence
        criteria = [g for g in snapshot.gates if g.is_criterion]
        unmet = [g.label for g in criteria if g.state != "met"]
        if criteria and not unmet:
            said = f"{len(criteria)} of {len(criteria)} met"
            self._holds("criteria", snapshot.as_of, said)
        elif unmet:
            self.hints["criteria"] = f"not met: {', '.join(unmet)}"
        gates = {g.id: g for g in snapshot.gates}
        for item, result in (("load_test", evidence.load_test), ("ab_test", evidence.ab_test)):
            gate = gates.get(item)
            if gate is not None and gate.state == "met" and result is not None:
                self._holds(item, result.finished_at, result.summary or "passed")
            elif gate is not None:
                self.hints[item] = gate.evidence or GATE_WORDS[gate.state]

    def look_at_change(self, visit: Visit) -> None:
        """What the change that led here carries: its evidence, and whether it was looked at."""
        entry = next((e for e in self._known.entries if e.change.id == self._change), None)
        if entry is None:
            self.hints["dry_run"] = f"entered by {sanitize(visit.by, 60)}, not from this host"
            return
        change, seen = entry.change, entry.change.evidence
        if change.kind == "promote" and visit.stage >= 2:
            self._take_gates(change)
            if seen.load_test == "PASSED":
                self._found("load_test", change.created_at, "PASSED")
            if seen.ab_improvement is not None and "ab_test" not in seen.gates_unmet:
                said = f"faster by {format_ratio(seen.ab_improvement)}"
                self._found("ab_test", change.created_at, said)
        if change.dry_run_shown:
            by = sanitize(change.author, 60)
            self._found("dry_run", change.created_at, f"shown to {by}, who confirmed it")
            if is_final_approval(change):
                self._found("approval", change.created_at, f"by {by}, who typed the name")
        else:
            self.hints["dry_run"] = self.hints["approval"] = "confirmed unasked (--yes)"
        if entry.outcome is not None and entry.outcome.state == "done":
            self._found("applied", entry.outcome.at, sanitize(entry.outcome.message))

    def look_at_record(self, visit: Visit) -> None:
        """The record: on the service, in the file, in git."""
        snapshot, git, file = self._known.snapshot, self._known.git, self._known.stage_file
        record = snapshot.traffic.record
        if record is not None and record.stage == visit.stage:
            where = self._known.plan.router_service
            self._found("recorded", visit.entered_at, f"on {where}, in one update with the split")
            if not record.enabled:
                said = f"production_service = {record.production_service}"
                self._found("mode_ended", visit.entered_at, said)
        if file is None:
            said = "the record was not written into a file on this host"
            self.hints["committed"] = self.hints["pushed"] = said
        elif git is None:
            self.hints["committed"] = self.hints["pushed"] = "the file is in no git repository"
        elif record is None or (file.stage, file.change) != (record.stage, record.change):
            self.hints["committed"] = "the file on this host is of another change"
        elif git.state != "committed":
            self.hints["committed"] = f"the file is {git.state} in git"
        else:
            self._found("committed", snapshot.as_of, f"commit {git.commit}")
            if git.pushed:
                self._found("pushed", snapshot.as_of, f"commit {git.commit} is with the upstream")
            else:
                self.hints["pushed"] = "not pushed" if git.pushed is False else "no upstream"

    def look_at_split(self, visit: Visit) -> None:
        """What is set, and what the verification found."""
        traffic = self._known.snapshot.traffic
        record, settled = traffic.record, not traffic.reconciling
        if record is not None and record.percent == traffic.canary_percent and settled:
            said = f"Canary has {format_percent(traffic.canary_percent)}"
            self._found("applied", max(visit.entered_at, traffic.updated_at or 0.0), said)
        seen = self._known.verifications.get(visit.stage)
        if seen is None or (seen.change != visit.change and seen.at < visit.entered_at):
            return
        for item, check_id in (("health", "health_canary"), ("split", "split")):
            check = seen.checks.get(check_id)
            if check is not None and check.state == "passed":
                self._found(item, seen.at, sanitize(check.said))
            elif check is not None:
                state = check.state.replace("_", " ")
                self.hints[item] = f"{state} at {format_clock(seen.at)}: {sanitize(check.said)}"

    def look_at_scale(self) -> None:
        """The instances of both sides, as production has them."""
        snapshot, scale = self._known.snapshot, self._known.plan.scale
        canary, legacy = snapshot.canary.scale, snapshot.legacy.scale
        if canary is not None:
            said = f"{canary.min} to {canary.max}"
            if canary.min >= scale.production.min and canary.max >= scale.production.max:
                self._found("canary_scale", snapshot.as_of, said)
            else:
                self.hints["canary_scale"] = said
        if self._known.plan.target.shares_one_service:
            self._found("legacy_backup", snapshot.as_of, "both share one service: nothing to do")
        elif legacy is not None:
            said = f"{legacy.min} to {legacy.max}"
            if legacy.min <= scale.backup.min and legacy.max <= scale.backup.max:
                self._found("legacy_backup", snapshot.as_of, said)
            else:
                self.hints["legacy_backup"] = said

    def look_at_loop(self, visit: Visit) -> None:
        """The monitoring loop, where it runs: from this host."""
        loop = self._known.loop
        if loop is None or not self._known.loop_runs:
            self.hints["monitoring"] = "no monitoring loop runs on this host"
            return
        since = max(loop.since, visit.entered_at)
        every = format_duration(loop.every_s)
        self._found("monitoring", since, f"every {every}, process {loop.pid}")

    def look_at_clock(self, visit: Visit) -> None:
        """What helps a person to tick: how far the first hour is, which limits are passed."""
        snapshot = self._known.snapshot
        passed_s = snapshot.as_of - visit.entered_at
        left_s = FIRST_HOUR_S - passed_s
        self.hints["first_hour"] = (
            f"{format_duration(left_s)} to go" if left_s > 0 else f"{format_duration(passed_s)} ago"
        )
        if snapshot.canary.data != "ok":
            self.hints["alerts"] = DATA_WORDS[snapshot.canary.data]
        elif snapshot.alerts:
            passed = (f"{a.id.replace('_', ' ')} ({a.scope})" for a in snapshot.alerts)
            self.hints["alerts"] = f"passed now: {', '.join(passed)}"
        else:
            self.hints["alerts"] = "no limit is passed now"

    def _take_gates(self, change: Change) -> None:
        seen = change.evidence
        if seen.gates_unmet:
            gates, reason = ", ".join(seen.gates_unmet), sanitize(change.reason)
            self.hints["criteria"] = f"forced over {gates}: {reason}"
            return
        said = (
            f"error {format_ratio(seen.error_ratio)}, p95 {format_milliseconds(seen.p95)},"
            f" success {format_ratio(seen.success_ratio)}, confidence "
            f"{format_score(seen.confidence)}"
        )
        self._found("criteria", change.created_at, said)

    def _found(self, item: str, at: float, said: str) -> None:
        self.lasting.append(Tick(self._stage, item, True, PROGRAM, at, said))

    def _holds(self, item: str, at: float, said: str) -> None:
        self.passing.append(Tick(self._stage, item, True, PROGRAM, at, said))


def _record_of(change: Change) -> StageRecord | None:
    return next((s.record for s in change.steps if isinstance(s, SetTraffic)), None)


def _moved(entry: Entry) -> bool:
    """Whether the split is known to have been set, even where a step behind it failed."""
    if entry.outcome is not None and entry.outcome.state == "done":
        return True
    steps = enumerate(entry.change.steps)
    split = next((i for i, s in steps if isinstance(s, SetTraffic)), None)
    return split is not None and entry.is_settled(split)
