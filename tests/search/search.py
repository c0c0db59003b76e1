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
    Person,
    State,
    Table,
    normal,
    on_service,
    routed_otherwise,
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


class Search:
    """All interleavings from one beginning with one kind of router. `without`: guards taken out."""

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

    def run(self, beginning: Cloud) -> Result:
        """Go through everything; ends at the first violation, by the shortest way to it."""
        first = State(beginning, (Person(), Person()), Left())
        came_from: dict[State, tuple[State, tuple[str, str]] | None] = {first: None}
        waiting, transitions = deque([first]), 0
        while waiting:
            state = waiting.popleft()
            broken = self._broken_at_rest(state)
            if broken:
                found = Violation(broken, self.carrier, beginning, _way(came_from, state))
                return Result(len(came_from), transitions, found)
            for who, what, after in self._events(state):
                transitions += 1
                broken = self._broken_by(state, who, after)
                after = normal(after)
                if after not in came_from:
                    came_from[after] = (state, (who, what))
                    waiting.append(after)
                if broken:
                    found = Violation(
                        broken, self.carrier, beginning, (*_way(came_from, state), (who, what))
                    )
                    return Result(len(came_from), transitions, found)
        return Result(len(came_from), transitions, None)

    def _events(self, state: State) -> Iterator[tuple[str, str, State]]:
        cloud, people, left = state
        for index, name in enumerate(NAMES):
            me = people[index]
            for what, after, person, rest in self._of_person(cloud, me, left, name):
                both = (person, people[1]) if index == 0 else (people[0], person)
                yield name, what, State(after, both, rest)
        if left.foreign:
            rest = left._replace(foreign=0)
            for percent in FOREIGN_SHARES:
                if percent != cloud.percent:
                    moved = cloud._replace(percent=percent, served=percent, foreign=True)
                    after = moved._replace(etag=cloud.etag + 1)
                    yield "", f"set {percent} % by gcloud", State(after, people, rest)
            if not cloud.plan:
                yield "", "edit the plan", State(cloud._replace(plan=1), people, rest)

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

    def _broken_at_rest(self, state: State) -> str:
        cloud, people, _ = state
        if any(person.at not in AT_REST for person in people):
            return ""
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
        off = ask(self.plans[cloud.plan], cloud, "rollback_all", "anybody", self.without)
        return "" if off is not None else "I6: no way to take everybody off"

    def _broken_by(self, before: State, who: str, after: State) -> str:
        if who not in NAMES:
            return ""
        me = before.people[NAMES.index(who)]
        if me.plan == OTHERWISE and before.cloud != after.cloud:
            return "I5: an executor acts on what was asked for under another routing"
        if before.cloud.record == after.cloud.record:
            return ""
        change = self.table.changes[me.change]
        return self._broken_split(change, self.plans[me.plan], before.cloud, after.cloud, me)

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


def _way(
    came_from: dict[State, tuple[State, tuple[str, str]] | None], state: State
) -> tuple[tuple[str, str], ...]:
    events: list[tuple[str, str]] = []
    before = came_from[state]
    while before is not None:
        state, event = before
        events.append(event)
        before = came_from[state]
    return tuple(reversed(events))


def search_all(*, carrier: bool, without: frozenset[str] = frozenset()) -> Result:
    """From every beginning; `carrier`: Legacy carries the split, so that its etag guards both."""
    states = transitions = 0
    for beginning in BEGINNINGS:
        found = Search(carrier=carrier, without=without).run(beginning)
        states, transitions = states + found.states, transitions + found.transitions
        if found.violation is not None:
            return Result(states, transitions, found.violation)
    return Result(states, transitions, None)
