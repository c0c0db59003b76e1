"""Breadth first over every state that can be reached, and what must hold in each of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Final, NamedTuple

from canary.rollout.change.change import GOING_BACK, Change, SetTraffic
from canary.rollout.change.life import LIFE, present_step
from canary.rollout.change.stage_record import StageRecord, find_plan_drift
from canary.rollout.plan.plan import Plan
from tests.search.asking import KINDS, ask
from tests.search.executing import Executor
from tests.search.world import (
    BACKUP,
    NAMES,
    PRODUCTION,
    Cloud,
    Left,
    Numbers,
    Person,
    Table,
    normal,
    on_service,
    routed_otherwise,
    settled,
    with_shares,
)

SHARES: Final = ((10, 50, 100), (10, 75, 100))
"""The plan, and as somebody edits it."""

OTHERWISE: Final = 2
"""The plan of another routing, by its number."""

FOREIGN_SHARES: Final = (0, 5, 100)

BEGINNINGS: Final = (
    Cloud(10, 10, (1, 10, "", "promote"), PRODUCTION, PRODUCTION),
    Cloud(50, 50, (2, 50, "", "promote"), PRODUCTION, PRODUCTION),
    Cloud(100, 100, (3, 100, "", "promote"), PRODUCTION, PRODUCTION),  # half-way
    Cloud(100, 50, (3, 100, "", "promote"), PRODUCTION, PRODUCTION),  # its split failed
    Cloud(100, 100, (3, 100, "", "promote"), BACKUP, PRODUCTION),
    Cloud(5, 5, (2, 50, "", "promote"), PRODUCTION, PRODUCTION),  # lowered by hand
    Cloud(50, 50, (2, 50, "", "promote"), PRODUCTION, PRODUCTION, plan=1),  # the plan was edited
)

AT_REST: Final = ("idle", "asked", "ended")


class Violation(NamedTuple):
    """What does not hold, and the events that lead to it, as (who, what)."""

    invariant: str
    carrier: bool
    beginning: Cloud
    events: tuple[tuple[str, str], ...]


class Result(NamedTuple):
    states: int
    transitions: int
    violation: Violation | None


class Event(NamedTuple):
    """What somebody does, with the numbers of what is there behind it. `moved`: what guards the
    split is another then; `broken`: what does not hold.
    """

    who: str
    what: str
    cloud: int
    me: int
    left: int
    moved: bool
    broken: str


Numbered = tuple[int, int, int, int]
"""A state: the numbers of its cloud, of both people and of what is left."""

NOBODY: Final = -1


class Search:
    """All interleavings from a beginning with one kind of router. `without`: guards taken out.

    What one person may do does not depend on where the other one is: it is worked out once for each
    cloud, person and rest, and a state is four numbers.
    """

    def __init__(self, *, carrier: bool, without: frozenset[str] = frozenset()) -> None:
        self.table = Table()
        self.carrier = carrier
        self.without = without
        plans = [with_shares(*shares) for shares in SHARES]
        self.plans: list[Plan] = (
            plans if carrier else [on_service(plan, plan.target.canary) for plan in plans]
        )
        self.plans.append(routed_otherwise(self.plans[0]))
        self._executors: dict[int, Executor] = {}
        self._clouds, self._people, self._left = (
            Numbers[Cloud](),
            Numbers[Person](),
            Numbers[Left](),
        )
        self._events_of: dict[tuple[int, int, int, str], tuple[Event, ...]] = {}
        self._rests: list[bool] = []
        self._stale: list[int] = []
        self._stuck: dict[int, bool] = {}

    def run(self, beginning: Cloud) -> Result:
        """Go through everything; ends at the first violation, by the shortest way to it."""
        nobody = self._person(Person())
        first = (self._clouds.number(beginning), nobody, nobody, self._left.number(Left()))
        came_from: CameFrom = {first: None}
        waiting, transitions = deque([first]), 0
        while waiting:
            state = waiting.popleft()
            _, ann, bob, _ = state
            if self._rests[ann] and self._rests[bob] and (broken := self._broken_at_rest(state)):
                found = Violation(broken, self.carrier, beginning, _way(came_from, state))
                return Result(len(came_from), transitions, found)
            for event, after in self._following(state):
                transitions += 1
                if after not in came_from:
                    came_from[after] = (state, event)
                    waiting.append(after)
                if event.broken:
                    way = (*_way(came_from, state), (event.who, event.what))
                    found = Violation(event.broken, self.carrier, beginning, way)
                    return Result(len(came_from), transitions, found)
        return Result(len(came_from), transitions, None)

    def _following(self, state: Numbered) -> Iterator[tuple[Event, Numbered]]:
        cloud, ann, bob, left = state
        stale_ann, stale_bob = self._stale[ann], self._stale[bob]
        for event in self._events(cloud, ann, left, NAMES[0]):
            _, _, there, me, rest, moved, _ = event
            yield event, (there, me, stale_bob if moved else bob, rest)
        for event in self._events(cloud, bob, left, NAMES[1]):
            _, _, there, me, rest, moved, _ = event
            yield event, (there, stale_ann if moved else ann, me, rest)
        for event in self._events(cloud, NOBODY, left, ""):
            _, _, there, _, rest, moved, _ = event
            yield event, (there, stale_ann, stale_bob, rest) if moved else (there, ann, bob, rest)

    def _events(self, cloud: int, me: int, left: int, who: str) -> tuple[Event, ...]:
        """What one of them may do; `who` is empty for somebody without a console."""
        key = (cloud, me, left, who)
        found = self._events_of.get(key)
        if found is None:
            found = self._events_of[key] = tuple(self._work_out(*key))
        return found

    def _work_out(self, cloud: int, me: int, left: int, who: str) -> Iterator[Event]:
        was, rest = self._clouds.values[cloud], self._left.values[left]
        if me == NOBODY:
            for what, now, remains in self._of_others(was, rest):
                there, remaining = self._clouds.number(settled(now)), self._left.number(remains)
                yield Event(who, what, there, me, remaining, now.etag != was.etag, "")
            return
        person = self._people.values[me]
        for what, now, after, remains in self._of_person(was, person, rest, who):
            there, remaining = self._clouds.number(settled(now)), self._left.number(remains)
            then = self._person(normal(after, now.etag))
            broken = self._broken_by(was, person, now)
            yield Event(who, what, there, then, remaining, now.etag != was.etag, broken)

    def _person(self, person: Person) -> int:
        """Its number; with it, who it is when what guards the split is no longer what they know."""
        number = self._people.number(person)
        if number == len(self._stale):
            self._rests.append(person.at in AT_REST)
            self._stale.append(number)
            self._stale[number] = self._person(normal(person, etag=-2))
        return number

    def _of_others(self, cloud: Cloud, left: Left) -> Iterator[tuple[str, Cloud, Left]]:
        if not left.foreign:
            return
        rest = left._replace(foreign=0)
        for percent in FOREIGN_SHARES:
            if percent != cloud.percent:
                moved = cloud._replace(percent=percent, served=percent, foreign=True)
                yield f"set {percent} % by gcloud", moved._replace(etag=cloud.etag + 1), rest
        if not cloud.plan:
            yield "edit the plan", cloud._replace(plan=1), rest

    def _of_person(
        self, cloud: Cloud, me: Person, left: Left, name: str
    ) -> Iterator[tuple[str, Cloud, Person, Left]]:
        if me.at == "idle":
            for kind in KINDS:
                change = ask(self.plans[cloud.plan], cloud, kind, name, self.without)
                if change is not None:
                    number = self.table.number(change)
                    asked = Person("asked", number, etag=cloud.etag, plan=cloud.plan)
                    yield f"ask {kind}", cloud, asked, left
            if left.foreign:
                yield from self._ask_otherwise(cloud, left, name)
        elif me.at == "asked":
            yield "confirm", cloud, me._replace(at="look"), left
        elif me.at != "ended":
            executor = self._executor(me.change)
            yield from executor.instants(cloud, me, left)
            if left.crash:
                yield "killed", cloud, executor.crashed(me), left._replace(crash=0)

    def _ask_otherwise(
        self, cloud: Cloud, left: Left, name: str
    ) -> Iterator[tuple[str, Cloud, Person, Left]]:
        """Under a plan of the same directory that routes otherwise, into the same journal."""
        change = ask(self.plans[OTHERWISE], cloud, "rollback_all", name, self.without)
        if change is not None:
            number = self.table.number(change)
            asked = Person("asked", number, etag=cloud.etag, plan=OTHERWISE)
            yield "ask rollback_all under another plan", cloud, asked, left._replace(foreign=0)

    def _executor(self, number: int) -> Executor:
        if number not in self._executors:
            change = self.table.changes[number]
            self._executors[number] = Executor(self.plans[0], change, self.without)
        return self._executors[number]

    # What must hold.

    def _broken_at_rest(self, state: Numbered) -> str:
        cloud = self._clouds.values[state[0]]
        people = [self._people.values[person] for person in state[1:3]]
        if cloud.legacy.max <= BACKUP.max and cloud.served < 100 and not cloud.foreign:
            return "I1: Legacy serves, and is in backup"
        for name, person in zip(NAMES, people, strict=True):
            if person.said_nothing and cloud.record[2] == name:
                return "I4: nothing was changed, it is said, and its record is there"
            if person.at == "ended" and person.ended != "left" and not person.told:
                return "I7: how a change ended is never told"
            if person.ended == "left" and "withdraw" not in LIFE["to_do"]:
                return "I6: no way on from what is left alone"
            if person.ended == "unknown" and not {"resume", "abandon"} <= set(LIFE["unknown"]):
                return "I6: no way on from a change whose end is not known"
        return "I6: no way to take everybody off" if self._is_stuck(state[0]) else ""

    def _is_stuck(self, number: int) -> bool:
        found = self._stuck.get(number)
        if found is None:
            cloud = self._clouds.values[number]
            off = ask(self.plans[cloud.plan], cloud, "rollback_all", "anybody", self.without)
            found = self._stuck[number] = off is None
        return found

    def _broken_by(self, was: Cloud, me: Person, now: Cloud) -> str:
        if me.plan == OTHERWISE and was != now:
            return "I5: an executor acts on what was asked for under another routing"
        if was.record == now.record:
            return ""
        change = self.table.changes[me.change]
        return self._broken_split(change, self.plans[me.plan], was, now, me)

    def _broken_split(self, change: Change, plan: Plan, was: Cloud, now: Cloud, me: Person) -> str:
        step = change.steps[present_step(me.marks, len(change.steps))]
        assert isinstance(step, SetTraffic)
        if change.kind in GOING_BACK and now.percent > min(was.percent, was.served):
            return "I2: a rollback gives Canary more"
        if (was.percent, was.record[2]) != (step.guard.percent, step.guard.record):
            return "I3: a split is set on another than it was decided on"
        if change.kind == "promote":
            stage, percent, by, move = was.record
            record = StageRecord(stage, percent, 0.0, change=by, move=move)
            if was.percent != percent or find_plan_drift(plan, record):
                return "I2: a promotion from another percent than the record's, or another plan's"
            if now.percent != plan.percent_of(stage + 1):
                return "I2: a promotion past the next stage"
        return ""


CameFrom = dict[Numbered, tuple[Numbered, Event] | None]


def _way(came_from: CameFrom, state: Numbered) -> tuple[tuple[str, str], ...]:
    events: list[tuple[str, str]] = []
    before = came_from[state]
    while before is not None:
        state, event = before
        events.append((event.who, event.what))
        before = came_from[state]
    return tuple(reversed(events))


def search_all(*, carrier: bool, without: frozenset[str] = frozenset()) -> Result:
    """From every beginning; `carrier`: Legacy carries the split, so that its etag guards both."""
    states = transitions = 0
    search = Search(carrier=carrier, without=without)
    for beginning in BEGINNINGS:
        found = search.run(beginning)
        states, transitions = states + found.states, transitions + found.transitions
        if found.violation is not None:
            return Result(states, transitions, found.violation)
    return Result(states, transitions, None)
