"""`canary report` against a cloud, and the p-values' process."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from canary.cli.inspect.p_values import NO_SCIPY, ask_p_values
from tests.cli.commands import Cloud
from tests.cli.conftest import Command

HAS_SCIPY = importlib.util.find_spec("scipy") is not None


def test_the_present_stage_is_told_as_markdown(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("report", "--config", str(healthy_cloud.plan_path))
    status = command("status", "--json", "--config", str(healthy_cloud.plan_path)).document
    # The clock of the cloud goes on between both: a word may have turned, its shape has not.
    first = [row for row in ended.out.splitlines() if row][1:3]
    assert first[0] == "## Verdict"
    assert first[1][:2] == first[1][-2:] == "**"
    assert status["state"]["word"] in ended.out
    assert ended.code == 0
    assert ended.out.startswith("# ion-api-canary: stage 2, 10 % Canary\n")
    assert "## Missing data" in ended.out


def test_a_file_that_ends_in_html_is_html(
    command: Command, healthy_cloud: Cloud, tmp_path: Path
) -> None:
    path = tmp_path / "stage.html"
    ended = command(
        "report", "--out", str(path), "--json", "--config", str(healthy_cloud.plan_path)
    )
    assert ended.code == 0
    assert json.loads(ended.out)["stage"] == 2
    assert path.read_text().startswith("<!doctype html>")
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_stage_that_nobody_knows_of_is_refused_in_words(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("report", "--stage", "5", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 2
    assert "A visit of stage 5 is not known" in ended.err


def test_json_without_a_file_is_refused(command: Command, healthy_cloud: Cloud) -> None:
    assert command("report", "--json", "--config", str(healthy_cloud.plan_path)).code == 2


@pytest.mark.skipif(HAS_SCIPY, reason="SciPy is installed")
def test_without_scipy_there_is_no_p_value_and_it_is_said() -> None:
    assert ask_p_values([((1.0, 2.0), (3.0, 4.0))]) == ([None], NO_SCIPY)


@pytest.mark.skipif(not HAS_SCIPY, reason="needs the extra [report]")
def test_p_values_come_from_a_process_of_their_own() -> None:
    values, note = ask_p_values([((1.0, 2.0, 3.0), (4.0, 5.0, 6.0)), ((), (1.0,))])
    assert values[0] == pytest.approx(0.1)
    assert values[1] is None
    assert note == ""
