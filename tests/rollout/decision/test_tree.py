"""The decision tree: rows just below, exactly on and just beyond each limit; and silence."""

from __future__ import annotations

import math
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.tree import (
    IDLE,
    SEVERITY,
    DataState,
    Verdict,
    Watch,
    decide,
    find_alerts,
    judge_data,
    passed_limits,
)
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.plan.plan import Alerts, Thresholds
from tests.rollout.build import EMPTY, NOW, PLAN, decision, window

BELOW, ABOVE = -math.inf, math.inf


@pytest.mark.parametrize(
    ("field", "limit", "bad"),
    [("error_ratio", 0.05, ABOVE), ("p95_ms", 30_000.0, ABOVE), ("success_ratio", 0.80, BELOW)],
)
def test_critical_means_strictly_beyond(field: str, limit: float, bad: float) -> None:
    just_beyond, just_inside = math.nextafter(limit, bad), math.nextafter(limit, -bad)
    verdicts = [
        decision(window(**{field: value})).verdict for value in (just_inside, limit, just_beyond)
    ]
    assert verdicts == ["continue", "continue", "rollback_all"]


@pytest.mark.parametrize(
    ("field", "limit", "bad"),
    [("error_ratio", 0.02, ABOVE), ("p95_ms", 20_000.0, ABOVE), ("success_ratio", 0.90, BELOW)],
)
def test_a_warning_means_strictly_beyond(field: str, limit: float, bad: float) -> None:
    for value, passed in (
        (math.nextafter(limit, -bad), []),
        (limit, []),
        (math.nextafter(limit, bad), [field]),
    ):
        alerts = find_alerts(PLAN, 1, window(**{field: value}), "ok")
        assert [a.id for a in alerts if a.scope == "warning"] == passed


@pytest.mark.parametrize(
    ("field", "limit", "bad"),
    [
        ("error_ratio", 0.02, ABOVE),
        ("p95_ms", 20_000.0, ABOVE),
        ("success_ratio", 0.90, BELOW),
        ("confidence", 0.70, BELOW),
    ],
)
def test_stage_2_has_limits_of_its_own_for_automatic_rollback(
    field: str, limit: float, bad: float
) -> None:
    for value, passed in ((limit, []), (math.nextafter(limit, bad), [field])):
        alerts = find_alerts(PLAN, 2, window(**{field: value}), "ok")
        assert [a.id for a in alerts if a.scope == "stage"] == passed
        other_stage = find_alerts(PLAN, 1, window(**{field: value}), "ok")
        assert [a for a in other_stage if a.scope == "stage"] == []


def test_the_first_answer_wins_and_the_rest_is_not_reached() -> None:
    found = decision(window(error_ratio=0.06, p95_ms=40_000.0, success_ratio=0.5))
    assert [(n.id, n.outcome) for n in found.path] == [
        ("error_ratio", "yes"),
        ("p95_ms", "not_reached"),
        ("success_ratio", "not_reached"),
        ("watch", "not_reached"),
    ]


def test_go_on_walks_the_whole_path() -> None:
    found = decision()
    assert found.verdict == "continue"
    assert [n.outcome for n in found.path] == ["no"] * 4


def test_a_node_tells_value_limit_and_margin_on_the_safe_side() -> None:
    error, _, success, _ = decision().path
    assert (error.observed, error.limit) == (0.003, 0.05)
    assert error.margin == pytest.approx(0.047)
    assert success.margin == pytest.approx(0.191)


def test_a_running_watch_is_watch() -> None:
    found = decision(watch=Watch(since=NOW - 600, warning=True))
    assert found.verdict == "watch"
    assert found.path[-1].observed == 600
    assert found.path[-1].margin == 3000


def test_a_watch_that_cleared_for_now_is_still_watched() -> None:
    found = decision(watch=Watch(since=NOW - 600, warning=False))
    assert found.verdict == "watch"
    assert "cleared" in found.reason


def test_an_overdue_watch_is_one_stage_back() -> None:
    found = decision(watch=Watch(since=NOW - 3600, warning=True, overdue=True))
    assert found.verdict == "rollback_stage"


def test_critical_beats_an_overdue_watch() -> None:
    overdue = Watch(since=NOW - 3600, warning=True, overdue=True)
    assert decision(window(error_ratio=0.06), watch=overdue).verdict == "rollback_all"


@pytest.mark.parametrize("data", [d for d in get_args(DataState) if d != "ok"])
@pytest.mark.parametrize("error_ratio", [0.0, 0.5, None])
def test_data_that_may_not_be_judged_is_no_data(data: DataState, error_ratio: float | None) -> None:
    found = decision(window(error_ratio=error_ratio), data)
    assert found.verdict == "no_data"
    assert all(n.outcome == "no_data" for n in found.path[:3])
    assert all(n.observed is None for n in found.path[:3])


def test_a_tail_of_too_few_values_is_no_data() -> None:
    enough = window(latency_count=MIN_COUNT_FOR_TAIL)
    thin = window(latency_count=MIN_COUNT_FOR_TAIL - 1)
    assert decision(enough).verdict == "continue"
    assert decision(thin).verdict == "no_data"


