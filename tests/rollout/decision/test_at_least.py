"""A percentile in the overflow bucket is "at least 10 s": it passes limits, and keeps none."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.gates import GateState, check_criteria
from canary.rollout.decision.tree import NodeOutcome, find_alerts
from canary.rollout.export.monitor_document import monitor_document
from canary.rollout.measure.samples import Distribution, Responses, Sample, reduce_window
from canary.rollout.permit.approval import evidence_of
from canary.rollout.snapshot.status import status_document
from canary.rollout.text import AtLeast, format_milliseconds, format_value
from tests.rollout.build import NOW, PLAN, decision, snapshot, window

BOUNDS = (1_000.0, 5_000.0, 10_000.0)
CRITERIA = PLAN.stage(2).criteria
SLOW = Distribution(BOUNDS, (0, 10, 0, 990), 1000, 12_000.0)


def test_a_percentile_in_overflow_says_that_it_is_a_lower_bound() -> None:
    found = SLOW.percentile(0.95)
    assert isinstance(found, AtLeast)
    assert found == 10_000.0
    assert format_milliseconds(found) == format_value("p95_ms", found) == "≥ 10.0 s"
    assert not isinstance(SLOW.percentile(0.005), AtLeast)


@pytest.mark.parametrize(
    ("limit", "state"), [(9_999.0, "not_met"), (10_000.0, "no_data"), (60_000.0, "no_data")]
)
def test_a_criterion_beyond_the_last_bound_is_no_data_and_one_below_it_not_met(
    limit: float, state: GateState
) -> None:
    assert CRITERIA is not None
    criteria = msgspec.structs.replace(CRITERIA, max_p95_ms=limit)
    judged = window(p95_ms=SLOW.percentile(0.95))
    gate = next(g for g in check_criteria(criteria, judged, "ok") if g.id == "p95_ms")
    assert gate.state == state
    if state == "no_data":
        assert gate.evidence.startswith("known only as ≥ 10.0 s")


@pytest.mark.parametrize(
    ("limit", "verdict", "outcome"),
    [
        (5_000.0, "rollback_all", "yes"),
        (10_000.0, "no_data", "no_data"),
        (30_000.0, "no_data", "no_data"),
    ],
)
def test_the_tree_rolls_back_on_a_passed_limit_and_never_goes_on_beyond_the_bound(
    limit: float, verdict: str, outcome: NodeOutcome
) -> None:
    critical = msgspec.structs.replace(PLAN.alerts.critical, p95_ms=limit)
    plan = msgspec.structs.replace(
        PLAN, alerts=msgspec.structs.replace(PLAN.alerts, critical=critical)
    )
    found = decision(window(p95_ms=SLOW.percentile(0.95)), plan=plan)
    assert found.verdict == verdict
    assert next(node.outcome for node in found.path if node.id == "p95_ms") == outcome


def test_a_warning_limit_beyond_the_bound_is_not_known_to_be_kept() -> None:
    critical = msgspec.structs.replace(PLAN.alerts.critical, p95_ms=None)
    plan = msgspec.structs.replace(
        PLAN, alerts=msgspec.structs.replace(PLAN.alerts, critical=critical)
    )
    judged = window(p95_ms=SLOW.percentile(0.95))
    assert not [a for a in find_alerts(plan, 2, judged, "ok") if a.id == "p95_ms"]
    found = decision(judged, plan=plan)
    assert found.verdict == "no_data"
    assert "beyond the last bucket" in found.reason


def test_documents_say_it_beside_the_number() -> None:
    judged = reduce_window(
        [Sample(NOW - 180, NOW - 120, Responses(ok_2xx=1000), SLOW)], NOW - 300, NOW
    )
    shown = snapshot(judged)
    assert status_document(shown)["sides"]["canary"]["latency_ms"] == {
        "p50": 10_000.0,
        "p95": 10_000.0,
        "p99": 10_000.0,
        "at_least": ["p50", "p95", "p99"],
    }
    figures = monitor_document(shown, PLAN)["canary"]
    assert figures["p95_response_time_ms"] is None
    assert figures["p95_at_least_ms"] == 10_000.0
    evidence = evidence_of(shown, NOW)
    kept = msgspec.json.decode(msgspec.json.encode(evidence), type=type(evidence))
    assert format_milliseconds(kept.p95) == "≥ 10.0 s"


@given(
    st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any),
    st.floats(0.0, 1.0),
    st.floats(1.0, 1e6),
)
def test_no_criterion_is_met_by_a_percentile_beyond_the_last_bound(
    counts: list[int], fraction: float, limit: float
) -> None:
    d = Distribution(BOUNDS, tuple(counts), sum(counts))
    p95 = d.percentile(fraction)
    assert CRITERIA is not None
    criteria = msgspec.structs.replace(CRITERIA, max_p95_ms=limit)
    gate = next(g for g in check_criteria(criteria, window(p95_ms=p95), "ok") if g.id == "p95_ms")
    below = sum(counts[:3])
    if fraction * sum(counts) > below:
        assert gate.state != "met"
