import json
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.evidence.left_out import LeftOut
from canary.rollout.evidence.tally import Part, Toll
from canary.rollout.evidence.view import EvidenceView, SplitView, TailView
from canary.rollout.snapshot.impact import (
    Impact,
    find_impact,
    format_impact,
    format_so_far,
    impact_document,
)
from tests.widgets.scenes import NOW, PLAN, snapshot

SINCE = 1_772_373_480.0  # 2026-03-01 13:58:00Z
WORKED = Part(SINCE, NOW, 1_470, 20_000, 1_842, 100, 55)
FIVE = Part(NOW - 300, NOW, 300, 4_000, 400, 20, 14.5)
SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "status.schema.json").read_text())


def scene(whole=WORKED, newest=FIVE, *, left_out=(), sampled=1.0, interval=None, **changes):
    toll = Toll(whole, newest, interval, sampled)
    view = EvidenceView(
        (),
        "tail",
        TailView(),
        SplitView(0.1, 0.1, 0.1),
        SINCE,
        failed=toll,
        slow=toll,
        left_out=left_out,
    )
    return msgspec.structs.replace(snapshot(), as_of=NOW, evidence=view, **changes)


def impact(**given_):
    found = find_impact(scene(**given_), PLAN)
    assert found is not None
    return found


def test_the_line_of_console_md():
    # console.md, "Impact": stage 2 at 10 %, the next has 25 %: × 2.5; 2.5 a minute more: 25.
    assert format_impact(impact()) == (
        "since 13:58Z: 1 842 Canary requests, 55 failed, 46 more than Legacy would have"
        " · 10 more minutes ≈ 25 · at the next stage × 2.5"
    )


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (118, "since 13:58Z: 55 of 1 842 failed, 46 more than Legacy would have"),
        (78, "13:58Z: 55 of 1 842 failed, 46 more than Legacy · 10 m ≈ 25 · next × 2.5"),
        (40, "46 more than Legacy · 10 m ≈ 25"),
        (25, "46 more than Legacy"),
        (10, "55 failed"),
    ],
)
def test_it_says_less_where_there_is_less_room_and_is_never_cut_amid_a_part(width, shown):
    said = format_impact(impact(), width)
    assert said.startswith(shown)
    assert len(said) <= width
    assert "…" not in said


@given(st.integers(10, 200), st.integers(0, 10**7), st.integers(0, 10**6), st.booleans())
def test_it_fits_any_width(width, requests, bad, few):
    interval = RatioInterval(4.2, 2.1, None) if few else None
    whole = Part(SINCE, NOW, 1_470, 20_000, requests, 100, min(bad, requests))
    said = format_impact(impact(whole=whole, interval=interval), width)
    assert len(said) <= max(width, 16)


def test_no_more_than_legacy_is_said_and_never_below_zero():
    better = impact(whole=Part(SINCE, NOW, 60, 20_000, 2_000, 100, 3), newest=FIVE)
    assert "3 failed, no more than Legacy would have" in format_impact(better)
    fewer = Part(NOW - 300, NOW, 300, 4_000, 400, 40, 0)
    assert "10 more minutes ≈ 0" in format_impact(impact(newest=fewer))


def test_with_few_failures_the_interval_stands_beside_it():
    few = Part(SINCE, NOW, 60, 20_000, 200, 100, 3)
    shown = format_impact(impact(whole=few, interval=RatioInterval(3.1, 0.4, None)))
    assert "3 failed, 2 more than Legacy would have · Legacy's ratio ×3.1 (0.40 to ?)" in shown
    assert "ratio" not in format_impact(impact(interval=RatioInterval(6, 4, 8)))


def test_without_numbers_it_says_so_and_shows_no_zero():
    unknown = impact(whole=None, newest=None)
    said = format_impact(unknown)
    assert said == "since 13:58Z: impact not known: nothing of it has been judged yet"
    assert impact_document(unknown)["failed"] is None
    nobody = find_impact(msgspec.structs.replace(scene(), evidence=None), PLAN)
    assert nobody is not None
    assert "not known" in format_impact(nobody)
    assert format_so_far(nobody) == ""


def test_what_was_left_out_is_said():
    masked = impact(left_out=(LeftOut("just after the change", 6, 30.0, 120),))
    assert "30 s masked, left out" in format_impact(masked)


def test_old_numbers_promise_nothing():
    old = Part(SINCE, NOW - 900, 60, 20_000, 1_842, 100, 55)
    said = format_impact(impact(whole=old, newest=FIVE))
    assert "no numbers since 14:08:00Z" in said
    assert "≈" not in said


def test_a_sample_is_called_an_estimate():
    assert "about 1 842 Canary requests" in format_impact(impact(sampled=0.25))


def test_legacy_without_requests_is_nothing_to_compare_with():
    alone = impact(whole=Part(SINCE, NOW, 60, 0, 900, 0, 9), newest=None)
    assert "9 failed, Legacy had no request to compare with" in format_impact(alone)


def test_nothing_while_all_traffic_is_on_legacy():
    traffic = msgspec.structs.replace(scene().traffic, canary_percent=0, served_percent=None)
    assert find_impact(scene(traffic=traffic), PLAN) is None


def test_the_strip_says_what_it_has_cost_so_far():
    assert format_so_far(impact()) == "55 failures so far, 46 more than Legacy would have"


def test_the_document_has_what_the_schema_asks():
    asked = set(SCHEMA["properties"]["impact"]["required"])
    assert set(impact_document(impact(interval=RatioInterval(6, 4, 8)))) == asked


def test_a_healthy_past_does_not_hide_what_fails_now() -> None:
    late = Impact("failed", NOW, NOW, 9000, 300, 0.05, -150.0, 16.3)
    assert "no more than Legacy would have in all, 16 a minute more now" in format_impact(late)
    assert "16 a minute more now" in format_impact(late, 44)
    assert "now" not in format_impact(msgspec.structs.replace(late, per_minute=0.2))
