"""The report of a stage: what it says, that missing data is said as such, that text stays text."""

from __future__ import annotations

import re

import msgspec
import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.evidence.replay import replay_samples
from canary.rollout.evidence.view import EvidenceView, TailView, view_evidence
from canary.rollout.export.report import (
    ReportFacts,
    StageSpan,
    escape_markdown,
    find_span,
    merge_history,
    to_markdown,
)
from canary.rollout.export.report_content import build_report, find_gaps
from canary.rollout.export.report_html import to_html
from canary.rollout.export.report_statistics import MOST_BARS, compare_minutes, make_bars
from canary.rollout.measure.samples import Distribution
from canary.rollout.snapshot.snapshot import ChangeView, Event
from canary.rollout.text import format_milliseconds
from tests.widgets.scenes import GATES, NOW, PLAN, history

BEGAN = NOW - 10_800.0
NOTE = "No p-values: SciPy is not there."
HOSTILE = "<script>alert(1)</script> [x](javascript:y) `z` | \x1b[31mred\u202e"


def facts(**changes: object) -> ReportFacts:
    """Three hours of stage 2: Canary a little slower, one change, one event."""
    legacy = history(180, 2460)
    canary = history(180, 276, median_ms=300.0, errors=0.03)
    done = Outcome("done", "Split is 10 %.", BEGAN + 30, 10)
    change = ChangeView(
        "c1", "promote", "promote 5 % → 10 %", "oncall@b2", BEGAN, "", done
    )  # fmt: skip
    base = ReportFacts(
        span=StageSpan(2, BEGAN),
        percent=10,
        written_at=NOW,
        place="naeda-genesis/us-central1 (LOCAL CLOUD)",
        legacy_name="ion-api",
        canary_name="ion-api-canary",
        changes=(change,),
        events=(Event(NOW - 600, "warning", "error ratio beyond 2 %", "tree"),),
        legacy=legacy,
        canary=canary,
        gates=GATES,
    )
    return msgspec.structs.replace(base, **changes)


def markdown(chosen: ReportFacts | None = None) -> str:
    chosen = chosen or facts()
    rows = compare_minutes(chosen.legacy, chosen.canary)
    return to_markdown(build_report(PLAN, chosen, rows, NOTE))


def html(chosen: ReportFacts | None = None) -> str:
    chosen = chosen or facts()
    rows = compare_minutes(chosen.legacy, chosen.canary)
    return to_html(build_report(PLAN, chosen, rows, NOTE))


def section(text: str, title: str) -> str:
    return text.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def test_the_sections_are_those_of_a_record() -> None:
    titles = re.findall(r"^## (.*)$", markdown(), re.MULTILINE)
    assert titles == [
        "Verdict", "Gates", "Numbers of the whole stage", "Stage", "Evidence", "Shift",
        "Latency", "Confidence", "Changes", "Timeline", "Missing data",
    ]  # fmt: skip


def test_the_head_tells_stage_share_length_and_the_local_cloud() -> None:
    text = markdown()
    assert text.startswith("# ion-api-canary: stage 2, 10 % Canary\n")
    assert "| length | 3 h |" in text
    assert "| left | not yet |" in text
    assert "LOCAL CLOUD" in text


def test_both_sides_stand_beside_each_other() -> None:
    assert re.search(r"\| error ratio \| 0\.\d+ % \| [23]\.\d+ % \|", markdown())


def test_a_change_is_told_with_author_outcome_and_what_was_said() -> None:
    told = section(markdown(), "Changes")
    assert "promote 5 % → 10 %" in told
    assert r"oncall\@b2 | done | Split is 10 %." in told


def test_a_change_of_another_stage_is_left_out() -> None:
    late = Outcome("done", "x", BEGAN - 5, 5)
    change = ChangeView("c0", "promote", "promote 0 % → 5 %", "me", BEGAN - 60, "", late)
    assert "None is known" in section(markdown(facts(changes=(change,))), "Changes")


