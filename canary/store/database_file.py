"""What SQLite needs of a file: made for its owner, in write-ahead logging, on a disk with room."""

from __future__ import annotations

import errno
import os
import sqlite3
import time
from pathlib import Path

_WAL_TRIES = 40
_WAL_PAUSE_S = 0.05
SHARED_MEMORY_BYTES = 32_768
LOG_BYTES = 4_194_304
"""SQLite begins its write-ahead log anew at about this size; what made it longer (a vacuum, one
large transaction) leaves it no longer than that."""


def make_file(path: Path) -> None:
    """Make a file for its owner alone, where there is none. Raises OSError, too, when what is there
    cannot be written.

    What is there is never opened: a process that closes any handle of a file gives up all its locks
    on it (fcntl(2)), those of SQLite's other connections too. The next program to close it would
    take itself for the last, and remove the log that is still being written.
    """
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
    except FileExistsError:
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


def is_full(path: Path) -> bool:
    """Whether there is no room beside a file for SQLite's shared memory: it calls that a failure of
    the disk, and who reads it would look for a broken one. A disk that does not tell is not full.
    """
    try:
        disk = os.statvfs(path.parent)
    except OSError:
        return False
    blocks = disk.f_bavail if os.geteuid() else disk.f_bfree
    return bool(disk.f_blocks) and blocks * disk.f_frsize < SHARED_MEMORY_BYTES


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging. Two first openings at once collide in spite of the timeout."""
    for last in (*[False] * (_WAL_TRIES - 1), True):
        try:
            if connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal":
                return
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as exc:
            busy = getattr(exc, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY
            if last or not busy:
                raise
            time.sleep(_WAL_PAUSE_S)
        else:
            return


def limit_log(connection: sqlite3.Connection) -> None:
    """Let no write-ahead log stay longer than LOG_BYTES."""
    connection.execute(f"PRAGMA journal_size_limit = {LOG_BYTES}").fetchall()
