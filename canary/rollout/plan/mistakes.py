"""What is wrong in a plan, said one by one; and the checks that every rule is made of."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from canary.rollout.text import sanitize


class Mistake(msgspec.Struct, frozen=True):
    """One mistake: the key's path as written (`stages[2].percent`), what is wrong, what is due."""

    path: str
    wrong: str
    expected: str

    def __str__(self) -> str:
        # The path counts from 0, as TOML's tools do; people count stages from 1.
        index = _STAGE_PATH.match(self.path)
        stage = f" (stage {int(index[1]) + 1})" if index else ""
        return f"{self.path}{stage} {self.wrong}; expected {self.expected}"


Found = Iterator[Mistake]

_STAGE_PATH: Final = re.compile(r"stages\[(\d+)\]")


def nearest(wrong: str, known: Sequence[str]) -> str:
    """What was likely meant, with all there is: `"theme" (known: …)`, or `one of …`."""
    # difflib only where somebody mistyped: it costs more than reading the plan.
    from difflib import get_close_matches

    close = get_close_matches(wrong, known, n=1, cutoff=0.5)
    choices = ", ".join(known)
    return f'"{close[0]}" (known: {choices})' if close else f"one of {choices}"


def check_name(path: str, name: str, pattern: re.Pattern[str], expected: str) -> Found:
    """A mistake when a text is not what the pattern says."""
    if not pattern.fullmatch(name):
        yield Mistake(path, "is empty" if not name else f'is "{sanitize(name, 60)}"', expected)


def check_range(path: str, value: float, low: float, high: float, *, ratio: bool = False) -> Found:
    """A mistake when a number lies outside; `ratio` hints at the slip of writing percent."""
    if low <= value <= high:
        return
    if ratio:
        hint = (
            f"0 to 1: a ratio, so {value:g} % is {value / 100:g}" if 1 < value <= 100 else "0 to 1"
        )
        yield Mistake(path, f"is {value:g}", hint)
    else:
        yield Mistake(path, f"is {value:g}", f"{low:g} to {high:g}")