def test_a_blind_node_does_not_hide_a_critical_one_below_it() -> None:
    found = decision(window(p95_ms=None, success_ratio=0.5))
    assert found.verdict == "rollback_all"
    assert [n.outcome for n in found.path[:3]] == ["no", "no_data", "yes"]


def test_without_any_critical_limit_silence_is_still_not_go_on() -> None:
    lax = msgspec.structs.replace(PLAN, alerts=Alerts(critical=Thresholds()))
    assert decision(EMPTY, "missing", plan=lax).verdict == "no_data"
    assert decision(plan=lax).verdict == "continue"


@pytest.mark.parametrize(
    ("judged", "changed_at", "state"),
    [
        (window(), None, "ok"),
        (window(requests=100), None, "ok"),  # exactly the least
        (window(requests=99), None, "thin"),
        (window(requests=0), None, "thin"),
        (window(requests=None), None, "missing"),
        (window(newest_at=NOW - 300), None, "ok"),  # exactly the limit
        (window(newest_at=math.nextafter(NOW - 300, 0)), None, "stale"),
        (window(newest_at=NOW - 301, requests=5), None, "stale"),
        (EMPTY, None, "missing"),
        (EMPTY, NOW - 10, "masked"),
        (EMPTY, NOW - 299, "masked"),
        (EMPTY, NOW - 300, "missing"),
        (window(), NOW - 10, "ok"),
    ],
)
def test_data_is_judged_before_the_tree(
    judged: Window, changed_at: float | None, state: DataState
) -> None:
    assert judge_data(judged, PLAN, NOW, changed_at) == state


@pytest.mark.parametrize("data", [d for d in get_args(DataState) if d != "ok"])
def test_nothing_alarms_on_data_that_may_not_be_judged(data: DataState) -> None:
    assert find_alerts(PLAN, 2, window(error_ratio=0.5), data) == ()


def test_alerts_come_worst_scope_first() -> None:
    alerts = find_alerts(PLAN, 2, window(error_ratio=0.06), "ok")
    assert [a.scope for a in alerts] == ["critical", "stage", "warning"]


@pytest.mark.parametrize("stage", [0, 6, 99])
def test_a_stage_outside_the_plan_has_no_limits_of_its_own(stage: int) -> None:
    assert {a.scope for a in find_alerts(PLAN, stage, window(error_ratio=0.06), "ok")} == {
        "critical",
        "warning",
    }


def test_a_score_of_too_few_values_alarms_nobody() -> None:
    limits = Thresholds(confidence=0.7)
    assert passed_limits(limits, window(confidence=0.1, confidence_count=19)) == []
    assert passed_limits(limits, window(confidence=0.1, confidence_count=20)) != []


def test_verdicts_are_ordered_by_how_bad_they_are() -> None:
    assert sorted(SEVERITY, key=SEVERITY.__getitem__) == [
        "continue",
        "no_data",
        "watch",
        "rollback_stage",
        "rollback_all",
    ]
    assert set(SEVERITY) == set(get_args(Verdict))


maybe_ratio = st.none() | st.floats(0, 1)
windows = st.builds(
    window,
    requests=st.none() | st.integers(0, 10_000),
    error_ratio=maybe_ratio,
    success_ratio=maybe_ratio,
    p95_ms=st.none() | st.floats(0, 100_000),
    latency_count=st.integers(0, 1000),
    newest_at=st.none() | st.floats(NOW - 2000, NOW + 100),
)
watches = st.just(IDLE) | st.builds(
    Watch, since=st.floats(NOW - 9000, NOW), warning=st.booleans(), overdue=st.booleans()
)
limits = st.builds(
    Thresholds,
    error_ratio=maybe_ratio,
    p95_ms=st.none() | st.floats(1, 60_000),
    success_ratio=maybe_ratio,
)


@given(windows, watches, st.none() | st.floats(NOW - 2000, NOW), limits)
def test_go_on_is_never_said_unless_the_data_is_ok(
    judged: Window, watch: Watch, changed_at: float | None, critical: Thresholds
) -> None:
    plan = msgspec.structs.replace(PLAN, alerts=Alerts(critical=critical))
    data = judge_data(judged, plan, NOW, changed_at)
    found = decide(plan, judged, data, watch, NOW)
    if found.verdict == "continue":
        assert data == "ok"
        assert judged.requests is not None
        assert judged.requests >= plan.metrics.min_requests
        assert all(n.outcome == "no" for n in found.path)


@given(windows, watches, st.sampled_from(get_args(DataState)))
def test_a_verdict_for_the_worse_always_shows_a_node_that_says_yes(
    judged: Window, watch: Watch, data: Any
) -> None:
    found = decide(PLAN, judged, data, watch, NOW)
    if found.verdict in ("watch", "rollback_stage", "rollback_all"):
        assert any(n.outcome == "yes" for n in found.path)


@pytest.mark.parametrize("data", [d for d in get_args(DataState) if d != "ok"])
def test_without_data_nobody_knows_whether_a_warning_is_passed(data: DataState) -> None:
    found = decide(PLAN, window(), data, IDLE, NOW)
    assert [n.outcome for n in found.path] == ["no_data"] * 4


def test_a_critical_reason_says_the_value_and_its_limit() -> None:
    found = decision(window(error_ratio=0.0835))
    assert found.reason == "error ratio beyond critical: 8.35 % > 5 %"
