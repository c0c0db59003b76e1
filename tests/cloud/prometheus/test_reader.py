"""A real Prometheus, and what the embedded cloud knows to be true."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from canary.cloud.prometheus.choice import open_reader
from canary.rollout.errors import Rejected, Unavailable
from canary.rollout.measure.samples import reduce_window
from canary.rollout.plan.metrics import Selectors
from canary.rollout.plan.plan import Plan
from canary.simulator.api.openmetrics import BEGUN_BEFORE_S
from tests.cloud.prometheus.server import PATIENCE_S, expose, needs_prometheus, prometheus
from tests.embedded import DEFAULT_PLAN, Embed, Embedded

pytestmark = needs_prometheus
MINUTES = 40


def asking(plan: Plan, url: str, **more: Any) -> Plan:
    metrics = msgspec.structs.replace(
        plan.metrics, source="prometheus", url=url, **{"scrape_s": 1.0, **more}
    )
    return msgspec.structs.replace(plan, metrics=metrics)


@dataclasses.dataclass
class Watched:
    cloud: Embedded
    url: str
    end: int

    async def read(self, minutes: int = 20, **more: Any):
        reader = open_reader(self.cloud.connection, asking(self.cloud.plan, self.url, **more))
        try:
            return await reader.read(self.end - minutes * 60, self.end + 10)
        finally:
            await reader.close()


@contextlib.asynccontextmanager
async def watched(embed: Embed, directory: Path, **config: Any) -> AsyncIterator[Watched]:
    async with embed(DEFAULT_PLAN, percent=10, **config) as cloud:
        end = int(cloud.now // 60) * 60
        text = expose(cloud.world, end - MINUTES * 60, end)
        with prometheus(directory, text) as url:
            yield Watched(cloud, url, end)


async def test_counts_and_latency_are_those_of_the_model(embed: Embed, tmp_path: Path) -> None:
    async with watched(embed, tmp_path) as it:
        reading = await it.read()
        assert reading.failures == ()
        assert [s.end for s in reading.canary] == [it.end - 60.0 * k for k in range(19, -1, -1)]
        for name, samples in (("ion-api", reading.legacy), ("ion-api-canary", reading.canary)):
            minutes = it.cloud.world.traffic.minutes(name, None, it.end - 1200, it.end)
            for minute, sample in zip(minutes, samples, strict=True):
                assert sample.responses is not None
                assert sample.latency is not None
                assert sample.responses.total == minute.requests
                failed = sum(n for code, n in minute.responses.items() if code >= 500)
                assert sample.responses.server_5xx == failed
                counts = (*minute.latency.counts, *[0] * 68)[:68]
                assert sample.latency.counts == counts


async def test_both_sources_come_to_the_same_window(embed: Embed, tmp_path: Path) -> None:
    async with watched(embed, tmp_path, scenario="error-spike") as it:
        start, end = it.end - 1200.0, it.end - 300.0
        theirs = await it.cloud.monitoring.read(start, end)
        ours = await it.read()
        for side in ("legacy", "canary"):
            here = reduce_window(getattr(ours, side), start, end)
            there = reduce_window(getattr(theirs, side), start, end)
            assert here.responses == there.responses
            assert here.p95_ms == pytest.approx(there.p95_ms, rel=1e-6)
            assert here.latency_count == there.latency_count


async def test_what_prometheus_does_not_know_is_absent_with_the_reason(
    embed: Embed, tmp_path: Path
) -> None:
    async with watched(embed, tmp_path) as it:
        reading = await it.read()
        assert set(reading.absent) == {"confidence", "cpu", "memory", "instances"}
        assert all(s.instances is None for s in reading.canary)


async def test_a_second_source_fills_in_what_prometheus_does_not_know(
    embed: Embed, tmp_path: Path
) -> None:
    async with watched(embed, tmp_path) as it:
        reading = await it.read(others="monitoring")
        known = [s for s in reading.canary if s.instances is not None]
        assert reading.absent == {}
        assert known
        assert all(s.confidence is not None for s in known)


async def test_the_plans_own_selectors_are_asked(embed: Embed, tmp_path: Path) -> None:
    selectors = Selectors(
        requests='http_server_request_duration_seconds_count{http_request_method="GET",{side}}',
        latency="http_server_request_duration_seconds_bucket{{side}}",
        status_label="http_response_status_code",
    )
    async with watched(embed, tmp_path) as it:
        usual = await it.read()
        own = await it.read(preset="custom", selectors=selectors)
        assert [s.responses for s in own.canary] == [s.responses for s in usual.canary]


async def test_series_of_nobody_are_no_data_and_no_zero(embed: Embed, tmp_path: Path) -> None:
    async with watched(embed, tmp_path) as it:
        reading = await it.read(canary_side="somebody-else")
        assert reading.canary == ()
        assert reading.legacy != ()


async def test_the_newest_minute_waits_for_a_scrape(embed: Embed, tmp_path: Path) -> None:
    async with watched(embed, tmp_path) as it:
        reading = await it.read(scrape_s=15.0)
        assert reading.canary[-1].end == it.end - 60.0


async def test_a_query_that_prometheus_refuses_is_said_with_its_words(
    embed: Embed, tmp_path: Path
) -> None:
    selectors = Selectors(requests="x_total{{side}} +", latency="y{{side}} +")
    async with watched(embed, tmp_path) as it:
        with pytest.raises(Rejected, match="parse error"):
            await it.read(preset="custom", selectors=selectors)


async def test_a_prometheus_that_is_away_is_unavailable(embed: Embed, tmp_path: Path) -> None:
    async with watched(embed, tmp_path) as it:
        it.url = "http://127.0.0.1:9"
        with pytest.raises(Unavailable, match="Prometheus cannot be reached"):
            await it.read()


SCRAPES = """
scrape_configs:
  - job_name: services
    scrape_interval: 1s
    static_configs: [{{targets: [{targets}]}}]
"""


async def test_a_real_scraper_keeps_what_the_services_expose(embed: Embed, tmp_path: Path) -> None:
    async with embed(DEFAULT_PLAN, http=True, percent=10, start_unix=time.time()) as cloud:
        targets = [url.partition("//")[2] for url in cloud.world.endpoints.services.values()]
        config = SCRAPES.format(targets=", ".join(f'"{target}"' for target in targets))
        with prometheus(tmp_path, "", config) as url:
            asked = "sum by (service_name) (http_server_request_duration_seconds_count)"
            at = int(cloud.now // 60) * 60
            kept: dict[str, float] = {}
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                async with asyncio.timeout(PATIENCE_S):
                    while len(kept) < 2:
                        query = {"query": asked, "time": str(at)}
                        answer = await client.get("/api/v1/query", params=query)
                        result = answer.json()["data"]["result"]
                        kept = {r["metric"]["service_name"]: float(r["value"][1]) for r in result}
                        await asyncio.sleep(0.2)
        for name, count in kept.items():
            minutes = cloud.world.traffic.minutes(name, None, at - BEGUN_BEFORE_S, at)
            assert count == sum(minute.requests for minute in minutes)
