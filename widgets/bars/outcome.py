"""The change in flight, or the result that nobody has dismissed yet."""

from __future__ import annotations

from typing import Final

from rich.style import Style

from canary.rollout.change.change import OutcomeState
from canary.rollout.change.history_entries import history_entry_of
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Snapshot,
    find_waiting,
    format_history_entry,
)
from canary.rollout.text import (
    format_age,
    format_clock,
    format_count,
    format_duration,
    format_milliseconds,
    format_rate,
    format_ratio,
    sanitize,
)
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView, LoadTestView, VerificationView
from canary.rollout.trials.verification import (
    VERDICT_LINES,
    Verification,
    VerificationVerdict,
    VerifyProgress,
)
from themes import Palette
from widgets.plots.canvas import Canvas, Run, bar_runs, width_of
from widgets.plots.cells import CellWidget, bound

_WORDS: dict[OutcomeState, str] = {
    "done": "✓ DONE",
    "failed": "✗ FAILED",
    "refused": "✗ REFUSED",
    "unknown": "? OUTCOME UNKNOWN",
    "not_begun": "– NOT BEGUN",
    "abandoned": "– ABANDONED",
}


_MOVES: Final = ("promote", "step_back", "rollback_all", "adopt", "revert")
_BAR: Final = 20
_AUTOMATIC: Final = " AUTOMATIC ROLLBACK "
"""Stands before what nobody has pressed a key for."""
VERIFICATION: Final = "verification"
LOAD_TEST: Final = "load_test"
"""Stand among the ids of changes for the results of the last verification and load test."""


def results(snapshot: Snapshot | None, procedure: JobsView) -> tuple[str, ...]:
    """What ended and was not dismissed: ids of changes, newest first, VERIFICATION, LOAD_TEST.

    What is not as it was wished comes before what is; a change that was done and whose verification
    was not passed is not done well.
    """
    changes = snapshot.changes if snapshot is not None else ()
    # A note that was written is in the events: it is no result to be dismissed.
    written = [c for c in changes if c.kind == "note" and c.outcome and c.outcome.state == "done"]
    ended = [c for c in changes if c.outcome and not c.acknowledged and c not in written]
    bad = [c.id for c in ended if c.outcome is not None and c.outcome.state != "done"]
    good = [c.id for c in ended if c.id not in bad]
    verified, loaded = procedure.verification.waiting, procedure.load_test.waiting
    # With the change that it verifies it is one result, to be dismissed at once.
    if verified is not None and verified.verdict != "passed":
        bad.append(VERIFICATION)
    elif verified is not None and verified.change not in good:
        good.append(VERIFICATION)
    if loaded is not None:
        (good if loaded.status == "PASSED" else bad).append(LOAD_TEST)
    return (*bad, *good)


def _is_loud(ended: tuple[str, ...], snapshot: Snapshot, procedure: JobsView) -> bool:
    """Whether the first result is not as it was wished."""
    if not ended:
        return False
    if ended[0] == VERIFICATION:
        waiting = procedure.verification.waiting
        return waiting is not None and waiting.verdict != "passed"
    if ended[0] == LOAD_TEST:
        return False  # another one runs
    first = next(c for c in snapshot.changes if c.id == ended[0])
    return first.outcome is not None and first.outcome.state != "done"


