"""rollout.toml: the stage record as a file, committed to git and pushed if the plan asks.

A copy for people. The authority is the annotation in the cloud, written in the same update as the
split; this file is written after it, atomically, and a failure to write never undoes a change.

git is run without a shell, without a terminal it could ask at, in a session of its own that is
ended when it takes too long. Nothing of its refusals concerns the traffic, which has moved before:
they are said in one sentence each, and whoever asked shows them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import tomllib
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

import msgspec

from canary.host.children import find_own_program, own_path
from canary.host.owners import Weakness
from canary.host.places import demand_place
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import RecordError
from canary.rollout.measure.times import read_time
from canary.rollout.text import sanitize
from canary.store.git_trust import find_ceiling, find_foreign_hand, find_foreign_settings
from canary.store.outputs import replace_file

_HEAD = (
    "# Where the rollout stands. Written by canary after each change of the split; the record on\n"
    "# the service in the cloud is the authority, this copy is for git.\n\n"
)


def stage_file_path(plan_path: Path, file: str) -> Path:
    """Where the stage file of a plan is: `file` (plan.record.file) beside canary.toml."""
    return plan_path.parent / file


def demand_stage_place(path: Path, file: str) -> None:
    """Raise RecordError unless `path` (of `stage_file_path`) may be written for a plan that names
    it `file`: below its directory, through no link, over nothing that is no stage file; so never
    over the plan itself.
    """
    named = Path(file)
    base = path if named.is_absolute() else path.parents[max(len(named.parts), 1) - 1]
    demand_place(base, file, _is_stage_file)


def _is_stage_file(body: bytes) -> bool:
    try:
        document = tomllib.loads(body.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return body.startswith(_HEAD.encode()[:40])  # ours, and spoiled
    table = document.get("canary")
    return isinstance(table, dict) and "stage" in table and set(document) <= {"rollout", "canary"}


def write_stage_file(path: Path, rollout: str, record: StageRecord) -> None:
    """Replace the file in one step: a reader sees the old one or the new one, whole.

    Raises RecordError; the old file is then untouched.
    """
    import tomli_w  # only after a change

    fields = msgspec.structs.asdict(record) | {"entered_at": _as_date(record.entered_at)}
    table = {key: value for key, value in fields.items() if value not in (None, "")}
    text = _HEAD + tomli_w.dumps({"rollout": rollout, "canary": table})
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text.encode(), _usual_mode(path))
    except OSError as exc:
        raise RecordError(
            f"{path} could not be written: {exc.strerror or exc}.",
            remedy="The split and its record in the cloud are not affected.",
        ) from exc


def read_stage_file(path: Path) -> StageRecord | None:
    """The record in the file; None when there is no file. Raises RecordError when it is broken."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise RecordError(f"{path} cannot be read: {exc}.", remedy=_REMEDY) from exc
    table: Any = document.get("canary")
    try:
        if isinstance(table, dict) and "entered_at" in table:
            table = table | {"entered_at": _read_entered_at(table["entered_at"], path)}
        return msgspec.convert(table, StageRecord)
    except (msgspec.ValidationError, ValueError, OverflowError, OSError) as exc:
        raise RecordError(f"{path} holds no stage record: {exc}.", remedy=_REMEDY) from exc


def _read_entered_at(value: object, path: Path) -> float:
    """A time of the file's; one without a zone counts only where it agrees with the file's own.

    Raises NotATime, OSError.
    """
    text = value.isoformat() if isinstance(value, datetime) else value
    return read_time(text, path.stat().st_mtime)


_REMEDY = "Move it away: the next change of the split writes it anew."


def _as_date(unix: float) -> datetime | float:
    """A time as a TOML date in UTC; one that no calendar has stays a number."""
    try:
        return datetime.fromtimestamp(unix, UTC)
    except (OverflowError, ValueError, OSError):
        return unix


def _usual_mode(path: Path) -> int:
    """The umask's rights, or those it has: unlike the journal it is to be read and committed. No
    umask lets others write it.
    """
    return path.stat().st_mode & 0o777 if path.exists() else 0o644 & ~_umask()


def _umask() -> int:
    current = os.umask(0o077)
    os.umask(current)
    return current


# The file in git: that one file is committed, and nothing else that is staged.

LIMIT_S: Final = 10.0
PUSH_LIMIT_S: Final = 30.0
GENTLE_S: Final = 2.0
"""Real seconds. A hook that runs a test suite does not belong into the way of a rollout."""

_OF_ANOTHER: Final = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_COMMON_DIR",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
)
"""Set where we were started from a hook: they would make git look at another repository."""


class Committed(msgspec.Struct, frozen=True):
    """What was done. `commit` is the short hash, "" when there was nothing to commit."""

    commit: str
    pushed: bool


class GitStanding(msgspec.Struct, frozen=True):
    """How a file stands in git: its last commit (and when, unix seconds), and whether it is pushed.

    `state`: "committed", "changed" since, or "untracked". `pushed` None: there is no upstream that
    is known here.
    """

    state: Literal["committed", "changed", "untracked"]
    commit: str = ""
    at: float | None = None
    pushed: bool | None = None


