"""The checklists of one rollout: looked up from all that is known, and ticked by people.

Reads files and asks git: tens of milliseconds, so the console does it on a thread. What the program
has found is written down when it is first seen: a monitoring loop that ran, a verification that was
passed, are not to be seen any more when the list is read.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from canary.engine.jobs.checklist_facts import Facts, Known, find_facts, visit_by_record, visits_in
from canary.engine.jobs.job import Host, attempt
from canary.engine.session import Session, SessionOpening
from canary.rollout.change.change import Author
from canary.rollout.change.stage_record import StageRecord, next_stage
from canary.rollout.errors import ReadOnly, RecordError, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize
from canary.rollout.trials.checklist import (
    PROGRAM,
    Checklist,
    ChecklistBook,
    Tick,
    Visit,
    check_tick,
    compose,
    span_of,
    trace_visits,
)
from canary.store.entries import Entry
from canary.store.journal import Journal
from canary.store.monitoring import holder, read_state
from canary.store.paths import checklists_path
from canary.store.procedure_records import ChecklistRecord
from canary.store.results import read_results, read_verification
from canary.store.stage_file import read_stage_file, read_standing, stage_file_path

ENTRIES = 500
"""So many changes of the journal are looked at; older visits are in the record by then."""


class Checklists:
    """The checklists of `plan`. `directory` is the rollout's on this host.

    `journal` None: it cannot be used. Raises RecordError when the record cannot be opened;
    `read_only` opens it without writing anything.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        directory: Path,
        journal: Journal | None,
        *,
        read_only: bool = False,
    ) -> None:
        self._plan = plan
        self._plan_path = plan_path
        self._directory = directory
        self._journal = journal
        self._read_only = read_only
        self._record = ChecklistRecord(checklists_path(directory), read_only=read_only)

    def close(self) -> None:
        """Close the record."""
        self._record.close()

    def read(self, snapshot: Snapshot) -> ChecklistBook:
        """All lists as they stand at a moment, and write down what is newly known.

        Raises RecordError when the record of ticks cannot be read; what else cannot be looked at
        is said in the book's `trouble`, and its items stay open.
        """
        known, error = self._look(snapshot)
        visits = self._visits(known)
        ticks = self._record.ticks()
        lists = [self._list(known, visit.stage, visit, visits, ticks) for visit in visits]
        stage = snapshot.stage.index
        upcoming = next_stage(self._plan, stage) if stage is not None else None
        if upcoming is not None:
            lists.append(self._list(known, upcoming, None, visits, ticks))
        return ChecklistBook(stage, tuple(lists), error)

    def tick(
        self, checklist: Checklist, item: str, author: Author, now: float, *, done: bool = True
    ) -> None:
        """Tick or untick an item by a person. Raises UsageError when it may not be, RecordError."""
        check_tick(checklist, item, done=done)
        self._record.add(Tick(checklist.stage, item, done, sanitize(author, 120), now))

    def note_dry_run(self, stage: int, author: Author, now: float) -> None:
        """A person has looked at the dry run of the move into a stage. Raises RecordError."""
        self._record.add(Tick(stage, "dry_run", True, sanitize(author, 120), now, "--dry-run"))

    def note_differences(self, stage: int, author: Author, now: float) -> None:
        """A person has looked at what Canary runs otherwise. Raises RecordError."""
        self._record.add(
            Tick(stage, "differences", True, sanitize(author, 120), now, "canary diff")
        )

    def _look(self, snapshot: Snapshot) -> tuple[Known, str]:
        errors = []
        entries: tuple[Entry, ...] = ()
        try:
            entries = self._journal.recent(ENTRIES) if self._journal is not None else ()
        except RecordError as error:
            errors.append(str(error))
        path = stage_file_path(self._plan_path, self._plan.record.file)
        stage_file: StageRecord | None = None
        try:
            stage_file = read_stage_file(path)
        except RecordError as error:
            errors.append(str(error))
        outputs = self._plan_path.parent / self._plan.record.outputs
        stages = range(1, len(self._plan.stages) + 1)
        seen = {stage: read_verification(outputs, stage) for stage in stages}
        known = Known(
            plan=self._plan,
            snapshot=snapshot,
            entries=entries,
            evidence=read_results(outputs).evidence,
            verifications={stage: one for stage, one in seen.items() if one is not None},
            stage_file=stage_file,
            git=read_standing(path) if stage_file is not None else None,
            loop=read_state(self._directory),
            loop_runs=holder(self._directory) is not None,
        )
        return known, " ".join(errors)

    def _visits(self, known: Known) -> tuple[Visit, ...]:
        kept = self._record.visits()
        record = known.snapshot.traffic.record
        found = [*visits_in(known.entries), *visit_by_record(record)]
        seen = {visit.change for visit in kept}
        for visit in found:
            # Also those to stage 0: they end the visit before.
            if visit.change and visit.change not in seen and not self._read_only:
                self._record.add_visit(visit)
                seen.add(visit.change)
        return trace_visits([*found, *kept])

    def _list(
        self,
        known: Known,
        stage: int,
        visit: Visit | None,
        visits: tuple[Visit, ...],
        ticks: tuple[Tick, ...],
    ) -> Checklist:
        begins, ends = span_of(stage, visit, visits)
        own = [t for t in ticks if t.stage == stage and begins < t.at <= ends]
        facts = find_facts(known, stage, visit)
        own += self._keep(facts, own, begins, ends)
        return compose(self._plan, stage, visit, [*own, *facts.passing], facts.hints)

    def _keep(self, facts: Facts, own: list[Tick], begins: float, ends: float) -> list[Tick]:
        """Write down what is known for the first time; return it.

        Each within the visit's own time, so that it is found there again: a change can have ended
        after the next one had begun.
        """
        seen = {tick.item for tick in own if tick.by == PROGRAM}
        new = []
        for tick in facts.lasting:
            if tick.item in seen:
                continue
            seen.add(tick.item)
            at = min(max(tick.at, math.nextafter(begins, math.inf)), ends)
            new.append(msgspec.structs.replace(tick, at=at))
            if not self._read_only:
                self._record.add(new[-1])
        return new


