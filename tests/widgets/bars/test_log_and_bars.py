"""The event log, the outcome bar and the key bar: what is said, in which order, and what is cut."""

from __future__ import annotations

import msgspec
import pytest

from canary.engine.observe.event_log import Severity
from canary.rollout.change.change import Outcome, OutcomeState
from canary.rollout.snapshot.snapshot import ChangeView, Event, TrafficView
from canary.rollout.text import format_clock
from tests.rollout.build import record
from tests.widgets import scenes
from tests.widgets.scenes import NOW, snapshot
from tests.widgets.stage import frame, screen_text, shown
from themes import PALETTES
from widgets.bars.keys import KeyBar, KeyHint
from widgets.bars.outcome import OutcomeBar
from widgets.panels.event_log import EventLog, event_mark, event_runs


async def test_events_are_newest_first_and_filtered_in_any_case() -> None:
    log = EventLog()
    async with shown(log, (100, 6), snapshot=snapshot()) as pilot:
        assert "health ok" in screen_text(pilot).split("\n")[0]
        log.filter_text = "PROMOTED"
        await pilot.pause()
        rows = screen_text(pilot).rstrip().split("\n")
        assert "promoted 5 % → 10 %" in rows[0]
        assert "1 with “PROMOTED”" in rows[-1]


@pytest.mark.parametrize(
    ("ago_s", "said"),
    [(60.0, "15:59:00Z"), (15.9 * 3600, "00:06:00Z"), (16.1 * 3600, "03-31 23:54")],
)
def test_an_event_of_another_day_has_its_date(ago_s: float, said: str) -> None:
    as_of = 1_743_523_200.0  # 2025-04-01 16:00 UTC
    runs = event_runs(Event(as_of - ago_s, "info", "x"), as_of, PALETTES["dark"])
    assert runs[1][0].strip() == said


def test_the_last_hour_before_midnight_keeps_its_seconds() -> None:
    midnight = 1_743_465_600.0
    runs = event_runs(Event(midnight - 60, "info", "x"), midnight + 600, PALETTES["dark"])
    assert runs[1][0].strip() == "23:59:00Z"


async def test_a_scrolled_log_stays_where_it_is_when_events_arrive() -> None:
    old = tuple(Event(NOW - i, "info", f"event {i}") for i in range(50))
    log = EventLog()
    async with shown(log, (60, 6), snapshot=snapshot(events=old)) as pilot:
        log.move(10)
        await pilot.pause()
        assert "event 10" in screen_text(pilot).split("\n")[0]
        log.snapshot = snapshot(events=(Event(NOW + 1, "info", "new"), *old))
        await pilot.pause()
        assert "event 10" in screen_text(pilot).split("\n")[0]
        assert "↑ 11 newer" in screen_text(pilot)


async def test_the_log_counts_what_lies_below() -> None:
    many = tuple(Event(NOW - i, "info", f"event {i}") for i in range(50))
    text = await frame(EventLog(), (60, 6), snapshot=snapshot(events=many))
    assert "↓ 45 older" in text


async def test_a_change_in_flight_is_shown_with_its_step_and_author() -> None:
    assert await frame(OutcomeBar(), (110, 1), snapshot=scenes.spiking()) == (
        "▸ IN FLIGHT Roll back all  waiting for Cloud Run  9 s  by oncall@bastion-2"
    )


async def test_a_result_stays_until_it_is_acknowledged() -> None:
    shown_result = scenes.silent()
    assert "? OUTCOME UNKNOWN" in await frame(OutcomeBar(), (110, 1), snapshot=shown_result)
    seen = msgspec.structs.replace(shown_result.changes[0], acknowledged=True)
    put_away = msgspec.structs.replace(shown_result, changes=(seen,))
    assert (await frame(OutcomeBar(), (110, 1), snapshot=put_away)).strip() == ""


