"""The embedded cloud's second life: one that dies under an open console is started again.

A few times, not for ever: what dies again and again has a reason, and a person must see it. Its
state is in its file, and it listens where it did (`cloud.embedded.revive_embedded`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from canary.engine.observe.event_log import Severity
from canary.engine.session import Session
from canary.rollout.errors import CanaryError
from canary.rollout.text import sanitize

log = logging.getLogger(__name__)

MOST_TRIES: Final = 3
WITHIN_S: Final = 600.0
"""So many starts in that time, real seconds; then only when a person asks for a look."""
TRY_AGAIN_S: Final = 2.0
GIVEN_UP_S: Final = 86_400.0

Say = Callable[[Severity, str], None]


class Revival:
    """Waits for the end of a session's embedded cloud. `say` writes into the event log."""

    def __init__(self, session: Session, say: Say, monotonic: Callable[[], float]) -> None:
        self._session = session
        self._say = say
        self._monotonic = monotonic
        self._tries: list[float] = []
        self._given_up = False

    async def poll(self) -> float:
        """Wait until it dies, and start it again; how long to wait then, in real seconds."""
        embedded = self._session.embedded
        if embedded is None:
            return GIVEN_UP_S
        await embedded.wait_lost()
        now = self._monotonic()
        # After giving up only a person lets this begin anew.
        kept = [] if self._given_up else [at for at in self._tries if now - at < WITHIN_S]
        self._tries, self._given_up = kept, False
        if len(self._tries) >= MOST_TRIES:
            self._given_up = True
            self._say(
                "critical",
                f"the embedded cloud has ended {MOST_TRIES} times and is not started again by"
                " itself: see cloud.log; F5 tries once more",
            )
            return GIVEN_UP_S
        self._tries.append(now)
        self._say("warning", "the embedded cloud has ended: starting it again, from its state")
        try:
            await self._session.revive_embedded()
        except CanaryError as error:
            log.warning("reviving: %s", error)
            self._say("warning", f"the embedded cloud: {sanitize(error, 300)}")
            return TRY_AGAIN_S
        self._say("good", "the embedded cloud runs again; what was set is as it was")
        return 0.0
