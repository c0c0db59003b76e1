"""Options that several commands share, and what was chosen before the command's name."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from typing import Any, Final, TypeVar

import click
import msgspec

from canary.rollout.text import sanitize

WAITS_S = 86_400.0
"""A rollback waits no longer than a day, as in the executor."""

Decorated = TypeVar("Decorated", bound=Callable[..., Any])


class Chosen(msgspec.Struct, frozen=True):
    """What stood before the command: `canary --config FILE --read-only status`."""

    config: str | None = None
    read_only: bool = False


class ChangeOptions(msgspec.Struct, frozen=True):
    """How a change is to be made. `reason` is recorded with it; `force` needs one.

    `no_verify`: leave out the verification that the plan has follow a change of the split.
    `wait_s`: how long to wait for a Cloud Run that is away, real seconds; 0: not at all.
    `no_journal`: send it even where nothing can be kept of it on this host; needs a reason.
    """

    config: str | None
    dry_run: bool
    yes: bool
    reason: str
    force: bool
    as_json: bool
    read_only: bool
    no_verify: bool = False
    wait_s: float = 0.0
    no_journal: bool = False


def config_option(command: Decorated) -> Decorated:
    """`--config FILE`."""
    return click.option(
        "--config", "-c", metavar="FILE", help="The plan; ./canary.toml if not given."
    )(command)


def read_only_option(command: Decorated) -> Decorated:
    """`--read-only`."""
    return click.option("--read-only", is_flag=True, help="Look, change nothing.")(command)


def json_option(command: Decorated) -> Decorated:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help="Say it as JSON.")(command)


def metrics_port_option(command: Decorated) -> Decorated:
    """`--metrics-port N`."""
    return click.option(
        "--metrics-port",
        type=WholeNumber(1, 65_535),
        metavar="PORT",
        help="Answer scrapes (OpenMetrics) at 127.0.0.1:PORT/metrics meanwhile.",
    )(command)


def plan_options(command: Decorated) -> Decorated:
    """What nearly every command has: `--json --config`."""
    return json_option(config_option(command))


def change_options(command: Decorated) -> Decorated:
    """The options of every change: `--dry-run --yes --reason --force --json --config`."""
    force = click.option("--force", is_flag=True, help="Override gates; needs --reason.")
    return _changing(force(plan_options(command)))


def ungated_options(command: Decorated) -> Decorated:
    """The same for a change that asks for no gates: a `--force` that a script passes is taken,
    since an option must not be what keeps a rollback from going out, and has no effect.
    """
    force = click.option("--force", is_flag=True, hidden=True)
    return _changing(force(plan_options(command)))


def _changing(command: Decorated) -> Decorated:
    for option in (
        click.option("--reason", metavar="TEXT", default="", help="Why; kept in the record."),
        click.option("--yes", "-y", is_flag=True, help="Do not ask."),
        click.option("--dry-run", is_flag=True, help="Show what would change; change nothing."),
    ):
        command = option(command)
    return command


def verify_option(command: Decorated) -> Decorated:
    """`--no-verify`: for changes of the split."""
    said = "Leave out the verification that follows."
    return click.option("--no-verify", is_flag=True, help=said)(command)


def wait_options(command: Decorated) -> Decorated:
    """`--wait DURATION` and `--no-wait`: for changes that go back."""
    said = "So long it waits for a Cloud Run that is away; 24h."
    command = click.option("--wait", "wait_s", type=Duration(1, WAITS_S), help=said)(command)
    said = "Do not wait for a Cloud Run that is away."
    return click.option("--no-wait", is_flag=True, help=said)(command)


def no_journal_option(command: Decorated) -> Decorated:
    """`--no-journal`: for changes that go back."""
    said = "Send it even where this host's journal cannot be used; needs --reason."
    return click.option("--no-journal", is_flag=True, help=said)(command)


def chosen_config(config: str | None) -> str | None:
    """The plan named behind the command, else the one named before it."""
    return config if config is not None else _chosen().config


def chosen_read_only() -> bool:
    """Whether `--read-only` stood before the command."""
    return _chosen().read_only


def _chosen() -> Chosen:
    context = click.get_current_context(silent=True)
    found = context.find_object(Chosen) if context is not None else None
    return found if found is not None else Chosen()


# Lengths of time as people type them: "90s", "30m", "24h", "1h30m", "7d".


class WholeNumber(click.IntRange):
    """An option's whole number; `min` and `max` bound it. Says what is expected, not in click's
    words ("is not in the range x>=1", "is not a valid integer range").
    """

    name = "number"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """The number. Fails as click's own types do."""
        try:
            return int(super().convert(value, param, ctx))
        except click.BadParameter:
            self.fail(_said_of(value, f"a whole number{_bounds(self)}"), param, ctx)


class Number(click.FloatRange):
    """The same with a fraction."""

    name = "number"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """The number. Fails as click's own types do."""
        try:
            number = float(super().convert(value, param, ctx))
        except click.BadParameter:
            number = math.nan
        if math.isnan(number):  # it is within no bounds, and click lets it pass
            self.fail(_said_of(value, f"a number{_bounds(self)}"), param, ctx)
        return number


def _said_of(value: Any, expected: str) -> str:
    return f'"{sanitize(value, 40)}" is not {expected}'


def _bounds(kind: click.IntRange | click.FloatRange) -> str:
    return f" of {kind.min} or more" if kind.max is None else f" from {kind.min} to {kind.max}"


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
            shown = sanitize(value, 40)
            self.fail(
                f'"{shown}" is no length of time; expected one as 90s, 30m, 1h30m', param, ctx
            )
        seconds = sum(float(number) * UNITS_S[unit] for number, unit in _PART.findall(text))
        if not self._least_s <= seconds <= self._most_s:
            low, high = show_duration(self._least_s), show_duration(self._most_s)
            self.fail(f"{sanitize(value, 40)} is not between {low} and {high}", param, ctx)
        return seconds


def show_duration(seconds: float) -> str:
    """As one would type it: the greatest unit that divides it: "90s", "30m", "24h"."""
    for unit in ("d", "h", "m"):
        if seconds >= UNITS_S[unit] and seconds % UNITS_S[unit] == 0:
            return f"{seconds / UNITS_S[unit]:g}{unit}"
    return f"{seconds:g}s"