def test_a_move_of_another_host_is_told_from_the_record() -> None:
    entry = HistoryEntry(BEGAN + 5, "promote", 10, 2, "lead", "b1", 5, 1, "looks fine", "c9")
    told = section(markdown(facts(changes=(), history=(entry,))), "Changes")
    assert r"promote to stage 2, 10 % | lead\@b1 | recorded | looks fine" in told
    assert "Made from b1, whose journal is not on this host." in told
    assert "the gates and their samples" in told


def test_of_a_move_that_the_journal_has_nothing_is_missing() -> None:
    done = Outcome("done", "x", BEGAN + 5, 10)
    change = ChangeView("c9", "promote", "promote 5 % → 10 %", "me", BEGAN, "", done)
    entry = HistoryEntry(BEGAN + 5, "promote", 10, 2, "me", "b1", 5, 1, "", "c9")
    told = section(markdown(facts(changes=(change,), history=(entry,))), "Changes")
    assert "Made from" not in told


def test_events_of_the_stage_are_the_timeline() -> None:
    assert "warning | error ratio beyond 2 %" in section(markdown(), "Timeline")


def proven_evidence() -> EvidenceView:
    """Six per cent of errors against half a per cent, judged minute by minute."""
    bad = facts(canary=history(180, 276, errors=0.06), legacy=history(180, 2460, errors=0.005))
    state = replay_samples(bad.legacy, bad.canary, BEGAN, NOW, 0.1, PLAN.evidence)
    return view_evidence(state, PLAN.evidence, source="monitoring", tail=TailView(), reported=None)


def test_the_moment_of_a_proof_is_in_the_timeline_once() -> None:
    view = proven_evidence()
    text = "evidence: a regression of Canary is proven: 5xx"
    assert section(markdown(facts(evidence=view)), "Timeline").count(text) == 1
    told = Event(view.detected_at or 0.0, "critical", text)
    assert section(markdown(facts(evidence=view, events=(told,))), "Timeline").count(text) == 1


def test_the_bars_of_the_sides_differ_in_more_than_their_place() -> None:
    page = html()
    assert page.count('class="bar legacy"') == page.count('class="bar canary"') > 0


def test_many_events_are_cut_with_a_mark() -> None:
    events = tuple(Event(BEGAN + 1 + i, "info", f"event {i}") for i in range(250))
    told = section(markdown(facts(events=events)), "Timeline")
    assert "50 older events are left out." in told
    assert "event 249" in told


def test_a_shift_has_its_interval_and_says_why_there_is_no_p_value() -> None:
    told = section(markdown(), "Shift")
    assert re.search(r"\| p95 \| 180 / 180 \| \+\d+ ms \| \+\d+ ms … \+\d+ ms \| no data", told)
    assert "No p-values" in told


def test_without_evidence_it_is_no_data() -> None:
    assert "no data: nothing was compared." in section(markdown(), "Evidence")


def test_evidence_is_told_in_the_words_of_the_shell() -> None:
    chosen = facts()
    state = replay_samples(chosen.legacy, chosen.canary, BEGAN, NOW, 0.1, PLAN.evidence)
    view = view_evidence(
        state, PLAN.evidence, source="monitoring", tail=TailView(off="x"), reported=None
    )
    told = section(markdown(facts(evidence=view)), "Evidence")
    assert "| ✗ 5xx | proven worse" in told
    assert "measured 10.1 %" in told


def test_a_replay_begins_with_the_stage() -> None:
    chosen = facts()
    state = replay_samples(chosen.legacy, chosen.canary, NOW - 3_600, NOW, 0.1, PLAN.evidence)
    assert state.judged_s <= 3_600


def test_missing_data_is_said_as_such() -> None:
    chosen = facts()
    silent = tuple(s for s in chosen.canary if not NOW - 4_000 < s.end < NOW - 2_000)
    told = section(markdown(facts(canary=silent)), "Missing data")
    assert "Legacy: nothing is missing." in told
    assert re.search(r"Canary: 3[23] m without data, 18\.\d % of the stage\.", told)


