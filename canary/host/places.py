"""Where a plan may have files written: below its own directory, and over nothing that is another's.

A plan is a text of others, and `record.file` or `outputs` in it must not become a way to write into
the home, through a link that somebody has laid, or over a file that only bears the name. What lies
elsewhere is allowed by the person alone: `canary trust directory PATH`.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from canary.host.owners import is_own, name_owner
from canary.host.trust import read_trust
from canary.rollout.errors import RecordError
from canary.rollout.text import sanitize


def demand_place(base: Path, name: str, is_ours: Callable[[bytes], bool]) -> Path:
    """The file `name` (as a plan has it) below `base`, the plan's directory, to be written.

    It need not be there, nor the directories on the way. `is_ours` says of the content of one that
    is there whether this program writes such files. Raises RecordError, with what to do.
    """
    root, path = _root_of(base, name)
    at = root
    for part in path.relative_to(root).parts:
        at = at / part
        _look(at, last=at == path)
    _demand_ours(path, is_ours)
    return path


def _root_of(base: Path, name: str) -> tuple[Path, Path]:
    """The directory below which the file must stay, and the file; all but what is named is taken
    as it is: a plan may itself be reached through a link.
    """
    said = Path(name)
    if ".." in said.parts:
        raise _refuse(name, 'has ".." in it', "Name a file below the plan's directory.")
    if not said.is_absolute():
        return base, base / said
    for directory in map(Path, read_trust().directories):
        if said.is_relative_to(directory):
            return directory, said
    raise _refuse(
        name,
        "is not below the plan's directory",
        f"If it is to be written there: canary trust directory {sanitize(said.parent, 300)}",
    )


def _look(path: Path, *, last: bool) -> None:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return  # whoever writes says what is in the way
    except OSError as exc:
        raise _refuse(str(path), f"cannot be looked at: {exc.strerror or exc}", "") from exc
    if stat.S_ISLNK(status.st_mode):
        raise _refuse(str(path), "is a link", "Put a file or a directory of your own there.")
    if last and not stat.S_ISREG(status.st_mode):
        raise _refuse(str(path), "is no plain file", "Name another one.")
    if not is_own(status):
        raise _refuse(str(path), f"belongs to {name_owner(status.st_uid)}", "Name another one.")


def _demand_ours(path: Path, is_ours: Callable[[bytes], bool]) -> None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as exc:
        raise _refuse(str(path), f"cannot be looked at: {exc.strerror or exc}", "") from exc
    with os.fdopen(fd, "rb") as file:
        body = file.read(_MOST_BYTES)
    if body.strip() and not is_ours(body):
        raise _refuse(str(path), "is there, and nothing that canary writes", "Move it away.")


_MOST_BYTES = 4_000_000


def _refuse(name: str, why: str, remedy: str) -> RecordError:
    return RecordError(f"{sanitize(name, 300)} is not written: it {why}.", remedy=remedy)
