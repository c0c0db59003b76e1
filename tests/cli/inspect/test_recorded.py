"""What the shell says of the past: from this host's recording, without a cloud."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from canary.cli.recordings import read_recording
from canary.rollout.errors import RecordError
from canary.rollout.plan.file import load_plan
from canary.rollout.recording.file import read_bundle
from canary.rollout.recording.frames import Frame
from canary.rollout.text import format_timestamp
from canary.store.paths import recording_path
from canary.store.paths import state_dir as directory_of
from canary.store.recording import RecordingFile
from tests.cli.commands import ROOT, Cloud
from tests.cli.conftest import Command
from tests.cloud.webhook_server import listening
from tests.rollout.recording.shown import day, record

SCHEMA = json.loads((ROOT / "docs" / "status.schema.json").read_text())
PLAN_FILE = ROOT / "canary.toml"


@pytest.fixture
def frames(state_dir: Path) -> list[Frame]:
    """An hour that this host has recorded, and after a pause ten minutes more."""
    frames = day(110)
    plan = load_plan(PLAN_FILE)
    kept = [f._replace(plan=plan, seen_at=5.0 * n) for n, f in enumerate(frames)]
    path = recording_path(directory_of(plan))
    with RecordingFile(path) as file:
        record(kept[:60], file)
        record([f._replace(seen_at=f.seen_at + 900) for f in kept[100:]], file)
    return kept


def test_status_of_then_fits_the_contract(command: Command, frames: list[Frame]) -> None:
    then = frames[30].snapshot.as_of
    ended = command("status", "--at", format_timestamp(then), "--json", "-c", str(PLAN_FILE))
    Draft202012Validator(SCHEMA).validate(ended.document)
    assert ended.document["as_of"].startswith(format_timestamp(then)[:10])
    assert (
        ended.document["sides"]["canary"]["requests"] == frames[30].snapshot.canary.window.requests
    )


def test_where_nobody_was_recording_that_is_said(command: Command, frames: list[Frame]) -> None:
    then = format_timestamp(frames[80].snapshot.as_of)
    ended = command("status", "--at", then, "--line", "-c", str(PLAN_FILE))
    assert "stage 2  10 % ion-api-canary" in ended.out
    assert "Nobody was recording from 2026-03-01 15:02:22Z" in ended.err


@pytest.mark.usefixtures("frames")
def test_before_the_first_frame_nothing_is_made_up(command: Command) -> None:
    ended = command("status", "--at", "2026-01-01 10:00", "-c", str(PLAN_FILE))
    assert ended.code == 3
    assert "Nothing was recorded by" in ended.err


@pytest.mark.usefixtures("frames")
def test_what_is_no_moment_is_wrong_usage(command: Command) -> None:
    ended = command("status", "--at", "teatime", "-c", str(PLAN_FILE))
    assert ended.code == 2
    assert "is no moment" in ended.err


@pytest.mark.usefixtures("state_dir")
def test_a_host_that_recorded_nothing_says_so(command: Command) -> None:
    ended = command("status", "--at", "-2h", "-c", str(PLAN_FILE))
    assert ended.code == 3
    assert "Nothing is recorded of this rollout yet." in ended.err


@pytest.mark.usefixtures("frames")
def test_the_timeline_tells_when_nobody_was_recording(command: Command, tmp_path: Path) -> None:
    ended = command("timeline", "-c", str(PLAN_FILE))
    assert ended.code == 0
    assert "nobody was recording until" in ended.out
    out = tmp_path / "timeline.jsonl"
    assert command("timeline", "--format", "jsonl", "-o", str(out), "-c", str(PLAN_FILE)).code == 0
    assert [json.loads(line)["kind"] for line in out.read_text().splitlines()] == ["gap"]


@pytest.mark.usefixtures("frames")
def test_a_stage_and_a_span_exclude_each_other(command: Command) -> None:
    ended = command("timeline", "--stage", "2", "--from", "-2h", "-c", str(PLAN_FILE))
    assert ended.code == 2


def test_a_handover_says_where_it_stands(command: Command, healthy_cloud: Cloud) -> None:
    ended = command("handover", "--since", "8h", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 0
    assert ended.out.startswith("# Handover ion-api → ion-api-canary")
    assert "not known: Nothing is recorded of this rollout yet." in ended.out
    assert len(ended.out.splitlines()) <= 40


def test_a_handover_to_a_webhook_that_is_not_there_is_wrong_usage(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("handover", "--post", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 2
    assert "no webhook" in ended.err


@pytest.mark.parametrize("status", [200, 503])
async def test_a_handover_is_posted_to_the_webhook(
    command: Command, healthy_cloud: Cloud, tmp_path: Path, status: int
) -> None:
    """It goes out whole; where nobody takes it, that is said, and the text is here all the same."""
    plan = tmp_path / "canary.toml"
    async with listening() as webhook:
        webhook.status = status
        told = f'[notify]\nwebhook = "{webhook.url}"\n'
        plan.write_text(healthy_cloud.plan_path.read_text().replace("[notify]\n", told, 1))
        ended = await asyncio.to_thread(command, "handover", "--post", "-c", str(plan))
    assert ended.out.startswith("# Handover ion-api → ion-api-canary")
    assert webhook.bodies
    assert "s3cret" not in ended.out + ended.err
    posted = json.dumps(webhook.bodies[0], ensure_ascii=False)
    assert "handover" in posted
    assert "**Open**" in posted
    assert "automatic rollback is off" in posted
    said = [line for line in ended.err.splitlines() if not line.startswith("LOCAL CLOUD, ")]
    assert ended.code == 0, "the handover is written, and what nobody takes is told later"
    assert said == ([] if status == 200 else ["canary: The webhook at 127.0.0.1 answered 503: ok."])


@pytest.mark.usefixtures("frames")
def test_an_export_is_private_and_says_how_to_open_it(command: Command, tmp_path: Path) -> None:
    out = tmp_path / "incident.recording"
    ended = command("recording", "export", str(out), "--from", "-30m", "-c", str(PLAN_FILE))
    assert ended.code == 0
    assert f"canary replay {out}" in ended.out
    assert out.stat().st_mode & 0o777 == 0o600
    source = read_bundle(out.read_bytes(), "x")
    assert source.rollout == "ion-api → ion-api-canary"


def test_the_example_that_ships_opens_without_a_plan() -> None:
    recording, plan = read_recording(str(ROOT / "docs" / "example.recording"))
    assert plan.name == "ion-api → ion-api-canary"
    states = {moment.state for moment in recording.moments}
    assert states > {"healthy", "roll_back_all", "off"}
    for info in recording.infos:
        recording.read(recording.find(info.last_at))


@pytest.mark.parametrize("name", ["nowhere.recording", "README.md"])
def test_what_is_no_recording_is_a_sentence(name: str) -> None:
    with pytest.raises(RecordError, match=r"cannot be read|is no recording"):
        read_recording(str(ROOT / name))


@pytest.mark.usefixtures("frames")
def test_a_backtest_is_told_and_is_a_document(command: Command) -> None:
    ended = command("backtest", "-c", str(PLAN_FILE))
    assert ended.code == 0
    assert "alarms" in ended.out
    document = command("backtest", "--json", "--from", "-30m", "-c", str(PLAN_FILE)).document
    assert set(document) == {"from", "to", "alarms", "founded", "rollbacks"}
