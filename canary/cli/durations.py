"""Lengths of time as people type them: "90s", "30m", "24h", "1h30m", "7d"."""

from __future__ import annotations

import re
from typing import Any, Final

import click

from canary.rollout.words import plain

UNITS_S: Final = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_PART: Final = re.compile(r"([0-9]+(?:\.[0-9]+)?)([smhd])")
_WHOLE: Final = re.compile(rf"({_PART.pattern})+")


class Duration(click.ParamType[float]):
    """An option's value in seconds; `least_s` and `most_s` bound it."""

    name = "duration"

    def __init__(self, least_s: float, most_s: float) -> None:
        self._least_s, self._most_s = least_s, most_s

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Seconds. Fails as click's own types do, with what is expected."""
        text = str(value).strip().lower().replace(" ", "")
        if not _WHOLE.fullmatch(text):
            shown = plain(value, 40)
            self.fail(
                f'"{shown}" is no length of time; expected one as 90s, 30m, 1h30m', param, ctx
            )
        seconds = sum(float(number) * UNITS_S[unit] for number, unit in _PART.findall(text))
        if not self._least_s <= seconds <= self._most_s:
            low, high = show_duration(self._least_s), show_duration(self._most_s)
            self.fail(f"{plain(value, 40)} is not between {low} and {high}", param, ctx)
        return seconds


def show_duration(seconds: float) -> str:
    """As one would type it: the greatest unit that divides it: "90s", "30m", "24h"."""
    for unit in ("d", "h", "m"):
        if seconds >= UNITS_S[unit] and seconds % UNITS_S[unit] == 0:
            return f"{seconds / UNITS_S[unit]:g}{unit}"
    return f"{seconds:g}s"
