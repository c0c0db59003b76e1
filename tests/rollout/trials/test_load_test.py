"""The load test's judgement: limits, too few, stopped early, and how it is told."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.plan.tables import LIGHT, LoadTest
from canary.rollout.trials.load_test import (
    LoadFigures,
    LoadTestProgress,
    LoadTestSettings,
    LoadTestSummary,
    check_load,
    find_reasons,
    load_document,
    summarise_load,
)

LIMITS = LoadTest(
    max_error_ratio=0.02, max_p95_ms=20_000.0, min_success_ratio=0.9, max_unattributed_ratio=0.01
)
GOOD = LoadFigures(1000, 990, 5, 5, 0, 250.0, 220.0, 600.0, 900.0)
NOBODY = LoadFigures()
MIN_REQUESTS = 100


def seen(canary: LoadFigures = GOOD, nobody: LoadFigures = NOBODY) -> LoadTestProgress:
    return LoadTestProgress(3600.0, 3600.0, 50, GOOD, canary, nobody)


def reasons(progress: LoadTestProgress, ended: str = "time", why: str = "") -> tuple[str, ...]:
    return find_reasons(check_load(LIMITS, progress, MIN_REQUESTS), ended, progress, why)


def with_errors(count: int) -> LoadFigures:
    return msgspec.structs.replace(
        GOOD, successes=1000 - count, client_errors=0, server_errors=count
    )


def test_a_good_test_has_no_reasons() -> None:
    assert reasons(seen()) == ()


@pytest.mark.parametrize(
    ("canary", "passes"),
    [
        (with_errors(19), True),
        (with_errors(20), True),
        (with_errors(21), False),
        (msgspec.structs.replace(GOOD, p95_ms=20_000.0), True),
        (msgspec.structs.replace(GOOD, p95_ms=20_000.1), False),
        (msgspec.structs.replace(GOOD, successes=900, client_errors=95), True),
        (msgspec.structs.replace(GOOD, successes=899, client_errors=96), False),
        (msgspec.structs.replace(GOOD, requests=100, successes=100, server_errors=0), True),
        (msgspec.structs.replace(GOOD, requests=99, successes=99, server_errors=0), False),
        (LoadFigures(), False),
    ],
)
def test_a_value_equal_to_its_limit_passes(canary: LoadFigures, passes: bool) -> None:
    assert (reasons(seen(canary)) == ()) is passes


@pytest.mark.parametrize(("unanswered", "passes"), [(20, True), (21, False)])
def test_what_nobody_answered_counts_against_all(unanswered: int, passes: bool) -> None:
    nobody = LoadFigures(requests=unanswered, unanswered=unanswered)
    enough = msgspec.structs.replace(GOOD, requests=2000 - 1000 - unanswered, successes=970)
    assert (reasons(seen(enough, nobody)) == ()) is passes


def test_unanswered_requests_are_errors() -> None:
    half = LoadFigures(requests=100, successes=50, unanswered=50)
    assert (half.error_ratio, half.success_ratio) == (0.5, 0.5)


def test_refused_requests_are_no_success() -> None:
    refused = LoadFigures(requests=100, successes=60, client_errors=40)
    assert (refused.error_ratio, refused.success_ratio) == (0.0, 0.6)


def test_too_few_requests_are_said_once() -> None:
    few = LoadFigures(requests=3, successes=3)
    assert reasons(seen(few)) == ("Canary answered 3 requests, at least 100 are needed",)


@pytest.mark.parametrize(
    ("ended", "said"),
    [
        ("stopped", "was stopped after 12 m of 1 h (by oncall@bastion)"),
        ("died", "ended by itself after 12 m of 1 h (by oncall@bastion)"),
    ],
)
def test_a_test_that_did_not_run_to_its_end_never_passes(ended: str, said: str) -> None:
    early = msgspec.structs.replace(seen(), elapsed_s=720.0)
    assert reasons(early, ended, "by oncall@bastion") == (said,)


def test_the_summary_names_the_load_and_what_was_seen() -> None:
    assert summarise_load("PASSED", (), seen()) == (
        "PASSED: 50 users, 1 h, 2 000 requests; canary p95 600 ms, error ratio 0.50 %"
    )
    assert summarise_load("FAILED", ("so it is",), seen()).startswith("FAILED: so it is (50 users")


def test_the_document_has_both_sides_and_no_zero_for_no_data() -> None:
    progress = msgspec.structs.replace(seen(), legacy=LoadFigures())
    settings = LoadTestSettings("light", LIGHT, 50, 5.0, 3600.0)
    checks = tuple(check_load(LIMITS, progress, MIN_REQUESTS))
    document = load_document(
        LoadTestSummary(
            "PASSED", "time", (), checks, settings, progress, "http://r", 0.0, 3600.0, 3, 25
        )
    )
    assert document["status"] == "PASSED"
    assert document["canary"]["p95_response_time_ms"] == 600.0
    assert document["canary"]["requests_per_second"] == pytest.approx(1000 / 3600)
    assert document["legacy"]["error_rate"] is None
    assert document["legacy"]["p95_response_time_ms"] is None
    assert (document["stage"], document["canary_percent"]) == (3, 25)
    assert document["finished_at"] == "1970-01-01T01:00:00Z"
