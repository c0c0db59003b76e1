"""A plan that was edited under a running rollout, and a share that was lowered by hand."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from canary.rollout.change.stage_record import StageRecord, encode_record
from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]
FORCE = ("--force", "--reason", "the fair begins")


def recorded(stage: int, percent: int) -> str:
    """A stage record, as the service's annotation has it."""
    return encode_record(StageRecord(stage, percent, time.time() - 360_000.0, change="theirs"))


def drop_stages(cloud: Cloud, shares: tuple[int, ...]) -> None:
    """Take stages out of the plan file."""
    head, *stages = re.split(r"(?m)^\[\[stages\]\]", cloud.plan_path.read_text())
    kept = [s for s in stages if int(re.search(r"percent = (\d+)", s)[1]) not in shares]
    cloud.plan_path.write_text("[[stages]]".join([head, *kept]))


def test_an_edited_plan_is_drift_to_be_adopted_and_nothing_is_promoted_before(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    drop_stages(cloud, (10, 50))  # 5 / 10 / 25 / 50 / 100 with the record at stage 2, 10 %
    config = ("--config", str(cloud.plan_path))
    shown = command("status", *config)
    assert "the plan was changed: 10 % recorded, it has 25 % at stage 2" in shown.out
    for how in ((), FORCE):
        refused = command("promote", "--yes", *how, *config)
        assert (refused.code, "the plan has 25 % at stage 2" in refused.err) == (4, True), refused
    assert command("status", "--json", *config).document["traffic"]["canary"] == 10
    assert command("adopt", "--yes", *config).code == 0
    after = command("status", "--json", *config).document
    assert (after["stage"]["index"], after["traffic"]["canary"]) == (1, 10)
    assert after["traffic"]["drift"] is False
    assert command("promote", "--yes", *FORCE, *config).code == 0
    traffic = command("status", "--json", *config).document["traffic"]
    assert (traffic["canary"], traffic["recorded"]) == (25, 25)


def test_a_record_beyond_the_plan_is_drift_and_can_be_gone_back_from(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(stage=4, percent=50, record=recorded(4, 50))
    drop_stages(cloud, (10, 25, 50))
    config = ("--config", str(cloud.plan_path))
    refused = command("promote", "--yes", *FORCE, *config)
    assert (refused.code, "the plan has no stage 4" in refused.err) == (4, True), refused
    assert command("rollback", "--all", "--yes", *config).code == 0
    assert command("status", "--json", *config).document["traffic"]["canary"] == 0


def test_a_rollback_from_a_lowered_share_never_gives_canary_more(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(stage=3, percent=5, record=recorded(3, 25))
    config = ("--config", str(cloud.plan_path))
    for how in ((), ("--to", "2")):
        refused = command("rollback", "--yes", *how, *config)
        assert refused.code == 4, refused
        assert "a rollback never gives it more" in refused.err
        assert "rollback --all" in refused.err
    assert command("status", "--json", *config).document["traffic"]["canary"] == 5
    assert command("rollback", "--all", "--yes", *config).code == 0
