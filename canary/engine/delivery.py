"""The one sender of a process's notifications: what waits goes out, again where it was refused.

At least once: a thing is forgotten only when the webhook has taken it. What is left when a process
ends is told by the next one on this host. Nothing waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from canary.cloud.connection.endpoints import Address
from canary.host.logs import remember_secret
from canary.rollout.errors import CanaryError, RecordError, Rejected
from canary.rollout.export.notification import (
    Notification,
    grafana_document,
    pagerduty_document,
    slack_document,
)
from canary.rollout.plan.tables import Notify
from canary.rollout.text import format_age, format_clock, format_count, sanitize
from canary.store.sent_notifications import SentNotifications, Waiting

log = logging.getLogger(__name__)

PATIENCE_S = 0.5
"""So long is waited before the first word: importing an HTTP client takes 0.1 s of the processor,
and a change that is just being sent needs it more."""

LATE_S = 60.0
"""What is told later than this after it was so says when it was."""

PAGERDUTY: Final = "https://events.pagerduty.com/v2/change/enqueue"

LOOK_S = 30.0
"""So often is looked for what other processes of this host have left."""


class Delivery:
    """Sends what `kept` holds; to be used in one event loop.

    `on_error` hears each sentence once, not for each thing that is not told.
    """

    def __init__(
        self,
        settings: Notify,
        kept: SentNotifications,
        on_error: Callable[[str], None],
        *,
        environ: Mapping[str, str] = os.environ,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self.kept = kept
        self._on_error = on_error
        self._environ = environ
        self._wall = wall
        self._sender: asyncio.Task[None] | None = None
        self._news = asyncio.Event()
        self._last_call = asyncio.Event()
        self._last_error = ""

    def stir(self) -> None:
        """There is something to send, or may be. Returns at once."""
        self._news.set()
        if self._sender is None or self._sender.done():
            self._sender = asyncio.get_running_loop().create_task(self._send(), name="webhook")

    @property
    def is_at_work(self) -> bool:
        """Whether anything waits here to be sent."""
        return self._sender is not None and not self._sender.done()

    async def drain(self, limit_s: float | None = None) -> None:
        """Send what is due, each once, within `limit_s` (the plan's timeout for an answer and a
        bit). What is refused is left to the next process.
        """
        self._last_call.set()
        self._news.set()
        if self._sender is None or self._sender.done():
            with contextlib.suppress(RecordError):
                if self.kept.next_due_s(self._wall()) == 0:
                    self.stir()
        sender = self._sender
        if sender is None or sender.done():
            return
        limit_s = self._settings.timeout_s + 1.0 if limit_s is None else limit_s
        _, late = await asyncio.wait([sender], timeout=limit_s)
        if late:
            sender.cancel()
            self._fail("The webhook did not take everything in time.")

    def close(self) -> None:
        """Send no more, and give the memory back."""
        if self._sender is not None:
            self._sender.cancel()
        self.kept.close()

    async def _send(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._last_call.wait(), PATIENCE_S)
        while True:
            self._news.clear()
            try:
                await self._send_due()
                pause_s = self.kept.next_due_s(self._wall())
            except RecordError as error:
                self._fail(str(error))
                pause_s = LOOK_S
            if pause_s is None or self._last_call.is_set():
                return
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), min(pause_s, LOOK_S))

    async def _send_due(self) -> None:
        for text in self.kept.drop_old(self._wall()):
            log.error("never told, the webhook did not take it: %s", text)
            self._fail("The webhook takes nothing: what could not be sent for a week is dropped.")
        lease_s = 2 * self._settings.timeout_s + 10.0
        while (what := self.kept.take(self._wall(), lease_s)) is not None:
            try:
                goes_on = await self._send_one(what)
            except BaseException:
                with contextlib.suppress(RecordError):
                    self.kept.give_back(what)
                raise
            if not goes_on:
                return

    async def _send_one(self, what: Waiting) -> bool:
        """Whether others may be tried behind it."""
        from canary.cloud.http.webhook import post_webhook  # only where somebody is told: start-up

        refused: str | None = None
        one_alone = False
        try:
            address, document, headers = self._letter(what)
            await post_webhook(address, document, self._settings.timeout_s, headers=headers)
        except CanaryError as error:
            refused, one_alone = str(error), isinstance(error, Rejected)
        except Exception as error:
            # The boundary of this worker: whoever tells must not suffer for it.
            log.exception("telling others")
            refused, one_alone = f"Telling others failed ({type(error).__name__}).", True
        if refused is None:
            self._last_error = ""
            self.kept.told(what, self._wall())
            return True
        self._fail(refused)
        self.kept.refused(what, self._wall(), refused, all_of_it=not one_alone)
        return one_alone

    def _letter(self, what: Waiting) -> tuple[str, dict[str, Any], dict[str, str]]:
        """Where to, what, and which headers go along; as the recipient's kind wants it."""
        notification, settings = _dated(what, self._wall()), self._settings
        match settings.kind:
            case "pagerduty":
                address = PAGERDUTY if settings.is_at_home else self._trusted()
                secret = self._secret()
                return address, pagerduty_document(notification, secret, what.at), {}
            case "grafana":
                address = f"{self._trusted().rstrip('/')}/api/annotations"
                headers = {"authorization": f"Bearer {self._secret()}"}
                return address, grafana_document(notification, what.at), headers
            case _:
                return self._address(), slack_document(notification), {}

    def _trusted(self) -> str:
        """The address, of a host that may have a secret: this one, or one that was trusted."""
        address = self._address()
        parts = urlsplit(address)
        host, plain = parts.hostname or "", parts.scheme == "http"
        if not plain:
            from canary.cloud.connection.credentials import demand_trusted

            demand_trusted(Address(host, parts.port or 443, plain), "notify.webhook")
        return address

    def _secret(self) -> str:
        secret = self._read(self._settings.secret_variable)
        remember_secret(secret)
        return secret

    def _address(self) -> str:
        if self._settings.webhook is not None:
            return self._settings.webhook
        return self._read(self._settings.webhook_variable)

    def _read(self, name: str | None) -> str:
        value = self._environ.get(name or "", "").strip()
        if not value:
            raise RecordError(
                f"The environment variable {sanitize(name or '', 60)} is not set: no notifications."
            )
        return value

    def _fail(self, sentence: str) -> None:
        log.warning("%s", sentence)
        if sentence != self._last_error:
            self._last_error = sentence
            self._on_error(sentence)


def _dated(what: Waiting, now: float) -> Notification:
    """What is told late, or stands for more than one, says so in front."""
    age_s = max(0.0, now - what.at)
    if age_s < LATE_S and what.count == 1:
        return what.notification
    times = f"{format_count(what.count)} times, the last at " if what.count > 1 else ""
    when = f"[{times}{format_clock(what.at)}, {format_age(age_s)} ago]"
    return msgspec.structs.replace(what.notification, text=f"{when} {what.notification.text}")
