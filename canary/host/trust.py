"""What the person has trusted, once and by an explicit command: hosts, and plans as they are now.

One file, trust.toml in the person's own config directory (`$CANARY_CONFIG_DIR`, else the
platform's), 0600, never beside a plan: who writes plans must not write this. It is believed only
when nobody else could have written it. A plan is kept with a hash of its text, as direnv keeps an
.envrc, and each program that it names with a hash of that: what has changed is asked for anew.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec

from canary.host.home import expand_home, personal_dir
from canary.host.owners import Weakness, find_weakness, make_directories
from canary.rollout.errors import RecordError
from canary.rollout.text import sanitize

CONFIG_DIR_VARIABLE: Final = "CANARY_CONFIG_DIR"
"""The environment variable that replaces the platform's directory for what a person has set."""

TRUST_FILE: Final = "trust.toml"
LOCK_FILE: Final = f".{TRUST_FILE}.lock"
_MOST_BYTES: Final = 1_000_000
_HEAD: Final = "# What you have trusted with `canary trust`; `canary trust list` and `remove`.\n\n"


class TrustedPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A plan as it was when it was trusted: hashes of its text, and of its programs by path."""

    sha256: str
    programs: dict[str, str] = {}


class Trust(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Hosts that may get credentials, plans by their absolute path, directories below which a plan
    may have files written although they are not below its own, and ports of this machine on which
    whoever listens is believed.
    """

    hosts: tuple[str, ...] = ()
    plans: dict[str, TrustedPlan] = {}
    directories: tuple[str, ...] = ()
    ports: tuple[int, ...] = ()


def config_dir() -> Path:
    """The person's config directory; it need not be there.

    Raises RecordError for a $CANARY_CONFIG_DIR that is relative: it would be whatever directory one
    happens to stand in.
    """
    override = os.environ.get(CONFIG_DIR_VARIABLE)
    if override:
        path = expand_home(override, CONFIG_DIR_VARIABLE)
        if not path.is_absolute():
            raise RecordError(
                f"{CONFIG_DIR_VARIABLE} is relative ({sanitize(override, 100)}): it would be"
                " another directory each time.",
                remedy="Set it to an absolute path.",
            )
        return path
    return personal_dir("config", CONFIG_DIR_VARIABLE)


def read_trust() -> Trust:
    """What is trusted; nothing without a file.

    Raises RecordError when others could have written the file, with the command to mend it, and
    when it cannot be read.
    """
    path = config_dir() / TRUST_FILE
    try:
        found = find_weakness(path)
        status = path.lstat()
        if found is None and status.st_mode & 0o077:
            found = Weakness(path, "can be read by others", f"chmod 600 {sanitize(path, 300)}")
        if found is not None:
            raise RecordError(
                f"What you have trusted ({sanitize(path, 300)}) is not believed:"
                f" {sanitize(found.path, 300)} {found.said}.",
                remedy=f"Look what is in it, then: {found.remedy}",
            )
        text = path.read_bytes()[:_MOST_BYTES].decode()
        return msgspec.convert(tomllib.loads(text), Trust)
    except FileNotFoundError:
        return Trust()
    except (OSError, ValueError) as exc:  # tomllib's, msgspec's and UTF-8's are ValueErrors
        raise RecordError(
            f"{sanitize(path, 300)} cannot be read: {sanitize(exc, 200)}.",
            remedy="Move it away; `canary trust` writes it anew.",
        ) from exc


def change_trust(change: Callable[[Trust], Trust]) -> Trust:
    """Write what `change` makes of what is trusted now, in one step, 0600; returns it.

    Raises RecordError when it cannot be read or written.
    """
    import tomli_w  # only here

    directory = config_dir()
    try:
        make_directories(directory)
        _demand_own(directory)  # before anything of ours is left in it
        with _alone(directory):
            trust = change(read_trust())
            kept = msgspec.to_builtins(trust)
            if not trust.ports:  # versions that know of none refuse the word
                del kept["ports"]
            body = _HEAD + tomli_w.dumps(kept)
            _replace(directory / TRUST_FILE, body.encode())
    except OSError as exc:
        raise RecordError(
            f"{sanitize(directory / TRUST_FILE, 300)} cannot be written: {exc.strerror or exc}.",
            remedy=f"Set {CONFIG_DIR_VARIABLE} to a directory of your own.",
        ) from exc
    return trust


def _demand_own(directory: Path) -> None:
    found = find_weakness(directory)
    if found is not None:
        raise RecordError(
            f"What you trust is not believed in {sanitize(directory, 300)}:"
            f" {sanitize(found.path, 300)} {found.said}.",
            remedy=f"{found.remedy}, or set {CONFIG_DIR_VARIABLE} to a directory of your own.",
        )


def hash_text(text: bytes) -> str:
    """What a text is recognised by."""
    return hashlib.sha256(text).hexdigest()


@contextlib.contextmanager
def _alone(directory: Path) -> Iterator[None]:
    """Held by one at a time; not the directory itself, which whoever may read it could lock."""
    fd = os.open(directory / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


def _replace(path: Path, body: bytes) -> None:
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)  # 0600
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
