"""The stage file in git: commit that one file, push if asked, and say how it stands there.

git is run without a shell, without a terminal it could ask at, in a session of its own that is
ended when it takes too long. Nothing of git's refusals concerns the traffic, which has moved
before: they are said in one sentence each, and whoever asked shows them.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.text import sanitize

LIMIT_S: Final = 10.0
PUSH_LIMIT_S: Final = 30.0
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
    command = ["git", *arguments]
    try:
        process = subprocess.Popen(
            command,
            cwd=path.parent,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            # No controlling terminal: neither ssh nor a hook can ask a person for anything.
            start_new_session=True,
        )
    except OSError as exc:
        found = isinstance(exc, FileNotFoundError) and path.parent.is_dir()
        why = "git is not installed" if found else exc.strerror or exc
        raise _trouble(path, doing, str(why)) from exc
    try:
        said, complained = process.communicate(timeout=limit_s)
    except subprocess.TimeoutExpired as exc:
        _end(process)
        raise _trouble(path, doing, f"no end within {limit_s:g} s") from exc
    if process.returncode != 0:
        raise _trouble(path, doing, _first_words(complained or said, process.returncode))
    return said.decode(errors="replace")


def _environment() -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if key not in _OF_ANOTHER}
    return {
        **kept,
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
    """End git and all that it started (ssh, hooks): the session is its own."""
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


def _trouble(path: Path, doing: str, why: str) -> RecordError:
    return RecordError(
        f"{sanitize(path.name, 100)} is not in git as it should be: {doing}: {why.rstrip('.')}.",
        remedy="The traffic and its record are not affected; commit and push the file by hand.",
    )
