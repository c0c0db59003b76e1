"""A host with a console and an executor: asks, is killed at any instant, comes back."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from canary.cloud.router.choice import open_router
from canary.engine.change.executor import CloudClients, Executor
from canary.engine.change.notes import intend
from canary.engine.change.recovery import How, Recovery, unresolved, withdraw
from canary.engine.change.settling import Pace
from canary.engine.observe.observer import Observer
from canary.rollout.change import moves
from canary.rollout.change.change import Author, Change, Kind, Request
from canary.rollout.errors import CanaryError
from canary.rollout.permit import permit
from canary.rollout.permit.approval import evidence_of
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.journal import Entry, Journal
from canary.store.locks import Owner
from tests.chaos.routers import routed_otherwise, with_shares
from tests.embedded import Embedded

PACE = Pace(looks=6)
PATIENCE_S = 20.0
"""Real seconds after which a schedule that does not come to rest is a failure."""


class Killed(BaseException):
    """What kill -9 looks like from inside: nothing after it leaves a trace."""


class Life:
    """Ends after so many instants; an instant is just before or after anything with a trace."""

    def __init__(self, left: int | None = None) -> None:
        self.left = left
        self.passed = 0

    @property
    def over(self) -> bool:
        return self.left == 0

    def pass_instant(self) -> None:
        if self.left == 0:
            raise Killed
        self.passed += 1
        if self.left is not None:
            self.left -= 1
            if self.left == 0:
                raise Killed


class MortalJournal(Journal):
    """The executor's journal: its process may end just before or just after each write."""

    life: Life

    def note(self, *arguments: Any) -> bool:
        self.life.pass_instant()
        noted = super().note(*arguments)
        self.life.pass_instant()
        return noted

    def settle(self, *arguments: Any) -> bool:
        self.life.pass_instant()
        settled = super().settle(*arguments)
        self.life.pass_instant()
        return settled

    def claim(self, *arguments: Any) -> bool:
        self.life.pass_instant()
        return super().claim(*arguments)


class MortalClients:
    """The real adapters; the process may end just before or just after each call."""

    def __init__(self, cloud: Embedded, life: Life) -> None:
        self._life = life
        self._reader = open_router(cloud.plan, cloud.connection)
        self._writer = open_router(cloud.plan, cloud.connection)

    async def service(self, name: str) -> Any:
        return await self._live(self._reader.service(name))

    async def send(self, step: Any, **how: Any) -> str:
        return await self._live(self._writer.send(step, **how))

    async def operation(self, name: str) -> Any:
        return await self._live(self._writer.operation(name))

    async def close(self) -> None:
        """The process has ended: so have its connections."""
        await self._reader.close()
        await self._writer.close()

    async def _live(self, call: Any) -> Any:
        try:
            self._life.pass_instant()
        except Killed:
            call.close()
            raise
        answer = await call
        self._life.pass_instant()
        return answer


class Ticker:
    """Time for all executors: a pause ends when the schedule lets time pass, never by itself."""

    def __init__(self, cloud: Embedded) -> None:
        self._cloud = cloud
        self._waiting: set[asyncio.Future[None]] = set()
        self._turned = asyncio.Event()

    async def sleep(self, pause_s: float) -> None:
        if pause_s <= 0:
            return
        until = asyncio.get_running_loop().create_future()
        self._waiting.add(until)
        self._turned.set()
        try:
            await until
        finally:
            self._waiting.discard(until)

    def turn(self, ended: asyncio.Task[None]) -> None:
        """A task has ended; whether it was killed is seen by its life."""
        if not ended.cancelled():
            ended.exception()
        self._turned.set()

    async def tick(self, cloud_s: float, hosts: list[Host]) -> None:
        self._cloud.advance(cloud_s)
        waiting, self._waiting = self._waiting, set()
        for until in waiting:
            if not until.done():
                until.set_result(None)
        await self.rest(hosts)

    async def rest(self, hosts: list[Host]) -> None:
        """Wait until everybody sleeps or has ended; whoever was killed is buried."""
        async with asyncio.timeout(PATIENCE_S):
            while True:
                self._turned.clear()
                for host in hosts:
                    await host.bury()
                if sum(host.busy for host in hosts) <= len(self._waiting):
                    return
                await self._turned.wait()


