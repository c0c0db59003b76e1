"""`canary evidence`, at servers that speak the real protocols."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import Cloud, running_cloud
from tests.cli.conftest import Command


def test_a_healthy_canary_passes_and_the_document_says_on_what(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("evidence", "--json", "--config", str(healthy_cloud.plan_path))
    document = ended.document
    assert ended.code in (0, 10)
    assert document["schema"] == 1
    assert [m["metric"] for m in document["metrics"]] == ["errors", "slow", "score"]
    assert document["source"] == "monitoring"
    assert document["split"]["intended"] == 0.1
    assert document["advice"] is None
    assert document["metrics"][0]["canary"]["count"] > 1000


def test_a_regression_exits_20_and_is_advised(command: Command, tmp_path: Path) -> None:
    with running_cloud(tmp_path, "error-spike", scenario_params={"ratio": 0.08}) as cloud:
        ended = command("evidence", "--config", str(cloud.plan_path))
    assert ended.code == 20
    assert "5xx: proven worse" in ended.out
    assert "Beside the tree: a regression of Canary is proven: 5xx" in ended.out
