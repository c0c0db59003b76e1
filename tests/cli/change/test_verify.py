"""`canary verify | compare`, and the verification after a change: verdicts, files, exit codes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from canary.cli.change.verify import progress_on, progress_text
from canary.engine.jobs.verification import VerifyProgress
from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]
SPEED = 600.0


@pytest.fixture(name="at_router")
def at_router_fixture(open_cloud: Open) -> Open:
    """A cloud whose plan knows the router, and verifies each change without a delay."""

    def open_it(*scenario: str, url: str | None = None, **config: object) -> Cloud:
        cloud = open_cloud(*scenario, **config)
        router = f'url = "{url if url is not None else cloud.control}"'
        plan = (
            cloud.plan_path.read_text()
            .replace("after_change = false", "after_change = true")
            .replace("delay_ms = 50.0 ", "delay_ms = 0.0 ")
            .replace('# url = "https://api.example.com"', router)
            .replace("timeout_s = 10.0", "timeout_s = 20.0")
        )
        assert router in plan
        cloud.plan_path.write_text(plan)
        # Answers as quick as the clock is fast; the numbers are those of now.
        cloud.post("clock", {"speed": SPEED})
        return cloud

    return open_it


def test_a_split_as_intended_is_verified_and_written(command: Command, at_router: Open) -> None:
    cloud = at_router()
    ended = command("verify", "--config", str(cloud.plan_path))
    assert ended.code == 0
    assert "✓ VERIFIED: split " in ended.out
    assert "ion-api-canary" in ended.out
    written = json.loads((cloud.plan_path.parent / "outputs" / "compare_stage2.json").read_text())
    assert (written["verdict"], written["requests"]) == ("passed", 100)


def test_another_share_is_not_passed_and_loud(command: Command, at_router: Open) -> None:
    path = str(at_router().plan_path)
    ended = command("verify", "--percent", "50", "--config", path)
    assert ended.code == 1
    assert "canary: ✗ VERIFICATION NOT PASSED: share that Cloud Run reports: 10 %" in ended.err
    document = command("verify", "--percent", "50", "--json", "--config", path).document
    states = {check["id"]: check["state"] for check in document["checks"]}
    assert (states["reported"], states["split"]) == ("not_passed", "not_passed")


def test_without_the_routers_address_it_could_not_be_verified(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("verify", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 30
    assert "? COULD NOT VERIFY" in ended.err
    assert "target.router.url is not set" in ended.err
    assert "VERIFIED" not in ended.out


def test_what_was_found_is_said_though_its_file_cannot_be_written(
    command: Command, healthy_cloud: Cloud
) -> None:
    outputs = healthy_cloud.plan_path.parent / "outputs"
    aside = outputs.rename(outputs.with_name("aside")) if outputs.exists() else None
    outputs.write_text("no directory")
    try:
        ended = command("verify", "--config", str(healthy_cloud.plan_path))
    finally:
        outputs.unlink()
        if aside is not None:
            aside.rename(outputs)
    assert ended.code == 30
    assert "? COULD NOT VERIFY" in ended.err
    assert "could not be written" in ended.err
    assert "Written to" not in ended.out


def test_a_rollback_that_cannot_be_verified_is_done_all_the_same(
    command: Command, healthy_cloud: Cloud
) -> None:
    plan = healthy_cloud.plan_path
    plan.write_text(plan.read_text().replace("after_change = false", "after_change = true"))
    ended = command("rollback", "--all", "--yes", "--config", str(plan))
    assert ended.code == 0
    assert "target.router.url is not set" in ended.err


def test_compare_without_the_address_is_a_mistake_of_the_plan(
    command: Command, healthy_cloud: Cloud
) -> None:
    ended = command("compare", "--config", str(healthy_cloud.plan_path))
    assert ended.code == 2
    place, said = ended.err.splitlines()
    assert place == "LOCAL CLOUD, naeda-genesis/us-central1: ion-api and ion-api-canary"
    assert said.startswith("canary: ")


def test_compare_puts_both_sides_side_by_side_and_writes_it(
    command: Command, at_router: Open, tmp_path: Path
) -> None:
    cloud, out = at_router(percent=50), tmp_path / "both.json"
    arguments = ("--requests", "60", "--delay-ms", "0", "--out", str(out))
    ended = command("compare", *arguments, "--json", "--config", str(cloud.plan_path))
    document = ended.document
    assert ended.code == 0
    assert json.loads(out.read_text()) == document
    assert out.stat().st_mode & 0o777 == 0o600
    assert document["legacy"]["requests"] + document["canary"]["requests"] == 60
    assert document["canary"]["p95_response_time_ms"] > 0
    shown = command("compare", *arguments, "--config", str(cloud.plan_path)).out
    assert "error ratio" in shown
    assert "confidence" in shown


def test_a_rollback_is_verified_by_itself(command: Command, at_router: Open) -> None:
    cloud = at_router()
    ended = command("rollback", "--yes", "--json", "--config", str(cloud.plan_path))
    assert ended.code == 0
    assert ended.document["outcome"]["state"] == "done"
    verification = ended.document["verification"]
    assert (verification["verdict"], verification["intended_percent"]) == ("passed", 5)
    assert verification["change"] == ended.document["id"]
    assert (cloud.plan_path.parent / "outputs" / "compare_stage1.json").exists()


def test_a_change_whose_verification_does_not_pass_is_done_and_exits_1(
    command: Command, at_router: Open
) -> None:
    # Nobody answers where callers are said to enter.
    cloud = at_router(url="http://127.0.0.1:9")
    ended = command("rollback", "--all", "--yes", "--config", str(cloud.plan_path))
    assert ended.code == 1
    assert "Canary has 0 %" in ended.out
    assert "✗ VERIFICATION NOT PASSED: router: 0 of 100 requests answered" in ended.err
    log = command("log", "--config", str(cloud.plan_path)).out
    assert "✗ VERIFICATION NOT PASSED: router: 0 of 100 requests answered" in log


def test_no_verify_leaves_it_out(command: Command, at_router: Open) -> None:
    cloud = at_router()
    arguments = ("rollback", "--yes", "--no-verify", "--json", "--config", str(cloud.plan_path))
    ended = command(*arguments)
    assert (ended.code, ended.document["verification"]) == (0, None)
    assert not (cloud.plan_path.parent / "outputs").exists()


def test_a_dry_run_is_not_verified(command: Command, at_router: Open) -> None:
    cloud = at_router()
    ended = command("rollback", "--dry-run", "--config", str(cloud.plan_path))
    assert (ended.code, "VERIF" in ended.out + ended.err) == (0, False)


class Line:
    """What is shown on the progress line."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    def show(self, text: str) -> None:
        self.shown.append(text)


