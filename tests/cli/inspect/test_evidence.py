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


def test_a_person_dismisses_a_proof_and_the_next_look_knows(
    command: Command, tmp_path: Path
) -> None:
    with running_cloud(tmp_path, "error-spike", scenario_params={"ratio": 0.08}) as cloud:
        plan = ("--config", str(cloud.plan_path))
        unsaid = command("evidence", "--dismiss", *plan)
        said = command("evidence", "--dismiss", "--reason", "a known\x1b[2J client", *plan)
        after = command("evidence", "--json", *plan)
        again = command("evidence", "--dismiss", "--reason", "again", *plan)
        log = command("status", *plan)
    assert (unsaid.code, said.code) == (2, 0)
    assert "Dismissed: the proof that Canary is worse (5xx" in said.out
    assert after.code != 20
    assert {m["verdict"] for m in after.document["metrics"]}.isdisjoint({"rollback"})
    assert after.document["earlier"][0]["metric"] == "errors"
    assert again.code == 2
    assert "\x1b" not in log.out


def test_a_read_only_look_dismisses_nothing(command: Command, healthy_cloud: Cloud) -> None:
    ended = command(
        "--read-only",
        "evidence",
        "--dismiss",
        "--reason",
        "no",
        "--config",
        str(healthy_cloud.plan_path),
    )
    assert ended.code == 4
    assert "No proof is dismissed here: read-only." in ended.err
