"""The rows above the keys where the console and the person talk.

They hold the confirm strip, which is always laid out there; while nothing is asked, they show what
was last said: a note on the last key, what is wrong, and the newest events. One area for both, so
that opening the strip repaints these rows and lays out nothing.
"""

from __future__ import annotations

import textwrap
from typing import Final

from rich.style import Style
from textual.geometry import Size

from canary.rollout.snapshot.served import is_unadoptable
from canary.rollout.snapshot.snapshot import (
    ChangeView,
    Event,
    OperatorSession,
    Snapshot,
    find_waiting,
)
from canary.rollout.text import (
    format_age,
    format_clock,
    format_timestamp,
    is_of_another_day,
    sanitize,
)
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from themes import Palette
from widgets.bars.confirm_strip import ConfirmStrip
from widgets.bars.header import data_age_s
from widgets.panels.event_log import event_mark, mark_style
from widgets.plots.canvas import CUT, Canvas, Run
from widgets.plots.cells import bound
from widgets.plots.wrapping import INDENT, wrap_runs

BAR = "▌"
"""Stands at the left of an open question, in the colour of a notice or of its death."""

_UNKNOWN_WAYS: Final = (
    ("look_up", "check status"),
    ("resume", "resume"),
    ("abandon", "abandon"),
    ("recovery", "show"),
)

_KEPT_ABOVE: Final = 6
_KEPT_ABOVE_LOW: Final = 4
"""Rows that a question leaves above it, for the state at least; in a low terminal (`_LOW`)."""
_LOW: Final = 18
_KEPT_WITH_PAGE: Final = 18
"""Where a page stands above it, which it may be about: the question scrolls sooner."""

NOTE_ROWS = 5
"""At most; one row stays for what must be acted on."""


