"""Whether git may be run beside a file: its configuration and its hooks are programs.

git itself asks only whose the repository is. One that a team shares (`core.sharedRepository`) is
the person's by owner, and others write its `config` and its `hooks`: whoever only looks runs what
`core.fsmonitor` names, whoever commits runs `pre-commit`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from canary.host.owners import Weakness, find_weakness

_MOST_BYTES: Final = 4096
_SETTINGS: Final = ("config", "config.worktree", "info", "hooks")


def find_repository(directory: Path) -> Path | None:
    """The git directory that git would find from `directory` upwards; None without one."""
    for each in (directory.absolute(), *directory.absolute().parents):
        place = each / ".git"
        if place.is_dir():
            return place
        if place.is_file():
            return _named_in(place, "gitdir:")
    return None


def find_foreign_hand(directory: Path, hooks: Path | None = None) -> Weakness | None:
    """How others could have a program run by git in `directory`; None: they could not.

    `hooks`: where git says that its hooks are. Raises OSError where something cannot be looked at.
    """
    repository = find_repository(directory)
    if repository is None:
        return None
    for part in (*_parts(repository), *(_with_files(hooks) if hooks is not None else ())):
        with contextlib.suppress(FileNotFoundError):
            found = find_weakness(part)
            if found is not None:
                return found
    return None


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
