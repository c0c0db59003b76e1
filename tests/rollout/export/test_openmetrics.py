"""The rollout as OpenMetrics: what is told, what is left out, and whether Prometheus reads it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import msgspec
import pytest

from canary.rollout.change.change import Outcome
from canary.rollout.export.openmetrics import write_openmetrics
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.snapshot.state_words import WORDS
from tests.rollout.build import NOW, PLAN, snapshot

DONE = ChangeView("c-1", "promote", "p", "me", NOW, outcome=Outcome("done", "", "", NOW))
FAILED = ChangeView("c-2", "promote", "p", "me", NOW, outcome=Outcome("failed", "", "", NOW))


def told(
    of: Snapshot | None = None,
    *,
    textfile: bool = False,
    waiting_since: float | None = None,
    after_s: float = 0.0,
) -> str:
    base = snapshot() if of is None else of
    changes = (DONE, FAILED, DONE)
    return write_openmetrics(
        base, PLAN, base.as_of + after_s, changes, waiting_since, textfile=textfile
    )


def value_of(text: str, start: str) -> float | None:
    found = [line for line in text.splitlines() if line.startswith(start)]
    return float(found[0].rsplit(" ", 1)[1]) if found else None


def test_the_state_set_has_every_word_and_one_of_them_holds() -> None:
    lines = [line for line in told().splitlines() if line.startswith("canary_rollout_state{")]
    assert len(lines) == len(WORDS)
    assert sum(float(line.rsplit(" ", 1)[1]) for line in lines) == 1


def test_a_share_is_a_ratio_and_what_is_not_known_has_no_sample() -> None:
    base = snapshot()
    traffic = msgspec.structs.replace(base.traffic, canary_percent=10, served_percent=None)
    text = told(msgspec.structs.replace(base, traffic=traffic))
    assert value_of(text, "canary_rollout_set_ratio{") == 0.1
    assert "served_ratio" not in text


def test_changes_are_counted_by_kind_and_outcome() -> None:
    text = told()
    ends = {"done": 2, "failed": 1}
    for outcome, count in ends.items():
        line = next(x for x in text.splitlines() if f'outcome="{outcome}"' in x)
        assert line.startswith("canary_rollout_changes_total{")
        assert float(line.rsplit(" ", 1)[1]) == count


def test_an_age_goes_on_while_nobody_looks() -> None:
    name = 'canary_rollout_data_age_seconds{rollout="'
    sooner, later = value_of(told(), name), value_of(told(after_s=600.0), name)
    assert sooner is not None
    assert later == pytest.approx(sooner + 600.0)


def test_a_name_cannot_break_out_of_its_label() -> None:
    text = told(msgspec.structs.replace(snapshot(), rollout='a"} 1\nx{y="\\'))
    assert all(line.startswith(("#", "canary_rollout")) for line in text.splitlines())


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_has_nothing_to_say_about_the_textfile() -> None:
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        input=told(textfile=True, waiting_since=NOW).encode(),
        capture_output=True,
        check=False,
    )
    assert (checked.returncode, checked.stderr) == (0, b"")


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_prometheus_own_parser_reads_the_openmetrics(tmp_path: Path) -> None:
    # It asks for a time at each sample, which a scrape need not have.
    lines = [line if line.startswith("#") else f"{line} {int(NOW)}" for line in told().splitlines()]
    (tmp_path / "told.txt").write_text("\n".join(lines) + "\n")
    read = subprocess.run(
        ["promtool", "tsdb", "create-blocks-from", "openmetrics",
         str(tmp_path / "told.txt"), str(tmp_path / "data")],
        capture_output=True, check=False,
    )  # fmt: skip
    assert read.returncode == 0, read.stderr
