"""Whether a plan may act: it is the person's own, or was trusted as it is.

A plan names services, programs and addresses, so whoever writes it acts with the person's rights.
It may act when the person or root wrote it and nobody else could have (`owners`), and the same is
true of each program that it names; or after `canary trust plan PATH`, until it changes. Else it is
looked at, with none of its programs run. git's safe.directory and direnv's `allow` are the models.
"""

from __future__ import annotations

import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from canary.host.children import find_program_path
from canary.host.owners import find_weakness, is_own
from canary.host.trust import TRUST_FILE, TrustedPlan, config_dir, hash_text, read_trust
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

_NAMELESS: Final = (Path("/dev/fd"), Path("/proc/self/fd"), Path("/dev"))
"""Where a shell's `<(…)` and standard input are found: the file behind has no directory."""


class Distrust(msgspec.Struct, frozen=True):
    """Why a plan may only be looked at. `said` is a sentence, `mark` a few words of it."""

    mark: str
    said: str
    remedy: str


def judge_plan(path: Path, body: bytes, plan: Plan) -> Distrust | None:
    """Why the plan in `path` may not act; None when it may. `body` is what `plan` was read from.

    Raises RecordError when what is trusted lies beside the plan: who writes one could write both.
    """
    demand_apart(path)
    weak = _say_weakness(path, "the plan")
    programs = [said for each in find_programs(plan) if (said := _say_weakness(each, "a program"))]
    if not (weak or programs):
        return None
    try:
        trust = read_trust()
    except CanaryError as error:
        return Distrust("trust.toml not believed", error.message, error.remedy)
    known = trust.plans.get(plan_key(path))
    if known is not None and known.sha256 == hash_text(body) and _are_known(plan, known):
        return None
    what = weak or programs[0]
    asked = " It has changed since you trusted it." if known is not None else ""
    return Distrust(
        "changed since trusted" if known is not None else what[0],
        f"{what[1]}, so this plan is only looked at, and no program of it is run.{asked}",
        f"Read it, then `canary trust plan {sanitize(path, 300)}`, or: {what[2]}",
    )


def demand_apart(path: Path) -> None:
    """Raise RecordError when trust.toml lies in the directory of the plan."""
    directory = config_dir()
    if (directory / TRUST_FILE).exists() and directory.resolve() == path.parent.resolve():
        raise RecordError(
            f"What you trust ({TRUST_FILE}) lies beside the plan: who writes plans could write it.",
            remedy="Set CANARY_CONFIG_DIR to another directory, or leave it out.",
        )


def plan_key(path: Path) -> str:
    """A plan's name in trust.toml: the file itself, wherever links lead to it from."""
    return str(path.resolve())


def describe_trusted(body: bytes, plan: Plan) -> TrustedPlan:
    """What is kept of a plan that is trusted now. Raises OSError: a program cannot be read."""
    programs = {str(each): hash_text(each.read_bytes()) for each in find_programs(plan)}
    return TrustedPlan(hash_text(body), programs)


def find_programs(plan: Plan) -> tuple[Path, ...]:
    """The files that a plan has run, where they are there: its programs, and scripts among their
    arguments (each argument that is the absolute path of a file).
    """
    router = plan.target.router
    if router.kind != "command":
        return ()
    return tuple(dict.fromkeys((*_files(router.set), *_files(router.read))))


def _files(arguments: Iterable[str]) -> Iterator[Path]:
    for position, argument in enumerate(arguments):
        found = find_program_path(argument) if position == 0 else argument
        if found and Path(found).is_absolute() and Path(found).is_file():
            yield Path(found)


def distrust_of_argument(argument: str) -> str:
    """Why a program, or a script that it is given, is not run now, in a sentence; "" when it may
    be, and for what is no file at all. Raises RecordError when what is trusted cannot be read.

    Asked right before it runs: a file that others can write may be another one by now.
    """
    path = Path(argument)
    if not path.is_absolute() or not path.is_file():
        return ""
    weak = _say_weakness(path, "a program")
    if weak is None or any(_is_known(path, plan) for plan in read_trust().plans.values()):
        return ""
    return f"{weak[1]}, so {sanitize(path, 200)} is not run."


def _are_known(plan: Plan, known: TrustedPlan) -> bool:
    programs = find_programs(plan)
    return all(_say_weakness(each, "") is None or _is_known(each, known) for each in programs)


def _is_known(program: Path, known: TrustedPlan) -> bool:
    try:
        return known.programs.get(str(program)) == hash_text(program.read_bytes())
    except OSError:
        return False


def _say_weakness(path: Path, what: str) -> tuple[str, str, str] | None:
    """A few words, the beginning of a sentence, and the command to mend it; None: all is well."""
    try:
        if path.parent in _NAMELESS:
            return (
                None
                if _is_nameless_own(path)
                else (f"{what} is not yours", f"{what} is not yours", "")
            )
        weakness = find_weakness(path)
    except OSError as exc:
        said = f"{sanitize(path, 200)} cannot be looked at ({exc.strerror or exc})"
        return f"{what} cannot be looked at", said, f"ls -l {sanitize(path, 200)}"
    if weakness is None:
        return None
    said = f"{sanitize(weakness.path, 200)} {weakness.said}"
    return f"{what} {weakness.said}", said, weakness.remedy


def _is_nameless_own(path: Path) -> bool:
    status = path.stat()
    return is_own(status) and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
