"""What `canary doctor` says of how large this host's files are, and how large they may become."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final, NamedTuple

from canary.cli.setup.doctor_host import Finding
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, sanitize
from canary.store.database_file import LOG_BYTES
from canary.store.journal import KEPT_CHANGES
from canary.store.paths import evidence_path, history_path, journal_path, recording_path

MB: Final = 1_000_000
HISTORY_MB: Final = 15.0
"""A week of both sides by the minute takes 5 MB, and three times that with wide histograms."""
EVIDENCE_MB: Final = 25.0
"""72 hours take 20 MB at as many requests as are read of the log."""
JOURNAL_MB: Final = 100.0
"""A change with its notes takes 3 kB to 10 kB."""
PRUNED_LATE: Final = 1.5
"""The recording is looked at each hour: so many times its bound is still none too much."""


class _File(NamedTuple):
    name: str
    path: Path
    keeps: str
    most_mb: float
    remedy: str


def look_at_files(plan: Plan, directory: Path) -> Finding:
    """How large each file is; wrong where one has passed all that it should ever take."""
    cache = "It is a cache: delete it while nothing runs."
    days, most = plan.recording.days, plan.recording.most_mb
    files = (
        _File(
            "journal", journal_path(directory), f"{format_count(KEPT_CHANGES)} changes", JOURNAL_MB,
            "Keep a copy, and move it away while nothing runs: `canary log` begins anew.",
        ),
        _File("history", history_path(directory), "7 days", HISTORY_MB, cache),
        _File("evidence", evidence_path(directory), "72 hours", EVIDENCE_MB, cache),
        _File(
            "recording", recording_path(directory), f"{days:g} days, at most {most:g} MB",
            most * PRUNED_LATE, "Keep a copy by `canary recording export`, and delete it.",
        ),
    )  # fmt: skip
    sizes = {file: size for file in files if (size := _size_mb(file.path)) is not None}
    said = ", ".join(f"{f.name} {mb:.1f} MB ({f.keeps})" for f, mb in sizes.items())
    where = sanitize(directory)
    large = [file for file, mb in sizes.items() if mb > file.most_mb]
    if large:
        names = " and ".join(file.name for file in large)
        what = f"{where}: {names} larger than ever needed: {said}"
        return Finding("files", "wrong", what, large[0].remedy, needed=False)
    return Finding("files", "ok", f"{where}: {said or 'nothing kept yet'}", needed=False)


def _size_mb(path: Path) -> float | None:
    """The file, and of its log what is more than SQLite leaves standing; None: there is none."""
    found = [size for part in _parts(path) if (size := _size(part)) is not None]
    if not found:
        return None
    return (found[0] + max(0, sum(found[1:]) - LOG_BYTES)) / MB


def _parts(path: Path) -> Iterator[Path]:
    yield path
    yield path.with_name(f"{path.name}-wal")


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
