"""Telling others by webhook: who tells what, how often, and that it never holds anything up.

A change is told by whoever carries it out, and by nobody else; a verdict's transition by the first
of this host's processes that sees it. Everything here returns at once: what is to be told is kept,
and goes out by `delivery` until it was taken, by this process or by the next.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from canary.engine.delivery import LOOK_S, Delivery
from canary.rollout.change.change import Change, Outcome
from canary.rollout.decision.tree import SEVERITY, Verdict
from canary.rollout.errors import RecordError
from canary.rollout.export.notification import (
    Notification,
    burn_notice,
    change_notice,
    evidence_notice,
    judged_verdict,
    monitoring_notice,
    outcome_notice,
    place_of,
    verdict_notice,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.tables import Notify
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.entries import Entry
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import VERDICT, SentNotifications

log = logging.getLogger(__name__)

Notice = Callable[[str | None], Notification | None]


class Notifier:
    """Tells one rollout's news; to be used in one event loop. Does nothing without a webhook.

    `sent` None: this host's memory cannot be used, and only this process remembers. `beside` tell
    the same to others, each with a memory of its own: one that is away holds up nobody.
    """

    def __init__(
        self,
        plan: Plan,
        sent: SentNotifications | None,
        on_error: Callable[[str], None],
        *,
        environ: Mapping[str, str] = os.environ,
        wall: Callable[[], float] = time.time,
        beside: Sequence[Notifier] = (),
    ) -> None:
        self._plan = plan
        self._beside = tuple(beside)
        self._settings = plan.notify
        self._place = place_of(plan.name, plan.target.project, plan.provider)
        self._wall = wall

        def deliver(kept: SentNotifications) -> Delivery:
            return Delivery(plan.notify, kept, on_error, environ=environ, wall=wall)

        self._deliver = deliver
        self._delivery = deliver(sent if sent is not None else SentNotifications(None))
        self._spare: Delivery | None = None
        self._verdict: Verdict | None = None
        self._topics: dict[str, str] = {}
        self._looked_at = float("-inf")

    def begun(self, change: Change) -> None:
        """A change is begun by the caller. A note is told by its end alone."""
        if change.kind == "note":
            return
        with _never_in_the_way():
            self.tell(change_notice(change, self._place))

    def ended(self, change: Change, outcome: Outcome) -> None:
        """A change that the caller carried out has ended."""
        for each in self._beside:
            each.ended(change, outcome)
        with _never_in_the_way():
            if self._settings.is_on:
                self._end(change, outcome, None)

    def make_up(self, entries: Iterable[Entry]) -> None:
        """Tell how changes of the journal ended of which nobody told: whoever carried them out was
        killed between the two.
        """
        known = tuple(entries)
        for each in self._beside:
            each.make_up(known)
        with _never_in_the_way():
            for entry in known if self._settings.is_on else ():
                if entry.outcome is not None and entry.outcome.state != "abandoned":
                    self._end(entry.change, entry.outcome, entry.intended_at)

    def _end(self, change: Change, outcome: Outcome, as_of: float | None) -> None:
        notification = outcome_notice(change, outcome, self._place)
        once = f"{change.id} {outcome.state}"
        now, every_s = self._wall(), self._settings.repeat_minutes * 60
        self._keep(lambda kept: kept.put(notification, now, every_s, once=once, as_of=as_of))

    def monitored(self, line: str, *, ended_by_time: bool) -> None:
        """The monitoring loop of the caller has ended; `line` is its last word."""
        self.tell(monitoring_notice(line, self._place, ended_by_time=ended_by_time))

    def watch(self, snapshot: Snapshot) -> None:
        """Tell when the verdict has turned for the worse since anybody on this host looked, and
        when Canary is worse now or is proven worse. What was left untold goes out, too.
        """
        for each in self._beside:
            each.watch(snapshot)
        if not self._settings.is_on:
            return
        self._resume()
        self._watch_evidence(snapshot)
        self._watch_burn(snapshot)
        verdict = judged_verdict(snapshot)
        if verdict is None or verdict == self._verdict:
            return

        def notice(before: str | None) -> Notification | None:
            known = _known(before)
            if known is None:
                return None
            return _placed(verdict_notice(known, snapshot, self._plan, self._place), snapshot)

        self._turn(VERDICT, verdict, self._verdict, notice)
        self._verdict = verdict

    def _watch_evidence(self, snapshot: Snapshot) -> None:
        seen = snapshot.evidence
        if seen is None or seen.rebuilding is not None:
            return
        notification = evidence_notice(snapshot, self._place, self._plan)
        value = "" if notification is None else f"{notification.key} since {seen.began_at}"
        self._turned("evidence", value, lambda _: notification)

    def _watch_burn(self, snapshot: Snapshot) -> None:
        if snapshot.burn is None or all(p.burns is None for p in snapshot.burn.pairs):
            return
        notification = burn_notice(snapshot, self._place)
        value = "" if notification is None else notification.key
        self._turned("burn", value, lambda _: notification)

    def turned(self, topic: str, value: str, notice: Notice) -> None:
        """Tell what `notice` makes of it that `topic` has become `value`, given what it was before
        on this host (None: it is the first); nothing when any process here has seen that.
        """
        for each in self._beside:
            each.turned(topic, value, notice)
        self._turned(topic, value, notice)

    def _turned(self, topic: str, value: str, notice: Notice) -> None:
        if not self._settings.is_on or self._topics.get(topic) == value:
            return
        known = self._topics.get(topic)
        self._topics[topic] = value
        self._turn(topic, value, known, notice)

    def tell(self, notification: Notification) -> None:
        """Tell one thing; what was told lately waits, and is told as so many. Returns at once."""
        for each in self._beside:
            each.tell(notification)
        if self._settings.is_on:
            now, every_s = self._wall(), self._settings.repeat_minutes * 60
            self._keep(lambda kept: kept.put(notification, now, every_s))

    def resume(self) -> None:
        """Send what was not taken before, by this process or another; looks now and then."""
        for each in self._beside:
            each.resume()
        self._resume()

    def _resume(self) -> None:
        now = self._wall()
        if self._settings.is_on and abs(now - self._looked_at) >= LOOK_S:
            self._looked_at = now
            with contextlib.suppress(RecordError):
                if self._delivery.kept.next_due_s(now) is not None:
                    self._delivery.stir()

    async def drain(self, limit_s: float | None = None) -> None:
        """Wait until all that is due is told or refused, within `limit_s` (the plan's timeout for
        an answer and a bit).
        """
        await asyncio.gather(*(each.drain(limit_s) for each in self._beside))
        if self._settings.is_on:
            for delivery in self._deliveries():
                await delivery.drain(limit_s)

    def close(self) -> None:
        """Give the memory back."""
        for each in self._beside:
            each.close()
        for delivery in self._deliveries():
            delivery.close()

    def _deliveries(self) -> tuple[Delivery, ...]:
        return (self._delivery,) if self._spare is None else (self._delivery, self._spare)

    def _turn(self, topic: str, value: str, known: str | None, notice: Notice) -> None:
        now, every_s = self._wall(), self._settings.repeat_minutes * 60

        def write(kept: SentNotifications) -> None:
            if known is not None and self._spare is not None and kept is self._spare.kept:
                kept.turn(topic, known, lambda _: None, now, every_s)  # it has not heard of it
            kept.turn(topic, value, notice, now, every_s)

        self._keep(write)

    def _keep(self, write: Callable[[SentNotifications], None]) -> None:
        delivery = self._delivery
        try:
            write(delivery.kept)
        except RecordError as error:
            log.warning("%s", error)
            if self._spare is None:
                self._spare = self._deliver(SentNotifications(None))
            delivery = self._spare
            write(delivery.kept)
        delivery.stir()


def _placed(notification: Notification | None, snapshot: Snapshot) -> Notification | None:
    """The same verdict at another stage or share is not the same thing."""
    if notification is None:
        return None
    key = f"{notification.key} {snapshot.stage.index} {snapshot.traffic.canary_percent}"
    return msgspec.structs.replace(notification, key=key)


def _known(verdict: str | None) -> Verdict | None:
    """A verdict as another version may have written it; None when it is none of ours."""
    return next((known for known in SEVERITY if known == verdict), None)


def open_notifier(plan: Plan, directory: Path, on_error: Callable[[str], None]) -> Notifier:
    """The notifier of a plan; its memory is in `directory`, the rollout's on this host."""
    first, *others = plan.notify.each
    beside = [
        _open_one(plan, other, sent_notifications_path(directory, place), on_error)
        for place, other in enumerate(others, 1)
    ]
    return _open_one(plan, first, sent_notifications_path(directory), on_error, beside)


def _open_one(
    plan: Plan,
    settings: Notify,
    path: Path,
    on_error: Callable[[str], None],
    beside: Sequence[Notifier] = (),
) -> Notifier:
    sent: SentNotifications | None = None
    if settings.is_on:
        try:
            sent = SentNotifications(path)
        except RecordError as error:
            log.warning("%s", error)
    return Notifier(msgspec.structs.replace(plan, notify=settings), sent, on_error, beside=beside)


@contextlib.asynccontextmanager
async def telling(
    plan: Plan, directory: Path, on_error: Callable[[str], None]
) -> AsyncIterator[Notifier]:
    """A notifier for as long as the block lasts, and until what waits is told (bounded)."""
    notifier = open_notifier(plan, directory, on_error)
    try:
        with _never_in_the_way():
            notifier.resume()
        yield notifier
        with _never_in_the_way():
            await notifier.drain()
    finally:
        with _never_in_the_way():
            notifier.close()


@contextlib.contextmanager
def _never_in_the_way() -> Iterator[None]:
    """Telling others is beside the matter: what goes wrong with it ends no change."""
    try:
        yield
    except Exception:
        log.exception("telling others")
