"""Whose file it is, and who else could have written it: the file, its links, each directory above.

What others could have put there decides nothing here. "Others" are all but the person and root, by
the bits of the mode; a directory in which only the owner of a file can remove it (sticky, as /tmp)
keeps what is in it.

A group is nobody else when it is the owner's private one: of the same name, the owner's own group,
with nobody else in it by /etc/group or passwd. Where a umask of 002 is usual (a fresh clone on
Ubuntu or Fedora) every file is writable by that group; Debian's OpenSSH lets the same groups pass
for ~/.ssh/config. Rejected: to refuse them too, which made the README's first command look-only.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import Final

import msgspec

from canary.rollout.text import quote_command, sanitize

_FOR_OTHERS: Final = stat.S_IWGRP | stat.S_IWOTH
_MOST_LINKS: Final = 40


class Weakness(msgspec.Struct, frozen=True):
    """Why a file is not believed. `said` completes "it …"; `remedy` is the command to mend it."""

    path: Path
    said: str
    remedy: str


def find_weakness(path: Path) -> Weakness | None:
    """The first way in which others could have written `path`; None when there is none.

    From the root directory downwards, through every link on the way. "~" is a name as any other:
    who opens `path` takes it so. Raises OSError when a part of it is missing or cannot be seen.
    """
    for step in _walk(path.absolute()):
        found = _look(step) or _look_for_link(step)
        if found is not None:
            return found
    return None


def make_directories(path: Path, mode: int = 0o700) -> None:
    """Make a directory and all that is missing above it, each with `mode` at most, whatever the
    umask is. What is there already stays as it is. Raises OSError.
    """
    for each in reversed((path, *path.parents)):
        with contextlib.suppress(FileExistsError):
            each.mkdir(mode=mode)
    if not path.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(path))


def is_own(status: os.stat_result) -> bool:
    """Whether it belongs to the person or to root."""
    return status.st_uid in (0, os.geteuid())


def _walk(path: Path) -> list[Path]:
    """Every directory, link and the file itself that decides what `path` names, each once."""
    waiting = list(reversed(path.parts[1:]))
    at, walked, links = Path(path.anchor), [Path(path.anchor)], 0
    while waiting:
        part = waiting.pop()
        if part == "..":
            at = at.parent
            continue
        at = at / part
        walked.append(at)
        if at.is_symlink():
            links += 1
            if links > _MOST_LINKS:
                raise OSError(f"too many links at {path}")
            target = at.readlink()
            at = Path(target.anchor) if target.is_absolute() else at.parent
            waiting += reversed(target.parts[1:] if target.is_absolute() else target.parts)
    return walked


def _look(path: Path) -> Weakness | None:
    status = path.lstat()
    shown = quote_command([str(path)])
    if not is_own(status):
        said = f"belongs to {name_owner(status.st_uid)}"
        return Weakness(path, said, f"sudo chown {me()} {shown}")
    if stat.S_ISLNK(status.st_mode):
        return None
    keeps = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    for_others = status.st_mode & _FOR_OTHERS
    private = for_others == stat.S_IWGRP and _is_private_group(status.st_gid, status.st_uid)
    if private and not _has_access_list(path):
        return None
    if for_others and not keeps:
        return Weakness(path, "can be written by others", f"chmod go-w {shown}")
    return None


def _look_for_link(path: Path) -> Weakness | None:
    """A file of one's own may have been given another name where everybody can make names (/tmp),
    unless the kernel refuses it (fs.protected_hardlinks): an old plan in the place of a new one.
    """
    status = path.lstat()
    if not stat.S_ISREG(status.st_mode) or status.st_nlink < 2:
        return None
    above = path.parent.stat()
    if not above.st_mode & _FOR_OTHERS or not above.st_mode & stat.S_ISVTX:
        return None
    shown, copy = quote_command([str(path)]), quote_command([f"{path}.copy"])
    said = "has another name, and others can give names there"
    return Weakness(path, said, f"cp {shown} {copy} && mv {copy} {shown}")


def _has_access_list(path: Path) -> bool:
    """Whether others are named beside owner and group: the group's bits are then what they may have
    at most (acl(5), "correspondence between ACL entries and file permission bits").
    """
    try:
        return bool(os.getxattr(path, "system.posix_acl_access", follow_symlinks=False))
    except (AttributeError, OSError):  # not Linux; none, or a file system without any
        return False


def _is_private_group(gid: int, uid: int) -> bool:
    """Whether a group is a user's alone: named as the user, and nobody else's in any way."""
    import grp
    import pwd

    try:
        group, owner = grp.getgrgid(gid), pwd.getpwuid(uid)
    except KeyError:
        return False
    if group.gr_name != owner.pw_name or owner.pw_gid != gid:
        return False
    if any(member != owner.pw_name for member in group.gr_mem):
        return False
    return all(each.pw_uid == uid for each in pwd.getpwall() if each.pw_gid == gid)


def name_owner(uid: int) -> str:
    """The name of a user, or "user 1234" for a number that has none."""
    import pwd

    try:
        return sanitize(pwd.getpwuid(uid).pw_name, 60)
    except KeyError:
        return f"user {uid}"


def me() -> str:
    """The name of the person as passwd has it."""
    return name_owner(os.geteuid())
