"""The rules of the chaos: what people, faults and kill -9 may do, in any order."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from canary.engine.change.recovery import unresolved
from tests.chaos.host import Host
from tests.chaos.rollout import Rollout
from tests.chaos.routers import EDITS, PLANS, change_by_others

HOSTS = st.integers(0, 2)
KINDS = st.sampled_from(
    ["promote", "promote", "step_back", "rollback_all", "adopt", "revert", "scale"]
)
METHODS = st.sampled_from(
    ["UpdateService", "GetService", "GetOperation", "ListTimeSeries", "Patch", "Get"]
)
BEGINNINGS = st.sampled_from(
    [(2, None, False), (4, None, False), (5, None, False), (5, None, True), (2, 100, False)]
)
"""Stage, share (None: the stage's), and whether Legacy is in backup: 5 without is an approval that
is half-way, and (2, 100) was set by somebody else."""
SCENARIOS = st.sampled_from(
    [
        "healthy",
        "error-spike",
        "slow-burn",
        "no-data",
        "stale",
        "quota",
        "monitoring-outage",
        "run-outage",
        "conflict",
        "denied",
        "stuck-operation",
        "failing-operation",
    ]
)
FAULTS = st.sampled_from(
    [
        *(
            {"code": code}
            for code in (
                "UNAVAILABLE",
                "DEADLINE_EXCEEDED",
                "RESOURCE_EXHAUSTED",
                "INTERNAL",
                "ABORTED",
                "PERMISSION_DENIED",
            )
        ),
        {"code": "UNAVAILABLE", "after_apply": True},
        {"code": "DEADLINE_EXCEEDED", "after_apply": True},
        {"shape": "truncated"},
        {"shape": "nan"},
        {"shape": "empty"},
        {"late_s": 300.0},
        {"fails": True},
    ]
)


class Tally:
    """What the schedules of one run came to, for its report."""

    def __init__(self) -> None:
        self.schedules = 0
        self.steps = 0
        self.asked = 0
        self.effects = 0
        self.killed = 0
        self.outcomes: dict[str, int] = {}
        self.routers: dict[str, int] = {}
        self.began = time.monotonic()

    def __str__(self) -> str:
        took_s = time.monotonic() - self.began
        outcomes = ", ".join(f"{n} {state}" for state, n in sorted(self.outcomes.items()))
        return (
            f"{self.schedules} schedules, {self.steps} steps in {took_s:.0f} s"
            f" ({1000 * took_s / max(1, self.steps):.0f} ms a step): {self.asked} changes asked"
            f" for, {self.effects} effects, {self.killed} executors killed; outcomes: {outcomes};"
            f" routers: {', '.join(f'{n} {name}' for name, n in sorted(self.routers.items()))}"
        )


class Chaos(RuleBasedStateMachine):
    """Three people and their executors on one cloud. The loop is shared by all schedules."""

    runner: ClassVar[asyncio.Runner]
    tally: ClassVar[Tally]

    def __init__(self) -> None:
        super().__init__()
        self.rollout: Rollout | None = None

    def _do(self, work: Coroutine[Any, Any, Any]) -> Any:
        self.tally.steps += 1
        # `Runner.run` has what comes back described for a message that nobody reads.
        return self.runner.get_loop().run_until_complete(work)

    @property
    def _at(self) -> Rollout:
        assert self.rollout is not None
        return self.rollout

    def _some(self, is_so: Callable[[Host], object]) -> bool:
        return self.rollout is not None and any(is_so(host) for host in self.rollout.hosts)

    @initialize(router=st.sampled_from(sorted(PLANS)), beginning=BEGINNINGS)
    def begin(self, router: str, beginning: tuple[int, int | None, bool]) -> None:
        """A stage that has soaked long enough, all consoles open."""
        index, percent, backup = beginning
        config = {} if percent is None else {"percent": percent}
        self.rollout = self._do(Rollout.open(router, stage=index, **config))
        self.tally.routers[router] = self.tally.routers.get(router, 0) + 1
        if backup:
            self._do(self._at.put_legacy_in_backup())
        for host in self._at.hosts:
            self._do(self._at.look(host))

    @rule(at=HOSTS)
    def look(self, at: int) -> None:
        self._do(self._at.look(self._at.hosts[at]))

    @rule(at=HOSTS, kind=KINDS)
    def ask(self, at: int, kind: Any) -> None:
        asked = self._do(self._at.ask(self._at.hosts[at], kind))
        self.tally.asked += asked is not None

    @rule(at=HOSTS, kind=KINDS)
    def look_and_ask(self, at: int, kind: Any) -> None:
        self.look(at)
        self.ask(at, kind)

    @rule(kinds=st.tuples(KINDS, KINDS, KINDS))
    def ask_at_once(self, kinds: tuple[Any, ...]) -> None:
        """All look, all press y: of those on one split exactly one can win."""
        for at in range(len(kinds)):
            self.look(at)
        for at, kind in enumerate(kinds):
            self.ask(at, kind)

    @rule(at=HOSTS, shares=st.sampled_from(EDITS))
    def edit_plan(self, at: int, shares: tuple[int, ...]) -> None:
        """One of them edits the plan, and begins the console anew with it."""
        self._at.hosts[at].edit_plan(shares)

    @rule(at=HOSTS)
    def visit(self, at: int) -> None:
        self._do(self._at.hosts[at].visit())

    @rule(at=HOSTS)
    def ask_under_another_plan(self, at: int) -> None:
        self._at.hosts[at].ask_otherwise()

    @rule(at=HOSTS, other=HOSTS, kind=KINDS, instants=st.integers(1, 24))
    def cut(self, at: int, other: int, kind: Any, instants: int) -> None:
        """A change is cut after any of its instants, and somebody else acts into what is left."""
        host = self._at.hosts[at]
        self.look(at)
        if host.is_alive and host.life.left is None:
            host.life.left = instants
            self.tally.killed += 1
        asked = self._do(self._at.ask(host, kind, forced=kind == "promote"))
        self.tally.asked += asked is not None
        self.pass_turns(2)
        if other != at:
            self.look_and_ask(other, "rollback_all")

    @rule(at=HOSTS)
    def take_everybody_off(self, at: int) -> None:
        """From whatever was last seen: it must not depend on what can be read."""
        self.ask(at, "rollback_all")

    @rule(at=HOSTS)
    def force(self, at: int) -> None:
        self.look(at)
        asked = self._do(self._at.ask(self._at.hosts[at], "promote", forced=True))
        self.tally.asked += asked is not None

    @rule(seconds=st.sampled_from([1.0, 5.0, 20.0, 61.0, 130.0, 700.0]))
    def pass_time(self, seconds: float) -> None:
        self._do(self._at.pass_time(seconds))

    @rule(turns=st.integers(2, 12))
    def pass_turns(self, turns: int) -> None:
        for _ in range(turns):
            self._do(self._at.pass_time(5.0))

    @rule(hours=st.sampled_from([25.0, 49.0]))
    def soak(self, hours: float) -> None:
        self._do(self._at.pass_time(hours * 3600.0))

    @rule(at=HOSTS, instants=st.integers(1, 24))
    def kill_soon(self, at: int, instants: int) -> None:
        """The executor will be gone after so many more instants."""
        host = self._at.hosts[at]
        if host.is_alive and host.life.left is None:
            host.life.left = instants
            self.tally.killed += 1

    @precondition(lambda self: self._some(lambda host: host.is_alive))
    @rule(at=HOSTS)
    def kill(self, at: int) -> None:
        host = self._at.hosts[at]
        self.tally.killed += host.is_alive
        self._do(host.kill())

    @precondition(lambda self: self._some(lambda host: not host.is_alive))
    @rule(at=HOSTS)
    def come_back(self, at: int) -> None:
        host = self._at.hosts[at]
        if not host.is_alive:
            host.live()
            self._do(self._ring(at))

    async def _ring(self, at: int) -> None:
        self._at.hosts[at].wake()
        await self._at.ticker.rest(self._at.hosts)

    @rule(method=METHODS, fault=FAULTS, times=st.sampled_from([1, 2, 5, 30]))
    def break_something(self, method: str, fault: dict[str, Any], times: int) -> None:
        self._at.cloud.break_method(method, **fault, times=times)

    @rule()
    def mend(self) -> None:
        self._at.cloud.world.faults.clear()

    @rule(name=SCENARIOS)
    def play(self, name: str) -> None:
        self._at.cloud.set_scenario(name)

    @rule(percent=st.sampled_from([0, 5, 10, 15, 25, 50, 100]))
    def meddle(self, percent: int) -> None:
        """Somebody with gcloud."""
        change_by_others(self._at.cloud, percent)

    @precondition(lambda self: self._some(lambda host: host.journal.open_changes()))
    @rule(at=HOSTS)
    def withdraw(self, at: int) -> None:
        self._at.hosts[at].withdraw()

    @precondition(lambda self: self._some(lambda host: unresolved(host.journal)))
    @rule(at=HOSTS, how=st.sampled_from(["verify", "resume", "abandon"]))
    def look_after(self, at: int, how: Any) -> None:
        self._do(self._recover(at, how))

    async def _recover(self, at: int, how: Any) -> None:
        await self._at.hosts[at].recover(how)
        await self._at.ticker.rest(self._at.hosts)

    @precondition(lambda self: self.rollout is not None)
    @rule()
    def settle(self) -> None:
        """In the middle, too: everything mended, everybody back, everything settled."""
        self._do(self._at.recover())
        self._do(self._at.check_recovered())

    @invariant()
    def holds(self) -> None:
        if self.rollout is not None:
            self.rollout.check()

    def teardown(self) -> None:
        rollout = self.rollout
        if rollout is None:
            return
        try:
            self._do(rollout.recover())
            self._do(rollout.check_recovered())
            self._do(rollout.check_way_back())
            self._count(rollout)
        finally:
            self.runner.run(rollout.close())

    def _count(self, rollout: Rollout) -> None:
        self.tally.schedules += 1
        self.tally.effects += len(rollout.ledger.effects)
        for host in rollout.hosts:
            for entry in host.entries:
                assert entry.outcome is not None
                state = entry.outcome.state
                self.tally.outcomes[state] = self.tally.outcomes.get(state, 0) + 1
