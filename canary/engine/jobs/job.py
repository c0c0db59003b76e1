"""What the console's jobs share: the console that they run in, and how a failure is said."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

import msgspec

from canary.engine.observe.event_log import Severity
from canary.engine.session import SessionOpening
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError
from canary.rollout.trials.jobs import AbTestView, AlertsView, LoadTestView, RetirementView

log = logging.getLogger(__name__)

InLoop = Callable[[Callable[[], object]], None]


class Host(msgspec.Struct, frozen=True):
    """The console that jobs run in; `opening` may still be connecting.

    `in_loop` does something in the engine's loop, from any thread. `say` writes a line into the
    event log in the author's name, `logged` shows what was written there otherwise. `changed` shows
    the views soon, and `report` tells a person what hinders.
    """

    opening: SessionOpening
    in_loop: InLoop
    say: Callable[[Severity, str], None]
    logged: Callable[[], None]
    changed: Callable[[], None]
    report: Callable[[str], None]
    author: Author
    read_only: bool = False


async def attempt(what: str, work: Awaitable[object]) -> str:
    """Do it; "" when it went well, else the sentence that says why not.

    The boundary of a job: what nobody foresaw is logged as well.
    """
    try:
        await work
    except CanaryError as error:
        return str(error)
    except Exception as error:
        log.exception(what)
        return f"The {what} failed ({type(error).__name__}). See engine.log."
    return ""


ViewT = TypeVar("ViewT", AbTestView, AlertsView, LoadTestView, RetirementView)


class Job(Generic[ViewT]):
    """Work of which one at a time is done, and its view. In the engine's loop."""

    def __init__(self, host: Host, view: ViewT) -> None:
        self._host = host
        self._task: asyncio.Task[None] | None = None
        self.view: ViewT = view

    def _begin(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Begin what the view says runs; `name` is the event log's for it."""
        self._task = asyncio.get_running_loop().create_task(self._do(name, work), name=name)
        self._host.changed()

    async def _do(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        error = await attempt(name, work())
        if error:
            self._host.say("warning", f"{name}: {error}")
        self._show(running=False, trouble=error)

    def _show(self, **changes: Any) -> None:
        self.view = msgspec.structs.replace(self.view, **changes)
        self._host.changed()
