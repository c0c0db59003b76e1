"""The report's first words, its colours, its p-values, and its tables on a phone and on paper."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.export.report import ReportFacts, StageSpan, to_markdown
from canary.rollout.export.report_content import build_report
from canary.rollout.export.report_html import DARK, LIGHT, escape_html, to_html
from canary.rollout.export.report_statistics import compare_minutes, format_p
from canary.rollout.export.report_verdict import find_verdict
from canary.rollout.snapshot.state import find_state
from tests.rollout.export.test_report import BEGAN, HOSTILE, NOTE, facts, proven_evidence
from tests.widgets import scenes
from tests.widgets.scenes import NOW, PLAN
from themes import PALETTES


def moved(stage: int, percent: int, why: str = "") -> ReportFacts:
    """The visit of stage 2 is over: then the move to that stage."""
    move = HistoryEntry(NOW - 60, "promote", percent, stage, "oncall", "b2", 10, 2, why, "c9")
    return facts(span=StageSpan(2, BEGAN, NOW - 60), gates=(), history=(move,))


def pages(chosen: ReportFacts) -> tuple[str, str]:
    rows = compare_minutes(chosen.legacy, chosen.canary)
    built = build_report(PLAN, chosen, rows, NOTE)
    return to_markdown(built), to_html(built)


@pytest.mark.parametrize(
    ("scene", "word"),
    [
        (scenes.snapshot, "✓ HEALTHY"),
        (scenes.spiking, "✗ ROLL BACK ALL"),
        (scenes.silent, "✗ UNKNOWN OUTCOME"),
    ],
)
def test_the_first_words_are_those_of_the_console(scene, word) -> None:
    state = find_state(scene(), PLAN)
    markdown, html = pages(facts(state=state))
    assert markdown.split("\n")[2:5] == ["## Verdict", "", f"**{state.glyph} {state.word}**"]
    assert f"{state.glyph} {state.word}" == word
    assert html.index(state.word) < html.index("<table")
    assert f'class="verdict {state.tone}"' in html


@pytest.mark.parametrize(
    ("chosen", "glyph", "word", "said"),
    [
        (
            moved(3, 25),
            "✓",
            "PROMOTED",
            "To stage 3, 25 % Canary, at 2026-03-01 14:22:00Z by o",
        ),
        (moved(1, 5, "errors"), "✗", "ROLLED BACK", "To stage 1, 5 % Canary"),
        (moved(0, 0), "✗", "ROLLED BACK", "To all on Legacy, 0 % Canary"),
        (facts(span=StageSpan(2, BEGAN, NOW - 60)), "?", "LEFT", "where to is not known"),
        (facts(), "?", "NOT KNOWN", "The state is not known."),
    ],
)
def test_a_visit_that_is_over_says_how_it_ended(
    chosen: ReportFacts, glyph: str, word: str, said: str
) -> None:
    verdict = find_verdict(chosen)
    assert (verdict.glyph, verdict.word) == (glyph, word)
    assert said in verdict.lines[0]


def test_what_was_proven_stands_beside_the_verdict() -> None:
    verdict = find_verdict(msgspec.structs.replace(moved(3, 25), evidence=proven_evidence()))
    assert verdict.lines[1].startswith("Proven worse: 5xx, at ")


def test_outside_text_in_the_verdict_is_no_markup() -> None:
    markdown, html = pages(moved(1, 5, HOSTILE))
    assert "<script" not in html
    assert "\x1b" not in markdown + html
    assert r"\[x\](javascript" in markdown


@pytest.mark.parametrize(("colors", "theme"), [(LIGHT, "light"), (DARK, "dark")])
def test_the_colours_are_those_of_the_console(colors: dict[str, str], theme: str) -> None:
    palette = PALETTES[theme]
    for role, style in (
        ("legacy", palette.legacy),
        ("canary", palette.canary),
        ("ok", palette.ok),
        ("alarm", palette.alarm),
        ("unknown", palette.no_data),
    ):
        assert style.color is not None
        assert colors[role] == style.color.name


@given(st.floats(0, 1))
def test_no_p_value_is_nothing_and_none_has_an_exponent(value: float) -> None:
    said = format_p(value)
    assert "e" not in said
    assert float(said.lstrip("<> ")) > 0
    assert said not in {"1", "0"}


class Cells(HTMLParser):
    """The tables of a page: is it cards, the names in its head, and the labels of each row."""

    def __init__(self) -> None:
        super().__init__()
        self.tables: list[tuple[str, list[str], list[list[str]]]] = []
        self.in_head = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        if tag == "table":
            self.tables.append((known.get("class") or "", [], []))
        elif tag == "tr" and self.tables:
            self.tables[-1][2].append([])
        elif tag == "td":
            self.tables[-1][2][-1].append(known.get("data-label") or "")
        self.in_head = tag == "th"

    def handle_data(self, data: str) -> None:
        if self.in_head:
            self.tables[-1][1].append(data)


def test_every_wide_table_is_cards_on_a_phone_that_name_each_value() -> None:
    _, html = pages(facts(evidence=proven_evidence()))
    parser = Cells()
    parser.feed(html)
    tables = [t for t in parser.tables if t[0] != "bars"]
    wide = [t for t in tables if max(map(len, t[2])) >= 4]
    assert len(wide) >= 4
    for kind, head, rows in wide:
        assert kind == "cards"
        for labels in filter(None, rows):
            assert [label for label in labels if label] == [h for h in head if h]


def test_a_page_has_no_fixed_width_that_a_phone_or_paper_has_not() -> None:
    _, html = pages(facts())
    css = html.split("<style>")[1].split("</style>")[0]
    phone = css.split("@media (max-width: 40rem)")[1].split("@media print")[0]
    paper = css.split("@media print")[1]
    assert ".cards td::before { content: attr(data-label)" in phone
    assert "td:first-child { white-space: normal; }" in phone
    assert "td:first-child { white-space: normal; }" in paper
    assert "table-header-group" in paper
    assert not re.search(r"width: \d{3,}px", css)


def test_a_glyph_in_a_cell_has_its_colour() -> None:
    _, html = pages(facts(gates=scenes.GATES))
    assert '<span class="ok">✓</span> met' in html
    assert '<span class="dim">◌</span> waiting' in html


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12 400 requests", "12\u202f400 requests"),
        ("1 234 567", "1\u202f234\u202f567"),
        ("stage 2, 10 % of 45", "stage 2, 10 % of 45"),
        ("at 2026-03-01 14:22:00Z", "at 2026-03-01 14:22:00Z"),
        ("3 h 1200", "3 h 1200"),
    ],
)
def test_a_number_is_not_broken_at_its_thousands(text: str, said: str) -> None:
    assert escape_html(text) == said
