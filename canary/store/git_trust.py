"""Whether git may be run beside a file: its configuration and its hooks are programs.

git itself asks only whose the repository is. One that a team shares (`core.sharedRepository`) is
the person's by owner, and others write its `config` and its `hooks`: whoever only looks runs what
`core.fsmonitor` names, whoever commits runs `pre-commit`.
"""

from __future__ import annotations

import contextlib
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from canary.host.owners import Weakness, find_weakness

_MOST_BYTES: Final = 4096
_SETTINGS: Final = ("config", "config.worktree", "info", "hooks")


def find_top(directory: Path) -> Path | None:
    """The directory in which git would find a repository, from `directory` upwards; None: nowhere.

    It may be one itself (a bare one's layout): HEAD, objects and refs can be laid into /tmp.
    """
    here = directory.resolve()  # as git sees where it stands
    for each in (here, *here.parents):
        if (each / ".git").exists() or _is_git_directory(each):
            return each
    return None


def find_ceiling(directory: Path) -> Path:
    """The directory in which git must not look: above the repository that was looked at, or above
    `directory` without one.
    """
    return (find_top(directory) or directory.resolve()).parent


def find_repository(directory: Path) -> Path | None:
    """The git directory that git would find from `directory` upwards; None without one."""
    top = find_top(directory)
    if top is None:
        return None
    place = top / ".git"
    if place.is_dir():
        return place
    return _named_in(place, "gitdir:") if place.is_file() else top


def _is_git_directory(place: Path) -> bool:
    return (place / "HEAD").exists() and all((place / n).is_dir() for n in ("objects", "refs"))


def find_foreign_hand(directory: Path, hooks: Path | None = None) -> Weakness | None:
    """How others could have a program run by git in `directory`; None: they could not.

    `hooks`: where git says that its hooks are. Raises OSError where something cannot be looked at.
    """
    repository = find_repository(directory)
    if repository is None:
        return None
    for part in (*_parts(repository), *(_with_files(hooks) if hooks is not None else ())):
        with contextlib.suppress(FileNotFoundError):
            found = find_weakness(part) or _look_for_room(part)
            if found is not None:
                return found
    return None


def find_foreign_settings(directory: Path, listed: str) -> Weakness | None:
    """Which of git's settings others could have written, of all files that it says it reads (those
    of the person and those that are included): `git config --list --show-origin -z`.
    """
    origins = {word.removeprefix("file:") for word in listed.split("\0") if word[:5] == "file:"}
    for name in sorted(origins):
        with contextlib.suppress(FileNotFoundError):
            found = find_weakness(directory / name)
            if found is not None:
                return found
    return None


def _look_for_room(place: Path) -> Weakness | None:
    """A git directory such as /tmp, in which others may lay what is not there yet."""
    status = place.stat()
    if not stat.S_ISDIR(status.st_mode) or not status.st_mode & stat.S_ISVTX:
        return None
    if not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return None
    return Weakness(place, "has room for others", "keep the file in a directory of your own")


def _parts(repository: Path) -> Iterator[Path]:
    common = _named_in(repository / "commondir", "") or repository
    for place in dict.fromkeys((repository, common)):
        yield place
        for name in _SETTINGS:
            yield from _with_files(place / name)


def _with_files(place: Path) -> Iterator[Path]:
    yield place
    if place.is_dir():
        yield from place.iterdir()


def _named_in(file: Path, word: str) -> Path | None:
    """The directory that a file of git's names, from where the file is."""
    with contextlib.suppress(OSError, UnicodeDecodeError), file.open("rb") as opened:
        text = opened.read(_MOST_BYTES).decode().strip()
        if text.startswith(word):
            return (file.parent / text.removeprefix(word).strip()).resolve()
    return None
