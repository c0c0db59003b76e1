"""A promotion is looked at once more behind the yes at the prompt; going back is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from canary.cli.change import run_change
from tests.cli.change.test_final_approval import FORCE, at_half
from tests.cli.commands import Cloud, run_process
from tests.cli.conftest import Command

Open = Callable[..., Cloud]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """`asked(act)`: a person is at the terminal, and says yes once `act` has happened."""

    def meanwhile(act: Callable[[], object]) -> None:
        monkeypatch.setattr(run_change, "demand_terminal_to_ask", lambda *, unasked: None)
        monkeypatch.setattr(run_change, "ask_to_confirm", lambda _: act())

    return meanwhile


def spike(cloud: Cloud) -> None:
    cloud.post("scenario", {"name": "error-spike"})
    cloud.post("clock", {"advance_s": 900.0})


def test_numbers_that_turn_while_it_is_asked_keep_a_promotion_back(
    command: Command, open_cloud: Open, asked
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    asked(lambda: spike(cloud))
    ended = command("promote", "--config", str(cloud.plan_path))
    assert ended.code == 4, ended
    assert "looked at again" in ended.err
    assert "Not every gate is met" in ended.err
    assert "promote" not in command("log", "--config", str(cloud.plan_path)).out


@pytest.mark.parametrize("kind", ["promote", "complete", "rollback"])
def test_a_hold_that_is_set_while_it_is_asked(
    command: Command, open_cloud: Open, asked, kind: str, tmp_path, state_dir
) -> None:
    """It keeps a promotion and its rest back, forced or not, and never a rollback."""
    cloud = at_half(open_cloud)
    config = ("--config", str(cloud.plan_path))
    if kind == "complete":
        assert command("promote", "--yes", *FORCE, *config).code == 0
        assert command("scale", "legacy", "--preset", "production", "--yes", *config).code == 0

    def hold() -> None:
        held = run_process(("hold", "--reason", "the database moves", *config), tmp_path, state_dir)
        assert held.code == 0, held

    asked(hold)
    ended = command(*(("rollback",) if kind == "rollback" else ("promote", *FORCE)), *config)
    assert ended.code == (0 if kind == "rollback" else 4), ended
    assert ("because the database moves" in ended.err) == (kind != "rollback")
    if kind == "complete":
        unasked = command("promote", "--yes", *FORCE, *config)
        assert (unasked.code, "because the database moves" in unasked.err) == (4, True)


@pytest.mark.parametrize("name", ["rollback", "adopt", "revert"])
def test_force_is_taken_and_does_nothing_where_no_gate_is_asked(
    command: Command, open_cloud: Open, name: str
) -> None:
    assert "--force" not in command(name, "--help").out
    cloud = open_cloud()
    config = ("--config", str(cloud.plan_path))
    ended = command(name, "--yes", "--force", "--dry-run", "--json", *config)
    plain = command(name, "--yes", "--dry-run", "--json", *config)
    assert ended.code == plain.code
    assert "--force has no effect here" in ended.err
    assert "has no effect" not in plain.err
    if name == "rollback":
        assert command("rollback", "--yes", "--force", *config).code == 0
        assert "forced" not in command("log", *config).out
