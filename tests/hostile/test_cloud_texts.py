"""What the cloud says, in records, names and refusals, is acted upon by no command's output."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from canary.cli.commands import run
from tests.cli.commands import Cloud, Ended, running_cloud
from tests.hostile.text import HOSTILE, is_harmless

Open = Callable[..., Cloud]


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:
        yield lambda **config: stack.enter_context(running_cloud(tmp_path, **config))


@pytest.fixture
def ask(capsys: pytest.CaptureFixture[str], state_dir: Path) -> Callable[..., Ended]:
    def call(*arguments: Any) -> Ended:
        capsys.readouterr()
        code = run(tuple(map(str, arguments)))
        said = capsys.readouterr()
        return Ended(code, said.out, said.err)

    return call


SAID = HOSTILE.replace("\ud800", "")
"""Without the surrogate: no protobuf carries one."""

RECORD = {
    "stage": 2,
    "percent": 10,
    "entered_at": 1_760_000_000.0,
    "by": SAID,
    "host": SAID,
    "change": SAID,
    "move": "promote",
    "reason": SAID * 200,
    "previous_stage": 1,
    "previous_percent": 5,
}
LOOKS = (
    ["status"],
    ["status", "--json"],
    ["status", "--line"],
    ["log"],
    ["log", "--json"],
    ["evidence"],
    ["checklist"],
    ["recover"],
    ["report"],
    ["doctor"],
    ["retire", "plan"],
    ["alerts", "plan"],
    ["validate", "--stage", "2"],
    ["promote", "--dry-run"],
    ["rollback", "--dry-run"],
    ["rollback", "--all", "--dry-run"],
    ["adopt", "--dry-run"],
    ["scale", "canary", "--min", "1", "--dry-run"],
)


def test_a_hostile_record_is_harmless(ask: Callable[..., Ended], cloud: Open):
    opened = cloud(record=json.dumps(RECORD))
    for arguments in LOOKS:
        check(ask(*arguments, "--config", opened.plan_path), arguments)


def test_a_hostile_refusal_is_harmless(ask: Callable[..., Ended], cloud: Open):
    opened = cloud()
    for method in ("GetService", "ListTimeSeries", "UpdateService", "ListAlertPolicies"):
        told = {"method": method, "code": "PERMISSION_DENIED", "message": SAID * 40}
        opened.post("faults", told)
    for arguments in (*LOOKS, ["rollback", "--all", "--yes"]):
        ended = ask(*arguments, "--config", opened.plan_path)
        check(ended, arguments)
        assert len(ended.err) < 20_000, arguments


def check(ended: Ended, arguments: list[str]) -> None:
    assert ended.code != 70, (arguments, ended.err)
    assert is_harmless(ended.out), (arguments, ended.out)
    assert is_harmless(ended.err), (arguments, ended.err)
