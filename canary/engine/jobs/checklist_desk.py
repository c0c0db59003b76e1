"""The console's checklists: read on a thread, since git is asked; ticked from any thread.

Lives in the engine's loop. `look` is called with each snapshot: when the rollout has moved, and
every now and then, the lists are read anew, so that what the program knows is written down even
while nobody looks at them. Listeners are called from the engine's thread with a frozen value.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from canary.engine.jobs.checklist import Checklists, choose
from canary.engine.session import SessionOpening
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, ReadOnly
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.checklist import ChecklistBook

log = logging.getLogger(__name__)

EVERY_S = 60.0
"""Real seconds between two readings while nothing happens."""

OnBook = Callable[[ChecklistBook], None]
InLoop = Callable[[Callable[[], object]], None]


class ChecklistDesk:
    """Keeps the checklists of `opening` at hand. `on_trouble` is told what hinders it."""

    def __init__(
        self,
        opening: SessionOpening,
        in_loop: InLoop,
        on_trouble: Callable[[str], None],
        *,
        read_only: bool = False,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opening = opening
        self._in_loop = in_loop
        self._on_trouble = on_trouble
        self._read_only = read_only
        self._monotonic = monotonic
        self._on_book: OnBook = _hear
        self._snapshot: Snapshot | None = None
        self._moved: object = None
        # Not at once: the first seconds belong to the first numbers.
        self._read_at = monotonic()
        self._lock = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self.book: ChecklistBook | None = None
        """As last read; None before the first time."""

    def listen(self, on_book: OnBook) -> None:
        """Who is told when the lists were read and are different."""
        self._on_book = on_book

    def read(self) -> None:
        """Read the lists now; the listener is told, be they different or not. Any thread."""
        self._in_loop(lambda: self._begin(tell=True))

    def tick(
        self, item: str, author: Author, *, stage: int | None = None, done: bool = True
    ) -> None:
        """Tick or untick an item, and read the lists anew. Any thread; a refusal is a trouble."""
        self._in_loop(lambda: self._begin((item, author, stage, done), tell=True))

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

    def _begin(
        self, tick: tuple[str, Author, int | None, bool] | None = None, *, tell: bool = False
    ) -> None:
        self._read_at = self._monotonic()
        task = asyncio.get_running_loop().create_task(self._run(tick, tell=tell), name="checklists")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, tick: tuple[str, Author, int | None, bool] | None, *, tell: bool) -> None:
        snapshot = self._snapshot
        if snapshot is None:
            return
        try:
            async with self._lock:
                book = await asyncio.to_thread(self._work, snapshot, tick)
        except CanaryError as error:
            self._on_trouble(str(error))
            return
        except Exception as error:
            # The boundary of this worker: the console goes on without its checklists.
            log.exception("checklists")
            self._on_trouble(f"The checklists cannot be read ({type(error).__name__}).")
            return
        changed, self.book = book != self.book, book
        if changed or tell:
            self._on_book(book)

    def _work(
        self, snapshot: Snapshot, tick: tuple[str, Author, int | None, bool] | None
    ) -> ChecklistBook:
        """On a thread of its own; opened each time: it is asked once a minute."""
        opening = self._opening
        lists = Checklists(
            opening.plan,
            opening.plan_path,
            opening.directory,
            opening.journal,
            read_only=self._read_only,
        )
        try:
            book = lists.read(snapshot)
            if tick is None:
                return book
            if self._read_only:
                raise ReadOnly("This console is read-only: nothing can be ticked from here.")
            item, author, stage, done = tick
            chosen = choose(book, item, stage)
            lists.tick(chosen, item, author, opening.clock.now(), done=done)
            return lists.read(snapshot)
        finally:
            lists.close()


def _hear(book: ChecklistBook) -> None:
    """Nobody listens."""
