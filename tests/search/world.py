"""What the search goes through: the cloud, two people with an executor each, and what may happen.

All of it is plain tuples, each kept once by its number. Changes are the product's own
(`rollout.change.moves`), and are kept in a table by their number.
"""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

import msgspec

from canary.rollout.change.change import (
    Author,
    Change,
    Guard,
    Request,
    Standing,
    basis_of,
)
from canary.rollout.change.life import Mark
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.plan.plan import Plan, ScalePreset
from tests.rollout.build import PLAN

T = TypeVar("T")
BACKUP, PRODUCTION = PLAN.scale.backup, PLAN.scale.production


def with_stages(plan: Plan, *shares: int) -> Plan:
    """The plan with these shares for its stages."""
    stages = tuple(msgspec.structs.replace(PLAN.stages[0], percent=percent) for percent in shares)
    return msgspec.structs.replace(plan, stages=stages)


def with_shares(*shares: int) -> Plan:
    return with_stages(PLAN, *shares)


def on_service(plan: Plan, service: str) -> Plan:
    """The plan with a split that another service than Legacy carries."""
    router = msgspec.structs.replace(plan.target.router, service=service)
    return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, router=router))


def routed_otherwise(plan: Plan) -> Plan:
    """The plan with its record elsewhere, so that it routes otherwise."""
    record = msgspec.structs.replace(plan.record, annotation=f"{plan.record.annotation}-other")
    return msgspec.structs.replace(plan, record=record)


class Cloud(NamedTuple):
    """What is set and what serves. `etag` guards the split; `record` is (stage, percent, change,
    move). `foreign`: somebody without a console was the last to touch split or scale.
    """

    percent: int
    served: int
    record: tuple[int, int, str, str]
    legacy: ScalePreset
    canary: ScalePreset
    etag: int = 0
    plan: int = 0
    foreign: bool = False

    @property
    def in_flux(self) -> bool:
        return self.served != self.percent


class Person(NamedTuple):
    """One person, and the executor that carries out what was confirmed.

    `at` is where it stands: idle, asked (a question is open), or an executor's next instant.
    `change` is a number in the table; `etag` what guards the split by now, `plan` the plan then.
    `told`: the webhook has taken how it ended.
    """

    at: str = "idle"
    change: int = -1
    marks: tuple[Mark, ...] = ()
    etag: int = -1
    renewed: bool = False
    applied: bool = False
    ended: str = ""
    said_nothing: bool = False
    plan: int = 0
    told: bool = False


class Left(NamedTuple):
    """What may still go wrong."""

    crash: int = 1
    lost: int = 1
    fails: int = 1
    foreign: int = 1


NAMES = ("ann", "bob")


def settled(cloud: Cloud) -> Cloud:
    """The same cloud without what makes no difference: an etag is the present one or it is not."""
    return cloud._replace(etag=0)


def normal(person: Person, etag: int) -> Person:
    """The same person where `etag` guards the split; of who has ended only the end counts."""
    if person.at == "ended":
        return Person(
            "ended", ended=person.ended, said_nothing=person.said_nothing, told=person.told
        )
    return person if person.at == "idle" else person._replace(etag=0 if person.etag == etag else -1)


class Numbers(Generic[T]):
    """Values by number, each kept once."""

    def __init__(self) -> None:
        self.values: list[T] = []
        self._numbers: dict[T, int] = {}

    def number(self, value: T) -> int:
        found = self._numbers.setdefault(value, len(self.values))
        if found == len(self.values):
            self.values.append(value)
        return found


def standing_of(plan: Plan, cloud: Cloud) -> Standing:
    stage, percent, change, move = cloud.record
    record = StageRecord(stage, percent, 0.0, change=change, move=move)
    # Whether the etag is still the same is kept beside the change: alike but for it, they are one.
    guard = Guard(plan.router_service, "", cloud.percent, "", change)
    known = record if stage <= len(plan.stages) else None
    return Standing(
        stage=stage,
        percent=cloud.percent,
        guard=guard,
        record=known,
        scale_legacy=cloud.legacy,
        scale_canary=cloud.canary,
        recorded=percent,
        served=cloud.served,
        in_doubt=cloud.in_flux,
        limits_legacy=cloud.legacy,
        limits_canary=cloud.canary,
    )


def request_of(name: str) -> Request:
    return Request(name, Author(name, "host"), 0.0)


def unmarked(change: Change) -> Change:
    """The change without what makes no difference here, where nothing is held or frozen: that it
    completes an approval.
    """
    basis = basis_of(change)
    if basis is None or not basis.completes:
        return change
    return msgspec.structs.replace(change, basis=msgspec.structs.replace(basis, completes=False))


class Table:
    """Changes by number, each kept once."""

    def __init__(self) -> None:
        self.changes: list[Change] = []
        self._numbers: dict[bytes, int] = {}

    def number(self, change: Change) -> int:
        change = unmarked(change)
        key = msgspec.json.encode(change)
        if key not in self._numbers:
            self._numbers[key] = len(self.changes)
            self.changes.append(change)
        return self._numbers[key]
