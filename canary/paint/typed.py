"""Whether what was typed opens the console, and on which plan: told without click.

Only what is understood whole is painted for. Whatever else was typed (a command, `--help`, a
mistake) is for the command line to answer, on the screen as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

PLAN_OPTIONS: Final = ("--config", "-c")
DEMO_OPTIONS: Final = ("--scenario", "--speed", "--seed", "--stage")
STARTS_OVER: Final = frozenset({"--fresh", "--seed", "--stage"})
"""With these a demo is another world than the one that was last seen."""


class Typed(NamedTuple):
    """The console (or the demo) on a plan; `config` None: ./canary.toml."""

    config: str | None
    is_demo: bool = False
    starts_over: bool = False


def read_typed(arguments: Sequence[str]) -> Typed | None:
    """What opens the console; None for anything else."""
    typed = Typed(None)
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        if word == "demo" and not typed.is_demo:
            typed = typed._replace(is_demo=True)
        elif word == ("--fresh" if typed.is_demo else "--read-only"):
            typed = typed._replace(starts_over=typed.starts_over or word in STARTS_OVER)
        else:
            name, value = _split(word, rest)
            if value is None or name not in (*PLAN_OPTIONS, *(DEMO_OPTIONS * typed.is_demo)):
                return None
            if name in PLAN_OPTIONS:
                typed = typed._replace(config=value)
            typed = typed._replace(starts_over=typed.starts_over or name in STARTS_OVER)
    return typed


def _split(word: str, rest: list[str]) -> tuple[str, str | None]:
    """An option and its value, which may be the next word; None: there is none."""
    if word.startswith("--"):
        name, is_joined, value = word.partition("=")
        if is_joined:
            return name, value
    elif word.startswith("-") and len(word) > 2:
        return word[:2], word[2:]
    else:
        name = word
    return name, rest.pop(0) if rest else None
