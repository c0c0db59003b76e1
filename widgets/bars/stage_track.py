"""Where the rollout stands: the stages as a track, Canary's share, the soak, drift and flux."""

from __future__ import annotations

from canary.paint.rows import format_place
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot, StageView, TrafficView
from canary.rollout.text import format_clock, format_duration, format_percent, sanitize
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from canary.rollout.trials.retirement import DAY_S, PHASES, calendar
from themes import Palette
from widgets.plots.canvas import Canvas, Run, width_of
from widgets.plots.cells import CellWidget, bound

_GAP = 3


class StageTrack(CellWidget):
    """`1 ━━━ 2 ━╌╌ 3 ─── 4 ─── 5   10 % canary   soak ████░░ 17 h 12 m / 24 h`.

    The way from the present stage to the next fills with the soak. A second row, if there is one,
    takes what the first has no room for. Until the first snapshot `last_place` says where it stood
    when it was last seen.
    """

    DEFAULT_CSS = """
    StageTrack { height: 1; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    plan: bound[Plan | None] = bound(None)
    now: bound[float] = bound(0.0)
    procedure: bound[JobsView] = bound(NOTHING_RUN)
    last_place: bound[str] = bound(format_place(None))

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Track, share, marks of drift and flux, soak: in this order of importance."""
        snapshot = self.snapshot
        if snapshot is None:
            canvas.text(0, 0, self.last_place, palette.no_data)
            return
        now = self.now or snapshot.as_of
        soaked = soaked_hours(snapshot.stage, now)
        share = [
            *share_runs(snapshot.traffic, palette),
            *mark_runs(snapshot.traffic, palette),
            *redeployed_runs(snapshot.stage, palette),
        ]
        link = 3 if canvas.width >= 60 else 1
        stages = len(self.plan.stages) if self.plan else 5
        x = 0
        if canvas.width >= stages + 1 + (stages - 1) * (link + 2) + _GAP + width_of(share):
            x = _draw_track(canvas, stages, link, snapshot.stage, soaked, palette) + _GAP
        elif snapshot.stage.index is not None:
            x = canvas.text(0, 0, f"stage {snapshot.stage.index} of {stages}", palette.strong) + 2
        x = canvas.runs(x, 0, share)
        rest = canvas.width - x - _GAP
        if rest >= 10:
            x = _draw_soak(canvas, x + _GAP, 0, snapshot.stage, soaked, palette, self._day())
            loop = self._loop(palette)
            if canvas.width - x >= width_of(loop) + _GAP:
                canvas.runs(canvas.width - width_of(loop), 0, loop)
        elif canvas.height >= 2:
            _draw_soak(canvas, 0, 1, snapshot.stage, soaked, palette, self._day())

    def _loop(self, palette: Palette) -> list[Run]:
        """The monitoring loop while it runs, in minutes: nothing here moves each second."""
        loop = self.procedure.monitoring
        if loop is None or not loop.running:
            return []
        left_s = None if loop.next_at is None else max(0.0, loop.next_at - self.now)
        due = "" if left_s is None else f", next in {max(1, round(left_s / 60))} m"
        style = palette.watch if loop.trouble else palette.strong
        glyph = "!" if loop.trouble else "●"
        return [(f"{glyph} ", style), (f"monitoring{due}", palette.dim)]

    def _day(self) -> str:
        """At the last stage: where the calendar of Legacy's retirement stands."""
        snapshot, plan = self.snapshot, self.plan
        return "" if snapshot is None or plan is None else format_day(plan, snapshot, self.now)


