"""A change whose end is not known: look what became of it, resume it, or abandon it.

An executor that is killed leaves an open intent; the next one takes it up by itself and says done,
not done or unknown. What is unknown stays so until a person asks here. Looking changes nothing but
the journal. Going on hands the intent back to an executor; it is sent again only where the guard
from before still holds, so that it can have no second effect (`observed_state.check_resumable`).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, Protocol

import msgspec

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import ServiceState
from canary.engine.change.executor import FRESH_S
from canary.engine.change.observed_state import check_resumable, find_observed_state, foreign_change
from canary.engine.change.outcomes import describe_done, describe_failed, describe_not_begun
from canary.engine.change.settling import ServiceReader
from canary.rollout.change.change import (
    DeleteImages,
    Outcome,
    OutcomeState,
    Removal,
    Step,
    goes_on,
)
from canary.rollout.change.life import NEVER_SENT
from canary.rollout.errors import CanaryError, Conflict, GateNotMet, UsageError
from canary.rollout.permit.standstill import demand_going_on
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.routing import routes_alike
from canary.rollout.text import format_clock, sanitize
from canary.store.journal import Entry, Journal, Unreadable, unreadable_error

How = Literal["verify", "resume", "abandon"]
FindingState = Literal["ended", "in_hand", "not_begun", "not_done", "unknown", "resumed"]
"""It has an outcome (now); somebody carries it out; nothing of it was sent; it was sent, and
nothing of it is to be seen; the cloud does not tell; it was handed to an executor."""

TRIES = 5

OTHER_PLAN = "It was asked for under a plan that routes otherwise: this one cannot tell of it."
OTHER_PLANS_REMEDY = "Ask with that plan (--config), or abandon it (--abandon)."


class Finding(msgspec.Struct, frozen=True):
    """What was found out about a change. `step` is the first that is not done.

    `outcome` is set where `state` is "ended".
    """

    state: FindingState
    message: str
    remedy: str = ""
    step: int = 0
    outcome: Outcome | None = None


class Looker(ServiceReader, Protocol):
    """What is asked of the cloud (`cloud.router.router.Router`)."""

    async def gone(self, step: Removal) -> bool:
        """Whether what a step was to delete is gone. Raises CanaryError."""


class Recovery:
    """Looks after the changes of one journal. `wall` is this host's clock, unix seconds."""

    def __init__(
        self,
        plan: Plan,
        reader: Looker,
        journal: Journal,
        clock: CloudClock,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._plan = plan
        self._reader = reader
        self._journal = journal
        self._clock = clock
        self._wall = wall

    async def recover(self, change_id: str, how: How, by: str) -> Finding:
        """Do what is asked for. Raises UsageError for a change that is not in the journal."""
        if how == "resume":
            return await self.resume(change_id, by)
        if how == "abandon":
            return await self.abandon(change_id, by)
        return await self.verify(change_id)

    async def verify(self, change_id: str) -> Finding:
        """Look at the cloud. What is certain is written: it is done, or it never will be."""
        entry = find_entry(self._journal, change_id)
        if entry.outcome is not None and entry.outcome.state != "unknown":
            return _ended(entry.outcome)
        if entry.outcome is None and entry.owner and self._journal.is_alive(entry.owner):
            return _in_hand(entry)
        return await self._look(entry)

    async def resume(self, change_id: str, by: str) -> Finding:
        """Hand the change back to an executor, which goes on where it ended.

        Raises GateNotMet for a promotion whose numbers are too old, or that a hold or a freeze
        keeps back, Conflict when somebody has it, and OutcomeUnknown where a second sending is not
        guarded.
        """
        found = await self.verify(change_id)
        if found.state in ("ended", "in_hand"):
            return found
        entry = find_entry(self._journal, change_id)
        if not routes_alike(entry.change.routing, self._plan):
            raise Conflict(OTHER_PLAN, remedy=OTHER_PLANS_REMEDY)
        await self._check_gates(entry, found.step)
        step, reached = entry.change.steps[found.step], entry.state_of(found.step)
        if found.state == "not_done" and reached != "accepted":
            await self._check_resumable(step)
        if found.state == "unknown" and reached not in {*NEVER_SENT, "accepted"}:
            return found
        if not self._journal.reopen(entry.change.id, by, self._clock.now()):
            raise Conflict("Somebody else has just taken it up, or ended it.", remedy="Look again.")
        return Finding("resumed", "It was handed to an executor, which resumes it.")

    async def _check_resumable(self, step: Step) -> None:
        if not isinstance(step, DeleteImages):  # their service is gone, and twice does no harm
            check_resumable(step, await self._reader.service(step.service), self._plan)

    async def abandon(self, change_id: str, by: str) -> Finding:
        """Give the change up: nothing more is sent for it. What was sent is not undone.

        A change that is found to be done ends as done. Raises Conflict while it is on its way.
        """
        entry = find_entry(self._journal, change_id)
        if entry.is_withdrawable:
            return _ended(withdraw(self._journal, change_id, by, self._clock.now()))
        found = await self.verify(change_id)
        if found.state == "ended":
            return found
        if found.state == "in_hand":
            raise Conflict(found.message, remedy=found.remedy)
        state = await self._read(entry.change.steps[found.step].service)
        now = "" if state is None else _true_now(state)
        now = "" if now in found.message else now
        message = f"Abandoned by {sanitize(by, 80)}. {found.message} {now}".rstrip()
        outcome = Outcome("abandoned", message, self._clock.now(), _percent(state))
        return self._resolve(entry.change.id, outcome)

    async def _look(self, entry: Entry) -> Finding:
        change = entry.change
        if not routes_alike(change.routing, self._plan):
            return Finding("unknown", OTHER_PLAN, OTHER_PLANS_REMEDY, entry.present_step)
        for index, step in enumerate(change.steps):
            if entry.is_settled(index):
                continue
            if isinstance(step, Removal):
                there = await self._look_for(entry, index, step)
                if there is None:
                    continue
                return there
            state = await self._read(step.service)
            if state is None:
                said = "Cloud Run does not answer: what became of it is not known."
                return Finding("unknown", said, "Ask again once it answers.", index)
            observed = find_observed_state(step, state, change.created_at)
            if observed == "foreign":
                return self._replaced(entry, index, state)
            if observed == "absent":
                return _absent(entry, index, _true_now(state))
            if observed == "there" and (state.reconciling or state.ready is False):
                return _in_flux(state, index)
        remark = f"Looked up at {format_clock(self._clock.now())}."
        return self._resolve(change.id, describe_done(change, (remark,), self._clock.now()))

    async def _look_for(self, entry: Entry, index: int, step: Removal) -> Finding | None:
        """Whether what was to be deleted is there; None: it is gone."""
        try:
            if await self._reader.gone(step):
                return None
        except CanaryError as error:
            said = f"Whether it is gone is not known: {error.message}"
            return Finding("unknown", said, "Ask again once that answers.", index)
        what = "an image" if isinstance(step, DeleteImages) else sanitize(step.service, 60)
        return _absent(entry, index, f"What was to go ({what}) is still there.")

    def _replaced(self, entry: Entry, index: int, state: ServiceState) -> Finding:
        """Somebody else's change is there, so that the guard keeps ours out for ever."""
        change, now = entry.change, self._clock.now()
        error = foreign_change(state)
        if entry.state_of(index) in NEVER_SENT:
            outcome = describe_not_begun(change, index, error.message, now)
        else:
            outcome = describe_failed(change, index, error, state, now, taken=True)
        return self._resolve(change.id, outcome)

    def _resolve(self, change_id: str, outcome: Outcome) -> Finding:
        if self._journal.resolve(change_id, outcome):
            return _ended(outcome)
        entry = find_entry(self._journal, change_id)
        return _ended(entry.outcome) if entry.outcome is not None else _in_hand(entry)

    async def _check_gates(self, entry: Entry, step: int) -> None:
        """A promotion that has changed nothing yet rests on numbers of then; what is left of one is
        kept back by a hold and a freeze, as if it were asked for now.
        """
        change = entry.change
        if entry.state_of(step) == "accepted" or not goes_on(change):
            return  # it is only looked up
        state = await self._read(self._plan.router_service)
        freezes = () if change.forced else self._plan.freeze
        hold = state.hold if state is not None else None
        demand_going_on(hold, freezes, self._clock.now(), "No promotion is resumed")
        old = abs(self._wall() - entry.intended_at) > FRESH_S
        if change.kind == "promote" and step == 0 and old:
            raise GateNotMet(
                "The promotion was decided on numbers that are old by now.",
                remedy="Abandon it, and ask for it again: `canary promote`.",
            )

    async def _read(self, service: str) -> ServiceState | None:
        try:
            return await self._reader.service(service)
        except CanaryError:
            return None


def withdraw(journal: Journal, change_id: str, by: str, now: float) -> Outcome:
    """End a change of which nothing is on its way, above all one that waits for Cloud Run.

    Raises UsageError when there is no such change, and Conflict when it is too late.
    """
    waits = find_entry(journal, change_id).waiting_since is not None
    waited = " while it waited for Cloud Run" if waits else ""
    return end_unsent(
        journal, change_id, f"Withdrawn by {sanitize(by, 80)}{waited}.", "abandoned", now
    )


def end_unsent(
    journal: Journal, change_id: str, why: str, state: OutcomeState, now: float
) -> Outcome:
    """End a change of which nothing is on its way. Raises as `withdraw`."""
    for _ in range(TRIES):
        entry = find_entry(journal, change_id)
        if entry.outcome is not None:
            ended = entry.outcome.state.replace("_", " ")
            raise Conflict(f"It has ended already: {ended}.", remedy=entry.outcome.message)
        if not entry.is_withdrawable:
            break
        said = describe_not_begun(entry.change, entry.present_step, why, now).message
        if entry.was_sent(entry.present_step):  # handed back since: it was not begun once more
            said = f"{why} It was sent before that, and may have taken effect."
        outcome = Outcome(state, said, now)
        if journal.withdraw(entry, outcome):
            return outcome
    raise Conflict(
        "It is on its way to Cloud Run and cannot be withdrawn any more.",
        remedy="Wait for its outcome, then go back if needed.",
    )


def find_entry(journal: Journal, change_id: str) -> Entry:
    """The change in the journal, by its id or an unambiguous beginning of it (6 letters or more).

    Raises UsageError, and RecordError for one that cannot be read.
    """
    entry = journal.entry(change_id)
    if entry is not None:
        return entry
    likely = [e for e in journal.recent(1000) if len(change_id) >= 6 <= len(e.change.id)]
    found = [e for e in likely if e.change.id.startswith(change_id)]
    if len(found) == 1:
        return found[0]
    for row in journal.unreadable():
        if not found and len(change_id) >= 6 and row.id.startswith(change_id):
            raise unreadable_error(row)
    what = "several changes" if found else "no change"
    raise UsageError(
        f"The journal has {what} with the id {sanitize(change_id, 60)}.",
        remedy="`canary log` lists them with their ids.",
    )


def unresolved(journal: Journal) -> tuple[Entry | Unreadable, ...]:
    """The changes whose end is not known and that nobody carries out, and what cannot be read of
    the journal (how that ended is not known either), newest first.
    """
    return tuple(row for row in journal.rows(1000) if _is_unresolved(journal, row))


def _is_unresolved(journal: Journal, row: Entry | Unreadable) -> bool:
    if isinstance(row, Unreadable):
        return True
    if row.outcome is not None:
        return row.outcome.state == "unknown"
    return not (row.owner and journal.is_alive(row.owner))


def _ended(outcome: Outcome) -> Finding:
    return Finding("ended", outcome.message, outcome.remedy, outcome=outcome)


def _in_hand(entry: Entry) -> Finding:
    since = entry.waiting_since
    if since is not None:
        waits = f"It waits for Cloud Run since {format_clock(since)}, and goes out when it answers."
        return Finding("in_hand", waits, f"`canary log --withdraw {entry.change.id}` withdraws it.")
    pid = entry.owner.partition("-")[0]
    return Finding("in_hand", f"It is being carried out by process {sanitize(pid, 20)}.", "Wait.")


def _absent(entry: Entry, index: int, now: str) -> Finding:
    choices = "Resume it (--resume), or abandon it (--abandon)."
    if not entry.was_sent(index):
        said = "This step was never sent." if index else "Nothing of it was ever sent."
        return Finding("not_begun", f"{said} {now}".rstrip(), choices, index)
    said = "It was sent, and nothing of it is to be seen."
    return Finding("not_done", f"{said} {now}".rstrip(), choices, index)


def _in_flux(state: ServiceState, index: int) -> Finding:
    if state.reconciling:
        return Finding("unknown", "It is set, and still settling.", "Ask again soon.", index)
    said = f"It is set, but the service is not ready: {sanitize(state.ready_reason)}"
    return Finding("unknown", said, "See the newest revision's logs, or roll back.", index)


def _true_now(state: ServiceState) -> str:
    if state.percent is None:
        return ""
    return f"Canary is set to {state.percent} % now."


def _percent(state: ServiceState | None) -> int | None:
    return state.percent if state is not None else None
