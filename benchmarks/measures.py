"""The single measurements behind the budget table; None where one could not be made."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from benchmarks.terminal import Terminal

Command = Sequence[str]


@dataclass(frozen=True)
class Steady:
    """A program left alone: bytes a second on the wire, share of a core in %, memory in MB."""

    bytes_per_s: float
    cpu_percent: float
    memory_mb: float


def median(repeat: int, measure: Callable[[], float | None]) -> float | None:
    """The median of `repeat` measurements, of those that could be made; None when none could."""
    made = [value for value in (measure() for _ in range(repeat)) if value is not None]
    return statistics.median(made) if made else None


def first_frame_s(
    command: Command, size: tuple[int, int], env: Mapping[str, str] | None = None
) -> float | None:
    """Seconds from the start to a screen with 40 characters that are not blank."""
    with Terminal(command, *size, env=env) as terminal:
        return terminal.wait_for(lambda text: sum(not c.isspace() for c in text) >= 40)


def seen_after_s(
    command: Command,
    size: tuple[int, int],
    seen: Callable[[str], bool],
    env: Mapping[str, str] | None = None,
) -> float | None:
    """Seconds from the start to a screen that satisfies `seen`."""
    with Terminal(command, *size, env=env) as terminal:
        return terminal.wait_for(seen)


def steady(
    command: Command,
    size: tuple[int, int],
    env: Mapping[str, str] | None = None,
    warm_up_s: float = 8.0,
    watched_s: float = 20.0,
) -> Steady:
    """Leave the program alone for `warm_up_s`, then count for `watched_s`."""
    with Terminal(command, *size, env=env) as terminal:
        time.sleep(warm_up_s)
        bytes_before, cpu_before = terminal.bytes_seen, terminal.cpu_s()
        time.sleep(watched_s)
        return Steady(
            (terminal.bytes_seen - bytes_before) / watched_s,
            (terminal.cpu_s() - cpu_before) / watched_s * 100,
            terminal.memory_mb(),
        )


@dataclass(frozen=True)
class Keypress:
    """What a key costs: bytes until the screen is quiet, and seconds to the first sight of it."""

    bytes: int
    seconds: float


def keypress(
    terminal: Terminal, keys: str, seen: Callable[[str], bool], settle_s: float = 0.15
) -> Keypress | None:
    """Press `keys` in a quiet moment and wait until `seen`; None when it never is.

    A tick of the clock may fall into the settling time; its bytes are counted too.
    """
    terminal.wait_quiet(0.3)
    before, pressed = terminal.bytes_seen, time.monotonic()
    terminal.press(keys)
    while time.monotonic() - pressed < 5.0:
        if seen(terminal.text()):
            seconds = time.monotonic() - pressed
            time.sleep(settle_s)
            return Keypress(terminal.bytes_seen - before, seconds)
        time.sleep(0.001)
    return None