def test_a_side_without_anything_is_no_data_everywhere() -> None:
    text = markdown(facts(canary=()))
    assert re.search(r"\| p95 \| \d+ ms \| no data \|", text)
    assert "Canary: no data." in section(text, "Latency")
    assert "3 h without data, 100 % of the stage" in text


def test_gaps_at_the_edges_shorter_than_a_period_are_none() -> None:
    samples = history(10, 100)
    assert find_gaps(samples, samples[0].start - 30, samples[-1].end + 30) == []


@pytest.mark.parametrize("field", ["place", "canary_name"])
def test_outside_text_is_no_markup_in_html(field: str) -> None:
    text = html(facts(**{field: HOSTILE}))
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_text_of_events_and_changes_is_escaped_in_html() -> None:
    change = ChangeView("c", "promote", HOSTILE, HOSTILE, BEGAN + 1)
    event = Event(NOW - 60, "info", HOSTILE, HOSTILE)
    entry = HistoryEntry(BEGAN + 2, "promote", 10, 2, HOSTILE, HOSTILE, why=HOSTILE, change="d")
    text = html(facts(changes=(change,), events=(event,), history=(entry,)))
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 6


def test_html_loads_and_runs_nothing() -> None:
    text = html()
    assert "default-src 'none'" in text
    assert "http://" not in text
    assert "https://" not in text


def test_html_has_a_bar_for_each_side_of_a_bucket() -> None:
    text = html()
    assert text.count("<td>Legacy</td>") == text.count("<td>Canary</td>") > 10


def test_outside_text_is_no_markup_in_markdown() -> None:
    assert escape_markdown("[x](y) `z` | <b> *i* # \\") == r"\[x\](y) \`z\` \| \<b\> \*i\* \# \\"


@pytest.mark.parametrize("text", ["https://evil.example", "www.evil.example", "a@evil.example"])
def test_an_address_is_no_link_in_markdown(text: str) -> None:
    assert "\\" in escape_markdown(text)


def test_a_row_of_markdown_keeps_its_cells_whatever_is_in_them() -> None:
    event = Event(NOW - 60, "info", "a | b | c", "x|y")
    row = next(r for r in markdown(facts(events=(event,))).splitlines() if "a \\| b" in r)
    assert len(re.findall(r"(?<!\\)\|", row)) == 5


def test_bars_are_few_and_hold_every_value() -> None:
    wide = Distribution(tuple(float(i) for i in range(1, 80)), (1,) * 80, 80)
    bars = make_bars(wide, None, format_milliseconds)
    assert len(bars) <= MOST_BARS
    assert sum(b.legacy or 0 for b in bars) == pytest.approx(1.0)
    assert all(b.canary is None for b in bars)


def test_bars_name_underflow_and_overflow() -> None:
    bars = make_bars(Distribution((10.0, 20.0), (1, 2, 3), 6), None, format_milliseconds)
    assert [b.label for b in bars] == ["< 10 ms", "10 ms – 20 ms", "≥ 20 ms"]


def test_the_last_visit_of_a_stage_is_meant() -> None:
    history = tuple(
        HistoryEntry(at, "m", 5, stage, change=str(at))
        for at, stage in ((10.0, 1), (20.0, 2), (30.0, 1), (40.0, 1), (50.0, 2))
    )
    assert find_span(1, history, 60.0) == StageSpan(1, 30.0, 50.0)
    assert find_span(2, history, 60.0) == StageSpan(2, 50.0, None)
    assert find_span(3, history, 60.0) is None


def test_of_a_stage_only_left_the_begin_is_not_known() -> None:
    left = HistoryEntry(50.0, "step_back", 5, 1, from_percent=10, from_stage=2, change="c")
    span = find_span(2, (left,), 60.0)
    assert span == StageSpan(2, 0.0, 50.0, begin_known=False)
    began = StageSpan(2, BEGAN, NOW, begin_known=False)
    assert "| entered | not known; the data begins 2026" in markdown(facts(span=began))


def test_a_move_told_twice_counts_once() -> None:
    one = HistoryEntry(10.0, "promote", 5, 1, change="c")
    again = msgspec.structs.replace(one, at=11.0)
    assert merge_history((one,), (again,)) == (one,)
