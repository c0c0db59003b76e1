"""How other processes are started: no code from where we stand, whatever directory that is.

A child of ours is the same interpreter with `-E -P`: neither the current directory (`-P`) nor any
PYTHON… variable (`-E`: PYTHONPATH, PYTHONHOME, PYTHONUSERBASE, PYTHONSTARTUP …) adds code to it, so
that a `msgspec.py` that somebody left in a shared directory stays a file. Rejected: `-I`, which
also leaves out the user's own site directory (`-s`): after `pip install --user` no child would find
this program. That directory is below HOME, as it was for the process that starts the child.

Both switches count for the child alone: variables are handed on, for the programs of a team.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from canary.host.logs import open_log
from canary.host.owners import find_weakness

ISOLATED: Final = ("-E", "-P")
"""See above."""

PATH_VARIABLES: Final = (
    "CANARY_STATE_DIR",
    "CANARY_CONFIG_DIR",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "CLOUDSDK_CONFIG",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
)
"""Variables that name a place, and would name another one in a child's working directory."""


def python_command(module: str, *arguments: str) -> list[str]:
    """The command line that runs a module of this program in a process of its own.

    To be started in `safe_directory()` or another one of the person's, with `child_environment()`.
    """
    return [str(Path(sys.executable).absolute()), *ISOLATED, "-m", module, *arguments]


def child_environment() -> dict[str, str]:
    """This process's variables; places that are named from the current directory made absolute.

    Not the one that has gRPC write all that it sends, tokens among it, into a log of the child's.
    """
    environment = dict(os.environ)
    environment.pop("GRPC_TRACE", None)
    for name in PATH_VARIABLES:
        if environment.get(name):
            # What means no home of anybody's is left as it is: the child says so itself.
            with contextlib.suppress(RuntimeError):
                environment[name] = str(Path(environment[name]).expanduser().absolute())
    return environment


def tmux_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """What tmux needs of the variables: it hands all that it has to its server, which after `su` or
    `sudo -E` is another user's, and secrets are among them.
    """
    names = ("TMUX", "TMUX_TMPDIR", "TMUX_PANE", "HOME", "TERM", "LANG", "LC_ALL", "LC_CTYPE")
    return {name: environ[name] for name in names if name in environ}


_apart: list[subprocess.Popen[bytes]] = []
"""Processes that outlive what started them, kept so that they are reaped when they end first."""


def start_apart(command: Sequence[str], directory: Path, log_file: str, job: bytes) -> int:
    """Start a process in a session of its own, which outlives this one; returns its number at once.

    It reads `job` on its standard input, stands in `directory`, and writes `log_file` there.
    Raises OSError.
    """
    _apart[:] = [process for process in _apart if process.poll() is None]
    log_fd = open_log(directory / log_file)
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=child_environment(),
            stdin=subprocess.PIPE,
            stdout=log_fd,
            stderr=log_fd,
            start_new_session=True,
        )
    finally:
        os.close(log_fd)
    _apart.append(process)
    assert process.stdin is not None  # noqa: S101 - for the type checker
    process.stdin.write(job)
    process.stdin.close()
    return process.pid


def safe_directory() -> Path:
    """Where a child stands that needs no directory: the person's home, else the root directory.

    A home counts when it is the person's own and not writable by others.
    """
    try:
        home = Path.home()
        found = home.stat()
    except (OSError, RuntimeError):
        return Path("/")
    mine = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return home if stat.S_ISDIR(found.st_mode) and mine else Path("/")


def find_program_path(name: str) -> str | None:
    """The absolute path of a program on PATH, None when there is none.

    Entries of PATH that are empty or relative mean the current directory, and are left out.
    """
    if Path(name).is_absolute():
        return shutil.which(name)
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    absolute = os.pathsep.join(entry for entry in entries if Path(entry).is_absolute())
    return shutil.which(name, path=absolute) if absolute and os.sep not in name else None


def find_own_program(name: str) -> str | None:
    """The same for a program that runs without being asked for (git, tmux): the first that nobody
    but the person and root could have written, None when there is none.
    """
    found = (shutil.which(name, path=entry) for entry in own_path().split(os.pathsep) if entry)
    return next((each for each in found if each and _is_nobody_elses(Path(each))), None)


def own_path() -> str:
    """The entries of PATH in which nobody but the person and root could have put a program."""
    entries = os.environ.get("PATH", os.defpath).split(os.pathsep)
    own = (each for each in entries if Path(each).is_absolute() and _is_nobody_elses(Path(each)))
    return os.pathsep.join(own)


def _is_nobody_elses(path: Path) -> bool:
    try:
        return find_weakness(path) is None and not path.stat().st_mode & stat.S_ISVTX
    except OSError:
        return False
