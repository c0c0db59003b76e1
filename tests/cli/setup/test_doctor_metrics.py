"""What doctor says of a Prometheus, over a real one."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from canary.cli.setup.doctor_metrics import look_at_metrics
from tests.cloud.prometheus.server import needs_prometheus
from tests.cloud.prometheus.test_reader import asking, watched
from tests.embedded import DEFAULT_PLAN, Embed

pytestmark = needs_prometheus


@dataclasses.dataclass
class _Asked:
    """What is needed of a session: its cloud's connection, and its clock."""

    cloud: Any
    clock: Any


async def found(embed: Embed, directory: Path, **more: Any) -> dict[str, tuple[str, str]]:
    async with watched(embed, directory) as it:
        session: Any = _Asked(it.cloud, it.cloud.clock)
        plan = asking(it.cloud.plan, **{"url": it.url, **more})
        findings = await look_at_metrics(plan, session)
        return {finding.what: (finding.state, finding.said) for finding in findings}


async def test_both_sides_are_there_and_every_limit_can_be_seen(
    embed: Embed, tmp_path: Path
) -> None:
    said = await found(embed, tmp_path)
    assert set(said) == {"series in Prometheus"}
    assert said["series in Prometheus"][0] == "ok"
    assert "version 2." in said["series in Prometheus"][1]


async def test_a_side_without_series_is_named(embed: Embed, tmp_path: Path) -> None:
    state, text = (await found(embed, tmp_path, canary_side="other"))["series in Prometheus"]
    assert state == "wrong"
    assert "none of Canary" in text


async def test_a_prometheus_that_is_away_is_said(embed: Embed, tmp_path: Path) -> None:
    state, text = (await found(embed, tmp_path, url="http://127.0.0.1:9"))["series in Prometheus"]
    assert state == "wrong"
    assert "cannot be reached" in text


async def test_cloud_monitoring_has_no_such_finding() -> None:
    session: Any = None
    assert await look_at_metrics(DEFAULT_PLAN, session) == []