def test_the_progress_line_is_a_bar_with_both_sides() -> None:
    text = progress_text(VerifyProgress("requests", 50, 100, 44, 5, 1))
    assert text == f"{'█' * 12}{'░' * 12} 50 of 100 requests   legacy 44   canary 5   no answer 1"


def test_the_progress_line_is_rewritten_ten_times_a_second_at_most() -> None:
    line, now = Line(), iter([0.0, 0.01, 0.02, 0.11, 0.12])
    show = progress_on(line, lambda: next(now))  # type: ignore[arg-type]
    for done in (0, 1, 2, 3, 4):
        show(VerifyProgress("requests", done, 4))
    # The begin, what comes a tenth of a second later, and the end.
    assert [text.split()[1] for text in line.shown] == ["0", "3", "4"]


def test_a_change_keeps_its_exit_code_when_nothing_can_be_verified_from_here(
    command: Command, at_router: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    cloud = at_router(url="https://api.example.com")
    monkeypatch.setenv("SSL_CERT_FILE", "/dev/null/nowhere")
    ended = command("rollback", "--all", "--yes", "--config", str(cloud.plan_path))
    assert ended.code == 0
    assert "SSL_CERT_FILE (/dev/null/nowhere) cannot be used" in ended.out + ended.err
    alone = command("verify", "--config", str(cloud.plan_path))
    assert alone.code != 70
    assert "SSL_CERT_FILE" in alone.out + alone.err