@pytest.mark.parametrize(
    ("severity", "text", "expected"),
    [
        ("critical", "✗ ROLL BACK: errors", ("✗", "ROLL BACK: errors")),
        ("warning", "? NO DATA: stale", ("?", "NO DATA: stale")),
        ("good", "done", ("✓", "done")),
        ("info", "✓", ("·", "✓")),
    ],
)
def test_an_event_has_one_glyph_its_own_where_it_brings_one(
    severity: Severity, text: str, expected: tuple[str, str]
) -> None:
    assert event_mark(Event(NOW, severity, text)) == expected


async def test_a_failure_says_what_to_do_on_the_second_row() -> None:
    failed = ChangeView(
        "c",
        "promote",
        "Promote to stage 3",
        "me",
        NOW,
        "",
        Outcome("failed", "The revision did not become ready.", NOW, 10, "Look at its log."),
    )
    rows = (await frame(OutcomeBar(), (100, 2), snapshot=snapshot(changes=(failed,)))).split("\n")
    assert rows[0].startswith(
        f"✗ FAILED Promote to stage 3 {format_clock(NOW)}  The revision did not become ready."
    )
    assert rows[1] == "  Look at its log."


def ended(change_id: str, title: str, state: OutcomeState, at: float) -> ChangeView:
    outcome = Outcome(state, f"words of {change_id}", at, 10, f"remedy of {change_id}")
    return ChangeView(change_id, "promote", title, "me", at - 60, "", outcome)


async def test_an_outcome_folds_when_something_newer_happened() -> None:
    failed = ended("c1", "Promote to stage 3", "failed", NOW - 600)
    done = ended("c2", "Promote to stage 4", "done", NOW - 60)
    text = await frame(OutcomeBar(), (120, 2), snapshot=snapshot(changes=(done, failed)))
    assert f"✗ FAILED Promote to stage 3 {format_clock(NOW - 600)}" in text
    assert f"since then: Promote to stage 4 {format_clock(NOW - 60)}" in text
    for words in ("words of c1", "remedy of c1", "words of c2", "remedy of c2"):
        assert words not in text


async def test_an_outcome_folds_when_somebody_elsewhere_moved_the_split_since() -> None:
    failed = ended("c1", "Promote to stage 3", "failed", NOW - 600)
    theirs = record(1, change="c9", move="step_back", by="eve", entered_at=NOW - 30)
    moment = snapshot(changes=(failed,), traffic=TrafficView(5, theirs))
    text = await frame(OutcomeBar(), (120, 2), snapshot=moment)
    assert "since then: " in text
    assert "eve" in text
    assert "words of c1" not in text


async def test_an_unknown_outcome_never_folds() -> None:
    unknown = ended("c1", "Promote to stage 3", "unknown", NOW - 600)
    done = ended("c2", "Promote to stage 4", "done", NOW - 60)
    text = await frame(OutcomeBar(), (120, 2), snapshot=snapshot(changes=(done, unknown)))
    assert "words of c1" in text
    assert "since then" not in text


async def test_keys_that_do_not_fit_are_cut_with_a_mark_and_the_vital_ones_stay() -> None:
    bar = KeyBar()
    hints = (
        KeyHint("p", "promote", enabled=False),
        KeyHint("r", "step back"),
        KeyHint("R", "roll back all", always=True),
        KeyHint("?", "help", always=True),
    )
    async with shown(bar, (34, 1), hints=hints) as pilot:
        text = screen_text(pilot)
        assert "R roll back all" in text
        assert "? help" in text
        assert text.endswith("…")


HINTS = (
    KeyHint("p", "promote"),
    KeyHint("r", "one stage"),
    KeyHint("R", "roll back all", always=True),
    KeyHint("s", "scale"),
    KeyHint("?", "help", always=True, leads=True),
    KeyHint(":", "command", always=True),
    KeyHint("q", "quit", always=True),
)


@pytest.mark.parametrize("width", range(34, 90))
async def test_at_every_size_the_commands_and_the_rest_of_the_keys_are_found(width: int) -> None:
    async with shown(KeyBar(), (width, 1), hints=HINTS) as pilot:
        text = screen_text(pilot)
    assert "R roll back all" in text
    assert "  :" in text
    assert "  q" in text
    assert text.endswith("more: ?") or "? help" in text
    assert len(text) <= width