def commit_file(
    path: Path,
    message: str,
    *,
    push: bool = False,
    limit_s: float = LIMIT_S,
    push_limit_s: float = PUSH_LIMIT_S,
) -> Committed:
    """Commit `path` alone, whatever else is staged; then push the present branch if asked.

    Nothing to commit is no mistake, and what an earlier push left behind is still pushed. Raises
    RecordError in one sentence: no git, no repository, a hook or the other side that refuses, too
    slow. A commit that was made stays when its push fails.
    """
    _run(path, "rev-parse", "--is-inside-work-tree", doing="looking for a repository")
    said = _run(path, "rev-parse", "--git-path", "hooks", doing="looking for hooks")
    _demand_own(path, "looking at hooks", path.parent / said.rstrip("\n"))
    _run(path, "add", "--", path.name, doing="adding", limit_s=limit_s)
    commit = ""
    if _run(path, "status", "--porcelain", "--", path.name, doing="looking"):
        _run(
            path,
            *("commit", "--quiet", "--only", f"--message={message}", "--", path.name),
            doing="committing",
            limit_s=limit_s,
        )
        commit = _run(path, "rev-parse", "--short", "HEAD", doing="looking").strip()
    if push:
        _run(path, "push", "--quiet", doing="pushing", limit_s=push_limit_s)
    return Committed(commit, pushed=push)


def read_standing(path: Path) -> GitStanding | None:
    """How `path` stands in git; None outside a repository, or without git. Never writes, nor asks
    another host: "pushed" is as of the last fetch or push from here.
    """
    try:
        changed = _run(path, "status", "--porcelain", "--", path.name, doing="looking")
        if changed.startswith("??"):
            return GitStanding("untracked")
        logged = _run(path, "log", "-1", "--format=%h %ct", "--", path.name, doing="looking")
    except RecordError:
        return None
    words = logged.split()
    if len(words) != 2 or not words[1].isdecimal():
        return GitStanding("untracked")
    state: Literal["committed", "changed"] = "changed" if changed.strip() else "committed"
    return GitStanding(state, words[0], float(words[1]), _is_pushed(path, words[0]))


def _is_pushed(path: Path, commit: str) -> bool | None:
    try:
        ahead = _run(path, "rev-list", "@{upstream}..HEAD", "--", path.name, doing="looking")
    except RecordError:
        return None
    return not any(line.startswith(commit) for line in ahead.split())


def _run(path: Path, *arguments: str, doing: str, limit_s: float = LIMIT_S) -> str:
    """Run git beside the file; what it says on standard output. Raises RecordError."""
    git = find_own_program("git")
    if git is None:
        raise _trouble(path, doing, "git is not installed, or others could have written it")
    _demand_own(path, doing)
    if arguments != _SETTINGS:
        _demand_own_settings(path, doing)
    command = [git, *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=path.parent,
            env=_environment(path.parent),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No controlling terminal: neither ssh nor a hook can ask a person for anything.
            start_new_session=True,
        )
    except OSError as exc:
        raise _trouble(path, doing, str(exc.strerror or exc)) from exc
    try:
        said, complained = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as exc:
        _end(process)
        raise _trouble(path, doing, f"unfinished after {limit_s:g} s") from exc
    if process.returncode != 0:
        raise _trouble(path, doing, _first_words(complained or said, process.returncode))
    return said.decode(errors="replace")


_SETTINGS: Final = ("config", "--list", "--show-origin", "-z")
"""Runs nothing that a setting names."""


def _demand_own_settings(path: Path, doing: str) -> None:
    listed = _run(path, *_SETTINGS, doing=doing)
    _refuse_weak(path, doing, lambda: find_foreign_settings(path.parent, listed))


def _demand_own(path: Path, doing: str, hooks: Path | None = None) -> None:
    _refuse_weak(path, doing, lambda: find_foreign_hand(path.parent, hooks))


def _refuse_weak(path: Path, doing: str, find: Callable[[], Weakness | None]) -> None:
    try:
        found = find()
    except OSError as exc:
        raise _trouble(path, doing, str(exc.strerror or exc)) from exc
    if found is not None:
        why = f"{sanitize(found.path, 200)} {found.said}, and git runs what it says"
        raise _trouble(path, doing, why, f" First: {found.remedy}")


def _environment(directory: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER}
    return {
        **kept,
        "PATH": own_path(),  # what git starts: ssh, gpg, the programs of a hook
        "GIT_CEILING_DIRECTORIES": str(find_ceiling(directory)),
        "GIT_TERMINAL_PROMPT": "0",
        "GIT_ASKPASS": "",
        "SSH_ASKPASS": "",
        "SSH_ASKPASS_REQUIRE": "never",
        "GCM_INTERACTIVE": "never",
        "GIT_EDITOR": "true",
        "GIT_OPTIONAL_LOCKS": "0",
        "GIT_LITERAL_PATHSPECS": "1",
        "LC_ALL": "C",
    }


def _end(process: subprocess.Popen[bytes]) -> None:
    """End git and all that it started (ssh, hooks): the session is its own.

    Gently first: git takes its locks away on SIGTERM (git's tempfile.h), and only then; an
    `index.lock` left behind would stop every later commit, a person's too.
    """
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(GENTLE_S)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    # What left the session keeps the pipes open; its words are not waited for.
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.communicate(timeout=1.0)
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _first_words(complained: bytes, code: int) -> str:
    """The first lines that are no hints: git's own lead with "fatal:", a hook's can be anything."""
    lines = (sanitize(line) for line in complained.decode(errors="replace").splitlines())
    said = [line for line in lines if line and not line.startswith("hint:")]
    return sanitize("; ".join(_without_url_secrets(said[:3])) or f"exit code {code}", 300)


def _without_url_secrets(lines: Sequence[str]) -> list[str]:
    """A remote's address may carry a token (https://user:token@host): it is not repeated."""
    return [re.sub(r"(\w+://)[^/@\s]+@", r"\1", line) for line in lines]


def _trouble(path: Path, doing: str, why: str, remedy: str = "") -> RecordError:
    return RecordError(
        f"{sanitize(path.name, 100)} is not in git as it should be: {doing}: {why.rstrip('.')}.",
        remedy="The traffic and its record are not affected; commit and push the file by hand."
        + remedy,
    )
