"""The first line: which services, whose cloud, how old the numbers are."""

from __future__ import annotations

from canary.rollout.decision.gates import format_verdict
from canary.rollout.decision.tree import Verdict
from canary.rollout.plan.hosts import foreign_hosts
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import NO_DATA, format_age, format_clock, sanitize
from themes import Palette
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.cells import CellWidget, bound

_GAP: str = "   "
_ROOM_FOR_WHY: int = 100
"""From this width on the header says why it is read-only; a key that is pressed always does."""


class Header(CellWidget):
    """`ion-api → ion-api-canary  project/region  LOCAL CLOUD ×60  14:03:22Z  data 74 s old`.

    The age of the data and the words LOCAL CLOUD and READ-ONLY are never left out for room; the
    project is, then the names of the services are cut.
    """

    DEFAULT_CSS = """
    Header { height: 1; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    read_only: bound[bool] = bound(False)
    distrust: bound[str] = bound("")

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Age to the right, words in the middle, names with what is left."""
        snapshot, plan = self.snapshot, self.plan
        age = self._age(palette)
        right = (
            [(format_clock(self.now or snapshot.as_of) + "  ", palette.dim), *age]
            if snapshot
            else age
        )
        notifications = self._notices(palette)
        for candidate in (right, age):
            right = candidate
            if width_of(notifications) + width_of(right) + 16 <= canvas.width:
                break
        x = canvas.runs(max(0, canvas.width - width_of(right)), 0, right)
        left = max(0, canvas.width - width_of(right) - 1)
        name = snapshot.rollout if snapshot else plan.name if plan else ""
        names: list[Run] = [(sanitize(name, 120), palette.strong)]
        where = _where(snapshot, plan)
        if width_of(names) + len(where) + 3 + width_of(notifications) <= left:
            names.append((_GAP + where, palette.dim))
        room = left - width_of(notifications)
        x = canvas.runs(0, 0, names, max(0, room)) if room > 3 else 0
        canvas.runs(x, 0, notifications, left - x)

    def _notices(self, palette: Palette) -> list[Run]:
        """LOCAL CLOUD with its speed and scenario, foreign hosts, READ-ONLY: always in words."""
        runs: list[Run] = []
        snapshot, plan = self.snapshot, self.plan
        provider = snapshot.provider if snapshot else plan.provider if plan else ""
        if provider == "local":
            speed = snapshot.speed if snapshot else 1.0
            text = "[LOCAL CLOUD" + (f" ×{speed:g}]" if speed != 1 else "]")
            runs += [(_GAP, palette.text), (text, palette.box)]
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


def data_age_s(snapshot: Snapshot, now: float) -> float | None:
    """The age of the newest sample at `now`, counted on from when the snapshot was made."""
    age_s = snapshot.data_age_s
    return None if age_s is None else age_s + max(0.0, now - snapshot.as_of)


def _where(snapshot: Snapshot | None, plan: Plan | None) -> str:
    if snapshot is not None:
        return f"{sanitize(snapshot.project, 60)}/{sanitize(snapshot.region, 40)}"
    return f"{plan.target.project}/{plan.target.region}" if plan else ""


def verdict_runs(verdict: Verdict, palette: Palette) -> list[Run]:
    """Glyph and word of a verdict, as a badge in its style."""
    style = palette.verdict(verdict)
    text = format_verdict(verdict)
    return palette.marked(f" {text} " if style.reverse else text, style)
