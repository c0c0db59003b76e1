"""The first line: which services, whose cloud, how old the numbers are."""

from __future__ import annotations

from typing import Final

from rich.cells import cell_len
from textual.geometry import Size

from canary.rollout.decision.gates import format_verdict
from canary.rollout.decision.tree import DataState, Verdict
from canary.rollout.plan.hosts import foreign_hosts
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state_words import DATA_STATES, WORDS, glyph_of
from canary.rollout.text import NO_DATA, format_age, format_clock, format_duration, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, Run, cut_middle, width_of
from widgets.plots.cells import CellWidget, bound

_GAP: str = "   "
_TIMES: Final = 33
"""Cells that the clock and the age of the data take at most."""
_ROOM_FOR_LIMIT: Final = 150
"""From this width on one row has room for the age that is allowed, too."""
_ROOM_FOR_WHY: int = 100
"""From this width on the header says why it is read-only; a key that is pressed always does."""


class Header(CellWidget):
    """`ion-api → ion-api-canary  project/region  LOCAL CLOUD ×60  14:03:22Z  data 74 s old`.

    In two rows where one has no room for all of it: nothing is pushed off. What is too long even so
    loses its middle.
    """

    DEFAULT_CSS = """
    Header { height: auto; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    read_only: bound[bool] = bound(False)
    distrust: bound[str] = bound("")

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._rows = 1
        """As many as were asked for at the last layout."""

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """One row where all has room in it, else two."""
        self._rows = self._needed(width)
        return self._rows

    def redraw(self) -> None:
        """Draw anew; where it needs the other number of rows, lay the screen out anew."""
        width = self.size.width
        if self.is_mounted and width:
            before, self._rows = self._rows, self._needed(width)
            if before != self._rows:
                self.refresh(layout=True)
        super().redraw()

    def _needed(self, width: int) -> int:
        notices = width_of(self._notices(self.palette))
        names, where = self._names()
        return 1 if cell_len(names) + len(_GAP) + cell_len(where) + notices + _TIMES <= width else 2

    def _names(self) -> tuple[str, str]:
        snapshot, plan = self.snapshot, self.plan
        name = snapshot.rollout if snapshot else plan.name if plan else ""
        return sanitize(name, 140), _where(snapshot, plan)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Age to the right, words in the middle, names with what is left."""
        snapshot = self.snapshot
        age = self._age(palette)
        right = age
        if snapshot is not None:
            right = [(format_clock(self.now or snapshot.as_of) + "  ", palette.dim), *age]
        notices = self._notices(palette)
        names, where = self._names()
        if canvas.height >= 2:
            self._draw_two(canvas, palette, [*right, *self._allowed(palette)])
            return
        if width_of(notices) + width_of(right) + 16 > canvas.width:
            right = age
        allowed = self._allowed(palette)
        if canvas.width >= _ROOM_FOR_LIMIT:
            right = [*right, *allowed]
        canvas.runs(max(0, canvas.width - width_of(right)), 0, right)
        left = max(0, canvas.width - width_of(right) - 1)
        runs: list[Run] = [(names, palette.strong)]
        if width_of(runs) + cell_len(where) + 3 + width_of(notices) <= left:
            runs.append((_GAP + where, palette.dim))
        room = left - width_of(notices)
        x = canvas.runs(0, 0, runs, max(0, room)) if room > 3 else 0
        canvas.runs(x, 0, notices, left - x)

    def _draw_two(self, canvas: Canvas, palette: Palette, right: list[Run]) -> None:
        """Names and age, then project, region, whose cloud and what may be done from here."""
        names, where = self._names()
        notices = self._notices(palette)
        room = canvas.width - width_of(right) - 1
        canvas.text(0, 0, _cut_names(names, room), palette.strong)
        canvas.runs(max(0, canvas.width - width_of(right)), 0, right)
        x = canvas.text(0, 1, cut_middle(where, canvas.width - width_of(notices)), palette.dim)
        canvas.runs(x, 1, notices)

    def _allowed(self, palette: Palette) -> list[Run]:
        """The age that is allowed, beside one that is not beyond it."""
        snapshot, plan = self.snapshot, self.plan
        age_s = None if snapshot is None else data_age_s(snapshot, self.now or snapshot.as_of)
        if plan is None or age_s is None or age_s > plan.metrics.stale_after_s:
            return []
        return [(f", {format_duration(plan.metrics.stale_after_s)} allowed", palette.dim)]

    def _notices(self, palette: Palette) -> list[Run]:
        """LOCAL CLOUD with its speed and scenario, foreign hosts, READ-ONLY: always in words."""
        runs: list[Run] = []
        snapshot, plan = self.snapshot, self.plan
        provider = snapshot.provider if snapshot else plan.provider if plan else ""
        if provider == "local":
            speed = snapshot.speed if snapshot else 1.0
            text = "[LOCAL CLOUD" + (f" ×{speed:g}]" if speed != 1 else "]")
            runs += [(_GAP, palette.text), (text, palette.box)]
            if plan is not None and plan.local.drill:
                runs.append((" DRILL ", palette.replay))
            if snapshot and snapshot.scenario:
                runs.append((f" {sanitize(snapshot.scenario, 24)}", palette.dim))
        if self.distrust:
            why = f": {sanitize(self.distrust, 60)}" if self.size.width >= _ROOM_FOR_WHY else ""
            text = f"LOOK-ONLY{why}"
            runs += [(_GAP, palette.text), (text, palette.strong)]
        elif self.read_only:
            runs += [(_GAP, palette.text), ("READ-ONLY", palette.strong)]
        elif snapshot is not None and snapshot.missing_rights:
            why = ": no right to change" if self.size.width >= _ROOM_FOR_WHY else ""
            runs += [(_GAP, palette.text), (f"READ-ONLY{why}", palette.strong)]
        for host in foreign_hosts(plan.target.endpoints) if plan else ():
            runs += [(_GAP, palette.text), (f"CREDENTIALS TO {sanitize(host, 60)}", palette.watch)]
        return runs

    def _age(self, palette: Palette) -> list[Run]:
        """The age of the newest data; in words when it is too old or there is none."""
        snapshot = self.snapshot
        if snapshot is None:
            return [(NO_DATA, palette.no_data)]
        age_s = data_age_s(snapshot, self.now or snapshot.as_of)
        if age_s is None:
            return [(NO_DATA, palette.no_data)]
        limit = self.plan.metrics.stale_after_s if self.plan else 300.0
        if age_s > limit:
            return [(f"data STALE {format_age(age_s)} old", palette.no_data)]
        return [("data ", palette.dim), (format_age(age_s), palette.text), (" old", palette.dim)]


