"""The world of the embedded cloud: configuration, clock, history, traffic. One per process.

Everything runs in one event loop and nothing here is awaited; no locks are needed.

What the APIs use of it:
`config`, `clock.now()`, `timeline` (read) and `append` (write), `minutes`, `scenario.current`,
`fault_for`, `saved` with `save()`, `on_settle`. A change of the services and the events it
causes go into one `save()`, so a kill at any instant leaves both or neither.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec

from canary.simulator.config import Config
from canary.simulator.endpoints import Endpoints
from canary.simulator.world.faults import Fault, FaultTable
from canary.simulator.world.saved import Saved, StateError
from canary.simulator.world.timeline import (
    AnyEvent,
    NewRevision,
    Scale,
    ScenarioOn,
    Split,
    Timeline,
)
from canary.simulator.world.traffic.minute import Minute
from canary.simulator.world.traffic.scenarios import (
    SIDES,
    ScenarioState,
    check_scenario,
    scenario_state,
)
from canary.simulator.world.traffic.traffic import Traffic


class Clock:
    """A clock that can run faster and jump forwards, never backwards.

    `now()` is unix seconds (UTC) of cloud time. `monotonic` is the real clock underneath;
    tests hand in their own.
    """

    def __init__(
        self, start: float, speed: float, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._monotonic = monotonic
        self._speed = speed
        self._cloud_base = start
        self._real_base = monotonic()

    @property
    def speed(self) -> float:
        """Cloud seconds that pass in one real second."""
        return self._speed

    def now(self) -> float:
        """Return cloud time in unix seconds."""
        return self._cloud_base + (self._monotonic() - self._real_base) * self._speed

    def real_seconds(self, cloud_s: float) -> float:
        """Return how long a stretch of cloud time takes on the wall."""
        return cloud_s / self._speed

    def set_speed(self, speed: float) -> None:
        """Run at another speed from now on; ValueError unless it is above 0 and finite."""
        if not 0 < speed < float("inf"):
            raise ValueError(f"speed: expected above 0, not {speed}")
        self._rebase(self.now())
        self._speed = speed

    def advance(self, cloud_s: float) -> None:
        """Jump forwards; ValueError for a jump backwards, which no cloud makes."""
        if not 0 <= cloud_s < float("inf"):
            raise ValueError(f"advance_s: expected 0 or more, not {cloud_s}")
        self._rebase(self.now() + cloud_s)

    def _rebase(self, cloud_now: float) -> None:
        self._cloud_base = cloud_now
        self._real_base = self._monotonic()


EARLIER_PERCENTS = (0, 5, 10, 25, 50)
"""Shares that a rollout passes through: what the stage before the first one here had."""

ARRIVALS_KEPT_S = 8 * 86_400.0
"""Longer than any window that is looked at (7 days)."""

_CHANGE_METHODS = ("UpdateService", "CreateService", "DeleteService")


class Origin(msgspec.Struct, frozen=True, kw_only=True):
    """What was settled when the state was new, and stays: all of the history hangs on it."""

    identity: dict[str, object]
    seed: int
    requests_per_s: float
    history_start: float
    entered_at: float


class CurrentScenario:
    """The scenario that is on: read by the APIs, switched by the control side."""

    def __init__(self, world: World) -> None:
        self._world = world

    def current(self, now: float) -> ScenarioState:
        """Return what is different from a healthy day at a time."""
        event = self._world.timeline.scenario_at(now)
        return scenario_state(event, now, self._world.config.ingest_delay_s)

    def switch(self, name: str, params: dict[str, float]) -> None:
        """Begin a scenario now (`healthy` clears); ValueError if it does not exist."""
        check_scenario(name, params)
        self._world.append(ScenarioOn(self._world.clock.now(), name, params))
        self._world.save()


class World:
    """The whole state of the embedded cloud; raises StateError if its file cannot be used."""

    def __init__(
        self,
        config: Config,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.config = config
        self.saved = Saved(Path(config.state_path) if config.state_path else None)
        self.faults = FaultTable()
        self.present_fault: Fault | None = None
        """Of the call that is being answered right now: what it begins may go wrong later."""
        self.calls: Counter[str] = Counter()
        """How often each gRPC method was called, by its bare name; failed calls count too."""
        self.endpoints = Endpoints()
        """Where the HTTP side listens: set before the APIs start, empty without a process."""
        self._settlers: list[Callable[[float], None]] = []
        origin = self.saved.get("origin")
        self.fresh = origin is None
        """The state is new: nothing was saved before."""
        if origin is None:
            self._begin(wall() if config.start_unix is None else config.start_unix)
        else:
            self._resume(msgspec.json.decode(origin, type=Origin))
        self.clock = Clock(self._start, config.speed, monotonic)
        self.scenario = CurrentScenario(self)
        self.traffic = Traffic(config, self.timeline, self.origin.seed, self.origin.requests_per_s)
        for end, service, revision, value in self.saved.arrivals():
            self.traffic.arrivals.restore(end, service, revision, value)
        wanted = config.scenario
        if (self.fresh or wanted != "healthy") and wanted != self.scenario_name:
            self.scenario.switch(wanted, config.scenario_params)
        self.save()

    @property
    def entered_at(self) -> float:
        """When the stage began that was on at the very first start (unix seconds)."""
        return self.origin.entered_at

    @property
    def history_start(self) -> float:
        """When the first minute of traffic begins."""
        return self.origin.history_start

    @property
    def scenario_name(self) -> str:
        """Name of the scenario that is on now."""
        event = self.timeline.scenario_at(self.clock.now())
        return "healthy" if event is None else event.name

    @property
    def record(self) -> str:
        """The stage record with which a new world begins; "" when the starter gave none."""
        return self.config.record.replace("@ENTERED_AT@", f"{self.entered_at:.3f}")

    def append(self, event: AnyEvent) -> None:
        """Add an event to the timeline and the state file (committed by `save`).

        An event may lie a little in the past (an operation that settled unseen): minutes that
        were computed without it are computed again.
        """
        self.timeline.append(event)
        self.saved.append_event(event)
        self.traffic.forget_after(event.at)

    def minutes(
        self, service: str, revision: str | None, start: float, end: float
    ) -> Sequence[Minute]:
        """Return the complete minutes of a service whose end lies in (start, end], oldest first.

        `revision` None means all of them: one Minute each per end, ordered by name. Minutes that
        have not ended yet, lie before the history, or that the scenario silences, are absent.
        Visibility (the ingest delay) is the caller's matter.
        """
        self.settle()
        start = max(start, self.history_start)
        return self.traffic.minutes(service, revision, start, min(end, self.clock.now()))

    def fault_for(self, method: str) -> Fault | None:
        """Return what goes wrong with a call that is being made now, or None.

        `method` is the full gRPC path (`/google.cloud.run.v2.Services/GetService`). The fault
        table comes first (and is used up by this), then what the scenario says.
        """
        fault = self.faults.take(method)
        if fault is not None:
            return fault
        state = self.scenario.current(self.clock.now())
        candidates = [state.monitoring_fault, state.run_fault]
        if method.rpartition("/")[2] in _CHANGE_METHODS:
            candidates.append(state.update_fault)
        return next((f for f in candidates if f is not None and f.covers(method)), None)

    def on_settle(self, settler: Callable[[float], None]) -> None:
        """Have `settler(now)` called whenever time may have brought something to its end.

        It is called before minutes are computed, before a request is routed, after a jump of
        the clock, and about twice a real second; it must be cheap when nothing is due.
        """
        self._settlers.append(settler)

    def settle(self) -> None:
        """Let everything settle that is due by now."""
        now = self.clock.now()
        for settler in self._settlers:
            settler(now)

    def save(self) -> None:
        """Commit the state, the timeline, the real requests and the clock to the state file."""
        for end, service, revision, value in self.traffic.arrivals.take_changed():
            self.saved.put_arrivals(end, service, revision, value)
        self.saved.put("clock", msgspec.json.encode(self.clock.now()))
        self.saved.save()

    def trim(self) -> None:
        """Forget the real requests of more than ARRIVALS_KEPT_S ago, and unasked minutes."""
        self.traffic.trim()
        before = int(self.clock.now() - ARRIVALS_KEPT_S)
        self.traffic.arrivals.drop(before)
        self.saved.drop_arrivals(before)

    def close(self) -> None:
        """Save and let the state file go."""
        self.save()
        self.saved.close()

    def _begin(self, now: float) -> None:
        """Lay out the history before the first start: the earlier share, then this stage's."""
        config = self.config
        self._start = now
        self.origin = Origin(
            identity=config.identity,
            seed=config.seed,
            requests_per_s=config.requests_per_s,
            history_start=(now - config.history_h * 3600.0) // 60 * 60,
            entered_at=now - config.soaked_hours * 3600.0,
        )
        begin = self.origin.history_start
        earlier = max((p for p in EARLIER_PERCENTS if p < config.percent), default=0)
        self.timeline = Timeline()
        self.saved.put("origin", msgspec.json.encode(self.origin))
        events: list[AnyEvent] = [Scale(begin, service, 1, 10) for service in config.services]
        # Revisions of one service are numbered on; two services each have a first one.
        second = "00002" if config.router.shares_one_service else "00001"
        for side, number in zip(SIDES, ("00001-leg", f"{second}-can"), strict=True):
            service = config.service_of(side)
            events.append(NewRevision(begin, service, f"{service}-{number}", side))
        events += [Split(begin, earlier), Split(self.origin.entered_at, config.percent)]
        for event in events:
            self.timeline.append(event)
            self.saved.append_event(event)

    def _resume(self, origin: Origin) -> None:
        if origin.identity != self.config.identity:
            raise StateError(
                f"state file {self.saved.path} belongs to another rollout ({origin.identity});"
                " start over with fresh, or name another state_path"
            )
        self.origin = origin
        events = self.saved.events()
        self.timeline = Timeline(events)
        clock = msgspec.json.decode(self.saved.get("clock") or b"0", type=float)
        # Killed between two saves, the clock is older than what happened last: never run it twice.
        self._start = max([clock, *(event.at for event in events)])
