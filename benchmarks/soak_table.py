"""What a soak measured, and how growth is told from noise.

Each measure is looked at after the first hours, at the end, and in between. It has grown when the
median of the last third of the looks is more than 5 % above that of the first third, and by more
than its noise: a few megabytes, a few handles, the tasks of a reading. One look at a bad moment
moves neither. Files have a bound instead where they are filled while it soaks.
"""

from __future__ import annotations

import platform
import statistics
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from benchmarks.soak_probe import Sample

MOST_GROWTH = 0.05

BOUNDS_MB: Mapping[str, float] = {
    "recording": 22.0,
    "evidence": 20.0,
    "journal": 40.0,
    "cloud": 10.0,
    "told": 5.0,
    "write-ahead logs": 40.0,
}
"""What a file may take where it is filled while it soaks: 20 MB of recording by the plan, pruned
each hour; 72 hours of evidence; 10 000 changes; the requests that really reached the embedded cloud
in two days."""


class Row(msgspec.Struct, frozen=True):
    """One look: `hours` are simulated, `real_s` this host's; files in MB."""

    hours: float
    real_s: float
    console: Sample
    beside: dict[str, Sample]
    files_mb: dict[str, float]
    files: int
    bytes_drawn: int

    def line(self) -> str:
        """A line for who waits."""
        c = self.console
        sizes = " ".join(f"{name} {mb:.1f}" for name, mb in sorted(self.files_mb.items()))
        beside = " ".join(f"{name} {s.uss_mb:.0f}" for name, s in sorted(self.beside.items()))
        return (
            f"{self.hours:6.1f} h {self.real_s:6.0f} s  uss {c.uss_mb:.1f} rss {c.rss_mb:.1f}"
            f" blocks {c.blocks} objects {c.objects} fds {c.fds} threads {c.threads}"
            f" tasks {c.tasks} snapshots {c.snapshots} {c.snapshot_ms:.1f} ms  {beside}  {sizes}"
        )


class Measure(msgspec.Struct, frozen=True):
    """A figure of a row; `noise`: so much more is no growth. `most`: the bound that it is judged
    by, in the place of growth.
    """

    name: str
    of: Callable[[Row], float | None]
    noise: float = 0.0
    most: float | None = None
    digits: int = 0


class Judged(msgspec.Struct, frozen=True):
    """A measure after the first hours and at the end; `growth` as `growth_of` has it."""

    name: str
    first: float
    last: float
    growth: float
    grew: bool
    said: str
    digits: int


def measures(rows: Sequence[Row]) -> list[Measure]:
    """What is judged of these rows."""
    found = [
        Measure("console: memory of its own (USS), MB", lambda r: r.console.uss_mb, 3.0, None, 1),
        Measure("console: blocks that Python holds", lambda r: r.console.blocks, 2_000),
        Measure("console: objects of the collector", lambda r: r.console.objects, 1_000),
        Measure("console: file handles", lambda r: r.console.fds, 2),
        Measure("console: threads", lambda r: r.console.threads, 2),
        Measure("console: tasks", lambda r: r.console.tasks, 40),
        Measure(
            "snapshot of new samples, ms of processor",
            lambda r: r.console.snapshot_ms,
            1.0,
            None,
            1,
        ),
    ]
    for name in sorted({name for row in rows for name in row.beside}):
        found += [
            Measure(f"{name}: memory of its own, MB", _beside(name, "uss_mb"), 3.0, None, 1),
            Measure(f"{name}: file handles", _beside(name, "fds"), 2),
            Measure(f"{name}: threads", _beside(name, "threads"), 2),
        ]
    for name in sorted({name for row in rows for name in row.files_mb}):
        most = BOUNDS_MB.get(name)
        found.append(Measure(f"files: {name}, MB", _file(name), 0.3, most, 2))
    return [*found, Measure("files: how many", lambda r: r.files, 3)]


def _beside(name: str, field: str) -> Callable[[Row], float | None]:
    def of(row: Row) -> float | None:
        return float(getattr(row.beside[name], field)) if name in row.beside else None

    return of


def _file(name: str) -> Callable[[Row], float | None]:
    return lambda row: row.files_mb.get(name, 0.0)


def judge_rows(rows: Sequence[Row]) -> list[Judged]:
    """Every measure of a soak."""
    return [judge(measure, rows) for measure in measures(rows)]


def judge(measure: Measure, rows: Sequence[Row]) -> Judged:
    """Whether it has grown, as the head of this file says."""
    points = [(row.hours, value) for row in rows if (value := measure.of(row)) is not None]
    first, last = points[0][1], points[-1][1]
    growth = growth_of(points)
    if measure.most is not None:
        grew = max(value for _, value in points) > measure.most
        said = f"bound {measure.most:g}" + (" PASSED" if grew else "")
    else:
        more, least = growth * max(first, 1e-9), max(measure.noise, 0.0)
        grew = growth > MOST_GROWTH and more > least
        said = "GREW" if grew else ""
    return Judged(measure.name, first, last, growth, grew, said, measure.digits)


def growth_of(points: Sequence[tuple[float, float]]) -> float:
    """By how much a figure has grown from the first third of (time, figure) to the last, medians,
    as a part of the first; with fewer than four from the first to the last.
    """
    third = len(points) // 3 if len(points) > 3 else 1
    early = statistics.median(value for _, value in points[:third])
    late = statistics.median(value for _, value in points[-third:])
    return (late - early) / max(early, 1e-9)


def table(
    judged: Sequence[Judged],
    rows: Sequence[Row],
    did: Mapping[str, int],
    begun: float,
    load: tuple[float, float],
) -> str:
    """The page's table, as Markdown."""
    first, last = rows[0], rows[-1]
    drawn = (last.bytes_drawn - first.bytes_drawn) / 1e6
    judged_count = last.console.snapshots
    happened = ", ".join(f"{count} {name}" for name, count in sorted(did.items()))
    lines = [
        f"{time.strftime('%Y-%m-%d %H:%M', time.gmtime(begun))}Z, {platform.machine()},"
        f" Python {platform.python_version()}, load {load[0]:.1f} to {load[1]:.1f};"
        f" {last.hours:.0f} simulated hours in {last.real_s / 60:.0f} minutes:"
        f" {judged_count} snapshots, {drawn:.1f} MB drawn; {happened}.",
        "",
        f"| | after {first.hours:.0f} h | after {last.hours:.0f} h | growth | |",
        "|---|---|---|---|---|",
    ]
    for line in judged:
        first_said, last_said = (
            f"{value:,.{line.digits}f}".replace(",", " ") for value in (line.first, line.last)
        )
        lines.append(
            f"| {line.name} | {first_said} | {last_said} | {line.growth:+.1%} | {line.said} |"
        )
    return "\n".join(lines)


def print_types(rows: Sequence[Row], most: int) -> None:
    """The types of which there are most more at the end than after the first hour; and handles and
    threads by name.
    """
    if not most:
        return
    for name in ("types", "open_files", "thread_names"):
        before, after = (getattr(row.console, name) for row in (rows[0], rows[-1]))
        more = {key: count - before.get(key, 0) for key, count in after.items()}
        for key, count in sorted(more.items(), key=lambda pair: -pair[1])[:most]:
            if count > 0:
                print(f"  {count:+6d} → {after[key]:6d}  {key}")