class TalkStrip(ConfirmStrip, can_focus=False):
    """The confirm strip, with the last words while it is closed.

    The screen hands it the keys while a question is open. It does not take the focus: Textual
    restyles and repaints every widget on that, which was measured at 18 kB for one key.

    `note` answers the last key, `tip` says to a newcomer what to try, `error` is what the engine
    could not do, `waiting` is shown until the first snapshot. `with_events` is off where the events
    have a panel of their own beside it.
    The drift line names the keys that deal with it; only one of the plan's `shares` is adopted.
    """

    snapshot: bound[Snapshot | None] = bound(None)
    note: bound[str] = bound("")
    error: bound[str] = bound("")
    waiting: bound[str] = bound("")
    tip: bound[str] = bound("")
    with_events: bound[bool] = bound(True)
    procedure: bound[JobsView] = bound(NOTHING_RUN)
    keys: bound[dict[str, str]] = bound({})
    drift_keys: bound[tuple[str, str]] = bound(("a", "u"))
    shares: bound[frozenset[int]] = bound(frozenset(range(101)))
    now: bound[float] = bound(0.0)

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id, classes=classes)
        self._wanted = 0
        """So many rows the open question had at the last layout."""
        self._noted = 0
        """So many rows the last note had; they stay while a question is open, or all moves up."""
        self._now = 0.0

    def validate_now(self, now: float) -> float:
        """Only an open question and a rollback that waits say an age; without either the second is
        kept, and nothing is drawn for it.
        """
        self._now = now
        snapshot = self.snapshot
        waits = snapshot is not None and find_waiting(snapshot.changes) is not None
        return now if waits or self.proposal is not None else self.now

    def words_of_age(self) -> str:
        """The newest data's age now, where the question says one: it grows while it stands open."""
        proposal, snapshot = self.proposal, self.snapshot
        if proposal is None or snapshot is None or not proposal.data_age:
            return ""
        age_s = data_age_s(snapshot, self._now or snapshot.as_of)
        return "no data" if age_s is None else f"on data {format_age(age_s)} old"

    def get_content_height(self, container: Size, viewport: Size, width: int) -> int:  # noqa: ARG002
        """What the open question needs; the stylesheet says how many rows there are at least."""
        self._wanted = self._rows_wanted(width)
        return self._wanted

    def _rows_wanted(self, width: int) -> int:
        height = self.app.size.height
        kept = _KEPT_ABOVE if height >= _LOW else _KEPT_ABOVE_LOW
        if self.screen.has_class("-zoomed"):
            kept = _KEPT_WITH_PAGE
        return min(self.rows_needed(width), max(4, height - kept))

    def redraw(self) -> None:
        """Draw anew; where the question needs other rows than it has, lay the screen out anew."""
        width = self.size.width
        if self.is_mounted and width:
            before, self._wanted = self._wanted, self._rows_wanted(width)
            if before != self._wanted and max(before, self._wanted) > self._least_rows():
                self.refresh(layout=True)
        super().redraw()

    def _least_rows(self) -> int:
        least = self.styles.min_height
        return 0 if least is None else int(least.value)

    def draw(self, canvas: Canvas, palette: Palette) -> None:
        """The last words; below them the question, when there is one. It takes the lowest rows, and
        leaves the others as they are: each cell that changes is sent.
        """
        asked = min(canvas.height, self.rows_needed(canvas.width)) if self.proposal else 0
        self._draw_words(canvas, canvas.height - asked, palette)
        if asked:
            question = Canvas(canvas.width, asked)
            super().draw(question, palette)
            # Beside the heading only: beside all rows it takes the strip past 500 bytes.
            question.put(0, 0, BAR, palette.alarm if self.death else palette.strong)
            canvas.chars[-asked:], canvas.styles[-asked:] = question.chars, question.styles

    def _draw_words(self, canvas: Canvas, height: int, palette: Palette) -> None:
        """What was last said, in the first `height` rows."""
        rows = [part for row in self._rows(palette) for part in wrap_runs([row], canvas.width - 1)]
        for y, row in enumerate(rows[:height]):
            is_cut = y == height - 1 and len(rows) > height
            is_cut = is_cut and rows[y + 1][:1] != [] and rows[y + 1][0][0] == INDENT
            canvas.runs(1, y, [*row, (" " + CUT, palette.dim)] if is_cut else row, canvas.width - 1)

    def _rows(self, palette: Palette) -> list[list[Run]]:
        rows: list[list[Run]] = self._note(palette) if self.note else []
        is_asked = self.proposal is not None
        self._noted = max(self._noted, len(rows)) if is_asked else len(rows)
        if is_asked and self._noted:
            rows += [[] for _ in range(self._noted - len(rows))]
        elif self.tip and not self.note:
            tip = sanitize(self.tip, 200)
            rows.append([("▸ ", palette.strong), (tip, palette.text), ("   Esc", palette.key)])
            rows[-1].append((" dismisses", palette.dim))
        if self.error:
            rows.append(_line("!", palette.watch, sanitize(self.error, 400), palette.text))
        snapshot = self.snapshot
        if snapshot is None:
            rows.append([(self.waiting, palette.dim)])
            return rows
        rows += alarm_rows(snapshot, self.keys, palette)
        rows += waiting_rows(snapshot, self._now or snapshot.as_of, palette)
        rows += [
            _line(
                "!",
                palette.watch,
                f"{sanitize(s.name)}: {sanitize(s.message, 300)}",
                palette.text,
            )
            for s in snapshot.sources
            if s.state == "failing"
        ]
        rows += self._result(snapshot, palette, len(rows))
        rows += self._verification(palette, len(rows))
        if snapshot.traffic.drift is not None:
            rows.append(self._drift(snapshot, palette))
        if self.with_events:
            rows += [_event(e, snapshot.as_of, palette) for e in snapshot.events[:8]]
        return rows

    def _note(self, palette: Palette) -> list[list[Run]]:
        """The answer to the last key, whole where there is room: its end may be what to type."""
        room = max(20, self.size.width - 4), max(1, min(NOTE_ROWS, self.size.height - 1))
        text = sanitize(self.note, 700)
        parts = textwrap.wrap(text, room[0], max_lines=room[1], placeholder=" …")
        heads = ("› ", *("  ",) * len(parts))
        return [
            [(head, palette.key), (part, palette.strong)]
            for head, part in zip(heads, parts, strict=False)
        ]

    def _result(self, snapshot: Snapshot, palette: Palette, above: int) -> list[list[Run]]:
        """The newest result that nobody dismissed, when it is not what was wished.

        It takes all rows below the `above` that are taken.
        """
        open_ones = (c for c in snapshot.changes if c.outcome is not None and not c.acknowledged)
        room = max(20, self.size.width - 4), max(1, self.size.height - above)
        return result_rows(next(open_ones, None), room, self.keys, palette)

    def _verification(self, palette: Palette, above: int) -> list[list[Run]]:
        """What a verification found wrong, as whole as there is room, and the ways on."""
        result = self.procedure.verification.waiting
        if result is None or result.verdict == "passed":
            return []
        stays = " The change stays in effect." if result.change else ""
        room, rows = max(20, self.size.width - 4), max(1, self.size.height - above - 1)
        text = f"{sanitize(result.reason, 500).rstrip('.')}.{stays}"
        wrapped = textwrap.wrap(text, room, max_lines=rows, placeholder=" …")
        ways = (
            ("verify", "verify again"),
            ("verification", "show all"),
            ("step_back", "one stage back"),
            ("rollback_all", "roll back all"),
        )
        last: list[Run] = [("  ", palette.text)]
        for action, said in ways:
            last += [(self.keys.get(action, ""), palette.key), (f" {said}   ", palette.dim)]
        said_rows = [[("  ", palette.text), (part, palette.strong)] for part in wrapped]
        return [*said_rows, last]

    def _drift(self, snapshot: Snapshot, palette: Palette) -> list[Run]:
        drift = snapshot.traffic.drift
        assert drift is not None  # noqa: S101 – asked by the caller
        # The time first: names of service accounts are long, and the end of the line may be cut.
        at = f"at {format_clock(drift.at)} " if drift.at is not None else ""
        by = f"by {sanitize(drift.by, 60)}" if drift.by else ""
        adopt, revert = self.drift_keys
        split = f"set to {drift.actual_percent} %, recorded {drift.recorded_percent} %"
        adopts: list[Run] = [(adopt, palette.key), (" adopt  ", palette.dim)]
        if drift.is_plans:
            split = f"recorded {drift.recorded_percent} %, the plan has {drift.plan_has}"
            return [("≠ ", palette.watch), (f"drift: {split}   ", palette.strong), *adopts]
        if is_unadoptable(snapshot.traffic):
            adopts = [("what is set does not serve   ", palette.dim)]
        elif drift.actual_percent not in self.shares:
            adopts = [("no stage has that   ", palette.dim)]
        return [
            ("≠ ", palette.watch),
            (f"drift: {split}   ", palette.strong),
            *adopts,
            (revert, palette.key),
            (" revert   ", palette.dim),
            (f"{at}{by}".strip(), palette.text),
        ]


