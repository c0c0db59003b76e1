"""Numbers as people type them: what is none, or not within the bounds, is told with what is."""

from __future__ import annotations

import click
import pytest

from canary.cli.options import Number, WholeNumber
from tests.cli.conftest import Command


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("3650", 3650), (" 7 ", 7)])
def test_a_whole_number_is_one(text: str, number: int) -> None:
    assert WholeNumber(1, 3650).convert(text, None, None) == number


@pytest.mark.parametrize("text", ["", "x", "1.5", "0", "3651", "-1", "nan", "1e3"])
def test_what_is_no_whole_number_within_the_bounds_is_told_with_them(text: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        WholeNumber(1, 3650).convert(text, None, None)
    assert refused.value.message == f'"{text}" is not a whole number from 1 to 3650'


def test_without_an_upper_bound_the_lower_one_is_told() -> None:
    with pytest.raises(click.BadParameter, match='"-1" is not a whole number of 0 or more'):
        WholeNumber(0).convert("-1", None, None)


@pytest.mark.parametrize(("text", "number"), [("0.1", 0.1), ("3600", 3600.0), ("1e2", 100.0)])
def test_a_number_may_have_a_fraction(text: str, number: float) -> None:
    assert Number(0.1, 3600).convert(text, None, None) == number


@pytest.mark.parametrize("text", ["", "x", "0.09", "3600.1", "nan", "inf", "-inf"])
def test_what_is_no_number_within_the_bounds_is_told_with_them(text: str) -> None:
    with pytest.raises(click.BadParameter) as refused:
        Number(0.1, 3600).convert(text, None, None)
    assert refused.value.message == f'"{text}" is not a number from 0.1 to 3600'


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (("demo", "--speed", "nan"), '"nan" is not a number from 0.1 to 3600'),
        (("log", "-n", "0"), '"0" is not a whole number from 1 to 10000'),
        (("trust", "port", "x"), '"x" is not a whole number from 1 to 65535'),
    ],
)
def test_a_command_ends_with_2_and_says_what_is_expected(
    command: Command, typed: tuple[str, ...], said: str
) -> None:
    ended = command(*typed)
    assert (ended.code, said in ended.err) == (2, True)


def test_no_option_has_a_range_in_clicks_words(command: Command) -> None:
    assert "RANGE" not in command("simulate", "--help").out
