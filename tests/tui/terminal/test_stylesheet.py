"""Styles are read once in a process, for each set of variables."""

from __future__ import annotations

import pytest
from textual.css import stylesheet
from textual.css.stylesheet import Stylesheet

from tui.terminal.stylesheet import KeptStylesheet

STYLES = "Static { background: $ground; }"


def made(ground: str) -> KeptStylesheet:
    sheet = KeptStylesheet()
    sheet.set_variables({"ground": ground})
    sheet.add_source(STYLES)
    return sheet


def ground(sheet: Stylesheet) -> str:
    (rule,) = sheet.rules
    return rule.styles.background.hex


def test_what_one_has_read_the_next_need_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    first = ground(made("#102030"))

    def never(*_: object, **__: object) -> object:
        raise AssertionError("it was read a second time")

    monkeypatch.setattr(stylesheet, "parse", never)
    assert ground(made("#102030")) == first == "#102030"
    with pytest.raises(stylesheet.StylesheetError):
        ground(made("#a0b0c0"))


def test_other_variables_are_other_rules_and_leave_those_of_before() -> None:
    sheet, other = made("#112233"), made("#112233")
    assert ground(sheet) == "#112233"
    sheet.set_variables({"ground": "#445566"})
    sheet.reparse()
    assert ground(sheet) == "#445566"
    assert ground(other) == "#112233"
    assert ground(made("#445566")) == "#445566"
