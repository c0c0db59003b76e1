"""Native histograms, scraped by a real Prometheus from the embedded cloud's protobuf exposition."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import subprocess
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from canary.cloud.prometheus.choice import open_reader
from canary.rollout.measure.samples import Distribution, reduce_window
from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS, merge
from tests.cloud.prometheus.server import PATIENCE_S, needs_prometheus, prometheus
from tests.cloud.prometheus.test_reader import asking
from tests.embedded import DEFAULT_PLAN, Embed, Embedded

METRIC = "http_server_request_duration_seconds"
NATIVE_SINCE = (2, 40)
"""prometheus/prometheus, CHANGELOG, 2.40.0: "Add experimental support for native histograms"."""

MINUTES = 4
WIDTH = 2 ** (1 / 8) - 1
CONFIG = """
scrape_configs:
  - job_name: services
    scrape_interval: 200ms
    scrape_timeout: 200ms
    static_configs: [{{targets: [{targets}]}}]
"""


def version() -> tuple[int, int]:
    """Of the Prometheus that is installed; (0, 0) without one."""
    if shutil.which("prometheus") is None:
        return (0, 0)
    asked = subprocess.run(["prometheus", "--version"], capture_output=True, check=False)
    found = re.search(rb"version (\d+)\.(\d+)", asked.stdout + asked.stderr)
    return (int(found[1]), int(found[2])) if found else (0, 0)


pytestmark = [
    needs_prometheus,
    pytest.mark.skipif(
        version() < NATIVE_SINCE,
        reason=f"needs a prometheus that has native histograms (2.40 or newer, not {version()})",
    ),
]


async def asked(client: httpx.AsyncClient, query: str, at: int) -> list[dict[str, Any]]:
    answer = await client.get("/api/v1/query", params={"query": query, "time": str(at)})
    return list(answer.json()["data"]["result"])


async def scraped(client: httpx.AsyncClient, at: int) -> None:
    """Wait until both sides' histograms as of `at` are kept."""
    async with asyncio.timeout(PATIENCE_S):
        while True:
            kept = await asked(client, f"{METRIC}[30s]", at)
            if {one["metric"]["service_name"] for one in kept} == {"ion-api", "ion-api-canary"}:
                assert all("histograms" in one for one in kept)
                return
            await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def watched(embed: Embed, directory: Path) -> AsyncIterator[tuple[Embedded, str, int]]:
    """The embedded cloud with its last minutes in a Prometheus, and the end of the newest."""
    # Prometheus takes nothing that is very old, so that the traffic is that of today's hour.
    start = int(time.time()) // 60 * 60 - 600
    config = {"percent": 10, "start_unix": start, "scenario": "error-spike"}
    async with embed(DEFAULT_PLAN, http=True, **config) as cloud:
        targets = [url.partition("//")[2] for url in cloud.world.endpoints.services.values()]
        text = CONFIG.format(targets=", ".join(f'"{target}"' for target in targets))
        flags = ["--enable-feature=native-histograms"]
        with prometheus(directory, "", text, flags) as url:
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                await scraped(client, start)
                for _ in range(MINUTES):
                    cloud.advance(60.0)
                    await scraped(client, int(cloud.now))
                assert await asked(client, f"{METRIC}_bucket", int(cloud.now)) == []
            yield cloud, url, int(cloud.now)


async def test_native_histograms_are_the_models_counts_and_latency(
    embed: Embed, tmp_path: Path
) -> None:
    async with watched(embed, tmp_path) as (cloud, url, end):
        reader = open_reader(cloud.connection, asking(cloud.plan, url))
        begin = end - MINUTES * 60
        try:
            reading = await reader.read(begin, end + 10)
            facts = await reader.inspect(end + 10)
        finally:
            await reader.close()
        assert reading.failures == ()
        assert (facts.sides, facts.has_latency) == (("legacy", "canary"), True)
        assert facts.top_bound_ms is None
        for name, side in (("ion-api", "legacy"), ("ion-api-canary", "canary")):
            minutes = cloud.world.traffic.minutes(name, None, begin, end)
            samples = getattr(reading, side)
            assert [s.end for s in samples] == [m.end for m in minutes]
            for minute, sample in zip(minutes, samples, strict=True):
                failed = sum(n for code, n in minute.responses.items() if code >= 500)
                assert sample.responses.total == minute.requests
                assert sample.responses.server_5xx == failed
                assert sample.latency.count == minute.latency.count
            counts = merge([minute.latency for minute in minutes]).counts
            model = Distribution(LATENCY_BOUNDS_MS, counts, sum(counts))
            found = reduce_window(samples, begin, end)
            # Filled evenly with whole requests: off by no more than a native bucket's width, 9 %
            # (the model's own are 40 % wide).
            assert found.p95_ms == pytest.approx(model.percentile(0.95), rel=WIDTH)
            assert found.p99_ms == pytest.approx(model.percentile(0.99), rel=WIDTH)
