"""Armed means awake: nobody relies on a guard that is stopped, frozen or asleep."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.engine.guard.left_behind import GuardJob, leave_guard
from canary.rollout.change.change import Author
from canary.rollout.decision.guard import SLEPT_S, Cause, GuardState, Seen, advance, arm
from canary.rollout.plan.file import load_plan
from canary.rollout.snapshot.snapshot import (
    OperatorSession,
    Presence,
    find_countdown,
    format_operator_session,
)
from canary.rollout.snapshot.status import status_document
from canary.store import presence
from canary.store.paths import state_dir
from canary.store.presence import SILENT_AFTER_S, OperatorSessionHolder, read_operator_sessions
from tests.cli.commands import ROOT, running_cloud
from tests.tui import scenes
from tests.tui.scripted import staged
from tests.tui.test_safety import ARMED, at

OTHER_CAUSE = Cause("c:watch", "step_back", "watch", "watched for an hour")
CAUSE = Cause("c:critical", "rollback_all", "critical", "error ratio 8 % > 5 %")
ARMED_ELSEWHERE = OperatorSession(99, "bob", "bastion-2", scenes.NOW, armed=True, due_at=scenes.NOW)


def seen_by_others(tmp_path: Path, session: OperatorSession) -> OperatorSession:
    holder = OperatorSessionHolder(tmp_path, session)
    (found,) = read_operator_sessions(tmp_path)
    holder.release()
    return found


def test_one_that_looks_guards_and_one_that_does_not_is_silent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(presence, "read_steady_clock", lambda: 1000.0)
    awake = msgspec.structs.replace(ARMED_ELSEWHERE, beat=1000.0 - SILENT_AFTER_S)
    asleep = msgspec.structs.replace(ARMED_ELSEWHERE, beat=1000.0 - SILENT_AFTER_S - 1)
    assert seen_by_others(tmp_path, awake).guards
    found = seen_by_others(tmp_path, asleep)
    assert not found.guards
    assert "not answering since" in format_operator_session(found)
    assert find_countdown((found,)) is None
    shown = msgspec.structs.replace(scenes.snapshot(), presence=Presence((found,)), guard=None)
    assert status_document(shown)["guard"]["armed"] is False


@pytest.mark.parametrize("set_by_s", [-7200.0, 0.0, 7200.0])
def test_a_clock_that_is_set_moves_no_countdown_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, set_by_s: float
):
    begun_at = 1_780_000_000.0
    monkeypatch.setattr(presence, "read_steady_clock", lambda: 1020.0)
    monkeypatch.setattr(presence.time, "time", lambda: begun_at + 20.0 + set_by_s)
    counting = msgspec.structs.replace(
        ARMED_ELSEWHERE, due_at=begun_at + 60.0, beat=1019.0, due_beat=1060.0
    )
    found = seen_by_others(tmp_path, counting)
    assert found.due_at == begun_at + 60.0 + set_by_s
    assert find_countdown((found,)) is not None


async def test_the_screen_says_that_nobody_guards():
    silent = msgspec.structs.replace(ARMED_ELSEWHERE, silent_since=scenes.NOW)
    async with staged((140, 40), at(presence=Presence((silent,)))) as stage:
        shown = stage.frame()
    assert "NOBODY GUARDS: auto rollback armed by bob's console, process 99, not answering" in shown


async def test_ctrl_z_while_armed_disarms_first_and_says_so():
    async with staged((120, 40), at(guard=ARMED)) as stage:
        suspended: list[list[object]] = []
        calls = stage.engine.asked
        stage.app.action_suspend_process = lambda: suspended.append(list(calls))
        await stage.press("ctrl+z")
        assert not suspended, "asked first"
        assert "Leave a guard behind" in stage.frame()
        await stage.press("ctrl+z")
        assert suspended, "it went to the shell"
        assert ("disarm",) in suspended[0], "disarmed before it went"
        assert "was disarmed: it would sleep" in stage.frame()


async def test_ctrl_z_while_armed_leaves_a_guard_behind_when_the_person_says_so():
    async with staged((120, 40), at(guard=ARMED)) as stage:
        suspended: list[list[object]] = []
        calls = stage.engine.asked
        stage.app.action_suspend_process = lambda: suspended.append(list(calls))
        await stage.press("ctrl+z")
        await stage.press("y")
        assert suspended, "it went to the shell"
        assert ("leave_guard",) in suspended[0], "with a guard behind it"
        assert "Process 4711 guards now" in stage.frame()


async def test_ctrl_z_while_nothing_is_armed_disarms_nothing():
    async with staged((120, 40), at()) as stage:
        suspended: list[bool] = []
        stage.app.action_suspend_process = lambda: suspended.append(True)
        await stage.press("ctrl+z")
        assert suspended
        assert "disarmed" not in stage.frame()


@given(
    late_s=st.floats(0, 1e6),
    countdown_s=st.floats(5, 3600),
    by_now=st.sampled_from([CAUSE, OTHER_CAUSE]),
)
def test_a_countdown_that_ended_unseen_begins_anew_and_acts_on_no_old_one(
    late_s: float, countdown_s: float, by_now: Cause
):
    state = arm(GuardState(), "ann", countdown_s)
    state, act = advance(state, Seen(CAUSE), (), 0.0, 3)
    assert act == "begun"
    woken_at = countdown_s + late_s
    state, act = advance(state, Seen(by_now), (), woken_at, 3)
    if woken_at < countdown_s + SLEPT_S:
        assert act == ("fire" if by_now is CAUSE else "begun")
    else:
        assert act == "slept"
        assert state.due_at == woken_at + countdown_s
        _, act = advance(state, Seen(by_now), (), woken_at + countdown_s, 3)
        assert act == "fire"


def test_a_guard_that_is_stopped_is_seen_as_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The real command, stopped as ctrl+z or a frozen host stops it."""
    with running_cloud(tmp_path) as cloud:
        with subprocess.Popen(
            [
                sys.executable,
                "-m",
                "canary.cli.main",
                "guard",
                "--json",
                "--config",
                cloud.plan_path,
            ],
            cwd=ROOT,
            env={**os.environ, "CANARY_STATE_DIR": str(tmp_path / "state")},
            stdout=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            assert "ARMED" in process.stdout.readline()
            (directory,) = (path.parent for path in (tmp_path / "state").rglob("consoles"))
            (before,) = wait_for_beat(directory)
            process.send_signal(signal.SIGSTOP)
            real = presence.read_steady_clock
            monkeypatch.setattr(presence, "read_steady_clock", lambda: real() + SILENT_AFTER_S + 5)
            (after,) = read_operator_sessions(directory)
            process.send_signal(signal.SIGCONT)
            process.send_signal(signal.SIGTERM)
            process.stdout.read()
        assert before.guards
        assert after.armed
        assert after.silent_since is not None
        assert process.returncode == 0


def wait_for_beat(directory: Path) -> tuple[OperatorSession, ...]:
    """The guard's session, once it has looked for the first time."""
    while True:
        files = list((directory / "consoles").iterdir())
        if (
            files
            and b'"beat":' in files[0].read_bytes()
            and b'"beat":null' not in files[0].read_bytes()
        ):
            return read_operator_sessions(directory)


def test_a_guard_that_was_left_behind_guards_until_it_is_ended(tmp_path: Path):
    """The real process, in a session of its own: it outlives whoever started it."""
    with running_cloud(tmp_path) as cloud:
        plan = load_plan(cloud.plan_path)
        state = tmp_path / "state"
        state.mkdir(mode=0o700)
        before = os.environ.get("CANARY_STATE_DIR")
        os.environ["CANARY_STATE_DIR"] = str(state)
        try:
            directory = state_dir(plan)
            job = GuardJob(plan, str(cloud.plan_path), Author("ann", "bastion"))
            pid = leave_guard(job, directory)
            (shown,) = wait_for_session(directory)
            assert (shown.kind, shown.user, shown.pid, shown.armed) == ("guard", "ann", pid, True)
            assert os.getsid(pid) == pid
            os.kill(pid, signal.SIGTERM)
            _, status = os.waitpid(pid, 0)
            assert os.waitstatus_to_exitcode(status) == 0
            assert read_operator_sessions(directory) == ()
        finally:
            os.environ.pop("CANARY_STATE_DIR")
            if before is not None:
                os.environ["CANARY_STATE_DIR"] = before


def wait_for_session(directory: Path) -> tuple[OperatorSession, ...]:
    while True:
        found = read_operator_sessions(directory)
        if found and found[0].armed:
            return found
