"""`canary failures`, at servers that speak the real protocols."""

from __future__ import annotations

from pathlib import Path

from tests.cli.commands import Cloud, running_cloud
from tests.cli.conftest import Command


def test_a_route_that_fails_is_first_with_its_command(command: Command, tmp_path: Path) -> None:
    with running_cloud(tmp_path, "route-fails", scenario_params={"ratio": 0.1}) as cloud:
        ended = command("failures", "--config", str(cloud.plan_path))
        document = command("failures", "--json", "--config", str(cloud.plan_path)).document
    assert ended.code == 10
    assert "✗  POST /api/v2/recommend/personalized 500" in ended.out.replace("NEW ", "")
    assert "beyond chance, e = " in ended.out
    assert "$ gcloud logging read" in ended.out
    first = document["groups"][0]
    assert (first["route"], first["status"]) == ("/api/v2/recommend/personalized", "500")
    assert first["is_beyond_chance"] is True
    assert first["logs"].startswith("https://console.cloud.google.com/logs/query;query=")
    assert first["requests"][0]["trace"]
    assert "session" not in str(document["groups"][0]["requests"])


def test_while_nothing_is_wrong_it_exits_0(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("failures", "--since", "10m", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 0
    assert "0 beyond chance" in ended.out


def test_without_the_right_it_tells_the_statuses_and_what_is_missing(
    command: Command, tmp_path: Path
) -> None:
    with running_cloud(tmp_path, "error-spike", scenario_params={"ratio": 0.2}) as cloud:
        cloud.post(
            "faults",
            {
                "method": "/google.logging.v2.LoggingServiceV2/*",
                "code": "PERMISSION_DENIED",
                "message": "Permission 'logging.logEntries.list' denied.",
            },
        )
        ended = command("failures", "--config", str(cloud.plan_path))
    assert ended.code == 10
    assert "From Cloud Monitoring, by status: no routes" in ended.out
    assert "logging.logEntries.list" in ended.out
    assert "✗  500" in ended.out
    assert "503" in ended.out
