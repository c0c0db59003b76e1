"""Reading canary.toml: text → Plan, or one sentence that names file, key, mistake and remedy."""

from __future__ import annotations

import errno
import os
import re
import stat
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.rollout.errors import PlanError
from canary.rollout.plan.mistakes import Mistake, read_value
from canary.rollout.plan.plan import Alerts, Local, Plan
from canary.rollout.plan.rules import KnownNames, find_rule_mistakes
from canary.rollout.text import sanitize

MAX_BYTES: Final = 1_000_000
"""A plan is a few kilobytes; what is larger was named by mistake."""

MOST_TOLD: Final = 8
"""So many mistakes are told at once; of more, how many there are."""

_TABLE: Final = re.compile(r"[.\[]")
_PLACE: Final = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|(end of document))\)\s*$")


def load_plan(path: Path, known: KnownNames | None = None) -> Plan:
    """The plan in a file. Raises PlanError: missing, unreadable, not UTF-8, or wrong.

    `known` None: whatever it names as key or scenario is taken as it is.
    """
    return decode_plan(read_plan(path), sanitize(path, 200), known)


def read_plan(path: Path) -> bytes:
    """The bytes of a plan's file, read once. Raises PlanError: missing, unreadable, too long."""
    source = sanitize(path, 200)
    try:
        body, size = read_at_most(path, MAX_BYTES + 1)
    except FileNotFoundError as exc:
        raise PlanError(
            f"There is no plan at {source}.",
            remedy="Name one with --config, or write one with `canary init`.",
        ) from exc
    except OSError as exc:
        raise PlanError(f"{source} cannot be read: {exc.strerror}.") from exc
    if size > MAX_BYTES:
        raise PlanError(
            f"{source} has {size} bytes; a plan has at most {MAX_BYTES}.",
            remedy="Name the right file with --config.",
        )
    return body


def read_at_most(path: Path, most: int) -> tuple[bytes, int]:
    """The first bytes of a file, and how many it has as far as is known.

    A pipe of somebody else's is not waited for; one's own is: a shell makes one of `<(…)`. Nor is a
    device, or a file of the kernel's, to which a link may lead. Raises OSError.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        status = os.fstat(fd)
        if stat.S_ISFIFO(status.st_mode):
            if status.st_uid != os.geteuid():
                raise OSError(errno.EINVAL, "it is a pipe of somebody else's")
            os.set_blocking(fd, True)
        body = file.read(most) or b""  # None: nothing is there yet
        return body, max(status.st_size, len(body))


def decode_plan(body: bytes, source: str, known: KnownNames | None = None) -> Plan:
    """The plan in the bytes of a file, as `parse_plan`. Raises PlanError: not UTF-8, or wrong."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = exc.object[: exc.start].count(b"\n") + 1
        raise PlanError(
            f"{source}, line {line}: this is not UTF-8 text.", remedy="Save it as UTF-8."
        ) from exc
    return parse_plan(text, source, known)


def parse_plan(text: str, source: str, known: KnownNames | None = None) -> Plan:
    """The plan in a text; `source` is the file as the person named it.

    Limits that a table [alerts.warning] or [alerts.critical] leaves out keep their defaults: who
    changes one must not lose the others by it. Raises PlanError with all
    mistakes (of many the first few, and how many there are).
    """
    data = _with_one_notify(_with_start_stage(_with_default_limits(_parse_toml(text, source))))
    try:
        plan: Plan | None = msgspec.convert(data, Plan)
        mistakes: list[Mistake] = []
        # The decoder lets nan and inf pass as numbers; no rule could say a sensible word on them.
        if _has_odd_number(data):
            plan, mistakes = read_value(data, Plan)
    except msgspec.ValidationError as exc:
        plan, mistakes = read_value(data, Plan)
        if not mistakes:
            raise PlanError(f"{source}: {sanitize(exc)}.") from exc
    if plan is not None:
        mistakes = _merge(mistakes, find_rule_mistakes(plan, known))
    if plan is None or mistakes:
        raise _error(source, mistakes)
    return plan


def _parse_toml(text: str, source: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        said = str(exc)
        place = _PLACE.search(said)
        what = sanitize(_PLACE.sub("", said), 160).rstrip(".")
        line = f", line {place[1]}, column {place[2]}" if place and place[1] else ""
        end = " at the end of the file" if place and place[3] else ""
        raise PlanError(
            f"{source}{line}: this is not TOML: {what}{end}.",
            remedy="Expected lines as `key = value` below headings as [table].",
        ) from exc
    except ValueError as exc:  # a whole number of more digits than Python reads
        raise PlanError(f"{source}: this is not a plan: a number in it is far too long.") from exc
    except RecursionError as exc:
        raise PlanError(f"{source}: this is not a plan: it is nested too deeply.") from exc


def _with_default_limits(data: dict[str, Any]) -> dict[str, Any]:
    alerts = data.get("alerts")
    if not isinstance(alerts, dict):
        return data
    filled = dict(alerts)
    for scope, limits in (("warning", _DEFAULT_WARNING), ("critical", _DEFAULT_CRITICAL)):
        if isinstance(filled.get(scope), dict):
            filled[scope] = {**limits, **filled[scope]}
    return {**data, "alerts": filled}


def _limits(scope: str) -> dict[str, float]:
    builtins = msgspec.to_builtins(getattr(Alerts(), scope))
    return {name: value for name, value in builtins.items() if value is not None}


def _with_one_notify(data: dict[str, Any]) -> dict[str, Any]:
    """Of several tables [[notify]] the first, with the rest as its `others`."""
    tables = data.get("notify")
    if not isinstance(tables, list) or not tables or not isinstance(tables[0], dict):
        return data
    return {**data, "notify": {**tables[0], "others": tables[1:]}}


def _with_start_stage(data: dict[str, Any]) -> dict[str, Any]:
    """A plan of fewer stages than the embedded cloud's usual start begins at its last."""
    local, stages = data.get("local", {}), data.get("stages")
    if not isinstance(local, dict) or not isinstance(stages, list) or "stage" in local:
        return data
    return {**data, "local": {**local, "stage": min(Local().stage, len(stages))}}


_DEFAULT_WARNING: Final = _limits("warning")
_DEFAULT_CRITICAL: Final = _limits("critical")


def _has_odd_number(value: Any) -> bool:
    if isinstance(value, dict):
        return any(_has_odd_number(v) for v in value.values())
    if isinstance(value, list):
        return any(_has_odd_number(v) for v in value)
    return isinstance(value, float) and not (float("-inf") < value < float("inf"))


def _merge(ranges: Sequence[Mistake], rules: Sequence[Mistake]) -> list[Mistake]:
    """All mistakes in the order of the plan's tables; of one value the rule's is the narrower."""
    ruled = {mistake.path for mistake in rules}
    found = [*(m for m in ranges if m.path not in ruled), *rules]
    tables = Plan.__struct_fields__
    return sorted(found, key=lambda m: tables.index(_TABLE.split(m.path, 1)[0]))


def _error(source: str, mistakes: Sequence[Mistake]) -> PlanError:
    """One error for all of them: who mends one at a time is refused as often as there are some."""
    rest = [f"{mistake}." for mistake in mistakes[1:MOST_TOLD]]
    more = len(mistakes) - MOST_TOLD
    if more > 0:
        rest.append(f"And {more} more {'mistake' if more == 1 else 'mistakes'}.")
    return PlanError(f"{source}: {mistakes[0]}.", remedy=f"Also: {' '.join(rest)}" if rest else "")
