"""Comparing a rollout's alert policies with its plan, and setting them right one by one.

They are no change of the rollout and are written from here; why, and what is kept of it:
`store.procedure_records`.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final

import msgspec

from canary.engine.jobs.job import Host, Job
from canary.engine.observe.event_log import Severity
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, OutcomeUnknown, RecordError
from canary.rollout.export.alert_policies import Action, plan_actions, wanted_policies
from canary.rollout.text import sanitize
from canary.rollout.trials.jobs import AlertsView
from canary.store.paths import alert_writings_path
from canary.store.procedure_records import AlertWriting, AlertWritings, read_alert_writings

if TYPE_CHECKING:
    from canary.engine.session import Session

log = logging.getLogger(__name__)

RECALLED: Final = 5
"""So many earlier writings stand in the event log of a console that is opened."""


class Applied(msgspec.Struct, frozen=True):
    """What was done, in order; `error` ended it, None when nothing did."""

    done: tuple[Action, ...] = ()
    error: CanaryError | None = None


async def compare_policies(session: Session) -> tuple[Action, ...]:
    """What would set the policies right, the kept ones included. Raises CanaryError."""
    from canary.cloud.monitoring.alert_policies import AlertPolicies

    plan, revision = session.plan, ""
    if plan.target.shares_one_service:
        revision = (await session.cloud.router.service(plan.router_service)).revision
    found = await AlertPolicies(session.cloud.connection, plan).read_all()
    return plan_actions(wanted_policies(plan, revision), found)


async def apply_actions(
    session: Session,
    actions: Sequence[Action],
    author: Author,
    tell: Callable[[Action], None] = lambda _: None,
) -> Applied:
    """Carry them out one after another; the first that fails ends it. `tell` hears of each that is
    done: a write takes seconds.

    What is wanted is on the disk before the first is sent, and each that is done after it: what
    cannot be recorded is not sent.
    """
    from canary.cloud.monitoring.alert_policies import AlertPolicies

    policies = AlertPolicies(session.cloud.connection, session.plan)
    done: list[Action] = []
    try:
        with AlertWritings(alert_writings_path(session.directory)) as kept:
            writing = _intend(session, actions, author, kept)
            for action in actions:
                try:
                    await policies.apply(action)
                except CanaryError as error:
                    kept.keep(_ended(writing, session.clock.now(), error))
                    return Applied(tuple(done), error)
                done.append(action)
                writing = msgspec.structs.replace(writing, done=(*writing.done, line_of(action)))
                kept.keep(writing)
                tell(action)
            kept.keep(_ended(writing, session.clock.now()))
    except RecordError as error:
        return Applied(tuple(done), error)
    return Applied(tuple(done))


def _intend(
    session: Session, actions: Sequence[Action], author: Author, kept: AlertWritings
) -> AlertWriting:
    writing = AlertWriting(
        id=uuid.uuid4().hex,
        rollout=session.plan.name,
        author=author,
        wanted=tuple(map(line_of, actions)),
        asked_at=session.clock.now(),
        intended_at=kept.wall(),
    )
    kept.keep(writing)
    return writing


def _ended(writing: AlertWriting, at: float, error: CanaryError | None = None) -> AlertWriting:
    if error is None:
        return msgspec.structs.replace(writing, state="done", ended_at=at)
    return msgspec.structs.replace(
        writing,
        state="unknown" if isinstance(error, OutcomeUnknown) else "failed",
        message=error.message,
        remedy=error.remedy,
        ended_at=at,
    )


def line_of(action: Action) -> str:
    """An action in one line: what becomes of which policy."""
    return sanitize(action.lines[0] if action.lines else f"{action.kind} {action.key}", 400)


def format_writing(writing: AlertWriting) -> str:
    """A writing in one line, as the event log says it; `canary log` has more room."""
    done, wanted = len(writing.done), len(writing.wanted)
    ended = {
        "open": "it did not finish; alerts diff says what is there",
        "done": "",
        "failed": f"failed: {writing.message}",
        "unknown": f"how the next one ended is not known: {writing.message}",
    }[writing.state]
    return sanitize(f"alert policies: {done} of {wanted} written. {ended}".rstrip(" "), 400)


def recall_writings(session: Session) -> None:
    """Say the last writings in the event log again, at their own times, after a restart."""
    try:
        writings = read_alert_writings(session.directory, RECALLED)
    except RecordError as error:
        log.warning("%s", error)  # only what was: it holds up nothing
        return
    for one in reversed(writings):
        severity: Severity = "good" if one.state == "done" else "warning"
        at = one.asked_at if one.ended_at is None else one.ended_at
        session.observer.log.say(at, severity, format_writing(one), str(one.author))


class AlertsJob(Job[AlertsView]):
    """The console's comparison of the policies, and their writing."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, AlertsView())

    def look(self) -> None:
        """Compare the policies with the plan; nothing while that is being done."""
        if not self.view.running:
            self.view = AlertsView(running=True)
            self._begin("alerts", self._compare)

    def apply(self) -> None:
        """Carry out what was shown, one policy after another, and compare again."""
        if not self.view.running and self.view.changes:
            self.view = msgspec.structs.replace(self.view, running=True)
            self._begin("alerts", self._apply)

    async def _compare(self) -> None:
        self._show(actions=await compare_policies(self._host.opening.session))

    async def _apply(self) -> None:
        host = self._host
        applied = await apply_actions(host.opening.session, self.view.changes, host.author)
        for action in applied.done:
            host.say("good", f"alert policy: {line_of(action)}")
        await self._compare()
        if applied.error is not None:
            raise applied.error
