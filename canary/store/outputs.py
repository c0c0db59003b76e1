"""Files under the outputs directory: JSON, replaced in one step, for their owner's eyes.

The directory is made 0700, its files 0600. A directory that is there already stays as it is.
"""

from __future__ import annotations

import codecs
import json
import os
import stat
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from canary.host.owners import find_weakness, make_directories
from canary.host.places import demand_place
from canary.rollout.errors import RecordError
from canary.rollout.measure.times import NotATime, read_time
from canary.rollout.text import sanitize


def output_path(base: Path, outputs: str, name: str) -> Path:
    """Where the result `name` of a plan goes, `outputs` (record.outputs) beside it in `base`.

    Raises RecordError where a plan may not have it written, or where what is there is no result.
    """
    return demand_place(base, str(Path(outputs) / name), _is_result)


def outputs_path(base: Path, outputs: str) -> Path:
    """The directory of a plan's results, as `output_path` has it. Raises RecordError."""
    return output_path(base, outputs, "monitor_0.json").parent.absolute()


def _is_result(body: bytes) -> bool:
    """Whether it is an object of JSON, as all results are; one that is cut is one, too."""
    text = body.decode(encoding_of(body), "replace").lstrip()
    return text.startswith("{")


def write_output(path: Path, document: Mapping[str, Any]) -> None:
    """Replace the file (0600): a reader sees the old one or the new one, whole.

    The directory is made when it is missing. Raises RecordError; the old file is then untouched.
    """
    write_text(path, json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_result(path: Path, document: Mapping[str, Any]) -> None:
    """As `write_output`, for a result that a gate goes by: the newest counts, written or not.

    Where it cannot be written, an earlier one is put aside. Raises RecordError, which says so.
    """
    try:
        write_output(path, document)
    except RecordError as error:
        aside = path.with_name(f"{path.name}.old")
        try:
            path.replace(aside)
        except OSError:
            raise error from None
        said = f"{error.message} What an earlier test found counts no more; it is in {aside.name}."
        raise RecordError(said, remedy=error.remedy) from error


def write_text(path: Path, text: str) -> None:
    """The same for a text, as UTF-8."""
    write_bytes(path, text.encode())


def write_bytes(path: Path, body: bytes) -> None:
    """The same for a body of any kind."""
    try:
        make_directories(path.parent)
        replace_file(path, body)
    except OSError as exc:
        raise RecordError(
            f"{path} could not be written: {exc.strerror or exc}.",
            remedy="Make the directory writable, or set record.outputs in the plan.",
        ) from exc


def replace_file(path: Path, body: bytes, mode: int = 0o600) -> None:
    """Replace a file in one step, on the disk when this returns. Raises OSError."""
    fd, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(body)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


# Documents, read back: ours, or those of the procedure's own scripts.

LONGEST_DOCUMENT: Final = 4_000_000
Broken = Callable[[Path, str], RecordError]
"""Makes the error of a file that cannot be used, from what is wrong with it."""


def read_document(path: Path, broken: Broken) -> dict[str, Any]:
    """The object in a file of JSON. Raises RecordError when there is none that can be read or
    believed (`demand_believed`), and FileNotFoundError without a file.
    """
    try:
        demand_believed(path)
        body = _read_plain(path)
        if body is None:
            raise broken(path, "no plain file")
        if len(body) > LONGEST_DOCUMENT:
            raise broken(path, f"longer than {LONGEST_DOCUMENT} bytes")
        document = decode_json(body)
    except FileNotFoundError:
        raise
    except OSError as exc:
        raise RecordError(f"{sanitize(path)} cannot be read: {exc.strerror or exc}.") from exc
    except (ValueError, RecursionError) as exc:
        raise broken(path, f"not JSON, or cut off ({sanitize(exc, 120)})") from exc
    if not isinstance(document, dict):
        raise broken(path, "not an object")
    return document


def demand_believed(path: Path) -> None:
    """Nothing when only the person or root could have written this result: others open no gate.

    Raises RecordError, with what to do, and OSError when a part of it cannot be looked at.
    """
    found = find_weakness(path)
    if found is None:
        return
    which = "it" if found.path == path.absolute() else sanitize(found.path, 200)
    raise RecordError(
        f"{sanitize(path, 300)} is not believed: {which} {found.said}.",
        remedy=f"Look what is in it, then copy it, run the test again, or: {found.remedy}",
    )


def _read_plain(path: Path) -> bytes | None:
    """What a file holds, one byte more than the longest at most; None for what is no plain file: a
    pipe is not waited for.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(fd, "rb") as file:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            return None
        return file.read(LONGEST_DOCUMENT + 1)


_ENCODINGS: Final = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
"""Windows PowerShell's `Out-File` and `>` write UTF-16 with a mark, Excel's "CSV UTF-8" and
"Unicode text" either (learn.microsoft.com, "about_Character_Encoding")."""


def encoding_of(head: bytes) -> str:
    """The encoding of a text by the mark at its begin; without one UTF-8."""
    return next((name for mark, name in _ENCODINGS if head.startswith(mark)), "utf-8")


def decode_json(body: bytes) -> Any:
    """A JSON document as other tools write them: with a byte order mark, in UTF-16, or with NaN and
    Infinity as Python has them. Raises ValueError, RecursionError.
    """
    encoding = encoding_of(body)
    text = body if encoding == "utf-8" else body.decode(encoding)
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        plain = text.decode() if isinstance(text, bytes) else text
        if "NaN" not in plain and "Infinity" not in plain:
            raise
        return json.loads(plain)


def written_at_of(path: Path) -> float:
    """When a file was written, unix seconds, by this host's clock. Raises RecordError."""
    try:
        return path.stat().st_mtime
    except OSError as exc:
        raise RecordError(f"{sanitize(path)} cannot be read: {exc.strerror or exc}.") from exc


def read_time_of(
    path: Path, name: str, value: object, broken: Broken, written_at: float | None = None
) -> float:
    """A time in a file as unix seconds. One without a zone counts only where, as UTC, it agrees
    with `written_at` (the file's own time if None). Raises RecordError, which says why.
    """
    try:
        return read_time(value, written_at_of(path) if written_at is None else written_at)
    except NotATime as exc:
        raise broken(path, f"`{name}`: {exc}") from exc


def show_value(value: object) -> str:
    """What stands there instead, as short as it is recognised by; "missing" for nothing."""
    return "missing" if value is None else sanitize(repr(value), 40)
