"""Results of an A/B test from a file: figures of both groups, or the requests one by one.

Two kinds are read. A JSON object with `legacy` and `canary`, as `ab_test_analysis.json` has them;
or an export of the table, as `.csv` with a heading, or one JSON object a line (`.jsonl`,
`.ndjson`), with the columns group, response_time_ms, confidence_score and success.
"""

from __future__ import annotations

import contextlib
import csv
import math
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TextIO

import msgspec

from canary.rollout.errors import RecordError, UsageError
from canary.rollout.text import format_count, sanitize
from canary.rollout.trials.ab_test import GroupFigures, Mean
from canary.store.outputs import decode_json, demand_believed, encoding_of
from canary.store.results import finished_at_of

LONGEST_DOCUMENT: Final = 4_000_000
LONGEST_EXPORT: Final = 2_000_000_000
_COLUMNS: Final = ("group", "response_time_ms", "confidence_score", "success")
_YES: Final = ("true", "1", "1.0", "wahr", "vrai", "verdadero", "verdadeiro", "vero", "waar")
_NO: Final = ("false", "0", "0.0", "falsch", "faux", "falso", "onwaar")
_TRUTH: Final = {**dict.fromkeys(_YES, 1.0), **dict.fromkeys(_NO, 0.0)}
"""Excel writes TRUE and FALSE in its own language, pandas 1.0 where a value is missing."""

Groups = tuple[GroupFigures | None, GroupFigures | None]


class AbResults(msgspec.Struct, frozen=True):
    """Both groups' figures (None: not in the file), and when the test ended, unix seconds."""

    legacy: GroupFigures | None
    canary: GroupFigures | None
    finished_at: float


def read_ab_results(path: Path, legacy: str, canary: str) -> AbResults:
    """What a file holds. An analysis that is read again keeps its time, and is not made young.

    `legacy` and `canary` are the groups' names in an export. Raises UsageError when it is missing,
    and RecordError when others could have written it, and when it is cut short or neither kind; it
    names the line.
    """
    export = path.suffix.lower() in (".csv", ".jsonl", ".ndjson")
    try:
        demand_believed(path)
        size = path.stat().st_size
        most = LONGEST_EXPORT if export else LONGEST_DOCUMENT
        if size > most:
            has, read = format_count(size), format_count(most)
            raise _broken(path, f"it has {has} bytes, at most {read} are read")
        if not export:
            return _read_document(path)
        with path.open("rb") as file:
            encoding = encoding_of(file.read(4))
        with path.open(encoding=encoding, newline="") as file:
            rows = _csv_rows(path, file) if path.suffix.lower() == ".csv" else _lines(path, file)
            groups = _add_up(path, rows, legacy, canary)
        return AbResults(*groups, finished_at_of(path, {}))
    except FileNotFoundError as exc:
        raise UsageError(
            f"There is no {sanitize(path)}.", remedy="Name the file of results."
        ) from exc
    except OSError as exc:
        raise RecordError(f"{sanitize(path)} cannot be read: {exc.strerror or exc}.") from exc
    except UnicodeError as exc:
        raise _broken(path, "it is not UTF-8 text, nor UTF-16 with its mark") from exc


def _read_document(path: Path) -> AbResults:
    try:
        document = decode_json(path.read_bytes())
    except (ValueError, RecursionError) as exc:
        raise _broken(path, sanitize(exc)) from exc
    if not isinstance(document, dict) or not ("legacy" in document or "canary" in document):
        raise _broken(path, "it has neither `legacy` nor `canary`")
    return AbResults(
        _read_group(path, document, "legacy"),
        _read_group(path, document, "canary"),
        finished_at_of(path, document),
    )


def _read_group(path: Path, document: Mapping[str, Any], name: str) -> GroupFigures | None:
    group = document.get(name)
    if group is None:
        return None
    if not isinstance(group, dict):
        raise _broken(path, f"`{name}` is not an object")

    def number(*keys: str) -> float | None:
        for key in keys:
            if group.get(key) is not None and not _is_nan(group[key]):
                return _to_number(path, group[key], f"{name}.{key}")
        return None

    requests = int(number("requests", "total_requests") or 0)

    def mean(key: str, count_key: str) -> Mean | None:
        value = number(f"avg_{key}", f"mean_{key}")
        if value is None:
            return None
        counted = number(count_key)
        return Mean(value, number(f"stddev_{key}"), requests if counted is None else int(counted))

    success, judged = number("success_rate", "success_ratio"), number("success_count")
    return GroupFigures(
        requests,
        mean("response_time_ms", "response_time_count"),
        number("p95_response_time_ms"),
        mean("confidence_score", "confidence_count"),
        _success(path, name, success, requests if judged is None else int(judged)),
    )


def _success(path: Path, name: str, success: float | None, count: int) -> Mean | None:
    if success is None:
        return None
    if not 0 <= success <= 1:
        raise _broken(path, f"`{name}.success_rate` is {success:g}, expected 0 to 1")
    return Mean(success, math.sqrt(success * (1 - success)), count)


