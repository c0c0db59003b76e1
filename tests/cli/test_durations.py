"""Lengths of time as people type them."""

from __future__ import annotations

import click
import pytest

from canary.cli.options import Duration, show_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("90s", 90.0),
        ("30m", 1800.0),
        ("24h", 86_400.0),
        ("1h30m", 5400.0),
        ("1h 30m", 5400.0),
        ("7D", 604_800.0),
        ("0.5m", 30.0),
        ("1s", 1.0),
    ],
)
def test_a_length_of_time_is_seconds(text: str, seconds: float) -> None:
    assert Duration(1.0, 604_800.0).convert(text, None, None) == seconds


@pytest.mark.parametrize(
    "text", ["", "60", "m", "1x", "-5m", "1h30", "nan", "1e3s", "٣m", "8d", "0s"]
)
def test_what_is_none_is_refused(text: str) -> None:
    with pytest.raises(click.BadParameter):
        Duration(1.0, 604_800.0).convert(text, None, None)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(90.0, "90s"), (60.0, "1m"), (5400.0, "90m"), (86_400.0, "1d"), (1.5, "1.5s")],
)
def test_it_is_shown_as_one_would_type_it(seconds: float, text: str) -> None:
    assert show_duration(seconds) == text
