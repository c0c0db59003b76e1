"""Telling others by webhook: who tells what, how often, and that it never holds anything up.

A change is told by whoever carries it out, and by nobody else; a verdict's transition by the first
of this host's processes that sees it. Everything here returns at once: what is to be told waits
in a short queue for one sender. A failure is a sentence for `on_error`, and nothing more.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path

from canary.rollout.change.change import Change, Outcome
from canary.rollout.decision.tree import SEVERITY, Verdict
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.export.notification import (
    Notification,
    change_notice,
    evidence_notice,
    judged_verdict,
    monitoring_notice,
    outcome_notice,
    place_of,
    slack_document,
    verdict_notice,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import sanitize
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import SentNotifications

log = logging.getLogger(__name__)

PATIENCE_S = 0.5
"""So long is waited before the first word: importing an HTTP client takes 0.1 s of the processor,
and a change that is just being sent needs it more."""

MOST_WAITING = 50
"""What more there is to tell while the other side does not answer is dropped, and logged."""


class Notifier:
    """Tells one rollout's news; to be used in one event loop. Does nothing without a webhook.

    `sent` None: this host's memory cannot be used, and only this process remembers.
    """

    def __init__(
        self,
        plan: Plan,
        sent: SentNotifications | None,
        on_error: Callable[[str], None],
        *,
        environ: Mapping[str, str] = os.environ,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = plan.notify
        self._place = place_of(plan.name, plan.target.project, plan.provider)
        self._sent = sent
        self._on_error = on_error
        self._environ = environ
        self._wall = wall
        self._waiting: asyncio.Queue[Notification] = asyncio.Queue(MOST_WAITING)
        self._sender: asyncio.Task[None] | None = None
        self._last_call = asyncio.Event()
        self._remembered: dict[str, float] = {}
        self._verdict: Verdict | None = None
        self._evidence = ""
        self._last_error = ""

    def begun(self, change: Change) -> None:
        """A change is begun by the caller."""
        with _never_in_the_way():
            self.tell(change_notice(change, self._place))

    def ended(self, change: Change, outcome: Outcome) -> None:
        """A change that the caller carried out has ended."""
        with _never_in_the_way():
            self.tell(outcome_notice(change, outcome, self._place))

    def monitored(self, line: str, *, ended_by_time: bool) -> None:
        """The monitoring loop of the caller has ended; `line` is its last word."""
        self.tell(monitoring_notice(line, self._place, ended_by_time=ended_by_time))

    def watch(self, snapshot: Snapshot) -> None:
        """Tell when the verdict has turned for the worse since anybody on this host looked, and
        when Canary is worse now or is proven worse.
        """
        if self._settings.is_on:
            self._watch_evidence(snapshot)
        verdict = judged_verdict(snapshot) if self._settings.is_on else None
        if verdict is None or verdict == self._verdict:
            return
        before = self._turn(verdict)
        self._verdict = verdict
        notification = verdict_notice(before, snapshot, self._place) if before is not None else None
        if notification is not None:
            self.tell(notification)

    def _watch_evidence(self, snapshot: Snapshot) -> None:
        notification = evidence_notice(snapshot, self._place)
        key = "" if notification is None else notification.key
        if notification is not None and key != self._evidence:
            self.tell(notification)
        self._evidence = key

    def tell(self, notification: Notification) -> None:
        """Tell one thing, unless it was told lately. Returns at once."""
        if not self._settings.is_on or not self._claim(notification.key):
            return
        try:
            self._waiting.put_nowait(notification)
        except asyncio.QueueFull:
            log.warning("not sent, too much waits: %s", notification.text)
            return
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send(), name="webhook")

    async def drain(self, limit_s: float | None = None) -> None:
        """Wait until all is told, within `limit_s` (the plan's timeout for an answer and a bit)."""
        sender = self._sender
        self._last_call.set()
        if sender is None or sender.done():
            return
        limit_s = self._settings.timeout_s + 1.0 if limit_s is None else limit_s
        _, late = await asyncio.wait([sender], timeout=limit_s)
        if late:
            sender.cancel()
            self._fail("The webhook did not take everything in time.")

    def close(self) -> None:
        """Give the memory back."""
        if self._sender is not None:
            self._sender.cancel()
        if self._sent is not None:
            self._sent.close()

    async def _send(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._last_call.wait(), PATIENCE_S)
        from canary.cloud.http.webhook import post_webhook  # only where somebody is told: start-up

        while not self._waiting.empty():
            notification = self._waiting.get_nowait()
            try:
                document = slack_document(notification)
                await post_webhook(self._address(), document, self._settings.timeout_s)
            except CanaryError as error:
                self._fail(str(error))
            except Exception as error:
                # The boundary of this worker: whoever tells must not suffer for it.
                log.exception("telling others")
                self._fail(f"Telling others failed ({type(error).__name__}).")
            else:
                self._last_error = ""

    def _address(self) -> str:
        if self._settings.webhook is not None:
            return self._settings.webhook
        name = self._settings.webhook_variable or ""
        address = self._environ.get(name, "").strip()
        if not address:
            raise RecordError(
                f"The environment variable {sanitize(name, 60)} is not set: no notifications."
            )
        return address

    def _fail(self, sentence: str) -> None:
        """Say it once, not for each thing that is not told."""
        log.warning("%s", sentence)
        if sentence != self._last_error:
            self._last_error = sentence
            self._on_error(sentence)

    def _claim(self, key: str) -> bool:
        if not key:
            return True
        now, every_s = self._wall(), self._settings.repeat_minutes * 60
        try:
            if self._sent is not None:
                return self._sent.claim(key, now, every_s)
        except RecordError as error:
            log.warning("%s", error)
        last = self._remembered.get(key)
        if last is not None and now - every_s < last <= now:
            return False
        self._remembered[key] = now
        return True

    def _turn(self, verdict: Verdict) -> Verdict | None:
        try:
            if self._sent is not None:
                before = self._sent.turn(verdict)
                return _known(before)
        except RecordError as error:
            log.warning("%s", error)
        return self._verdict


def _known(verdict: str | None) -> Verdict | None:
    """A verdict as another version may have written it; None when it is none of ours."""
    return next((known for known in SEVERITY if known == verdict), None)


def open_notifier(plan: Plan, directory: Path, on_error: Callable[[str], None]) -> Notifier:
    """The notifier of a plan; its memory is in `directory`, the rollout's on this host."""
    sent: SentNotifications | None = None
    if plan.notify.is_on:
        try:
            sent = SentNotifications(sent_notifications_path(directory))
        except RecordError as error:
            log.warning("%s", error)
    return Notifier(plan, sent, on_error)


@contextlib.asynccontextmanager
async def telling(
    plan: Plan, directory: Path, on_error: Callable[[str], None]
) -> AsyncIterator[Notifier]:
    """A notifier for as long as the block lasts, and until what waits is told (bounded)."""
    notifier = open_notifier(plan, directory, on_error)
    try:
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
