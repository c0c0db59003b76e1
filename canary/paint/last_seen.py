"""What a console last saw of a rollout: a small file for each plan, written over at each look.

It belongs to a plan as it was: its path and a digest of its text stand in it, so that what was
seen of another routing is never shown as this plan's. It is believed only where nobody else could
have written it, and whatever stands in it is text from outside. A cache: without it the console
starts as if it had never run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import stat
from typing import Any, Final, NamedTuple

from canary.rollout.text import sanitize

FORMAT: Final = 1
DIRECTORY: Final = "last-seen"
MOST_BYTES: Final = 8_192
MOST_PLAN_BYTES: Final = 1_000_000
"""As canary.rollout.plan.file has it: what is longer is no plan."""
MOST_FILES: Final = 64
"""Files of so many plans are kept; then the oldest goes."""
STATE_DIR_VARIABLE: Final = "CANARY_STATE_DIR"
_LATEST: Final = 253_402_300_799.0
"""The year 9999, beyond which no clock is shown."""


class Subject(NamedTuple):
    """Which plan: its absolute path ("" for the demo's own) and a digest of its text."""

    path: str
    digest: str
    is_demo: bool = False


class LastSeen(NamedTuple):
    """What was shown. `seen_at`: this host's clock, `as_of`: the cloud's; both unix seconds.

    `names` are both services, `where` project and region. `state` is the state's word, `split`
    the stage and Canary's share, `soak` how long of how long, `change` the last move of the split
    ("" where none is known).
    """

    seen_at: float
    as_of: float
    names: str
    where: str
    is_local: bool
    theme: str
    state: str
    split: str
    soak: str
    change: str


_LONGEST: Final = {
    "names": 140,
    "where": 110,
    "theme": 40,
    "state": 40,
    "split": 80,
    "soak": 60,
    "change": 300,
}


def subject_of(path: str, body: bytes, *, is_demo: bool = False) -> Subject:
    """The plan at `path` with this text. b"" at "": the demo without a plan."""
    return Subject(os.path.abspath(path) if path else "", hashlib.sha256(body).hexdigest(), is_demo)


def find_subject(config: str | None, *, is_demo: bool) -> tuple[Subject, bytes] | None:
    """The plan that was named, and its text; None where there is none that can be read twice."""
    path = os.path.expanduser(config) if config is not None else "canary.toml"
    if config is None and is_demo and not os.path.exists(path):
        return subject_of("", b"", is_demo=True), b""
    body = _read(path, MOST_PLAN_BYTES)
    return None if body is None else (subject_of(path, body, is_demo=is_demo), body)


def find_directory() -> str:
    """Where the files are: in the directory for state, as `canary.store.paths` finds it (a test
    holds both together on Linux; elsewhere this may name none, and nothing is painted). "" where
    there is no home: then nothing is read or kept.
    """
    base = os.path.expanduser(os.environ.get(STATE_DIR_VARIABLE) or "")
    if base:
        return "" if base.startswith("~") else os.path.join(os.path.abspath(base), DIRECTORY)
    home = os.environ.get("XDG_STATE_HOME", "").strip() or "~/.local/state"
    base = os.path.join(os.path.expanduser(home), "canary-console")
    return os.path.join(base, DIRECTORY) if os.path.isabs(base) else ""


def read_last_seen(subject: Subject, directory: str) -> LastSeen | None:
    """What was last seen of the plan; None for nothing, and for what is not to be believed."""
    try:
        if not _is_own(os.lstat(directory), stat.S_ISDIR, 0o022):
            return None
        body = _read(_path(subject, directory), MOST_BYTES, is_private=True)
        return None if body is None else _decode(subject, json.loads(body))
    except (OSError, ValueError, ArithmeticError, RecursionError):
        return None


def keep_last_seen(subject: Subject, seen: LastSeen, directory: str) -> None:
    """Write it over what was kept of the plan, whole or not at all, 0600. Raises OSError."""
    _make(directory)
    if not _is_own(os.lstat(directory), stat.S_ISDIR, 0o022):
        raise PermissionError(f"{directory} is not this user's alone")
    path = _path(subject, directory)
    if not os.path.lexists(path):
        _prune(directory)
    fields = {**seen._asdict(), **subject._asdict(), "format": FORMAT}
    aside = f"{path}.{os.getpid()}"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(aside)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with os.fdopen(os.open(aside, flags, 0o600), "w", encoding="utf-8") as file:
        json.dump(fields, file)
    os.replace(aside, path)


def _make(directory: str) -> None:
    """The directory and all that is missing above it, 0700 at most, whatever the umask is."""
    above = os.path.dirname(directory)
    if above != directory and not os.path.isdir(above):
        _make(above)
    with contextlib.suppress(FileExistsError):
        os.mkdir(directory, 0o700)


def _path(subject: Subject, directory: str) -> str:
    kind = "demo" if subject.is_demo else "plan"
    name = hashlib.sha256(f"{kind}\0{subject.path}".encode(errors="surrogateescape")).hexdigest()
    return os.path.join(directory, f"{name[:24]}.json")


def _read(path: str, most: int, *, is_private: bool = False) -> bytes | None:
    """A plain file of at most `most` bytes, else None. `is_private`: nobody else can even read it.

    A pipe is left alone: what is read of a plan here, the plan's reader must find again.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | (os.O_NOFOLLOW if is_private else 0)
    try:
        fd = os.open(path, flags)
    except (OSError, ValueError):
        return None
    try:
        status = os.fstat(fd)
        if not stat.S_ISREG(status.st_mode) or status.st_size > most:
            return None
        if is_private and not _is_own(status, stat.S_ISREG, 0o077):
            return None
        body = os.read(fd, most + 1)
    except OSError:
        return None
    finally:
        os.close(fd)
    return None if len(body) > most else body


def _is_own(status: os.stat_result, is_kind: Any, for_others: int) -> bool:
    mode = status.st_mode
    return bool(is_kind(mode)) and status.st_uid == os.geteuid() and not mode & for_others


def _decode(subject: Subject, fields: Any) -> LastSeen | None:
    """What the file says, its texts made harmless; None when it is another's or is not whole."""
    if not isinstance(fields, dict) or fields.get("format") != FORMAT:
        return None
    if any(fields.get(name) != value for name, value in subject._asdict().items()):
        return None
    moments = [fields.get("seen_at"), fields.get("as_of")]
    texts = [fields.get(name) for name in _LONGEST]
    is_whole = all(isinstance(at, int | float) and _is_moment(at) for at in moments)
    is_whole = is_whole and all(isinstance(text, str) for text in texts)
    if not is_whole or not isinstance(fields.get("is_local"), bool):
        return None
    said = {name: sanitize(fields[name], most) for name, most in _LONGEST.items()}
    known: dict[str, Any] = {**said, "is_local": fields["is_local"]}
    return LastSeen(seen_at=float(fields["seen_at"]), as_of=float(fields["as_of"]), **known)


def _is_moment(at: float) -> bool:
    return not isinstance(at, bool) and math.isfinite(at) and 0 <= at < _LATEST


def _prune(directory: str) -> None:
    """Make room for one more."""
    with os.scandir(directory) as found:
        files = sorted(found, key=lambda entry: entry.stat(follow_symlinks=False).st_mtime)
    for entry in files[: max(0, len(files) - MOST_FILES + 1)]:
        with contextlib.suppress(OSError):
            os.unlink(entry.path)