class Host:
    """One host: a journal on its disk, a console that asks, an executor that carries out."""

    def __init__(
        self, name: str, cloud: Embedded, directory: Path, ticker: Ticker, *, blind: bool = False
    ) -> None:
        self.cloud = cloud
        self.plan = cloud.plan
        self.directory = directory
        directory.mkdir(parents=True)
        self.author = Author(name, f"host-{name}")
        self.journal = Journal(directory / "journal.db", wall=cloud.clock.now)
        self._metrics = None if blind else cloud.monitoring
        self._watch()
        self._ticker = ticker
        self._asked = 0
        self.strange: set[str] = set()
        """Changes of another plan that share this journal."""
        self.live()

    def _watch(self) -> None:
        cloud = self.cloud
        self.observer = Observer(
            self.plan, cloud.run, self._metrics, None, self.journal, cloud.clock
        )

    def edit_plan(self, shares: tuple[int, ...]) -> None:
        """The console is begun anew with the edited plan; an executor that lives keeps the old."""
        self.plan = with_shares(self.cloud.plan, shares)
        self._watch()

    # -- the executor ----------------------------------------------------------------------------

    def live(self, instants: int | None = None) -> None:
        """Start an executor that lives for so many instants (None: until it is killed)."""
        self.life = Life(instants)
        self._clients = cloud_clients = MortalClients(self.cloud, self.life)
        self._mortal = MortalJournal(self.directory / "journal.db", wall=self.cloud.clock.now)
        self._mortal.life = self.life
        self._owner: Owner | None = Owner(self.directory)
        self._executor = Executor(
            self.plan,
            CloudClients(cloud_clients, cloud_clients, self.cloud.clock),
            self._mortal,
            self._owner,
            pace=PACE,
            wall=self.cloud.clock.now,
            sleep=self._ticker.sleep,
        )

    @property
    def is_alive(self) -> bool:
        return self._owner is not None

    @property
    def busy(self) -> int:
        return len(self._executor.tasks)

    def wake(self) -> None:
        """Let the executor look into the journal."""
        if not self.is_alive:
            return
        try:
            self._executor.take_up()
        except Killed:
            return
        for task in self._executor.tasks:
            task.add_done_callback(self._ticker.turn)

    async def visit(self) -> None:
        """An executor of a plan that routes otherwise looks into this journal, as where two plans
        shared a directory: it has nothing to do here.
        """
        with Journal(self.directory / "journal.db", wall=self.cloud.clock.now) as journal:
            owner = Owner(self.directory)
            clients = MortalClients(self.cloud, Life())
            guest = Executor(
                routed_otherwise(self.plan, "third"),
                CloudClients(clients, clients, self.cloud.clock),
                journal,
                owner,
                wall=self.cloud.clock.now,
            )
            guest.take_up()
            owner.release()
            await clients.close()
            assert guest.tasks == ()

    async def kill(self) -> None:
        self.life.left = 0
        await self.bury()

    async def bury(self) -> None:
        """After the last instant: everything of that process is gone, its lock too."""
        if not self.life.over or self._owner is None:
            return
        tasks = self._executor.tasks
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._owner.release()
        self._owner = None
        self._mortal.close()
        await self._clients.close()

    async def close(self) -> None:
        await self.kill()
        self.journal.close()

    # -- the console -----------------------------------------------------------------------------

    async def look(self) -> Snapshot:
        return await self.observer.refresh()

    def ask(self, kind: Kind, *, forced: bool = False) -> tuple[Change, Snapshot] | None:
        """Ask as the console does, from what was last seen; None when it is not permitted."""
        self.observer.read_journal()
        snapshot = self.observer.judge()
        reason = permit.why_not(kind, snapshot, read_only=False)
        if snapshot.standing is None or (reason is not None and not forced):
            return None
        self._asked += 1
        request = Request(
            f"{self.author.user}{self._asked}",
            self.author,
            self.cloud.now,
            reason="because" if forced else "",
            forced=forced,
            evidence=evidence_of(snapshot, self.cloud.now),
        )
        try:
            change = self._build(kind, snapshot, request)
            permit.authorize(change, snapshot, read_only=False)
        except CanaryError:
            return None
        assert intend(self.journal, change, self.plan)
        self.wake()
        return change, snapshot

    def ask_otherwise(self) -> None:
        """Somebody asks under a plan that routes otherwise, into this very journal."""
        snapshot, plan = self.observer.judge(), routed_otherwise(self.plan)
        if snapshot.standing is None:
            return
        self._asked += 1
        request = Request(f"{self.author.user}{self._asked}", self.author, self.cloud.now)
        try:
            change = moves.rollback_all(plan, snapshot.standing, request)
        except CanaryError:
            return
        self.strange.add(change.id)
        assert intend(self.journal, change, plan)
        self.wake()

    def _build(self, kind: Kind, snapshot: Snapshot, request: Request) -> Change:
        standing, plan = snapshot.standing, self.plan
        assert standing is not None
        if kind == "promote" and standing.percent == 100 and moves.is_final(plan, standing.stage):
            return moves.complete_approval(plan, standing, request)
        if kind == "scale":
            # No two alike: a scale is recognised by its value.
            return moves.scale(plan, standing, request, "canary", ScalePreset(1, 10 + self._asked))
        build = {
            "promote": moves.promote,
            "step_back": moves.step_back,
            "rollback_all": moves.rollback_all,
            "adopt": moves.adopt,
            "revert": moves.revert,
        }[kind]
        return build(plan, standing, request)

    def withdraw(self) -> None:
        """Take back what waits, as far as that is possible."""
        for entry in self.journal.open_changes():
            try:
                withdraw(self.journal, entry.change.id, str(self.author), self.cloud.now)
            except CanaryError:
                continue

    async def recover(self, how: How) -> None:
        """Ask for one that was left open or unknown."""
        recovery = Recovery(
            self.plan,
            self.cloud.run,
            self.journal,
            self.cloud.clock,
            wall=self.cloud.clock.now,
        )
        for entry in unresolved(self.journal)[:1]:
            try:
                await recovery.recover(entry.change.id, how, str(self.author))
            except CanaryError:
                continue
        self.wake()

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.journal.recent(1000)
