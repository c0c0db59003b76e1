"""`canary export grafana`: to standard output, or whole into a file."""

from __future__ import annotations

import json
from pathlib import Path

from tests.cli.commands import ROOT, Cloud
from tests.cli.conftest import Command

PLAN = str(ROOT / "canary.toml")


def test_the_dashboard_goes_to_standard_output(command: Command) -> None:
    ended = command("export", "grafana", "--config", PLAN)
    assert ended.code == 0
    assert ended.document["title"] == "Canary rollout: ion-api → ion-api-canary"


def test_it_is_written_into_a_file_for_its_owner(command: Command, tmp_path: Path) -> None:
    path = tmp_path / "new" / "dashboard.json"
    ended = command("export", "grafana", "--out", str(path), "--json", "--config", PLAN)
    assert (ended.code, ended.document["file"]) == (0, str(path))
    assert json.loads(path.read_text())["uid"] == ended.document["uid"]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_place_that_cannot_be_written_is_one_sentence(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    path = str(tmp_path / "file" / "dashboard.json")
    ended = command("export", "grafana", "--out", path, "--config", PLAN)
    assert ended.code == 3
    assert ended.err.count("\n") == 1


def test_without_a_plan_it_says_so(command: Command, tmp_path: Path) -> None:
    assert command("export", "grafana", "--config", str(tmp_path / "none.toml")).code == 2


def test_the_rollout_is_written_as_openmetrics(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("export", "openmetrics", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 0
    assert ended.out.endswith("# EOF\n")
    assert 'canary_rollout_verdict="continue"} 1\n' in ended.out


def test_a_textfile_is_replaced_whole_and_readable_for_all(
    command: Command, healthy_cloud: Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "textfiles" / "canary.prom"
    path.parent.mkdir()
    for _ in range(2):
        plan = str(healthy_cloud.plan_path)
        ended = command("export", "openmetrics", "--out", str(path), "--config", plan)
        assert ended.code == 0
    assert path.stat().st_mode & 0o777 == 0o644
    assert "# EOF" not in path.read_text()
    assert [each.name for each in path.parent.iterdir()] == ["canary.prom"]


def test_a_name_that_node_exporter_does_not_read_is_refused(
    command: Command, healthy_cloud: Cloud
) -> None:
    plan = str(healthy_cloud.plan_path)
    ended = command("export", "openmetrics", "--out", "x.txt", "--config", plan)
    assert ended.code == 2
    assert "NAME.prom" in ended.err