class OutcomeBar(CellWidget):
    """One or two rows: what is being done and by whom, or how it ended, what is true, what to do.

    A change in flight comes first, then a verification that runs, then what ended badly, a load
    test that runs, what ended well. Of several results the newest, and how many more.
    """

    DEFAULT_CSS = """
    OutcomeBar { height: 1; }
    """

    snapshot: bound[Snapshot | None] = bound(None)
    now: bound[float] = bound(0.0)
    procedure: bound[JobsView] = bound(NOTHING_RUN)
    acknowledge_key: bound[str] = bound("Enter")
    stop_key: bound[str] = bound("x")
    keys: bound[dict[str, str]] = bound({})

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """Blank when there is nothing to say."""
        snapshot, procedure = self.snapshot, self.procedure
        if snapshot is None:
            return
        flying = [c for c in snapshot.changes if c.outcome is None]
        if flying:
            self._draw_flight(canvas, find_waiting(flying) or flying[0], snapshot, palette)
            return
        if snapshot.presence.in_flight is not None:
            said = sanitize(format_history_entry(snapshot.presence.in_flight), 160)
            runs = [("▸ IN FLIGHT ELSEWHERE ", palette.strong), (said, palette.strong)]
            canvas.runs(0, 0, runs)
            return
        if procedure.verification.progress is not None:
            room = canvas.width - len(self._stops())
            running = progress_runs(procedure.verification.progress, palette, room)
            self._draw_running(canvas, running, palette)
            return
        ended = results(snapshot, procedure)
        if procedure.load_test.is_running and not _is_loud(ended, snapshot, procedure):
            self._draw_running(canvas, running_runs(procedure.load_test, palette), palette)
        elif ended and ended[0] == VERIFICATION:
            runs = result_runs(procedure.verification, palette)
            self._draw_ended(canvas, runs, len(ended) - 1, palette)
        elif ended and ended[0] == LOAD_TEST:
            runs = ended_runs(procedure.load_test, palette)
            self._draw_ended(canvas, runs, len(ended) - 1, palette)
        elif ended:
            change = next(c for c in snapshot.changes if c.id == ended[0])
            self._draw_result(canvas, change, len(ended) - 1, palette)

    def _draw_running(self, canvas: Canvas, runs: list[Run], palette: Palette) -> None:
        hint = self._stops()
        room = canvas.width - len(hint)
        if room < 40:
            canvas.runs(0, 0, runs)
            return
        canvas.runs(0, 0, runs, room)
        canvas.text(room, 0, hint, palette.dim)

    def _stops(self) -> str:
        return f"  {self.stop_key} stops"

    def _draw_flight(
        self, canvas: Canvas, change: ChangeView, snapshot: Snapshot, palette: Palette
    ) -> None:
        """A change that is being carried out, or waits; one that waits says how to withdraw it."""
        runs = self._flight(change, snapshot, palette)
        key = self.keys.get("withdraw", "")
        hint = f"  {key} withdraws it" if find_waiting((change,)) is not None and key else ""
        if canvas.width - len(hint) < 40:
            hint = ""
        canvas.runs(0, 0, runs, canvas.width - len(hint))
        canvas.right(0, hint, palette.key)

    def _flight(self, change: ChangeView, snapshot: Snapshot, palette: Palette) -> list[Run]:
        """No spinner: seconds that count up say the same at a tenth of the bytes."""
        if change.waiting_since is not None:
            clock = format_clock(change.waiting_since)
            since = f"◐ WAITING FOR {change.waits_for.upper()} since {clock}: "
            return [(since, palette.watch), (sanitize(change.title, 80), palette.strong)]
        running_s = max(0.0, (self.now or snapshot.as_of) - change.asked_at)
        return [
            ("▸ IN FLIGHT ", palette.strong),
            (_AUTOMATIC if change.is_automatic else "", palette.roll_back),
            (sanitize(change.title, 80), palette.strong),
            (f"  {sanitize(change.step, 60)}" if change.step else "", palette.text),
            (f"  {format_age(running_s)}", palette.dim),
            (f"  by {sanitize(change.author, 40)}", palette.dim),
        ]

    def _draw_result(self, canvas: Canvas, change: ChangeView, more: int, palette: Palette) -> None:
        outcome = change.outcome
        if outcome is None:
            return
        runs: list[Run] = [
            *palette.marked(f"{_WORDS[outcome.state]} ", outcome_style(outcome.state, palette)),
            (_AUTOMATIC if change.is_automatic else "", palette.roll_back),
            (sanitize(change.title, 80), palette.strong),
            (f" {format_clock(outcome.at)}", palette.dim),
        ]
        newer = "" if outcome.state == "unknown" else find_newer(change, self.snapshot)
        if newer:
            # Its words are of a split that is no more: folded to what it was, and what came since.
            runs.append((f"  since then: {newer}", palette.text))
            self._draw_ended(canvas, runs, more, palette)
            return
        runs += self._verified(change, palette)
        runs.append((f"  {sanitize(outcome.message, 300)}", palette.text))
        remedy = sanitize(outcome.remedy, 300)
        if remedy and canvas.height >= 2:
            canvas.text(2, 1, remedy, palette.text)
        elif remedy:
            runs.append((f" {remedy}", palette.text))
        self._draw_ended(canvas, runs, more, palette)

    def _verified(self, change: ChangeView, palette: Palette) -> list[Run]:
        """What a verification that was passed says of its change."""
        seen = self.procedure.verification.result
        if seen is None or seen.change != change.id or seen.verdict != "passed":
            return []
        split = "" if seen.split is None else f", split {format_ratio(seen.split.share)}"
        return [("  ✓ ", palette.ok), (f"verified: health ok{split}", palette.text)]

    def _draw_ended(self, canvas: Canvas, runs: list[Run], more: int, palette: Palette) -> None:
        """A result in the first row, with the key that dismisses it."""
        hint = f"  {self.acknowledge_key} dismisses it" + (f" ({more} more)" if more else "")
        room = canvas.width - len(hint)
        if room < 40:
            hint, room = "", canvas.width
        canvas.runs(0, 0, runs, room)
        if hint:
            canvas.right(0, hint, palette.dim)


def find_newer(change: ChangeView, snapshot: Snapshot | None) -> str:
    """What moved the split after a change had ended, with its time; "" for nothing.

    A newer change of this host, or the record that somebody else has written since.
    """
    if snapshot is None or change.outcome is None:
        return ""
    ended_at = change.outcome.at
    later = [
        (c.outcome.at, c.title)
        for c in snapshot.changes
        if c.id != change.id
        and c.kind in _MOVES
        and c.outcome is not None
        and c.outcome.state == "done"
        and c.outcome.at > ended_at
    ]
    record, own = snapshot.traffic.record, {c.id for c in snapshot.changes}
    if record is not None and record.change not in own and record.written_at > ended_at:
        later.append((record.written_at, format_history_entry(history_entry_of(record))))
    if not later:
        return ""
    at, title = max(later)
    return f"{sanitize(title, 120)} {format_clock(at)}"


