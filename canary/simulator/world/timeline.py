"""What was changed when: the only history that is kept, from which all traffic is computed."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Iterator, Mapping

import msgspec

from canary.simulator.config import SideName

DEFAULT_SCALE = (1, 10)
"""Least and most instances of a service whose scale nobody has set."""


class Event(msgspec.Struct, frozen=True, tag_field="kind"):
    """Something that holds from cloud time `at` (unix seconds) on."""

    at: float


class Split(Event, frozen=True, tag="split"):
    """Canary takes `percent` of the requests from now on (Legacy the rest)."""

    percent: int


class Scale(Event, frozen=True, tag="scale"):
    """Service-level bounds of the number of instances."""

    service: str
    min: int
    max: int


class NewRevision(Event, frozen=True, tag="revision"):
    """The side's requests are served by this revision from now on (it starts cold)."""

    service: str
    revision: str
    side: SideName


class Affinity(Event, frozen=True, tag="affinity"):
    """Clients stay on the side that they are on (session affinity), or no longer do."""

    on: bool


class ScenarioOn(Event, frozen=True, tag="scenario"):
    """A scenario begins, and whatever was on before ends."""

    name: str
    params: dict[str, float] = {}


class Removed(Event, frozen=True, tag="removed"):
    """The service was deleted: it answers no more and has no more metrics."""

    service: str


AnyEvent = Split | Scale | NewRevision | ScenarioOn | Removed | Affinity


class Regime(msgspec.Struct, frozen=True):
    """What holds at one moment: the sum of all events up to it."""

    percent: int = 0
    """Canary's share; 0 before the first split."""
    before: int = 0
    """The share before that, since `moved_at`."""
    moved_at: float = float("-inf")
    affinity: bool = False
    """The templates of the service that is split keep clients on their side."""
    scales: Mapping[str, tuple[int, int]] = {}
    """(least, most) instances, by service; DEFAULT_SCALE where nobody has set it."""
    revisions: Mapping[SideName, NewRevision] = {}
    """The revision that serves a side; a side without one does not serve yet."""
    scenario: ScenarioOn | None = None
    removed: frozenset[str] = frozenset()


class Timeline:
    """Append-only events in order of time; events of the same time keep the order of arrival."""

    def __init__(self, events: Iterable[AnyEvent] = ()) -> None:
        self._events: list[AnyEvent] = sorted(events, key=_time_of)
        self._times: list[float] = [event.at for event in self._events]
        # _regimes[i] holds after the first i events: every question about a moment is one bisect,
        # however long the history gets.
        self._regimes: list[Regime] = [Regime()]
        self._extend_regimes()

    def __iter__(self) -> Iterator[AnyEvent]:
        return iter(self._events)

    def __len__(self) -> int:
        return len(self._events)

    def append(self, event: AnyEvent) -> None:
        """Add an event. One that is late is put in its place (a change that settled unseen)."""
        place = bisect.bisect_right(self._times, event.at)
        self._events.insert(place, event)
        self._times.insert(place, event.at)
        del self._regimes[place + 1 :]
        self._extend_regimes()

    def between(self, start: float, end: float) -> list[AnyEvent]:
        """Return the events in (start, end), oldest first."""
        low = bisect.bisect_right(self._times, start)
        return self._events[low : bisect.bisect_left(self._times, end)]

    def regime_at(self, when: float) -> Regime:
        """Return what holds at a time."""
        return self._regimes[bisect.bisect_right(self._times, when)]

    def split_at(self, when: float) -> int:
        """Return Canary's share in percent at a time; 0 before the first split."""
        return self.regime_at(when).percent

    def scale_at(self, when: float, service: str) -> tuple[int, int]:
        """Return (least, most) instances of a service at a time."""
        return self.regime_at(when).scales.get(service, DEFAULT_SCALE)

    def revision_at(self, when: float, side: SideName) -> NewRevision | None:
        """Return the revision that serves a side at a time, with the time since when; or None."""
        return self.regime_at(when).revisions.get(side)

    def revisions(self, service: str) -> list[NewRevision]:
        """Return every revision of a service that ever served, oldest first."""
        return [e for e in self._events if isinstance(e, NewRevision) and e.service == service]

    def scenario_at(self, when: float) -> ScenarioOn | None:
        """Return the scenario that is on at a time; None before the first."""
        return self.regime_at(when).scenario

    def _extend_regimes(self) -> None:
        for event in self._events[len(self._regimes) - 1 :]:
            self._regimes.append(_after(self._regimes[-1], event))


def _after(regime: Regime, event: AnyEvent) -> Regime:
    replace = msgspec.structs.replace
    match event:
        case Split():
            return replace(regime, percent=event.percent, before=regime.percent, moved_at=event.at)
        case Affinity():
            return replace(regime, affinity=event.on)
        case Scale():
            bounds = (event.min, event.max)
            return replace(regime, scales={**regime.scales, event.service: bounds})
        case NewRevision():
            return replace(
                regime,
                revisions={**regime.revisions, event.side: event},
                removed=regime.removed - {event.service},
            )
        case ScenarioOn():
            return replace(regime, scenario=event)
        case Removed():
            return replace(regime, removed=regime.removed | {event.service})


def _time_of(event: AnyEvent) -> float:
    return event.at
