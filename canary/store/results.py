"""Results of load test, A/B test and verifications, from the files in the outputs directory.

A file that is missing is no result; one that cannot be read, or that others could have written, is
no result either, and is said to be broken. Both leave the gate at "no data". Fields that are read:

========================  =======================================================================
file                      fields
========================  =======================================================================
load_test_summary.json    `status` "PASSED"|"FAILED"; optionally `users`, and `elapsed_s` (or
                          `duration_s`): a smaller or shorter test than the plan's opens no gate
ab_test_analysis.json     `legacy` and `canary`, each with `avg_response_time_ms` (or `mean_…`),
                          and optionally `requests`; else `improvement` (0…1) by itself;
                          `status` "NO_DATA" is no result
both                      `finished_at` (or `timestamp`): as `rollout.measure.times` reads it;
                          else the file's own time
load_test_summary.json    optionally `started_at`, and `canary_percent`, Canary's share meanwhile
ab_test_analysis.json     optionally `from`, the begin of the time that was analysed
========================  =======================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from canary.rollout.decision.gates import AbTestResult, LoadTestResult, StageEvidence
from canary.rollout.errors import RecordError
from canary.rollout.measure.times import read_time
from canary.rollout.text import sanitize
from canary.rollout.trials.verification import output_name
from canary.store.outputs import (
    read_document,
    read_time_of,
    show_value,
    written_at_of,
)

LOAD_TEST_FILE = "load_test_summary.json"
AB_TEST_FILE = "ab_test_analysis.json"


class Results(msgspec.Struct, frozen=True):
    """What was found, and a sentence for each file that is there and cannot be used."""

    evidence: StageEvidence
    problems: tuple[str, ...] = ()


def read_results(outputs: Path) -> Results:
    """Look into the outputs directory. Never raises: a directory that is missing has no results."""
    problems: list[str] = []
    load_test: LoadTestResult | None = None
    ab_test: AbTestResult | None = None
    try:
        load_test = read_load_test(outputs / LOAD_TEST_FILE)
    except RecordError as error:
        problems.append(str(error))
    try:
        ab_test = read_ab_test(outputs / AB_TEST_FILE)
    except RecordError as error:
        problems.append(str(error))
    return Results(StageEvidence(load_test, ab_test), tuple(problems))


def read_load_test(path: Path) -> LoadTestResult | None:
    """The load test's result; None without a file. Raises RecordError when it is broken."""
    document = _read(path)
    if document is None:
        return None
    status = document.get("status")
    if status not in ("PASSED", "FAILED"):
        raise _broken(path, f"`status` is {show_value(status)}, expected PASSED or FAILED")
    percent, users = _number(document.get("canary_percent")), _number(document.get("users"))
    return LoadTestResult(
        status=status,
        finished_at=finished_at_of(path, document),
        summary=_summary(document),
        started_at=_maybe_time(path, document, "started_at"),
        percent=None if percent is None else round(percent),
        users=None if users is None else int(users),
        lasted_s=_first_number(document, "elapsed_s", "duration_s"),
    )


def _first_number(document: Mapping[str, Any], *names: str) -> float | None:
    return next((n for name in names if (n := _number(document.get(name))) is not None), None)


def read_ab_test(path: Path) -> AbTestResult | None:
    """The A/B test's result; None without a file. Raises RecordError when it is broken.

    The improvement is computed from the two means when they are there: (legacy − canary) ÷ legacy.
    """
    document = _read(path)
    if document is None:
        return None
    if document.get("status") == "NO_DATA":
        # Written all the same, so that the newest look counts; thin means are in it, and mislead.
        raise _broken(path, sanitize(_summary(document)) or "it found no data")
    legacy, canary = _mean_ms(document.get("legacy")), _mean_ms(document.get("canary"))
    if legacy is not None and canary is not None and legacy > 0:
        improvement: float | None = (legacy - canary) / legacy
    else:
        improvement = _number(document.get("improvement"))
    if improvement is None:
        raise _broken(path, "neither mean response times of both groups nor `improvement`")
    finished_at = finished_at_of(path, document)
    since = _maybe_time(path, document, "from")
    return AbTestResult(improvement, finished_at, _summary(document), since)


def _read(path: Path) -> dict[str, Any] | None:
    try:
        return read_document(path, _broken)
    except FileNotFoundError:
        return None


def _mean_ms(group: object) -> float | None:
    if not isinstance(group, dict):
        return None
    names = ("avg_response_time_ms", "mean_response_time_ms")
    found = (_number(group.get(name)) for name in names)
    return next((n for n in found if n is not None and n >= 0), None)


def finished_at_of(path: Path, document: Mapping[str, Any]) -> float:
    """When a test ended, unix seconds: what its file says, else the file's own time.

    Raises RecordError for a time that is none.
    """
    for name in ("finished_at", "timestamp"):
        if document.get(name) is not None:
            return read_time_of(path, name, document[name], _broken)
    return written_at_of(path)


def _maybe_time(path: Path, document: Mapping[str, Any], *names: str) -> float | None:
    """The first of these times that a file says; None for none. Raises RecordError."""
    said = next((n for n in names if document.get(n) is not None), None)
    return None if said is None else read_time_of(path, said, document[said], _broken)


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:
        return None


def _summary(document: Mapping[str, Any]) -> str:
    summary = document.get("summary")
    return summary[:200] if isinstance(summary, str) else ""


def _broken(path: Path, why: str) -> RecordError:
    return RecordError(f"{path} cannot be used: {why}.", remedy="Run the test again.")


# Verifications, as they were written to `compare_stageN.json`.


class CheckSeen(msgspec.Struct, frozen=True):
    """One check of a verification: its state ("passed", …) and what was said."""

    state: str
    said: str


class VerificationSeen(msgspec.Struct, frozen=True):
    """A verification of a stage: when (unix seconds, cloud time), of which change, its checks."""

    at: float
    verdict: str
    change: str
    checks: dict[str, CheckSeen]


def read_verification(outputs: Path, stage: int) -> VerificationSeen | None:
    """The newest verification of a stage; None without one, or when the file is none."""
    try:
        path = outputs / output_name(stage)
        return _verification(read_document(path, _broken), path.stat().st_mtime)
    except (OSError, RecordError, ValueError, KeyError, TypeError):
        # Written by another version, by hand, or by others: it is no evidence then.
        return None


def _verification(document: dict[str, Any], written_at: float) -> VerificationSeen:
    checks = {c["id"]: CheckSeen(str(c["state"]), str(c["said"])) for c in document["checks"]}
    at = read_time(document["timestamp"], written_at)
    return VerificationSeen(at, str(document["verdict"]), str(document.get("change") or ""), checks)