def outcome_style(state: OutcomeState, palette: Palette) -> Style:
    """The severity of an outcome: what is unknown is "no data", not a failure and not a success."""
    return {
        "done": palette.ok,
        "failed": palette.roll_back,
        "refused": palette.watch,
        "unknown": palette.no_data,
        "not_begun": palette.watch,
        "abandoned": palette.watch,
    }[state]


def progress_runs(progress: VerifyProgress, palette: Palette, room: int) -> list[Run]:
    """How far it is: a bar that moves only when a request has ended. Where both sides' names have
    no room they are shortened, before one of them is cut.
    """
    if progress.step == "health":
        return [
            ("▸ VERIFYING ", palette.strong),
            ("asking both sides for their health", palette.text),
        ]
    fraction = progress.done / progress.total if progress.total else 0.0
    runs: list[Run] = [("▸ VERIFYING ", palette.strong)]
    runs += bar_runs(_BAR, fraction, palette.text, palette.masked)
    runs += [
        (
            f" {format_count(progress.done)} of {format_count(progress.total)} requests",
            palette.text,
        ),
    ]
    legacy, canary = format_count(progress.legacy), format_count(progress.canary)
    failed = f"  {format_count(progress.failed)} unanswered" if progress.failed else ""
    whole = f"  legacy {legacy}  canary {canary}{failed}"
    fits = width_of(runs) + len(whole) <= room
    runs += [
        (f"  {'legacy' if fits else 'L'} {legacy}", palette.legacy),
        (f"  {'canary' if fits else 'C'} {canary}", palette.canary),
    ]
    if failed:
        runs.append((failed, palette.roll_back))
    return runs


def verdict_style(verdict: VerificationVerdict, palette: Palette) -> Style:
    """As loud as the outcome of a change."""
    styles = {"passed": palette.ok, "not_passed": palette.roll_back, "unverified": palette.no_data}
    return styles[verdict]


def result_runs(view: VerificationView, palette: Palette) -> list[Run]:
    """A result in one line: the verdict, and why or the measured split."""
    result = view.result
    if result is None:
        return []
    style = verdict_style(result.verdict, palette)
    head = palette.marked(f"{VERDICT_LINES[result.verdict]} ", style)
    if result.verdict == "passed":
        return [*head, (_format_passed(result), palette.text)]
    return [*head, (f" {sanitize(result.reason, 500)}", palette.strong)]


def _format_passed(result: Verification) -> str:
    split = result.split
    if split is None or split.share is None or split.low is None or split.high is None:
        return " health ok"
    span = f"{split.low * 100:.1f}–{split.high * 100:.1f} %"
    return (
        f" health ok, split {format_ratio(split.share)} (99 %: {span}) of {split.attributed},"
        f" intended {split.wanted_percent} %"
    )


def running_runs(view: LoadTestView, palette: Palette) -> list[Run]:
    """The running load test in one line; the bar moves with its own time."""
    seen, settings = view.progress, view.settings
    head: list[Run] = [("▸ LOAD TEST ", palette.strong)]
    if view.state == "stopping":
        return [*head, ("is being stopped …", palette.text)]
    if seen is None or settings is None:
        return [*head, ("beginning …", palette.text)]
    fraction = seen.elapsed_s / seen.duration_s if seen.duration_s else 0.0
    head += bar_runs(_BAR, fraction, palette.text, palette.masked)
    head += [
        (f" {format_duration(seen.elapsed_s)} of {format_duration(seen.duration_s)}", palette.text),
        (f"  {format_count(seen.users)} users", palette.text),
        (f"  {load_rate(seen.requests_per_s)} requests/s", palette.text),
    ]
    if seen.busy:
        head.append(("  ! this machine is near its limit", palette.watch))
    return head


def ended_runs(view: LoadTestView, palette: Palette) -> list[Run]:
    """How the last load test ended, in one line: on what it PASSED, or why it FAILED."""
    summary = view.summary
    if summary is None:
        return []
    passed = summary.status == "PASSED"
    style = palette.ok if passed else palette.roll_back
    head = palette.marked(f"{'✓' if passed else '✗'} LOAD TEST {summary.status}", style)
    if not passed:
        return [*head, (f"  {sanitize('; '.join(summary.reasons), 400)}", palette.strong)]
    canary = summary.figures.canary
    said = (
        f"canary p95 {format_milliseconds(canary.p95_ms)}, error {format_ratio(canary.error_ratio)}"
    )
    return [*head, (f"  {format_count(summary.figures.requests)} requests; {said}", palette.text)]


def load_rate(value: float | None) -> str:
    """Small rates keep their figures: on the embedded cloud they are a part of what is made."""
    return f"{value:.2f}" if value is not None and value < 10 else format_rate(value)
