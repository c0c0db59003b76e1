"""Values as text: what is not known is never a zero, and outside text is harmless."""

from __future__ import annotations

import math
import unicodedata
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.gates import (
    DATA_WORDS,
    GATE_GLYPHS,
    GATE_WORDS,
    NODE_WORDS,
    VERDICT_GLYPHS,
    VERDICT_WORDS,
    GateState,
    format_verdict,
)
from canary.rollout.decision.tree import DataState, NodeOutcome, Verdict
from canary.rollout.text import (
    format_age,
    format_clock,
    format_duration,
    format_iso_time,
    format_limit,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_timestamp,
    sanitize,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no data"),
        (math.nan, "no data"),
        (0.0, "0 %"),
        (0.00001, "< 0.01 %"),
        (0.003, "0.30 %"),
        (0.05, "5.00 %"),
        (0.0999, "9.99 %"),
        (0.09999, "10.0 %"),
        (0.987, "98.7 %"),
        (0.9996, "> 99.9 %"),
        (1.0, "100 %"),
    ],
)
def test_a_ratio_reads_as_percent(value: float | None, text: str) -> None:
    assert format_ratio(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(None, "no data"), (0, "0 %"), (10, "10 %"), (10.3, "10.3 %")]
)
def test_a_share_reads_as_percent(value: float | None, text: str) -> None:
    assert format_percent(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "no data"),
        (math.inf, "no data"),
        (0.0, "0.0 ms"),
        (4.24, "4.2 ms"),
        (9.96, "10 ms"),
        (640.4, "640 ms"),
        (999.4, "999 ms"),
        (999.6, "1.00 s"),
        (1240.0, "1.24 s"),
        (9996.0, "10.0 s"),
        (30_000.0, "30.0 s"),
        (240_000.0, "240 s"),
    ],
)
def test_a_latency_reads_in_ms_or_s(value: float | None, text: str) -> None:
    assert format_milliseconds(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "no data"),
        (-5, "0 s"),
        (59.9, "59 s"),
        (60, "1 m"),
        (3599, "59 m"),
        (3600, "1 h"),
        (61_920, "17 h 12 m"),
        (86_400, "24 h"),
        (72 * 3600, "72 h"),
        (100 * 3600, "4 d 4 h"),
    ],
)
def test_a_duration_reads_in_its_two_greatest_units(seconds: float | None, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "no data"), (74, "74 s"), (599, "599 s"), (600, "10 m")]
)
def test_an_age_reads_in_seconds_up_to_ten_minutes(seconds: float | None, text: str) -> None:
    assert format_age(seconds) == text


def test_times_read_in_utc() -> None:
    at = 1_772_373_802.9
    assert format_clock(at) == "14:03:22Z"
    assert format_timestamp(at) == "2026-03-01 14:03:22Z"
    assert format_iso_time(at) == "2026-03-01T14:03:22Z"


@pytest.mark.parametrize("at", [None, math.nan, math.inf, 1e20, -1e20])
def test_a_time_that_is_none_reads_as_no_data(at: float | None) -> None:
    assert format_clock(at) == format_timestamp(at) == "no data"
    assert format_iso_time(at) is None


@pytest.mark.parametrize(
    ("metric", "limit", "text"),
    [
        ("error_ratio", 0.015, "1.5 %"),
        ("success_ratio", 0.93, "93 %"),
        ("p95_ms", 18_000.0, "18 s"),
        ("p95_ms", 800.0, "800 ms"),
        ("confidence", 0.725, "0.725"),
        ("soak_hours", 24.0, "24 h"),
        ("ab_test", 0.1, "10 %"),
        ("watch", 3600.0, "1 h"),
        ("error_ratio", None, "no limit"),
    ],
)
def test_a_limit_is_as_short_as_it_is_exact(metric: str, limit: float | None, text: str) -> None:
    assert format_limit(metric, limit) == text


def test_every_verdict_state_and_outcome_has_its_words() -> None:
    assert set(VERDICT_WORDS) == set(VERDICT_GLYPHS) == set(get_args(Verdict))
    assert set(GATE_GLYPHS) == set(GATE_WORDS) == set(get_args(GateState))
    assert set(NODE_WORDS) == set(get_args(NodeOutcome))
    assert set(DATA_WORDS) == set(get_args(DataState))
    assert len(set(VERDICT_GLYPHS.values())) == len(VERDICT_GLYPHS)
    assert format_verdict("rollback_all") == "✗ ROLL BACK ALL"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("ion-api", "ion-api"),
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07after", "after"),
        ("\x1b]52;c;aGk=\x1b\\after", "after"),
        ("\x1b]0;never ended", ""),
        ("\x9b31mred", "red"),
        ("a\u202eb\u200dc\ufeffd", "abcd"),
        ("two\n lines\tand\r\nmore", "two lines and more"),
        ("\x00\x07\x08bell", "bell"),
        ("\ud800lone", "lone"),
        ("été 漢字", "été 漢字"),
    ],
)
def test_outside_text_loses_what_a_terminal_would_act_on(text: str, shown: str) -> None:
    assert sanitize(text) == shown


def test_outside_text_is_cut_with_a_mark() -> None:
    assert sanitize("abcdef", limit=4) == "abc…"
    assert sanitize("abcd", limit=4) == "abcd"
    assert len(sanitize("x" * 10_000_000)) == 200


@given(st.text(), st.integers(1, 80))
def test_no_control_character_gets_through_and_the_limit_holds(text: str, limit: int) -> None:
    shown = sanitize(text, limit)
    assert len(shown) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cf", "Cs") for c in shown)
    assert "\n" not in shown


@given(st.text())
def test_plain_text_is_left_as_it_is_the_second_time(text: str) -> None:
    once = sanitize(text)
    assert sanitize(once) == once
