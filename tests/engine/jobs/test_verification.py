"""Verification through the real adapters on the embedded cloud; real requests, no delay."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from canary.engine.jobs.verification import (
    VerifyOrder,
    VerifyProgress,
    compare_now,
    order_of,
    verify,
    write_verification,
)
from canary.engine.session import Session
from canary.rollout.change.moves import promote, rollback_all, scale
from canary.rollout.errors import PlanError
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.trials.verification import Verification
from tests.embedded import DEFAULT_PLAN, Embed, Embedded
from tests.rollout.build import PLAN, request, standing

pytestmark = pytest.mark.usefixtures("state_dir")
FAST = VerifyOrder(delay_ms=0.0)
FEW = VerifyOrder(requests=40, delay_ms=0.0)
"""Where the share is not close to what would be wrong."""


def at_router(cloud: Embedded, **router: Any) -> Plan:
    """The cloud's plan, which knows where requests enter."""
    known = {"url": cloud.control_url, **router}
    router_at = msgspec.structs.replace(cloud.plan.target.router, **known)
    target = msgspec.structs.replace(cloud.plan.target, router=router_at)
    return msgspec.structs.replace(cloud.plan, target=target)


@asynccontextmanager
async def opened(plan: Plan) -> AsyncIterator[Session]:
    async with await Session.open(plan, need_metrics=False) as session:
        yield session


async def verified(cloud: Embedded, order: VerifyOrder = FAST, **router: Any) -> Verification:
    async with opened(at_router(cloud, **router)) as session:
        return await verify(session, order, lambda _: None)


def states(verification: Verification) -> dict[str, str]:
    return {check.id: check.state for check in verification.checks}


async def test_a_healthy_cloud_at_its_recorded_share_is_verified(embed: Embed) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        verification = await verified(cloud)
    assert (verification.verdict, verification.stage) == ("passed", 2)
    assert verification.intended_percent == verification.reported_percent == 10
    assert verification.comparison is not None
    assert verification.comparison.attributed == 100


async def test_the_requests_count_in_the_clouds_metrics(embed: Embed) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        await verified(cloud)
        counted = {service for _, service, _, _ in cloud.world.traffic.arrivals.take_changed()}
    assert counted == {"ion-api", "ion-api-canary"}


async def test_another_share_than_the_intended_is_not_passed(embed: Embed) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        verification = await verified(
            cloud, VerifyOrder(requests=40, delay_ms=0.0, intended_percent=50)
        )
    assert verification.verdict == "not_passed"
    assert (states(verification)["reported"], states(verification)["split"]) == (
        "not_passed",
        "not_passed",
    )
    assert verification.stage == 4


async def test_a_share_that_the_code_does_not_serve_is_found_by_measuring(embed: Embed) -> None:
    async with embed(http=True, speed=600.0, percent=100, stage=5) as cloud:
        # What is asked is Legacy's own address: the router that callers use does not route.
        legacy = (await cloud.run.service("ion-api")).uri
        order = VerifyOrder(requests=40, delay_ms=0.0, intended_percent=100)
        verification = await verified(cloud, order, url=legacy)
    assert (states(verification)["reported"], states(verification)["split"]) == (
        "passed",
        "not_passed",
    )


@pytest.mark.parametrize(("percent", "stage"), [(0, 0), (100, 5)])
async def test_at_the_ends_the_other_side_must_not_answer_at_all(
    embed: Embed, percent: int, stage: int
) -> None:
    async with embed(http=True, speed=600.0, percent=percent, stage=stage) as cloud:
        order = VerifyOrder(requests=40, delay_ms=0.0, intended_percent=percent)
        verification = await verified(cloud, order)
    assert states(verification)["split"] == "passed"
    assert verification.split is not None
    assert verification.split.share == percent / 100


async def test_without_the_routers_address_it_could_not_be_verified(embed: Embed) -> None:
    async with embed(http=True) as cloud, opened(cloud.plan) as session:
        verification = await verify(session, FAST, lambda _: None)
        assert verification.verdict == "unverified"
        assert "target.router.url is not set" in verification.reason
        with pytest.raises(PlanError, match=r"target\.router\.url"):
            await compare_now(session, lambda _: None)


async def test_a_router_that_nobody_answers_at_is_not_passed(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        verification = await verified(cloud, url="http://127.0.0.1:9")
    assert verification.verdict == "not_passed"
    assert states(verification)["answers"] == "not_passed"


async def test_an_outage_of_cloud_run_is_no_pass(embed: Embed) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        cloud.set_scenario("run-outage")
        order = VerifyOrder(requests=40, delay_ms=0.0, intended_percent=10)
        verification = await verified(cloud, order)
    assert verification.verdict == "unverified"
    assert states(verification)["reported"] == "unknown"


async def test_between_revisions_the_candidate_is_canary(embed: Embed) -> None:
    router = msgspec.structs.replace(DEFAULT_PLAN.target.router, kind="revisions")
    target = msgspec.structs.replace(DEFAULT_PLAN.target, router=router)
    plan = msgspec.structs.replace(DEFAULT_PLAN, target=target)
    async with embed(plan, http=True, speed=600.0, percent=50, stage=4) as cloud:
        verification = await verified(cloud, VerifyOrder(delay_ms=0.0, intended_percent=50))
    assert verification.split is not None
    assert (verification.split.attributed, verification.split.state) == (100, "as_intended")


async def test_progress_is_told_from_health_to_the_end(embed: Embed) -> None:
    told: list[VerifyProgress] = []
    async with embed(http=True, speed=600.0) as cloud, opened(at_router(cloud)) as session:
        await verify(session, VerifyOrder(requests=30, delay_ms=0.0), told.append)
    assert (told[0].step, told[-1].step) == ("health", "done")
    counted = [p for p in told if p.step == "requests"]
    assert [p.done for p in counted] == list(range(31))
    assert all(p.legacy + p.canary + p.failed == p.done for p in counted)


def test_what_moves_nobody_is_not_verified() -> None:
    assert order_of(scale(PLAN, standing(), request(), "canary", ScalePreset(1, 5))) is None


def test_a_change_is_verified_at_the_share_that_it_sets() -> None:
    up, off = promote(PLAN, standing(), request()), rollback_all(PLAN, standing(), request())
    assert order_of(up) == VerifyOrder(intended_percent=25, stage=3, change="c-1")
    assert order_of(off) == VerifyOrder(intended_percent=0, stage=0, change="c-1")


async def test_the_file_is_whole_and_only_its_owners(embed: Embed, tmp_path: Path) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        verification = await verified(cloud, FEW)
        path = write_verification(cloud.plan, tmp_path, verification)
    assert path == tmp_path / "outputs" / "compare_stage2.json"
    assert path.stat().st_mode & 0o777 == 0o600
    assert json.loads(path.read_text())["verdict"] == "passed"


@pytest.mark.parametrize("shape", ["internal-ingress", "iam", "iap"])
async def test_services_that_let_nobody_in_from_here_are_not_verified_and_not_ill(
    embed: Embed, shape: str
) -> None:
    async with embed(http=True, speed=600.0) as cloud:
        cloud.break_method("http:*", shape=shape)
        verification = await verified(cloud, FEW)
    found = states(verification)
    assert verification.verdict == "unverified"
    assert (found["health_legacy"], found["health_canary"]) == ("unknown", "unknown")
    assert (found["answers"], found["reported"]) == ("unknown", "passed")
    assert "not reachable from here" in verification.reason
