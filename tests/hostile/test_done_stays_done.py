"""A rollback that is done never ends as a failure of this program, whatever fails afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from canary.cli.commands import run
from canary.cli.output import Acting
from canary.cloud.http import webhook
from tests.cli.commands import Cloud, Ended, running_cloud


class Mistake(Exception):
    """What no part of the program expects."""


def fail(*_: object, **__: object) -> Any:
    raise Mistake("after the fact")


def interrupt(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


AFTERWARDS = {
    "the verification": ("canary.cli.change.verify.verify_change", fail),
    "an interrupt of the verification": ("canary.cli.change.verify.verify_change", interrupt),
    "its file": ("canary.engine.jobs.verification.write_verification", fail),
    "the stage file": ("canary.engine.change.notes.write_stage_file", fail),
    "git": ("canary.engine.change.notes.commit_file", fail),
    "the notification": ("canary.engine.notify.outcome_notice", fail),
    "the notification of its begin": ("canary.engine.notify.change_notice", fail),
    "the webhook": ("canary.cloud.http.webhook.post_webhook", fail),
    "waiting for the webhook": ("canary.engine.notify.Notifier.drain", fail),
    "closing the memory of notifications": ("canary.engine.notify.Notifier.close", fail),
    "the encoding": ("canary.cli.change.ending.change_document", fail),
    "an encoding that cannot be": ("canary.cli.change.ending.change_document", lambda *_: {1j}),
    "closing the session": ("canary.engine.session.Session.close", fail),
    "saying it": ("canary.cli.change.run_change.print_outcome", fail),
}


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Cloud]:
    with running_cloud(tmp_path) as running:
        plan = running.plan_path
        text = plan.read_text().replace("after_change = false", "after_change = true")
        text = text.replace("git = false", "git = true", 1)
        text = text.replace("[notify]\n", '[notify]\nwebhook = "http://127.0.0.1:9/"\n', 1)
        assert "after_change = true" in text
        plan.write_text(text)
        yield running


@pytest.fixture
def command(
    cloud: Cloud,
    state_dir: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Ended]:
    monkeypatch.setattr(webhook, "AGAIN_AFTER_S", 0.0)

    def call(*arguments: str) -> Ended:
        monkeypatch.setattr(Acting, "now", False)
        capsys.readouterr()
        code = run((*arguments, "-c", str(cloud.plan_path)))
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


@pytest.mark.parametrize("what", AFTERWARDS)
@pytest.mark.parametrize("as_json", [False, True])
def test_what_fails_behind_the_outcome_changes_no_exit_code_and_no_document(
    command: Callable[..., Ended],
    monkeypatch: pytest.MonkeyPatch,
    what: str,
    as_json: bool,
):
    target, how = AFTERWARDS[what]
    with monkeypatch.context() as patch:
        patch.setattr(target, how)
        ended = command("rollback", "--all", "--yes", *(["--json"] if as_json else []))
    assert ended.code == 0, ended
    if as_json:
        assert ended.document["outcome"]["state"] == "done"
    (entry, *_) = command("log", "--json").document
    assert entry["outcome"]["state"] == "done"


@pytest.mark.parametrize("as_json", [False, True])
def test_a_mistake_while_it_is_carried_out_is_an_unknown_outcome_never_70(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch, as_json: bool
):
    with monkeypatch.context() as patch:
        patch.setattr("canary.engine.change.settling.OperationWaiter.settle", fail)
        ended = command("rollback", "--all", "--yes", *(["--json"] if as_json else []))
    assert ended.code == 5, ended
    assert "A mistake in this program: Mistake" in ended.err
    if as_json:
        assert ended.document["outcome"]["state"] == "unknown"


def test_a_mistake_before_anything_is_sent_has_a_document_too(
    command: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as patch:
        patch.setattr("canary.cli.change.run_change.look", fail)
        ended = command("rollback", "--all", "--yes", "--json")
    assert ended.code == 70
    assert ended.document["error"]["kind"] == "mistake"
