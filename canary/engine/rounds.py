"""Rounds that are done again and again, each at its own pace, and that can be woken before it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from canary.engine.cadence import TROUBLE_PAUSE_S
from canary.rollout.errors import CanaryError

log = logging.getLogger(__name__)


class Rounds:
    """The rounds that run, by name. What fails in one is said to `on_trouble`, and tried again."""

    def __init__(self, on_trouble: Callable[[str], None]) -> None:
        self._on_trouble = on_trouble
        self._wakes: dict[str, asyncio.Event] = {}

    @property
    def begun(self) -> bool:
        """Whether any round runs."""
        return bool(self._wakes)

    def wake(self, name: str) -> None:
        """Let a round be done now; nothing if it does not run."""
        wake = self._wakes.get(name)
        if wake is not None:
            wake.set()

    def wake_all(self) -> None:
        """Let all rounds be done now."""
        for wake in self._wakes.values():
            wake.set()

    async def repeat(self, name: str, work: Callable[[], Awaitable[float]]) -> None:
        """Do rounds until cancelled; what nobody foresaw is logged and shown, and it goes on."""
        wake = self._wakes[name] = asyncio.Event()
        while True:
            wake.clear()
            try:
                pause = await work()
            except CanaryError as error:
                self._on_trouble(str(error))
                pause = TROUBLE_PAUSE_S
            except Exception as error:
                log.exception("observing %s", name)
                self._on_trouble(
                    f"Observing {name} failed ({type(error).__name__}); it is tried again."
                    " See engine.log."
                )
                pause = TROUBLE_PAUSE_S
            try:
                async with asyncio.timeout(pause):
                    await wake.wait()
            except TimeoutError:
                pass
