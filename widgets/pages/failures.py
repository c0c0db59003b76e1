"""What fails in Canary and not in Legacy: groups of requests; one of them with its newest requests
and what the application wrote about the chosen one.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.export.log_links import explorer_url, group_query, read_command
from canary.rollout.failures.lines import WARNING, LinesView, fold
from canary.rollout.failures.requests import FailedRequest, GroupKey
from canary.rollout.failures.view import FailureGroup, FailuresView
from canary.rollout.failures.words import (
    MARKS,
    format_about,
    format_beyond,
    format_common,
    format_counts,
    format_excess,
    format_key,
    format_request,
    format_spread,
)
from canary.rollout.text import format_clock, format_count, format_ratio, keep_printable, sanitize
from themes import Palette
from widgets.pages.page import Page, Row, wrapped
from widgets.plots.cells import bound

_LEAST_TABLE: Final = 110
"""Narrower than this a group takes rows of its own."""
_AROUND: Final = 3
"""So many of a group's requests are seen at once."""
_LEAST_AROUND: Final = 14
"""In fewer rows the chosen request stands alone: its lines say more."""
_LEAST_NUMBERS: Final = 60
"""Narrower than this the counts come behind the lines."""
_SHOWN_LINES: Final = 50


class FailuresPage(Page):
    """`cursor` is the group chosen, `opened` the one that is shown whole (None: the list),
    `request` which of its requests is chosen; `lines` what the application wrote about one.
    """

    BORDER_TITLE = "failures"

    cursor: bound[int] = bound(0)
    opened: bound[GroupKey | None] = bound(None)
    request: bound[int] = bound(0)
    lines: bound[LinesView | None] = bound(None)

    @property
    def view(self) -> FailuresView | None:
        """What fails, as far as it is known."""
        return None if self.snapshot is None else self.snapshot.failures

    @property
    def chosen(self) -> FailureGroup | None:
        """The group that is open, or at the cursor; None: there is none."""
        view = self.view
        if view is None or not view.groups:
            return None
        if self.opened is not None:
            return next((g for g in view.groups if g.key == self.opened), None)
        return view.groups[min(self.cursor, len(view.groups) - 1)]

    @property
    def chosen_request(self) -> FailedRequest | None:
        """The request at the cursor of the open group; None: it has none."""
        group = self.chosen
        if group is None or not group.requests:
            return None
        return group.requests[min(self.request, len(group.requests) - 1)]

    @property
    def _instances(self) -> float | None:
        """How many Canary has; None: not known."""
        return None if self.snapshot is None else self.snapshot.canary.window.instances

    def command(self) -> str:
        """How the chosen group is read in a shell; "" for none."""
        view, group, plan = self.view, self.chosen, self.plan
        if view is None or group is None or plan is None:
            return ""
        since = view.since if view.since is not None else self.now - 3_600
        return read_command(plan.target.project, group_query(plan, group.key), since, self.now)

    def text(self) -> str:
        """What is copied: the chosen group, its command, and its link to Logs Explorer."""
        view, group, plan = self.view, self.chosen, self.plan
        if view is None or group is None or plan is None:
            return ""
        since = view.since if view.since is not None else self.now - 3_600
        url = explorer_url(plan.target.project, group_query(plan, group.key), since, self.now)
        counts = format_counts(group.canary, view.canary)
        rows = (f"{format_key(group.key)}: {counts}, {format_excess(group)}", self.command(), url)
        return "".join(f"{keep_printable(row)}\n" for row in rows)

    def rows(self, width: int, palette: Palette) -> list[Row]:
        """The list, or the group that is open."""
        view = self.view
        if view is None:
            return [
                [("? what fails is not known: ", palette.no_data)],
                [("  nothing was read yet, or it is of the past: it is not recorded", palette.dim)],
            ]
        if self.opened is not None:
            group = self.chosen
            if group is None:
                return [[(f"{format_key(self.opened)} has not failed lately", palette.dim)]]
            return self._whole(group, view, width, palette)
        rows = self._head(view, width, palette)
        for index, group in enumerate(view.groups):
            rows += self._entry(group, view, width, palette, chosen=index == self._at(view))
        if not view.groups:
            rows.append([("✓ ", palette.ok), ("no request has failed", palette.text)])
        told = view.missing and width >= _LEAST_NUMBERS
        for sentence in format_about(view)[1 if told else 0 :]:
            rows += wrapped("  ", sentence, width, palette.dim, palette.dim)
        return rows

    def move(self, rows: int) -> None:
        """Go to the next group or the one before; in an open one, to its next request. A page at a
        time, and beyond the last one, it scrolls.
        """
        group, view = self.chosen, self.view
        if group is None or view is None or abs(rows) > 1:
            super().move(rows // 2 if abs(rows) > 1 else rows)
            return
        if self.opened is not None:
            self.request = min(max(0, len(group.requests) - 1), max(0, self.request + rows))
            return
        at, last = self._at(view), len(view.groups) - 1
        if at == last and rows > 0:
            super().move(rows)
            return
        self.cursor = max(0, at + rows)
        self._bring_to_sight()

    def _bring_to_sight(self) -> None:
        height = max(1, self.size.height)
        row = self._row_of_cursor(self.size.width, self.palette)
        if row < self.top or row + 3 > self.top + height:
            self.top = max(0, row - height // 2) if self.cursor else 0

    def open(self) -> None:
        """Show the group at the cursor whole."""
        group = self.chosen
        if group is not None and self.opened is None:
            self.request, self.top, self.lines = 0, 0, None
            self.opened = group.key

    def close(self) -> bool:
        """Go back to the list; False where it is shown already."""
        if self.opened is None:
            return False
        self.opened, self.lines, self.top = None, None, 0
        return True

    def _at(self, view: FailuresView) -> int:
        return min(self.cursor, max(0, len(view.groups) - 1))

    def _row_of_cursor(self, width: int, palette: Palette) -> int:
        view = self.view
        if view is None or not view.groups:
            return 0
        before = view.groups[: self._at(view)]
        entries = (self._entry(g, view, width, palette, chosen=False) for g in before)
        return len(self._head(view, width, palette)) + sum(map(len, entries))

    def _head(self, view: FailuresView, width: int, palette: Palette) -> list[Row]:
        rows: list[Row] = []
        if view.missing and width < _LEAST_NUMBERS:
            short = (
                "From Cloud Monitoring, by status" if view.source == "monitoring" else "? see below"
            )
            rows.append([(short, palette.no_data)])
        elif view.missing:
            rows += wrapped("? ", format_about(view)[0], width, palette.no_data, palette.no_data)
        beyond = view.beyond_chance
        said = f"{beyond or 'none'} of {view.tested} groups beyond chance"
        rows.append([(said, palette.strong if beyond else palette.text)])
        if common := format_common(view, self._instances):
            rows += wrapped("  ", common, width, palette.strong, palette.dim)
        return rows

    def _entry(
        self,
        group: FailureGroup,
        view: FailuresView,
        width: int,
        palette: Palette,
        *,
        chosen: bool,
    ) -> list[Row]:
        """A group in the list: one row where there is room, else three at most."""
        glyph = "✗" if group.is_beyond_chance else "·"
        style = palette.strong if group.is_beyond_chance else palette.text
        mark = f"{MARKS[group.mark]} " if group.mark else ""
        name: Row = [
            ("▶ " if chosen else "  ", palette.strong),
            (f"{glyph} ", style),
            (mark, palette.watch),
            (format_key(group.key), style),
        ]
        if width >= _LEAST_TABLE:
            canary = format_counts(group.canary, view.canary)
            share = format_ratio(group.legacy / view.legacy) if view.legacy else "no data"
            legacy = f"{format_count(group.legacy)}, {share}"
            return [name, *self._figures(group, canary, legacy, palette)]
        first = f"    {format_count(group.canary)} of {format_count(view.canary)}"
        legacy = f"  legacy {format_count(group.legacy)} of {format_count(view.legacy)}"
        counts: Row = [(first, palette.text), (legacy, palette.dim)]
        rests: Row = [(f"    {format_beyond(group)}", palette.dim)]
        if width >= 76:
            return [name, [*counts, (f"  {format_beyond(group)}", palette.dim)]]
        return [name, counts, rests]

    def _figures(
        self, group: FailureGroup, canary: str, legacy: str, palette: Palette
    ) -> list[Row]:
        return [
            [
                ("      canary ", palette.dim),
                (canary, palette.text),
                (f"   legacy {legacy}", palette.dim),
                (f"   {format_excess(group)}", palette.text),
                (f"   {format_beyond(group)}", palette.dim),
            ]
        ]

    def _whole(
        self, group: FailureGroup, view: FailuresView, width: int, palette: Palette
    ) -> list[Row]:
        mark = f"{MARKS[group.mark]} " if group.mark else ""
        rows = wrapped("", f"{mark}{format_key(group.key)}", width, palette.strong, palette.dim)
        counts = (
            f"canary {format_counts(group.canary, view.canary)}; legacy"
            f" {format_counts(group.legacy, view.legacy)}; {format_excess(group)},"
            f" {format_beyond(group)}"
        )
        numbers = wrapped("", counts, width, palette.text, palette.dim)
        rows += numbers if width >= _LEAST_NUMBERS else []
        if spread := format_spread(group, self._instances):
            rows += wrapped("", spread, width, palette.text, palette.dim)
        rows += self._requests(group, width, palette)
        rows += self._lines(width, palette)
        rows += numbers if width < _LEAST_NUMBERS else []
        return [
            *rows,
            [(self.key("copy"), palette.key), (f" copies $ {self.command()}", palette.dim)],
        ]

    def _requests(self, group: FailureGroup, width: int, palette: Palette) -> list[Row]:
        found = group.requests
        if not found:
            return [[("its single requests are not known", palette.dim)]]
        at = min(self.request, len(found) - 1)
        around = _AROUND if self.size.height >= _LEAST_AROUND else 1
        first = max(0, min(at - around // 2, len(found) - around))
        rows: list[Row] = []
        for index, request in enumerate(found[first : first + around], first):
            said = format_request(request).replace(f"{format_key(request.key)}  ", "")
            count = f"  {index + 1} of {len(found)}" if width >= 76 else ""
            style = palette.strong if index == at else palette.text
            rows.append([("▶ " if index == at else "  ", style), (said, style)])
            rows[-1].append((count, palette.dim))
        return rows

    def _lines(self, width: int, palette: Palette) -> list[Row]:
        """What the application wrote, or what to press."""
        lines, request = self.lines, self.chosen_request
        if lines is None or lines.request != request:
            said = " asks for the application's lines about it" if request is not None else ""
            return [[("Enter", palette.key), (said, palette.dim)]] if said else []
        if lines.running:
            return [[("◌ asking Cloud Logging …  ", palette.no_data), ("Esc stops", palette.dim)]]
        if lines.trouble:
            return wrapped("! ", sanitize(lines.trouble, 400), width, palette.strong, palette.watch)
        if not lines.lines:
            how = "trace" if lines.request.trace else "instance"
            return [[(f"the application wrote nothing about it (by its {how})", palette.dim)]]
        rows: list[Row] = []
        for line in lines.lines[:_SHOWN_LINES]:
            style = palette.text if line.severity >= WARNING else palette.dim
            head = f"{line.severity_name:<8}{format_clock(line.at)}  "
            rows += wrapped(head, fold(line.text), width, style, palette.dim)
        return rows
