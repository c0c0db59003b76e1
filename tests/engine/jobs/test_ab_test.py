"""The A/B test from end to end: BigQuery's REST on the embedded cloud, judged, and at the gate."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.jobs.ab_test import ask_bigquery, least_improvement, take_file, write_analysis
from canary.engine.session import Session
from canary.rollout.errors import (
    CanaryError,
    Denied,
    Malformed,
    NotFound,
    OperationFailed,
    PlanError,
    Rejected,
    Unavailable,
)
from canary.rollout.plan.plan import Plan
from canary.store.results import read_results
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_endpoints

QUERY = "/google.cloud.bigquery.v2.JobService/Query"


def reaching(cloud: Embedded) -> Plan:
    """The plan with BigQuery at the embedded cloud's REST side."""
    endpoints = msgspec.structs.replace(cloud.plan.target.endpoints, bigquery=cloud.control_url)
    return with_endpoints(cloud.plan, endpoints)


def with_ab_test(plan: Plan, **changed: object) -> Plan:
    return msgspec.structs.replace(plan, ab_test=msgspec.structs.replace(plan.ab_test, **changed))


async def ask(plan: Plan, cloud: Embedded, days: int | None = None):
    async with await Session.open(plan, need_metrics=False) as session:
        session.clock = cloud.clock
        return await ask_bigquery(session, days)


@pytest.fixture(autouse=True)
def _own_state(state_dir: Path) -> None:
    """Every session here keeps its files apart."""


async def test_thirty_days_show_what_the_procedure_expects(embed: Embed) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        run = await ask(reaching(cloud), cloud)
    gains = {one.metric: one.gain for one in run.analysis.improvements}
    assert run.analysis.status == "APPROVED"
    assert gains["response_time"] == pytest.approx(0.51, abs=0.03)
    assert gains["p95_response_time"] == pytest.approx(0.50, abs=0.05)
    assert gains["confidence"] == pytest.approx(0.18, abs=0.02)
    assert gains["success"] == pytest.approx(0.009, abs=0.003)
    assert run.analysis.legacy.requests == pytest.approx(150_000, rel=0.05)
    assert run.analysis.deciding.low < run.analysis.deciding.gain < run.analysis.deciding.high


async def test_fewer_days_are_fewer_requests_and_a_wider_interval(embed: Embed) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        month, day = await ask(reaching(cloud), cloud), await ask(reaching(cloud), cloud, 1)
    assert day.source.until - day.source.since == 86_400.0
    assert day.analysis.legacy.requests < month.analysis.legacy.requests / 20

    def width(run) -> float:
        return run.analysis.deciding.high - run.analysis.deciding.low

    assert width(day) > 2 * width(month)


async def test_a_group_that_is_not_there_is_no_data(embed: Embed) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        run = await ask(with_ab_test(reaching(cloud), canary_group="green"), cloud)
    assert run.analysis.status == "NO_DATA"
    assert run.analysis.reasons == ("Canary has no requests in the table",)


async def test_an_unknown_table_says_which_key_to_check(embed: Embed) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        with pytest.raises(NotFound, match=r"ab_test\.table"):
            await ask(with_ab_test(reaching(cloud), table="other.results"), cloud)


async def test_a_query_over_the_cap_is_refused_without_being_run(embed: Embed) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        with pytest.raises(Rejected, match="max_bytes_billed"):
            await ask(with_ab_test(reaching(cloud), max_bytes_billed=1000), cloud)


@pytest.mark.parametrize(
    ("code", "error"),
    [("PERMISSION_DENIED", Denied), ("UNAVAILABLE", Unavailable), ("INTERNAL", Unavailable)],
)
async def test_a_failing_service_is_named(embed: Embed, code: str, error: type[Exception]) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        cloud.break_method(QUERY, code=code, times=10)
        with pytest.raises(error, match="BigQuery"):
            await ask(reaching(cloud), cloud)


@pytest.mark.parametrize(
    ("fault", "error", "said"),
    [
        ({"shape": "missing-column"}, Malformed, 'no column "succeeded"'),
        ({"shape": "text"}, Malformed, '"fast" in the column "response_mean_ms"'),
        ({"shape": "endless-pages"}, Malformed, "empty page"),
        ({"shape": "bytes-exceeded"}, Rejected, "max_bytes_billed"),
        ({"fails": True}, OperationFailed, "error during execution"),
        ({"shape": "never-completes"}, Unavailable, r"did not finish within 0\.3 s"),
    ],
)
async def test_an_odd_answer_is_one_sentence_and_no_analysis(
    embed: Embed, fault: dict[str, Any], error: type[CanaryError], said: str
) -> None:
    async with embed(http=True, speed=600.0, monotonic=time.monotonic) as cloud:
        cloud.break_method(QUERY, **fault)
        limit = {"timeout_s": 0.3} if fault.get("shape") == "never-completes" else {}
        with pytest.raises(error, match=said):
            await ask(with_ab_test(reaching(cloud), **limit), cloud)


@pytest.mark.parametrize("shape", ["no-rows", "nulls", "nan"])
async def test_figures_that_are_not_there_approve_nothing(embed: Embed, shape: str) -> None:
    async with embed(http=True, speed=600.0, monotonic=time.monotonic) as cloud:
        cloud.break_method(QUERY, shape=shape)
        run = await ask(reaching(cloud), cloud)
    assert run.analysis.status == "NO_DATA"


async def test_a_query_that_takes_its_time_is_waited_for(embed: Embed) -> None:
    async with embed(http=True, speed=600.0, monotonic=time.monotonic) as cloud:
        cloud.break_method(QUERY, late_s=600.0)
        run = await ask(reaching(cloud), cloud)
    assert run.analysis.status == "APPROVED"


async def test_what_is_written_is_what_the_gate_reads(embed: Embed, tmp_path: Path) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        run = await ask(reaching(cloud), cloud)
    write_analysis(DEFAULT_PLAN, tmp_path, run)
    found = read_results(tmp_path / "outputs")
    assert found.problems == ()
    assert found.evidence.ab_test.improvement == pytest.approx(run.analysis.deciding.gain)
    assert "faster (95 % interval" in found.evidence.ab_test.summary


async def test_a_written_analysis_read_again_is_the_same_and_no_younger(
    embed: Embed, tmp_path: Path
) -> None:
    async with embed(http=True, speed=60.0, monotonic=time.monotonic) as cloud:
        run = await ask(reaching(cloud), cloud)
    again = take_file(DEFAULT_PLAN, write_analysis(DEFAULT_PLAN, tmp_path, run))
    assert again.analysis == run.analysis
    assert again.source.finished_at == int(run.source.finished_at)


async def test_a_local_server_of_ones_own_never_leads_to_the_real_bigquery(embed: Embed) -> None:
    async with embed() as cloud:
        endpoints = msgspec.structs.replace(cloud.plan.target.endpoints, bigquery=None)
        with pytest.raises(PlanError, match=r"target\.endpoints\.bigquery"):
            await ask(with_endpoints(cloud.plan, endpoints), cloud)


def test_the_limit_is_that_of_the_stage_that_asks_for_it() -> None:
    assert least_improvement(DEFAULT_PLAN) == 0.10
    stages = tuple(
        msgspec.structs.replace(stage, min_ab_improvement=0.25 if i == 3 else None)
        for i, stage in enumerate(DEFAULT_PLAN.stages)
    )
    assert least_improvement(msgspec.structs.replace(DEFAULT_PLAN, stages=stages)) == 0.25
