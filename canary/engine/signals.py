"""What the signals of the system do to a process: one way for all that run longer than a moment.

SIGINT and SIGTERM ask to end, and are answered with an orderly end. What a hang-up means differs:
a guard ends with its terminal, a change that was sent must not.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Callable, Iterator
from typing import Final, Literal

ENDING: Final = (signal.SIGINT, signal.SIGTERM)

HangUp = Literal["ends", "ignored"]


@contextlib.contextmanager
def ended_by_signal(
    end: Callable[[], object],
    *,
    hang_up: HangUp = "ends",
    by: tuple[signal.Signals, ...] = ENDING,
) -> Iterator[None]:
    """Call `end` at the signals `by` and (where it `ends`) SIGHUP; as before afterwards.

    A hang-up that the process was started to ignore (`nohup`) stays ignored. In a running loop
    `end` is called by the loop, else between two instructions. Outside the main thread nothing is
    handled: signals are not ours there.
    """
    acts = dict.fromkeys(by, end)
    if hang_up == "ignored":
        acts[signal.SIGHUP] = _nothing
    elif signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        acts[signal.SIGHUP] = end
    with contextlib.ExitStack() as handled:
        # Outside the main thread: nothing is handled.
        with contextlib.suppress(ValueError, RuntimeError):
            for number, act in acts.items():
                handled.callback(_handle(number, act))
        yield


def ignore_terminal() -> None:
    """For the rest of this process: what a terminal sends (Ctrl-C, a hang-up) ends nothing."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _handle(number: signal.Signals, act: Callable[[], object]) -> Callable[[], object]:
    """Begin to handle a signal; returns what puts back how it was handled before."""
    before = signal.getsignal(number) or signal.SIG_DFL
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        signal.signal(number, lambda *_: act())
        return lambda: signal.signal(number, before)
    loop.add_signal_handler(number, act)

    def put_back() -> None:
        loop.remove_signal_handler(number)
        signal.signal(number, before)

    return put_back


def _nothing() -> None:
    """A signal that is heard and ends nothing."""