@contextlib.contextmanager
def open_checklists(
    place: Session | SessionOpening, *, read_only: bool = False
) -> Iterator[Checklists]:
    """The checklists of a session's rollout while the block lasts. Raises RecordError."""
    lists = Checklists(
        place.plan, place.plan_path, place.directory, place.journal, read_only=read_only
    )
    try:
        yield lists
    finally:
        lists.close()


def choose(book: ChecklistBook, item: str, stage: int | None) -> Checklist:
    """The list that an item is to be ticked on: of `stage`, or else the one that it belongs to now.

    What comes before a move is of the next stage, everything else of the present one. Raises
    UsageError when there is no such list.
    """
    if stage is not None:
        found = book.of(stage)
        if not found:
            raise UsageError(f"Stage {stage} has no checklist yet: it is neither present nor next.")
        return found[-1]
    for one in (book.following, book.current):
        line = one.line(item) if one is not None else None
        if (
            one is not None
            and line is not None
            and (one is book.current or line.item.phase == "before")
        ):
            return one
    present = book.current or book.following
    if present is None:
        raise UsageError("There is no stage to tick anything for.")
    check_tick(present, item, done=True)
    return present


EVERY_S = 60.0
"""Real seconds between two readings while nothing happens."""


_Tick = tuple[str, int | None, bool]
"""Item, stage (None: where it belongs now), done."""


class ChecklistJob:
    """The console's checklists: read on a thread, since git is asked; ticked from any thread.

    When the rollout has moved, and every now and then, the lists are read anew, so that what the
    program knows is written down even while nobody looks at them.
    """

    def __init__(self, host: Host, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._monotonic = monotonic
        self._snapshot: Snapshot | None = None
        self._moved: object = None
        # Not at once: the first seconds belong to the first numbers.
        self._read_at = monotonic()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.book: ChecklistBook | None = None
        """As last read; None before the first time."""

    def read(self) -> None:
        """Read the lists now. Any thread."""
        self._host.in_loop(self._begin)

    def tick(self, item: str, *, stage: int | None = None, done: bool = True) -> None:
        """Tick or untick an item, and read the lists anew. Any thread; a refusal is reported."""
        self._host.in_loop(lambda: self._begin((item, stage, done)))

    def look(self, snapshot: Snapshot) -> None:
        """Follow the rollout; in the engine's loop."""
        self._snapshot = snapshot
        record = snapshot.traffic.record
        outcomes = tuple((c.id, c.outcome is not None) for c in snapshot.changes[:5])
        moved = (record.change if record is not None else "", outcomes)
        if snapshot.standing is None:
            return
        due = self._monotonic() - self._read_at >= EVERY_S
        began = self._moved is None
        changed, self._moved = moved != self._moved, moved
        if due or (changed and not began):
            self._begin()

    def _begin(self, tick: _Tick | None = None) -> None:
        self._read_at = self._monotonic()
        task = asyncio.get_running_loop().create_task(self._run(tick), name="checklists")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, tick: _Tick | None) -> None:
        if self._snapshot is None:
            return
        error = await attempt("reading of the checklists", self._read(self._snapshot, tick))
        if error:
            self._host.report(error)

    async def _read(self, snapshot: Snapshot, tick: _Tick | None) -> None:
        async with self._lock:
            self.book = await asyncio.to_thread(self._work, snapshot, tick)
        self._host.changed()

    def _work(self, snapshot: Snapshot, tick: _Tick | None) -> ChecklistBook:
        """On a thread of its own; opened each time: it is asked once a minute."""
        opening, host = self._host.opening, self._host
        with open_checklists(opening, read_only=host.read_only) as lists:
            book = lists.read(snapshot)
            if tick is None:
                return book
            if host.read_only:
                raise ReadOnly("This console is read-only: nothing can be ticked from here.")
            item, stage, done = tick
            chosen = choose(book, item, stage)
            lists.tick(chosen, item, host.author, opening.clock.now(), done=done)
            return lists.read(snapshot)
