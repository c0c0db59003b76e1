"""The one logging set-up of all processes: our own words, those of others from "warning" up, and no
secret in either.

httpx says at "info" each address that it asks, and a webhook's address is a secret. So libraries
are heard from "warning" on, and whatever is written (a message, a traceback) goes through `mask`
last: it knows the secrets of this process by `remember_secret`, and the forms of tokens by heart.
"""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import re
import stat
import sys
import threading
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TextIO
from urllib.parse import unquote, urlsplit

FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS: Final = ("canary", "tui", "widgets", "themes")
MASK: Final = "…"
LEAST_SECRET: Final = 4
"""What is shorter is no secret, and stands in any text by chance."""

_FORMS: Final = (
    (re.compile(r"(?i)\b(bearer|basic)\s+[A-Za-z0-9._~+/=-]{8,}"), r"\1 …"),
    (re.compile(r"\bya29\.[A-Za-z0-9._-]+"), MASK),  # Google's access tokens
    (re.compile(r"\beyJ[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),  # a JWT
    (re.compile(r"\b1//[A-Za-z0-9_-]{20,}"), MASK),  # Google's refresh tokens
    (re.compile(r"(?<=://)[^/\s:@]+:[^/\s@]*(?=@)"), MASK),  # user and password in an address
    (re.compile(r"(?s)-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*-----|\Z)"), MASK),
)
TOKENS_KEPT: Final = 16
"""A process that lives for weeks is given a new one each hour; older ones have expired."""

_secrets: set[str] = set()
_tokens: deque[str] = deque(maxlen=TOKENS_KEPT)


def remember_secret(text: str) -> None:
    """Have `text` masked from now on in whatever this process writes into a log."""
    if len(text) >= LEAST_SECRET:
        _secrets.add(text)


def remember_token(text: str) -> None:
    """The same for one that expires: the newest few are masked."""
    if len(text) >= LEAST_SECRET and text not in _tokens:
        _tokens.append(text)


def remember_address(url: str) -> None:
    """The same for an address that is a secret: its path and query, whole and in pieces."""
    parts = urlsplit(url)
    pieces = {parts.path, parts.query, f"{parts.path}?{parts.query}"}
    pieces |= set(re.split("[/&=?]", f"{parts.path}?{parts.query}"))
    pieces |= {piece for piece in (parts.username, parts.password) if piece}
    for piece in pieces | {unquote(piece) for piece in pieces}:
        if piece.strip("/"):
            remember_secret(piece)


def mask(text: str) -> str:
    """The text without secrets."""
    for secret in sorted((*_secrets, *_tokens), key=len, reverse=True):
        text = text.replace(secret, MASK)
    for form, instead in _FORMS:
        text = form.sub(instead, text)
    return text


class MaskingFormatter(logging.Formatter):
    """Formats a whole record, traceback included, without secrets."""

    def format(self, record: logging.LogRecord) -> str:
        """As the standard one; then masked."""
        return mask(super().format(record))


def set_up_logging(
    handler: logging.Handler | None = None,
    *,
    own: int = logging.WARNING,
    form: str = FORMAT,
    bounded: bool = False,
) -> None:
    """Let this process log to `handler` alone; None: to standard error, and there as well what
    nobody catches, for a process whose standard error is a file.

    `own`: from which level on its own modules are heard; libraries are from "warning" on.
    `bounded`: that file is one of `open_log`, and is begun anew whenever it has become too long.
    """
    root = logging.getLogger()
    for each in [h for h in root.handlers if isinstance(h.formatter, MaskingFormatter)]:
        root.removeHandler(each)
    alone = BoundedHandler() if bounded else logging.StreamHandler()
    chosen = handler if handler is not None else alone
    chosen.setFormatter(MaskingFormatter(form))
    root.addHandler(chosen)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(own)
    # What logging says of its own failures repeats the arguments, unmasked.
    logging.raiseExceptions = False
    if handler is None:
        sys.excepthook = _log_uncaught
        threading.excepthook = _log_uncaught_in_thread


def _log_uncaught(
    kind: type[BaseException], error: BaseException, trace: TracebackType | None
) -> None:
    logging.getLogger("canary").critical("this process ended", exc_info=(kind, error, trace))


def _log_uncaught_in_thread(given: Any) -> None:
    trouble = (given.exc_type, given.exc_value, given.exc_traceback)
    logging.getLogger("canary").error("a thread ended", exc_info=trouble)


# Logs of processes that have no terminal.

LOG_LIMIT: Final = 262_144
"""A longer log is begun anew."""

_ADDRESSES: Final = b"HTTP Request: "
"""How httpx began the lines with which older versions of this program wrote addresses."""


def open_log(path: Path) -> int:
    """A log to be written on at its end (0600), as a file's number. Raises OSError, also for one
    that is somebody else's or no plain file: a directory such as /tmp may hold anybody's.

    It is begun anew where it has become too long, or where an older version has left addresses in
    it: a webhook's is a secret.
    """
    fd = open_private(path)
    if os.fstat(fd).st_size > LOG_LIMIT or _ADDRESSES in path.read_bytes():
        os.truncate(fd, 0)
    return fd


def open_private(path: Path) -> int:
    """A plain file of one's own, 0600 from now on, to be written on at its end. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK
    fd = os.open(path, flags, 0o600)
    found = os.fstat(fd)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(fd)
        raise PermissionError(errno.EPERM, "is not yours", str(path))
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        os.fchmod(fd, 0o600)
    return fd


def keep_short(fd: int) -> None:
    """Begin a log of `open_log` anew if it has become too long: who writes it may live for months.
    What is no file (a terminal, a pipe) is left alone, and what cannot be told.
    """
    with contextlib.suppress(OSError):
        found = os.fstat(fd)
        if stat.S_ISREG(found.st_mode) and found.st_size > LOG_LIMIT:
            os.truncate(fd, 0)


class BoundedHandler(logging.StreamHandler[TextIO]):
    """Writes to standard error, a log of `open_log`, and keeps it short."""

    def emit(self, record: logging.LogRecord) -> None:
        """As the standard one; then look how long it is."""
        super().emit(record)
        with contextlib.suppress(OSError, ValueError):  # a stream without a file
            keep_short(self.stream.fileno())
