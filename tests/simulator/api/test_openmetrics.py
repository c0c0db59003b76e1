"""What the embedded services tell a scraper."""

from __future__ import annotations

import shutil
import subprocess

import httpx
import pytest

from canary.simulator.api.openmetrics import Exposition
from tests.embedded import Embed


async def test_counters_are_the_sum_of_the_models_minutes(embed: Embed) -> None:
    async with embed() as cloud:
        exposition = Exposition(cloud.world)
        before = _counts(exposition.text("canary"))
        start = cloud.now // 60 * 60
        cloud.advance(300)
        after = _counts(exposition.text("canary"))
        minutes = cloud.world.traffic.minutes("ion-api-canary", None, start, start + 300)
        grown = sum(after.values()) - sum(before.values())
        assert grown == sum(minute.requests for minute in minutes)


async def test_each_service_answers_a_scrape_for_itself(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        url = cloud.world.endpoints.services["ion-api"]
        async with httpx.AsyncClient(trust_env=False) as client:
            answer = await client.get(f"{url}/metrics")
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    assert 'service_name="ion-api"' in answer.text
    assert "ion-api-canary" not in answer.text
    assert answer.text.endswith("# EOF\n")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
async def test_promtool_reads_it_without_a_complaint_of_form(embed: Embed) -> None:
    async with embed() as cloud:
        text = Exposition(cloud.world).text(None)
    # promtool checks the older text format, which knows neither UNIT nor EOF.
    lines = [one for one in text.splitlines() if not one.startswith(("# UNIT", "# EOF"))]
    plain = "\n".join(line.rsplit(" ", 1)[0] if line[0] != "#" else line for line in lines) + "\n"
    assert _check(plain) == ""


def _check(text: str) -> str:
    """What promtool complains of; "" when of nothing."""
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=text.encode(), capture_output=True, check=False
    )
    return "" if checked.returncode == 0 else checked.stderr.decode()


def _counts(text: str) -> dict[str, int]:
    lines = [line.split(" ") for line in text.splitlines() if "_count{" in line]
    return {labels: int(value) for labels, value, _ in lines}
