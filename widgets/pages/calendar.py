"""Retiring Legacy: the calendar with today marked, and what speaks against deleting it now."""

from __future__ import annotations

import textwrap

from rich.style import Style

from canary.rollout.text import NO_DATA, format_timestamp, sanitize
from canary.rollout.trials.jobs import RetirementView
from canary.rollout.trials.retirement import PHASES, Calendar, Phase, calendar, find_reasons
from themes import Palette
from widgets.pages.page import Page, Row, error_rows

_DAYS = 10


class CalendarPage(Page):
    """What speaks against a deletion, and what it would delete, as it was looked up last."""

    BORDER_TITLE = "retirement of Legacy"

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """Today, the phases, the reasons against a deletion."""
        snapshot, plan = self.snapshot, self.plan
        if snapshot is None or plan is None:
            return [[(NO_DATA, palette.no_data)]]
        at = calendar(plan, snapshot)
        rows: list[Row] = [_today(at, palette), []]
        rows += [_phase(phase, at, palette) for phase in PHASES]
        rows.append([])
        if snapshot.retired:
            gone = f"Legacy is retired: {sanitize(plan.target.legacy, 60)} is deleted"
            return [*rows, [("✓ ", palette.ok), (gone, palette.text)]]
        reasons = find_reasons(plan, snapshot)
        if not reasons:
            rows.append([("✓ ", palette.ok), ("no blockers", palette.text)])
        for reason in reasons:
            rows.append([("✗ ", palette.watch), (sanitize(reason.text), palette.text)])
            rows.append([("  ", palette.dim), (sanitize(reason.remedy), palette.dim)])
        rows += _candidate(self.procedure.retirement, width, palette)
        ways = " retire   deletes it, after its name was typed; canary retire apply does the same"
        return [*rows, [], [(self.key("palette"), palette.key), (ways, palette.dim)]]


def _candidate(view: RetirementView, width: int, palette: Palette) -> list[Row]:
    """What would be deleted: the service, its own images; and what stays."""
    if view.running:
        return [[], [("▸ looking up what would be deleted …", palette.strong)]]
    if view.trouble:
        return [[], *error_rows(view.trouble, palette)]
    found = view.candidate
    if found is None:
        return []
    service = sanitize(found.service, 60)
    heading = f"would be deleted: the service {service}, and what only it runs"
    rows: list[Row] = [[], [(heading, palette.strong)]]
    for one in found.images:
        rows += _whole(sanitize(one, 300), width, palette.text)
    stays = (("kept, others run it too", found.kept), ("left, elsewhere", found.elsewhere))
    for why, images in stays:
        for one in images:
            rows += _whole(f"{why}: {sanitize(one, 300)}", width, palette.dim)
    return rows


def _whole(text: str, width: int, style: Style) -> list[Row]:
    """A name of which every sign counts, in as many rows as it takes."""
    return [[("  ", style), (part, style)] for part in textwrap.wrap(text, max(20, width - 2))]


def _today(at: Calendar, palette: Palette) -> Row:
    if at.day is None:
        return [("Canary is not production yet: the calendar has not begun", palette.no_data)]
    return [
        (f"day {at.day}", palette.strong),
        (f" since Canary became production, {format_timestamp(at.began_at)}", palette.dim),
    ]


def _phase(phase: Phase, at: Calendar, palette: Palette) -> Row:
    last = "on" if phase.last_day is None else str(phase.last_day)
    days = f"day {phase.first_day}–{last}" if phase.last_day else f"day {phase.first_day} on"
    today = at.day is not None and phase.holds(at.day)
    since = f"  from {format_timestamp(at.day_start(phase.first_day))[:10]}" if at.day else ""
    return [
        ("▶ " if today else "  ", palette.strong),
        (f"{days:<{_DAYS}} ", palette.strong if today else palette.dim),
        (phase.meaning, palette.strong if today else palette.text),
        (since, palette.dim),
    ]