def _line(glyph: str, glyph_style: Style, text: str, style: Style) -> list[Run]:
    return [(f"{glyph} ", glyph_style), (text, style)]


def _event(event: Event, now: float, palette: Palette) -> list[Run]:
    """Glyph, time, who, what; the date instead of the seconds where it is of another day."""
    old = is_of_another_day(event.at, now)
    at = format_timestamp(event.at)[5:16] if old else format_clock(event.at)
    by = f" {sanitize(event.by, 32)}" if event.by else ""
    glyph, text = event_mark(event)
    return [
        (f"{glyph} ", mark_style(event, palette)),
        (f"{at:<11}", palette.dim),
        (by, palette.dim),
        (f" {text}", palette.text),
    ]


def alarm_rows(snapshot: Snapshot, keys: dict[str, str], palette: Palette) -> list[list[Run]]:
    """Roll back all is not possible: that, and what to do, in two rows; none otherwise."""
    readiness = snapshot.readiness
    if readiness is None or readiness.state != "impossible":
        return []
    worst = readiness.wrong[0]
    key = keys.get("readiness", "")
    more = f"  ({key} shows all {len(readiness.wrong)})" if len(readiness.wrong) > 1 and key else ""
    head: list[Run] = [
        (" ✗ ROLL BACK ALL IS NOT POSSIBLE NOW ", palette.roll_back),
        (f" {sanitize(worst.said, 300)}", palette.strong),
    ]
    return [head, [("  → ", palette.key), (f"{sanitize(worst.remedy)}{more}", palette.strong)]]


def waiting_rows(snapshot: Snapshot, now: float, palette: Palette) -> list[list[Run]]:
    """A rollback that waits for Cloud Run: how long it has, and what comes of it.

    One that was asked for in a shell of this host when Cloud Run was away already is in no journal.
    """
    change = find_waiting(snapshot.changes)
    if change is None or change.waiting_since is None:
        return [
            _waiting_session(s, palette) for s in snapshot.presence.others if s.kind == "rollback"
        ]
    waited = format_age(now - change.waiting_since)
    return [
        [
            ("◐ ", palette.watch),
            (f"nothing has gone out yet ({waited}):", palette.strong),
            (" it goes out the moment Cloud Run answers", palette.text),
        ]
    ]


def _waiting_session(session: OperatorSession, palette: Palette) -> list[Run]:
    who = sanitize(session.user, 20) or "somebody"
    said = f"{who} waits in a shell to roll back (process {session.pid}):"
    return [
        ("◐ ", palette.watch),
        (said, palette.strong),
        (" goes out when Cloud Run answers", palette.text),
    ]


def ways_of_unknown(keys: dict[str, str], palette: Palette) -> list[Run]:
    """The keys that lead on from a change whose end is not known."""
    row: list[Run] = [("  ", palette.text)]
    for action, said in _UNKNOWN_WAYS:
        row += [(keys.get(action, ""), palette.key), (f" {said}   ", palette.dim)]
    return row


def result_rows(
    change: ChangeView | None, room: tuple[int, int], keys: dict[str, str], palette: Palette
) -> list[list[Run]]:
    """A result that is not what was wished, in `room` (columns, rows); none for one that is.

    Where the rows do not suffice what to do stays whole, and "…" says that there is more of what
    happened.
    """
    outcome = change.outcome if change is not None else None
    if outcome is None or outcome.state == "done":
        return []
    width, height = room
    ways = [ways_of_unknown(keys, palette)] if outcome.state == "unknown" else []
    remedy = textwrap.wrap(sanitize(outcome.remedy, 300), width)
    left = max(1, height - len(remedy) - len(ways))
    said = sanitize(outcome.message, 1000)
    told = textwrap.wrap(said, width, max_lines=left, placeholder=" …")
    return [[("  ", palette.text), (part, palette.strong)] for part in (*told, *remedy)] + ways