class _Sums:
    """Running sums of one group, by Welford: requests may be millions, and are not kept.

    Response times are, as 8 bytes each: the exact p95 needs them.
    """

    def __init__(self) -> None:
        self.requests = 0
        self.times = array("d")
        self.response, self.confidence, self.success = _Running(), _Running(), _Running()

    def figures(self) -> GroupFigures:
        times = sorted(self.times)
        p95 = times[math.ceil(0.95 * len(times)) - 1] if times else None
        return GroupFigures(
            self.requests, self.response.mean(), p95, self.confidence.mean(), self.success.mean()
        )


class _Running:
    def __init__(self) -> None:
        self.count, self.centre, self.squares = 0, 0.0, 0.0

    def add(self, value: float) -> None:
        self.count += 1
        delta = value - self.centre
        self.centre += delta / self.count
        self.squares += delta * (value - self.centre)

    def mean(self) -> Mean | None:
        if not self.count:
            return None
        stddev = math.sqrt(self.squares / (self.count - 1)) if self.count > 1 else None
        return Mean(self.centre, stddev, self.count)


Row = tuple[int, Mapping[str, Any]]


def _add_up(path: Path, rows: Iterable[Row], legacy: str, canary: str) -> Groups:
    sums = {legacy: _Sums(), canary: _Sums()}
    for line, row in rows:
        group = sums.get(str(row.get("group")))
        if group is None:
            continue
        group.requests += 1
        time = _cell(path, line, row, "response_time_ms")
        if time is not None:
            group.response.add(time)
            group.times.append(time)
        score = _cell(path, line, row, "confidence_score")
        if score is not None:
            group.confidence.add(score)
        success = _cell(path, line, row, "success")
        if success is not None:
            group.success.add(1.0 if success else 0.0)
    found = [sums[name].figures() if sums[name].requests else None for name in (legacy, canary)]
    return found[0], found[1]


def _csv_rows(path: Path, file: TextIO) -> Iterator[Row]:
    """The rows of a table as programs write it: between commas, or as Excel does where the comma is
    the decimal mark, between semicolons; "Unicode text" is between tabs.
    """
    heading, first = file.readline(), 1
    if heading.lower().startswith("sep="):
        heading, first = file.readline(), 2  # a hint for Excel alone
    delimiter = max(",;\t", key=heading.count)
    names = next(csv.reader([heading], delimiter=delimiter), [])
    reader = csv.DictReader(file, [name.strip() for name in names], delimiter=delimiter)
    try:
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise _broken(path, f"its heading lacks {', '.join(missing)}")
        for row in reader:
            line = reader.line_num + first
            if any(row.get(name) is None for name in _COLUMNS):
                raise _broken(path, f"line {line} is cut short")
            yield line, row if delimiter == "," else _with_points(row)
    except csv.Error as exc:
        raise _broken(path, f"line {reader.line_num + first}: {exc}") from exc


def _with_points(row: Mapping[str, Any]) -> Mapping[str, Any]:
    """The same with decimal points; 1.234,5 stays as it is, and is no number."""
    numbers = ("response_time_ms", "confidence_score")
    changed = {n: str(row[n]).replace(",", ".") for n in numbers if str(row[n]).count(",") == 1}
    return {**row, **changed}


def _lines(path: Path, file: TextIO) -> Iterator[Row]:
    for line, text in enumerate(file, 1):
        if not text.strip():
            continue
        try:
            row = decode_json(text.encode())
        except (ValueError, RecursionError) as exc:
            raise _broken(path, f"line {line}: {sanitize(exc)}") from exc
        if not isinstance(row, dict) or "group" not in row:
            raise _broken(path, f"line {line} is no object with `group`")
        yield line, row


def _cell(path: Path, line: int, row: Mapping[str, Any], name: str) -> float | None:
    value = row.get(name)
    if value is None or value == "" or _is_nan(value):
        return None
    if name == "success":
        truth = _TRUTH.get(str(value).strip().lower())
        if truth is None:
            raise _broken(path, f'line {line}: `success` is "{sanitize(value, 40)}"')
        return truth
    return _to_number(path, value, f"{name} (line {line})")


def _is_nan(value: object) -> bool:
    """Whether a cell is NaN: so Python writes a value that is not there."""
    return value != value or (isinstance(value, str) and value.strip().lower() == "nan")


def _to_number(path: Path, value: object, name: str) -> float:
    number = math.nan
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError, OverflowError):
            number = float(value)
    if not math.isfinite(number):
        raise _broken(path, f'`{name}` is "{sanitize(value, 40)}", expected a number')
    return number


def _broken(path: Path, why: str) -> RecordError:
    return RecordError(
        f"{sanitize(path)} cannot be used: {why}.",
        remedy="Give the JSON of an analysis, or an export of the table as .csv or .jsonl.",
    )
