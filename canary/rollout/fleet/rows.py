"""One row for each rollout: what its console would say, and who is there. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from canary.rollout.change.hold import format_hold
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import OperatorSession, Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import RolloutState
from canary.rollout.text import format_until, sanitize

_TESTS: Final = {"load_test": "run the load test", "ab_test": "run the A/B test"}
"""What a person does for a gate, by the name of the action."""


class SideNumbers(msgspec.Struct, frozen=True):
    """One side's newest window; None: no data."""

    error_ratio: float | None = None
    p95_ms: float | None = None


class FleetRow(msgspec.Struct, frozen=True):
    """One rollout. `where` is project/region. `trouble` is why nothing is known of it ("" for
    nothing), and the rest is then empty. `looks_only`: no plan on this host names it, so that it
    may only be looked at; `plan` is the file otherwise.

    `changed_at` is the last change of the split and `changed_by` whose it was, `as_of` when it was
    looked at: both by the time of its own cloud, which is not that of another row's;
    `others` are who has it open, `guards` those of them whose automatic rollback is armed; `hold`
    is why nobody promotes ("" for nothing), whatever the state is; `labels` are those of the
    service that carries the split.
    """

    name: str
    where: str
    state: RolloutState | None = None
    trouble: str = ""
    stage: int | None = None
    stages: int | None = None
    percent: int | None = None
    legacy: SideNumbers = SideNumbers()
    canary: SideNumbers = SideNumbers()
    soaked_hours: float | None = None
    soak_hours: float | None = None
    data_age_s: float | None = None
    as_of: float | None = None
    changed_at: float | None = None
    changed_by: str = ""
    others: tuple[str, ...] = ()
    guards: tuple[str, ...] = ()
    hold: str = ""
    labels: Mapping[str, str] = {}
    plan: str = ""
    looks_only: bool = False

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others: two plans of one rollout are two rows."""
        return self.name, self.where, self.plan

    @property
    def project(self) -> str:
        """Where it is; "" where that is not known."""
        return self.where.partition("/")[0]

    @property
    def region(self) -> str:
        """Where it is; "" where that is not known."""
        return self.where.partition("/")[2]

    @property
    def waits_for_person(self) -> bool:
        """Whether a person has to act next. A rollout that is off has all the time there is; and of
        one without a plan here it is not known which tests have been made.
        """
        state = self.state
        if state is None or state.actor.kind != "you" or state.id == "off":
            return False
        return not (self.looks_only and state.actor.action in _TESTS)

    @property
    def word(self) -> str:
        """The state's word; what stands there for one of which nothing is known."""
        return "CANNOT SEE" if self.state is None else self.state.word

    @property
    def glyph(self) -> str:
        """The state's glyph."""
        return "?" if self.state is None else self.state.glyph

    @property
    def wait(self) -> str:
        """What it waits for, in words."""
        if self.state is None:
            return sanitize(self.trouble, 200)
        text = sanitize(self.state.next or self.state.cause, 200)
        test = _TESTS.get(self.state.actor.action) if self.waits_for_person else None
        return f"{test}; {text}" if test else text


def name_of(plan: Plan) -> str:
    """What a rollout is called in the list: its Canary's service, or the one that both share."""
    return plan.target.legacy if plan.target.shares_one_service else plan.target.canary


def lost_row(plan: Plan, why: str, path: str = "") -> FleetRow:
    """The row of a rollout of which nothing is known, and why."""
    where = f"{plan.target.project}/{plan.target.region}"
    return FleetRow(name_of(plan), where, trouble=why, plan=path, looks_only=not path)


def row_of(
    snapshot: Snapshot, plan: Plan, labels: Mapping[str, str], path: str, *, looks_only: bool
) -> FleetRow:
    """The row of a rollout that was looked at."""
    record, stage, others = snapshot.traffic.record, snapshot.stage, snapshot.presence.others
    whole = None if looks_only else len(plan.stages)
    by = "" if record is None else "@".join(filter(None, [record.by, record.host]))
    return FleetRow(
        name=name_of(plan),
        where=f"{snapshot.project}/{snapshot.region}",
        state=find_state(snapshot, plan),
        stage=stage.index,
        stages=whole,
        percent=snapshot.traffic.canary_percent,
        legacy=_numbers(snapshot.legacy.window.error_ratio, snapshot.legacy.window.p95_ms),
        canary=_numbers(snapshot.canary.window.error_ratio, snapshot.canary.window.p95_ms),
        soaked_hours=stage.soaked_hours,
        soak_hours=stage.soak_hours,
        data_age_s=snapshot.data_age_s,
        as_of=snapshot.as_of,
        changed_at=None if record is None else record.written_at,
        changed_by=sanitize(by, 80),
        others=_names(others),
        guards=_names(each for each in others if each.guards),
        hold=_hold(snapshot),
        labels=dict(labels),
        plan=path,
        looks_only=looks_only,
    )


def _numbers(error_ratio: float | None, p95_ms: float | None) -> SideNumbers:
    return SideNumbers(error_ratio, p95_ms)


def _names(sessions: Iterable[OperatorSession]) -> tuple[str, ...]:
    """Whose they are, each person once."""
    return tuple(dict.fromkeys(sanitize(each.user, 40) for each in sessions))


def _hold(snapshot: Snapshot) -> str:
    """ "held by bob@bastion-2 until 09:00Z because the database moves", or the plan's freeze."""
    hold, freeze, now = snapshot.hold, snapshot.freeze, snapshot.as_of
    if snapshot.retired:
        return ""
    if hold is not None:
        return format_hold(hold, now)
    if freeze is None:
        return ""
    until = "" if freeze.until is None else f" until {format_until(freeze.until, now)}"
    why = f" because {sanitize(freeze.why, 100)}" if freeze.why else ""
    return f"frozen by the plan{until}{why}"


class FleetReading(msgspec.Struct, frozen=True):
    """What was read of all at once: `now` by the cloud's clock, `read_mono` by this process's
    monotonic one. Not `is_whole`: some projects are still being read.
    """

    rows: tuple[FleetRow, ...]
    now: float
    read_mono: float
    is_whole: bool = True
