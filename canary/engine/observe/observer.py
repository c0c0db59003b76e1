"""The observer: what the sources said → one Snapshot at a time.

Each source is read on its own and fails on its own; what it said last stays, with its age. The
observer judges nothing: that is `assemble`, which is pure. It has no clock and no interval of its
own either: when to ask is the caller's.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence

from canary.cloud.connection.clock import CloudClock
from canary.engine.observe.assemble import Observed, assemble, known_changes
from canary.engine.observe.burning import BurnAlarm, BurnMemory
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.engine.observe.failures_feed import FailuresFeed
from canary.engine.observe.metrics_feed import MetricsFeed, SampleReader
from canary.engine.observe.missing import COARSE_S, begin_of_backfill
from canary.engine.observe.position import (
    find_invalid,
    find_redeployed,
    known_record,
    share_in_effect,
)
from canary.engine.observe.readiness import ReadinessFeed
from canary.engine.observe.replay import Replay, Replayed
from canary.engine.observe.run_feed import RunFeed, ServiceReader
from canary.engine.observe.series import KEPT_S, WindowMemory
from canary.engine.observe.source import JournalFeed, Source
from canary.engine.observe.transitions import (
    NoData,
    ReadinessAlarm,
    SkewWatch,
    dismissal_events,
    log_redeployed,
    log_run_changes,
    transition_events,
)
from canary.rollout.decision.gates import NO_EVIDENCE
from canary.rollout.decision.guard import GuardView
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.failures.view import FailuresView
from canary.rollout.measure.burn import LONGEST_S
from canary.rollout.measure.samples import Sample
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import OperatorSession, Snapshot
from canary.store.history import History
from canary.store.journal import Entry, Journal
from canary.store.results import Results

MINUTE_S = 60.0


class Observer:
    """Reads, remembers, and hands out snapshots.

    `journal` None: no changes are shown. `monitoring` None: metrics are not asked for, and all
    that rests on them is "no data". `log` is where transitions are written. `comparison` compares
    the sides beside the tree, `failures` says what fails, `readiness` asks what a rollback rests
    on; None: they are not asked for. `results` gives what the load and A/B tests left behind,
    `scenario` what the embedded cloud plays ("" for the real one). So much of the samples is kept
    in memory (`kept_s`): a list of rollouts has many.
    """

    def __init__(
        self,
        plan: Plan,
        run: ServiceReader,
        monitoring: SampleReader | None,
        history: History | None,
        journal: Journal | None,
        clock: CloudClock,
        *,
        log: EventLog | None = None,
        comparison: EvidenceFeed | None = None,
        failures: FailuresFeed | None = None,
        readiness: ReadinessFeed | None = None,
        results: Callable[[], Results] | None = None,
        scenario: Callable[[], str] = str,
        kept_s: float = KEPT_S,
    ) -> None:
        self.plan, self.clock = plan, clock
        self.log = log if log is not None else EventLog()
        self.comparison = comparison
        self.failures = failures
        self._readiness = readiness
        self._skew = SkewWatch(self.log)
        self._results = results
        self._scenario = scenario
        self._run_source = Source("Cloud Run", self.log)
        self._metrics_source = Source(plan.metrics.source_name, self.log)
        self._journal = JournalFeed(journal, self.log)
        self._run = RunFeed(plan, run, clock, self._run_source, history)
        self._metrics: MetricsFeed | None = None
        if monitoring is not None:
            self._metrics = MetricsFeed(
                plan, monitoring, clock, self._metrics_source, self.log, history, kept_s=kept_s
            )
        self._alarm = ReadinessAlarm(self.log)
        self._burning = BurnAlarm(self.log)
        self._burns = BurnMemory()
        self._evidence = NO_EVIDENCE
        self._replay = Replay(plan)
        self._followed: tuple[tuple[Sample, ...], tuple[float, ...], Replayed] | None = None
        self._windows = WindowMemory()
        self._backfilled = False
        self._filled_since = math.inf
        self._filling = False
        self._no_data = NoData(self.log, self.plan)

    @property
    def in_flight(self) -> bool:
        """Whether a change in the journal has no outcome yet."""
        return any(e.outcome is None for e in self._journal.entries)

    @property
    def needs_backfill(self) -> bool:
        """Whether the past may have gaps that `backfill` would fill; false until metrics came."""
        feed = self._metrics
        if feed is None or not self._metrics_source.has_answered:
            return False
        # How far back it is wanted is in the record: Cloud Run is asked first, or has failed.
        if self._run_source.view.state == "never":
            return False
        return feed.incomplete or self._begin_of_past() < self._filled_since - COARSE_S

    @property
    def visible_after_s(self) -> float:
        """How old a whole minute is when Cloud Monitoring shows it first, cloud seconds."""
        return MINUTE_S + (self._metrics.ingest_delay_s or 0.0) if self._metrics else MINUTE_S

    def next_metrics_at(self, now: float) -> float:
        """When asking Cloud Monitoring can tell something new; cloud time, infinite without it."""
        return self._metrics.next_read_at(now) if self._metrics is not None else float("inf")

    def load_history(self) -> bool:
        """Take over samples that earlier consoles have read. True when there were any."""
        if self.comparison is not None:
            self.comparison.load()
        return self._metrics is not None and self._metrics.load_history()

    @property
    def requests_per_s(self) -> float | None:
        """Requests of both sides in the newest minute; None when that is not known."""
        newest = [s[-1] for s in self._metrics.samples if s] if self._metrics is not None else []
        known = [(s.responses.total, s.end - s.start) for s in newest if s.responses is not None]
        return sum(n / length for n, length in known) if known else None

    def miss_journal(self, error: RecordError) -> None:
        """Say that there is no journal, and why."""
        self._journal.source.failed(error, self.clock.now())

    def url_of(self, service: str) -> str:
        """Where a service answers, as Cloud Run reports it; "" when that is not known."""
        facts = self._run.facts
        states = (facts.router, facts.legacy, facts.canary) if facts is not None else ()
        return next((s.uri for s in states if s is not None and s.name == service), "")

    async def refresh(self) -> Snapshot:
        """Read everything once, concurrently; never raises for a source that fails."""
        self.read_results()
        self.read_journal()
        await asyncio.gather(self.read_run(), self.read_metrics())
        snapshot, feed = self.judge(), self.comparison
        if feed is None or not feed.is_rebuilding:
            return snapshot
        for _ in iter(feed.rebuild, False):
            await asyncio.sleep(0)
        return self.judge()

    async def read_run(self) -> bool:
        """Read the services. True when something is different."""
        before = self._run.facts
        changed = await self._run.read()
        after = self._run.facts
        log_run_changes(self.log, before, after, self._journal.has, self.clock.now())
        log_redeployed(
            self.log, find_redeployed(self.plan, before), find_redeployed(self.plan, after)
        )
        self._skew.look(self.clock)
        if (
            self.comparison is not None
            and after is not None
            and self.plan.target.shares_one_service
        ):
            self.comparison.follow_sides(after.router.serving, after.router.stable)
        return changed

    async def read_metrics(self) -> bool:
        """Read the newest minutes. True when something is different."""
        return self._metrics is not None and await self._metrics.read()

    async def read_readiness(self) -> bool:
        """Ask what going back rests on, as far as it is due. True when something is different."""
        return self._readiness is not None and await self._readiness.read()

    def read_journal(self) -> bool:
        """Read the journal if it was written to. True when it was, or fails."""
        before = self._journal.entries
        changed = self._journal.read(self.clock.now())
        after = self._journal.entries
        if self._readiness is not None and _failed(after) != _failed(before):
            self._readiness.ask_again()
        if self._readiness is not None and _ended(after) != _ended(before):
            self._readiness.look_again()
        return changed

    def ask_rights_again(self) -> None:
        """Ask for the rights at the next read of the readiness, due or not."""
        if self._readiness is not None:
            self._readiness.ask_again()

    def read_results(self) -> bool:
        """Look for results of the load and A/B tests. True when they are different."""
        if self._results is None:
            return False
        found = self._results()
        for problem in found.problems:
            self.log.say(self.clock.now(), "warning", problem)
        changed = found.evidence != self._evidence
        self._evidence = found.evidence
        return changed

    async def backfill(self) -> AsyncIterator[bool]:
        """Fill the past, newest first; yields after each piece whether it held anything.

        Ends early, to be called again later, when Cloud Monitoring fails.
        """
        feed = self._metrics
        if feed is None:
            return
        since = self._begin_of_past()
        feed.incomplete, self._filling = False, True
        try:
            for piece in feed.missing(since, self.clock.now()):
                yield await feed.fill(piece)
        except CanaryError as error:
            feed.incomplete = True
            self._metrics_source.failed(error, self.clock.now())
            return
        finally:
            self._filling = False
            # Samples may have come in between those that are settled already.
            self._replay.begin_again()
            self._followed = None
        self._backfilled, self._filled_since = True, since

    def judge(
        self, others: Sequence[OperatorSession] = (), guard: GuardView | None = None
    ) -> Snapshot:
        """Take in what was read – the evidence goes on, transitions are written into the event log
        – and return the snapshot that tells of it. Arguments as `snapshot`'s.
        """
        legacy, canary = self._samples
        self._compare(legacy, canary, self._changes(self.clock.now()))
        snapshot = self.snapshot(others, guard)
        alarmed = self._readiness is not None and self._alarm.look(snapshot)
        alarmed = self._burning.look(snapshot) or alarmed
        metrics, run = self._metrics_source.view.state, self._run_source.view.state
        if self._no_data.say(snapshot, metrics, run) or alarmed:
            snapshot = self.snapshot(others, guard)
        self._no_data.note(snapshot)
        return snapshot

    def snapshot(
        self, others: Sequence[OperatorSession] = (), guard: GuardView | None = None
    ) -> Snapshot:
        """What is known now, with its age now. Writes nothing: two calls tell the same.

        `others`: who else is at this rollout; `guard`: automatic rollback here, None without it.
        """
        now = self.clock.now()
        observed = self._observed(now, tuple(others), guard)
        return assemble(self.plan, observed, now, self._windows.reduce, self._burns.find)

    @property
    def _samples(self) -> tuple[tuple[Sample, ...], tuple[Sample, ...]]:
        """Both sides' samples, with what the request log shows to have found no instance."""
        if self._metrics is None:
            return (), ()
        legacy, canary = self._metrics.samples
        if self.comparison is None:
            return legacy, canary
        overlay = self.comparison.refusals.overlay
        return overlay("legacy", legacy, canary), overlay("canary", canary, legacy)

    def _changes(self, now: float) -> tuple[float, ...]:
        run = self._run
        redeployed = find_redeployed(self.plan, run.facts)
        return known_changes(run.facts, self._journal.entries, run.moved_at, now, redeployed)

    def _observed(
        self, now: float, others: tuple[OperatorSession, ...], guard: GuardView | None
    ) -> Observed:
        legacy, canary = self._samples
        changes = self._changes(now)
        replayed = self._follow(canary, changes)
        sources = (self._run_source, self._metrics_source, self._journal.source)
        asked = self._metrics is not None
        return Observed(
            run=self._run.facts,
            legacy=legacy,
            canary=canary,
            watch=replayed.watch_after(changes),
            turned=replayed.transitions[-1] if replayed.transitions else None,
            changes=changes,
            entries=self._journal.entries,
            events=(
                *transition_events(replayed.transitions),
                *dismissal_events(self._journal.dismissals),
                *self.log.events,
            ),
            sources=tuple(s.view for s in sources if asked or s is not self._metrics_source),
            evidence=self._evidence,
            rights=self._readiness,
            others=others,
            guard=guard,
            ingest_delay_s=self._metrics.ingest_delay_s if self._metrics is not None else None,
            scenario=self._scenario(),
            speed=self.clock.speed,
            backfilled=self._backfilled,
            comparison=self._view_evidence(),
            failures=self._view_failures(legacy, canary),
        )

    def _compare(
        self,
        legacy: tuple[Sample, ...],
        canary: tuple[Sample, ...],
        changes: tuple[float, ...],
    ) -> None:
        """Let the evidence go on with what is known now; the past only once it is there in full."""
        feed, run = self.comparison, self._run.facts
        if feed is None or run is None:
            return
        changed_at = changes[-1] if changes else None
        invalid = find_invalid(run)
        feed.follow_split(changed_at, share_in_effect(run.router), legacy, invalid=invalid)
        if self.failures is not None and feed.state is not None:
            self.failures.follow_split(feed.state.began_at)
        feed.hear(self._journal.dismissals)
        past_is_there = self._backfilled and not self._filling
        if past_is_there and self._metrics is not None and self._metrics.is_whole:
            feed.take_samples(legacy, canary)
            feed.hear(self._journal.dismissals)

    async def list_failures(self) -> bool:
        """Ask once for what failed before the request log was tailed; where it is not tailed, list
        it anew. True when more is known.
        """
        if self.failures is None or self.comparison is None:
            return False
        tail = self.comparison.tail_view
        if not tail.off:
            return await self.failures.look_back()
        return await self.failures.list_anew(tail, *self._samples)

    def _view_failures(
        self, legacy: tuple[Sample, ...], canary: tuple[Sample, ...]
    ) -> FailuresView | None:
        if self.failures is None or self.comparison is None:
            return None
        return self.failures.view(self.comparison.tail_view, legacy, canary)

    def _view_evidence(self) -> EvidenceView | None:
        """The evidence as it stands; None until Cloud Run has said where the split is."""
        feed, run = self.comparison, self._run.facts
        if feed is None or run is None:
            return None
        served = run.router.served_percent
        return feed.view(served if served is not None else run.router.percent)

    def _follow(self, canary: tuple[Sample, ...], changes: tuple[float, ...]) -> Replayed:
        """The watch over these samples; computed only when they or the changes are others."""
        if (
            self._followed is None
            or self._followed[0] is not canary
            or self._followed[1] != changes
        ):
            if self._metrics is not None:
                self._replay.note_change(self._metrics.oldest_change)
                self._metrics.oldest_change = math.inf
            self._followed = (canary, changes, self._replay.follow(canary, changes))
        return self._followed[2]

    def _begin_of_past(self) -> float:
        """How far back the past is wanted, as far as Cloud Run has told."""
        record = known_record(self.plan, self._run.facts)
        entered_at = record.entered_at if record is not None else None
        least_s = LONGEST_S if self.plan.slo.objective is not None else 0.0
        return begin_of_backfill(entered_at, self.clock.now(), least_s)


def _ended(entries: tuple[Entry, ...]) -> set[str]:
    return {e.change.id for e in entries if e.outcome is not None}


def _failed(entries: tuple[Entry, ...]) -> set[str]:
    """The changes that failed: perhaps for want of a right that was there before."""
    return {e.change.id for e in entries if e.outcome is not None and e.outcome.state == "failed"}