def _cut_names(names: str, width: int) -> str:
    """Both services in `width` cells: of two long names each has half."""
    if cell_len(names) <= width:
        return names
    legacy, arrow, canary = names.partition(" → ")
    half = max(0, (width - cell_len(arrow)) // 2)
    if not arrow:
        return cut_middle(names, width)
    if cell_len(legacy) <= half:
        half = cell_len(legacy)
    room = width - cell_len(arrow) - half
    if cell_len(canary) < room:
        half, room = width - cell_len(arrow) - cell_len(canary), cell_len(canary)
    return f"{cut_middle(legacy, half)}{arrow}{cut_middle(canary, room)}"


def data_age_s(snapshot: Snapshot, now: float) -> float | None:
    """The age of the newest sample at `now`, counted on from when the snapshot was made."""
    age_s = snapshot.data_age_s
    return None if age_s is None else age_s + max(0.0, now - snapshot.as_of)


def _where(snapshot: Snapshot | None, plan: Plan | None) -> str:
    if snapshot is not None:
        return f"{sanitize(snapshot.project, 60)}/{sanitize(snapshot.region, 40)}"
    return f"{plan.target.project}/{plan.target.region}" if plan else ""


def verdict_runs(verdict: Verdict, palette: Palette, data: DataState = "ok") -> list[Run]:
    """Glyph and word of a verdict, as a badge in its style; why there is none, in the state's word
    for what the `data` is.
    """
    style = palette.verdict(verdict)
    state = DATA_STATES.get(data) if verdict == "no_data" else None
    text = format_verdict(verdict) if state is None else f"{glyph_of(state)} {WORDS[state]}"
    return palette.marked(f" {text} " if style.reverse else text, style)