def format_day(plan: Plan, snapshot: Snapshot, now: float) -> str:
    """Where the calendar stands, for the stage track: "day 5: …"; "" outside of it."""
    began_at = calendar(plan, snapshot).began_at
    if began_at is None:
        return ""
    day = int(max(0.0, max(now, snapshot.as_of) - began_at) // DAY_S) + 1
    short = ("Legacy is the backup", "prepare to switch Legacy off", "Legacy may be deleted")
    if snapshot.retired:
        return f"day {day}: Legacy is retired"
    phase = next(i for i, phase in enumerate(PHASES) if phase.holds(day))
    return f"day {day}: {short[phase]}"


def soaked_hours(stage: StageView, now: float) -> float | None:
    """Hours since the stage was entered, counted on to `now`; None when nobody knows."""
    if stage.entered_at is None:
        return stage.soaked_hours
    return max(0.0, now - stage.entered_at - stage.lost_s) / 3600


def share_runs(traffic: TrafficView, palette: Palette) -> list[Run]:
    """Canary's share as it is set; "share not known" without an answer."""
    if traffic.canary_percent is None:
        return [("share not known", palette.no_data)]
    settled = not traffic.reconciling and not traffic.in_doubt
    if traffic.canary_percent == 0 and settled and traffic.is_all_on_legacy:
        return [("0 % canary", palette.strong), ("  all traffic is on Legacy", palette.dim)]
    return [(format_percent(traffic.canary_percent), palette.strong), (" canary", palette.canary)]


def redeployed_runs(stage: StageView, palette: Palette) -> list[Run]:
    """That Canary was deployed anew in the middle of the stage, and since when it soaks anew."""
    if not stage.redeployed:
        return []
    since = "" if stage.entered_at is None else f" {format_clock(stage.entered_at)}"
    return [(f"  ! deployed anew{since}", palette.watch)]


def mark_runs(traffic: TrafficView, palette: Palette) -> list[Run]:
    """Doubt (set, perhaps not served), drift (changed elsewhere), flux, an unreadable record."""
    runs: list[Run] = []
    if traffic.is_unserved:
        served = format_percent(traffic.served_percent)
        runs.append((f"  ✗ SET, NOT SERVED: {served} serves", palette.alarm))
    elif traffic.in_doubt:
        runs.append(("  ✗ SET, MAY NOT BE SERVED", palette.alarm))
    if traffic.others:
        named = ", ".join(f"{sanitize(o.name, 40)} {o.percent} %" for o in traffic.others)
        runs.append((f"  ✗ NEITHER SIDE: {named}", palette.alarm))
    if traffic.affinity:
        runs.append(("  ! session affinity: no comparison", palette.watch))
    if traffic.pinned:
        runs.append((f"  ! pinned to {sanitize(traffic.pinned[0], 40)}", palette.watch))
    if traffic.drift is not None:
        by = f" by {sanitize(traffic.drift.by, 30)}" if traffic.drift.by else ""
        recorded = format_percent(traffic.drift.recorded_percent)
        runs.append((f"  ≠ DRIFT{by}, recorded {recorded}", palette.watch))
    if traffic.reconciling:
        known = traffic.served_percent is not None
        served = f", serving {format_percent(traffic.served_percent)}" if known else ""
        runs.append((f"  ◌ still rolling out{served}", palette.no_data))
    if traffic.record_error:
        runs.append(("  ? record unreadable", palette.no_data))
    return runs


def _draw_track(
    canvas: Canvas, stages: int, link: int, stage: StageView, soaked: float | None, palette: Palette
) -> int:
    at = stage.index
    x = 1 if at == 1 else 0  # room for its bracket
    for number in range(1, stages + 1):
        x = _draw_number(canvas, x, number, at, palette)
        if number == stages:
            break
        filled = 0
        if at is not None and number < at:
            filled = link
        elif number == at:
            filled = _progress(stage, soaked, link)
        x += 1
        for cell in range(link):
            done = cell < filled
            canvas.put(x + cell, 0, "━" if done else "─", palette.text if done else palette.quiet)
        x += link + 1
    return x


def _draw_number(canvas: Canvas, x: int, number: int, at: int | None, palette: Palette) -> int:
    """The present stage stands out by brackets and weight, not by colour."""
    style = palette.dim
    if number == at:
        style = palette.strong
        canvas.put(x - 1, 0, "[", style)
        canvas.put(x + 1, 0, "]", style)
    elif at is not None and number < at:
        style = palette.text
    return canvas.text(x, 0, str(number), style)


def _progress(stage: StageView, soaked: float | None, link: int) -> int:
    if soaked is None or not stage.soak_hours:
        return 0
    return min(link, int(soaked / stage.soak_hours * link))


def _draw_soak(
    canvas: Canvas,
    x: int,
    y: int,
    stage: StageView,
    soaked: float | None,
    palette: Palette,
    day: str = "",
) -> int:
    """The soak at (x, y); returns the next x."""
    if not stage.soak_hours:
        words_of = f"production, {day or 'until changed'}" if stage.index else "no soak"
        said = words_of if stage.index is not None else "soak not known"
        return canvas.text(x, y, said, palette.dim)
    of = format_duration(stage.soak_hours * 3600)
    if soaked is None:
        none: Run = ("no data", palette.no_data)
        return canvas.runs(x, y, [("soak ", palette.dim), none, (f" / {of}", palette.dim)])
    done = soaked >= stage.soak_hours
    time = format_duration(soaked * 3600)
    mark: list[Run] = [("✓ ", palette.ok)] if done else []
    text: list[Run] = [*mark, (time, palette.text), (f" / {of}", palette.dim)]
    bar = min(10, canvas.width - x - 6 - width_of(text))
    x = canvas.text(x, y, "soak ", palette.dim)
    if bar >= 4:
        canvas.bar(x, y, bar, soaked / stage.soak_hours, palette.text, palette.masked)
        x += bar + 1
    return canvas.runs(x, y, text)
