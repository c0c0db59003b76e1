"""One SQLite file: opened safely, its schema checked, its errors said in one sentence.

Journal and history differ in what they hold and in how durable a commit must be; what can go wrong
with a file (read-only, full, locked, damaged, written by a newer program) is the same and is here.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

import msgspec

from canary.rollout.errors import RecordError
from canary.store.database_file import is_full, limit_log, make_file, use_wal
from canary.store.paths import NOWHERE

BUSY_TIMEOUT_S = 5.0
LEAST_FREE_BYTES = 2_000_000
"""So much must be free in a file, and half of it, before it is made smaller."""


class Schema(msgspec.Struct, frozen=True):
    """What a file must be: `what` for messages, SQLite's application id, version, statements."""

    what: str
    application_id: int
    version: int
    statements: tuple[str, ...]
    durable: bool
    """Whether a commit is on the disk before it returns (synchronous=FULL)."""

    patience_s: float = BUSY_TIMEOUT_S
    """So long is waited for another process that is just writing."""


class Database:
    """A connection to `path`, usable from several threads one at a time.

    Created 0600 when it is missing. `read_only` opens what is there without writing anything, and
    stands for an empty file when there is none. `path` None: in memory, and gone with the process.
    Raises RecordError for all that can go wrong.
    """

    def __init__(self, path: Path | None, schema: Schema, *, read_only: bool = False) -> None:
        self.path = path if path is not None else NOWHERE
        self._in_memory = path is None
        self.read_only = read_only
        self._schema = schema
        self._lock = threading.RLock()
        with self._said():
            self._connection = self._open()
        try:
            with self._said():
                self._prepare()
        except RecordError:
            self._connection.close()
            raise

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection for queries."""
        with self._lock, self._said():
            yield self._connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that holds the write lock from its start; rolled back on any error."""
        with self._lock, self._said():
            if self.read_only:
                raise self._error("is open for reading only")
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                # A failed COMMIT (full disk) may have ended the transaction by itself.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")
                raise

    def demand_room(self) -> None:
        """Raise RecordError when what is to be written next would find no room, as far as the
        system tells; a file that is open for reading needs none.
        """
        if not (self.read_only or self._in_memory) and is_full(self.path):
            raise self._error(*_TROUBLES[sqlite3.SQLITE_FULL])

    def shrink(self) -> bool:
        """Give back to the disk what is free in the file, where that is most of it; True when that
        was done. It takes some tenths of a second then. What is free otherwise is used again, as it
        is where there is no room or no time for this. Raises RecordError for a damaged file.
        """
        if self.read_only or self._in_memory:
            return False
        with self._lock, self._said():
            pages, free, size = map(self._pragma, ("page_count", "freelist_count", "page_size"))
            if free * size < LEAST_FREE_BYTES or free * 2 < pages:
                return False
            with contextlib.suppress(sqlite3.OperationalError):
                self._connection.execute("VACUUM")
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
                return True
        return False

    def data_version(self) -> int:
        """A number that differs when another connection has committed since the last call."""
        with self.reading() as connection:
            return int(connection.execute("PRAGMA data_version").fetchone()[0])

    def check(self) -> None:
        """Read every page. Raises RecordError when the file is damaged."""
        with self.reading() as connection:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise self._damaged(str(verdict))

    def _open(self) -> sqlite3.Connection:
        # The engine's thread and the screen's both ask; the lock above serialises them.
        if self._in_memory:
            target, as_uri = ":memory:", False
        elif not self.read_only:
            make_file(self.path)
            target, as_uri = str(self.path), False
        elif self.path.exists():
            # On a read-only disk the shared memory beside a WAL file cannot be made: then nobody
            # can be writing either, and the file may be taken as it is.
            writable = os.access(self.path.parent, os.W_OK)
            mode = "mode=ro" if writable else "mode=ro&immutable=1"
            target, as_uri = f"{self.path.absolute().as_uri()}?{mode}", True
        else:
            target, as_uri = ":memory:", False
        connection = sqlite3.connect(
            target,
            uri=as_uri,
            timeout=self._schema.patience_s,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.text_factory = _read_text
        return connection

    def _prepare(self) -> None:
        connection, schema = self._connection, self._schema
        connection.execute("PRAGMA foreign_keys = ON")
        if self._in_memory or (self.read_only and not self.path.exists()):
            self._create(connection)
            return
        version = self._checked_version()
        self._check_size()
        if self.read_only:
            if version == 0:
                raise self._error("is not finished: it was never written to")
            return
        use_wal(connection)
        limit_log(connection)
        connection.execute(f"PRAGMA synchronous = {'FULL' if schema.durable else 'NORMAL'}")
        if version == 0:
            with self.writing():
                # Asked again under the write lock: two consoles may open the first time at once.
                if self._checked_version() == 0:
                    self._create(connection)

    def _checked_version(self) -> int:
        application_id = self._pragma("application_id")
        version = self._pragma("user_version")
        unmarked = (
            application_id == 0
            and not self._connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchall()
        )
        if not unmarked and application_id != self._schema.application_id:
            raise RecordError(
                f"{self.path} is an SQLite file, but not the {self._schema.what}.",
                remedy="Move it away and start again.",
            )
        if version > self._schema.version:
            raise self._error(
                f"was written by a newer console (schema {version};"
                f" this one knows {self._schema.version})",
                "Use the newer console on this host.",
            )
        return version

    def _check_size(self) -> None:
        """A file whose last page is cut is read by SQLite as if that ended in zeros: rows that were
        promised would be gone without a word.
        """
        if self.path.stat().st_size % self._pragma("page_size"):
            raise self._damaged("its last page is cut")

    def _pragma(self, name: str) -> int:
        row = self._connection.execute(f"PRAGMA {name}").fetchone()
        if row is None or not isinstance(row[0], int):
            raise self._damaged(f"it does not say its {name}")
        return row[0]

    def _create(self, connection: sqlite3.Connection) -> None:
        for statement in self._schema.statements:
            connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {self._schema.application_id}")
        connection.execute(f"PRAGMA user_version = {self._schema.version}")

    @contextmanager
    def _said(self) -> Iterator[None]:
        """Translate what SQLite and the file system raise."""
        try:
            yield
        except sqlite3.Error as exc:
            raise self._translate(exc) from exc
        except (UnicodeError, OverflowError) as exc:
            # SQLite quotes the file in its message, or hands out a text that is none.
            raise self._damaged("what it says cannot be decoded") from exc
        except OSError as exc:
            raise self._error(
                f"cannot be opened: {exc.strerror or exc}",
                "Check the directory's rights and that the disk can be written.",
            ) from exc

    def _translate(self, exc: sqlite3.Error) -> RecordError:
        code = getattr(exc, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_IOERR and is_full(self.path):
            code = sqlite3.SQLITE_FULL
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return self._damaged(str(exc))
        said, remedy = _TROUBLES.get(
            code, (f"cannot be used: {exc}", "Run `canary doctor`, or move the file away.")
        )
        return self._error(said, remedy)

    def _damaged(self, detail: str) -> RecordError:
        return self._error(
            f"is damaged: {detail}",
            "Move it away and start again: where the rollout stands is in the cloud,"
            " only this host's log is lost.",
        )

    def _error(self, said: str, remedy: str = "") -> RecordError:
        """The path last: it is long, and the end of a line may be cut."""
        return RecordError(f"The {self._schema.what} {said} ({self.path}).", remedy=remedy)


class Record:
    """What is kept in a file of `schema` at `path`, made when it is missing (None: in memory
    alone); `with` closes it.

    `read_only` looks without writing anything. Every method raises RecordError on trouble.
    """

    schema: ClassVar[Schema]

    def __init__(self, path: Path | None, *, read_only: bool = False) -> None:
        self._database = Database(path, self.schema, read_only=read_only)
        self.path = self._database.path

    def shrink(self) -> bool:
        """Make the file smaller where most of it is free; True when that was done."""
        return self._database.shrink()

    def close(self) -> None:
        """Close the file; closing twice is fine."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _read_text(body: bytes) -> str:
    """A text of the file. One that is none must not take all other rows with it: who reads the row
    finds surrogates where its bytes were.
    """
    return body.decode("utf-8", "surrogateescape")


_TROUBLES: dict[int, tuple[str, str]] = {
    sqlite3.SQLITE_BUSY: (
        f"is locked by another process for more than {BUSY_TIMEOUT_S:.0f} s",
        "Find what holds it (`fuser` on the file), or try again.",
    ),
    sqlite3.SQLITE_READONLY: ("cannot be written: it is read-only", "Make its disk writable."),
    sqlite3.SQLITE_PERM: ("cannot be used: no permission", "Check who owns it."),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "Check that its directory can be written."),
    sqlite3.SQLITE_FULL: ("cannot be used: the disk is full", "Make room on the disk."),
    sqlite3.SQLITE_IOERR: ("cannot be read or written: the disk fails", "Check the disk."),
}
