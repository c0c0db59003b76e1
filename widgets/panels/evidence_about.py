"""What stands below the metrics of the evidence: source and age, split, since when, left out."""

from __future__ import annotations

from typing import Final

from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from canary.rollout.plan.metrics import Metrics
from canary.rollout.text import (
    format_age,
    format_clock,
    format_count,
    format_duration,
    format_percent,
    format_ratio,
    format_timestamp,
    is_of_another_day,
    sanitize,
)
from themes import Palette
from widgets.plots.canvas import Run

_LONG_WAIT_S: Final = 5.0
MINUTES: Final = Metrics().source_name


def about_rows(
    view: EvidenceView, now: float, palette: Palette, minutes: str = MINUTES
) -> list[list[Run]]:
    """The rows below the metrics, the most needed first: a split that is wrong, then the age."""
    split, source = _split_runs(view.split, palette), source_runs(view, now, palette, minutes)
    first = [split, source] if view.split.is_mismatch else [source, split]
    return [*first, since_runs(view, now, palette), *left_out_runs(view, palette)]


def _share(share: float | None) -> str:
    """A share that somebody set, 0…1: "5 %"."""
    return format_percent(None if share is None else round(share * 100, 2))


def _split_runs(split: SplitView, palette: Palette) -> list[Run]:
    """Whether the split is the intended one; with nothing measured that is not known."""
    shares = (
        f"{format_ratio(split.measured)} measured, {_share(split.intended)} intended"
        f", {_share(split.reported)} reported"
    )
    if split.is_mismatch:
        style = palette.alarm
        return [("✗ ", style), ("split  ", palette.text), ("MISMATCH ", style), (shares, style)]
    if split.measured is None:
        return [("? ", palette.no_data), ("split  ", palette.text), (shares, palette.no_data)]
    return [("✓ ", palette.ok), ("split  ", palette.text), (shares, palette.dim)]


def source_runs(
    view: EvidenceView, now: float, palette: Palette, minutes: str = MINUTES
) -> list[Run]:
    """The source of the newest judged window with its age; then how the request log stands.

    `minutes` names where the minutes come from.
    """
    age_s = None if view.judged_until is None else max(0.0, now - view.judged_until)
    runs: list[Run] = [("  source ", palette.dim)]
    if view.source == "tail":
        # Windows are a few seconds long; after a minute without one the age must be seen.
        style = palette.text if age_s is not None and age_s < 60 else palette.watch
        runs.append((f"request log, {format_age(age_s)} old", style))
    elif view.source == "monitoring":
        runs.append((f"{minutes}, {format_age(age_s)} late", palette.text))
    else:
        runs.append(("none yet", palette.no_data))
    tail = _tail_note(view.tail)
    if tail:
        is_wrong = view.tail.trouble or view.tail.incomplete
        runs.append((f"  {tail}", palette.watch if is_wrong else palette.dim))
    return runs


def _tail_note(tail: TailView) -> str:
    """What is to be known of the request log; "" when it is read without any loss."""
    if tail.off:
        return f"request log off: {sanitize(tail.off, 120)}"
    if tail.incomplete:
        return f"request log incomplete: {sanitize(tail.incomplete, 120)}"
    notes = []
    if tail.trouble:
        notes.append(f"request log: {sanitize(tail.trouble, 120)}")
    if tail.sampled < 1.0:
        notes.append(f"a sample of {format_ratio(tail.sampled)}")
    if tail.suppressed:
        notes.append(f"{format_count(tail.suppressed)} suppressed")
    if tail.late:
        notes.append(f"{format_count(tail.late)} too late")
    if tail.waits_s >= _LONG_WAIT_S:
        notes.append(f"late entries, waits {tail.waits_s:.0f} s")
    return ", ".join(notes)


def format_since(at: float | None, now: float) -> str:
    """Since when, in UTC: a time of today, else with its day, so that no yesterday reads as now."""
    if at is None or not is_of_another_day(at, now):
        return format_clock(at)
    return f"{format_timestamp(at)[5:16]}Z"


def since_runs(view: EvidenceView, now: float, palette: Palette) -> list[Run]:
    """Since when it counts (the last change of the split); the seconds after it stand apart."""
    since = f"  since {format_since(view.began_at, now)}  {format_duration(view.judged_s)} judged"
    if view.set_apart_until is not None and now < view.set_apart_until:
        until = f"  set apart until {format_clock(view.set_apart_until)}"
        return [(since, palette.dim), (until, palette.watch)]
    if view.verdict == "rollback":
        since = f"{since}  a proof holds until the split changes"
    return [(since, palette.dim)]


def left_out_runs(view: EvidenceView, palette: Palette) -> list[list[Run]]:
    """A row for each reason for which something was seen and not judged."""
    rows: list[list[Run]] = []
    for entry in view.left_out:
        much = f"{format_duration(entry.seconds)}, {format_count(entry.requests)} requests"
        reason = sanitize(entry.reason, 120)
        rows.append(
            [("  left out ", palette.dim), (much, palette.text), (f": {reason}", palette.dim)]
        )
    return rows
