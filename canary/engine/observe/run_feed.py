"""Reads the services from Cloud Run, keeps what was last known, and notes when the split moved."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from typing import Protocol

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import ServiceState
from canary.engine.observe.position import RunFacts, recall_split, see_split
from canary.engine.observe.source import Source
from canary.rollout.errors import CanaryError, NotFound, RecordError, Unavailable
from canary.rollout.plan.plan import Plan
from canary.store.history import History
from canary.store.split_seen import SplitSeen

log = logging.getLogger(__name__)

READ_LIMIT_S = 20.0
"""Real seconds after which a read that does not end counts as failed, whatever hangs below."""

MOVES_KEPT = 50


class ServiceReader(Protocol):
    """What is needed of `cloud.router.router.Router`."""

    async def service(self, name: str) -> ServiceState:
        """One service as it is now; raises CanaryError."""


class RunFeed:
    """What Cloud Run said last. `facts` None: it has never answered for the router's service.

    `history` keeps since when the split stands as it does; None: only this program knows.
    """

    def __init__(
        self,
        plan: Plan,
        reader: ServiceReader,
        clock: CloudClock,
        source: Source,
        history: History | None = None,
    ) -> None:
        self.facts: RunFacts | None = None
        self._plan = plan
        self._reader = reader
        self._clock = clock
        self._source = source
        self._history = history
        self._moves: list[float] = []
        self._in_flux = False
        self._missing: frozenset[str] = frozenset()
        self._one_at_a_time = asyncio.Lock()

    @property
    def moved_at(self) -> tuple[float, ...]:
        """When the split was seen to move, oldest first, cloud time."""
        return tuple(self._moves)

    async def read(self) -> bool:
        """Ask for all services at once. True when anything is different from before."""
        async with self._one_at_a_time:
            if not self._source.may_ask(self._clock.now()):
                return False
            answers = await self._ask(_services_of(self._plan))
            now = self._clock.now()
            states = {n: a for n, a in answers.items() if isinstance(a, ServiceState)}
            errors = [a for a in answers.values() if isinstance(a, CanaryError)]
            self._note_missing(answers)
            retired = find_retired(self._plan, answers)
            if retired is not None:
                errors = [e for e in errors if e is not answers[self._plan.target.legacy]]
            changed = self._take(states, retired, now)
            if errors:
                return self._source.failed(errors[0], now, partly=bool(states)) or changed
            return self._source.answered(now) or changed

    async def _ask(self, names: Iterable[str]) -> dict[str, ServiceState | CanaryError]:
        wanted = tuple(names)
        answers = await asyncio.gather(*(self._ask_one(name) for name in wanted))
        return dict(zip(wanted, answers, strict=True))

    def _note_missing(self, answers: dict[str, ServiceState | CanaryError]) -> None:
        """Keep which services do not exist; one that does not answer now is what it was."""
        told = {n for n, a in answers.items() if isinstance(a, ServiceState)}
        gone = {n for n, a in answers.items() if isinstance(a, NotFound)}
        self._missing = frozenset((self._missing - told) | gone)

    async def _ask_one(self, name: str) -> ServiceState | CanaryError:
        try:
            async with asyncio.timeout(READ_LIMIT_S):
                return await self._reader.service(name)
        except TimeoutError:
            return Unavailable(f"Cloud Run did not answer in {READ_LIMIT_S:.0f} s ({name}).")
        except CanaryError as error:
            return error

    def _take(
        self, states: dict[str, ServiceState], retired: ServiceState | None, now: float
    ) -> bool:
        """Keep the answers; a side that failed keeps what was known of it.

        `retired` is the router's state when Legacy is gone for good.
        """
        before, target = self.facts, self._plan.target
        if retired is not None:
            states = {**states, self._plan.router_service: retired}
        router = states.get(self._plan.router_service, before.router if before else None)
        if router is None:
            return False
        legacy = states.get(target.legacy, before.legacy if before else None)
        canary = states.get(target.canary, before.canary if before else None)
        if retired is not None:
            legacy = None
        if target.shares_one_service:
            legacy = canary = router
        read_at = now if self._plan.router_service in states else before.read_at if before else now
        seen = self._see_split(before.seen if before else None, router, now)
        self.facts = RunFacts(router, legacy, canary, read_at, self._missing, seen)
        if self._plan.router_service in states:
            self._note_move(before.router if before else None, router, now)
        if before is None:
            return True
        known = (before.router, before.legacy, before.canary, before.missing)
        return known != (router, legacy, canary, self._missing)

    def _see_split(self, known: SplitSeen | None, router: ServiceState, now: float) -> SplitSeen:
        """Since when the split stands as it does; a console before this one may have seen it."""
        seen = see_split(known or self._recall(router, now), router)
        if seen != known and self._history is not None:
            try:
                self._history.keep_split(seen)
            except RecordError as error:
                log.warning("split seen: %s", error)
        return seen

    def _recall(self, router: ServiceState, now: float) -> SplitSeen | None:
        if self._history is None:
            return None
        try:
            return recall_split(self._history.split_seen(), router, now)
        except RecordError as error:
            log.warning("split seen: %s", error)
            return None

    def _note_move(self, before: ServiceState | None, after: ServiceState, now: float) -> None:
        """The split moves from when it is seen changed until the service has settled on it."""
        begins = before is not None and _is_moved(before, after)
        if begins and not self._in_flux:
            self._moves = [*self._moves, now][-MOVES_KEPT:]
        elif self._in_flux:
            self._moves[-1] = now
        if before is None and after.reconciling:
            self._moves, begins = [now], True
        self._in_flux = after.reconciling and (begins or self._in_flux)


def _is_moved(before: ServiceState, after: ServiceState) -> bool:
    """Whether another share is set, or serves; what is not known is no move."""
    served = (before.served_percent, after.served_percent)
    serves_else = None not in served and served[0] != served[1]
    return before.percent != after.percent or serves_else or before.others != after.others


def _services_of(plan: Plan) -> tuple[str, ...]:
    """The services to read, the router's first; none twice."""
    if plan.target.shares_one_service:
        return (plan.router_service,)
    return tuple(dict.fromkeys((plan.router_service, plan.target.legacy, plan.target.canary)))


# What Cloud Run's answers mean once Legacy has been deleted. Pure.
#
# The record that rode on Legacy was written on Canary before (`KeepRecord`), so that Canary stands
# in
# for the router then; and that Legacy is not found is as it should be, and no failure.

Answers = Mapping[str, ServiceState | CanaryError]


def find_retired(plan: Plan, answers: Answers) -> ServiceState | None:
    """The router's state when Legacy is gone and the record says that it may be; else None.

    Where Legacy carried the split, that is Canary's state, with the record's share: there is nobody
    else to take it.
    """
    target = plan.target
    if not isinstance(answers.get(target.legacy), NotFound):
        return None
    carried = plan.router_service == target.legacy
    state = answers.get(target.canary if carried else plan.router_service)
    if not isinstance(state, ServiceState) or state.record is None:
        return None
    record = state.record
    if record.enabled or record.production_service != target.canary:
        return None
    return msgspec.structs.replace(state, percent=record.percent) if carried else state
