"""The executor: takes up what is open, side by side, once, and outlives the console."""

import asyncio
import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from canary.engine.change.executor import FRESH_S, OTHERS, CloudClients, Executor
from canary.engine.change.executor_process import Order
from canary.engine.change.in_process import carry_out_here
from canary.engine.change.recovery import Recovery
from canary.engine.console.executor_supervisor import ExecutorSupervisor
from canary.rollout.change.change import Outcome, SetScale
from canary.rollout.errors import Conflict, RecordError
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Journal
from canary.store.locks import Owner
from canary.store.paths import journal_path
from tests.embedded import DEFAULT_PLAN, Embedded
from tests.engine.carried import PACE, ask, router_service

PATIENCE_S = 20.0


@pytest.fixture
def journal(tmp_path: Path):
    with Journal(journal_path(tmp_path), wall=lambda: 1000.0) as opened:
        yield opened


@pytest.fixture
def owner(tmp_path: Path):
    with Owner(tmp_path) as mine:
        yield mine


def hands_of(cloud: Embedded) -> CloudClients:
    return CloudClients(cloud.writer, cloud.run, cloud.clock)


def executor_of(cloud: Embedded, journal: Journal, owner: Owner, now: float = 1000.0) -> Executor:
    return Executor(cloud.plan, hands_of(cloud), journal, owner, pace=PACE, wall=lambda: now)


async def until(condition: Callable[[], object], cloud: Embedded | None = None) -> None:
    """Let things run, and the cloud's clock, until the condition holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            if cloud is not None:
                cloud.advance(1.0)
            await asyncio.sleep(0.01)


def outcome_of(journal: Journal, change_id: str) -> Outcome | None:
    entry = journal.entry(change_id)
    return entry.outcome if entry is not None else None


async def test_what_is_open_is_taken_up_and_ends(embedded, journal, owner):
    journal.intend(await ask(embedded, "promote"))
    executor = executor_of(embedded, journal, owner)
    executor.take_up()
    assert executor.is_busy
    await until(lambda: not executor.is_busy, embedded)
    assert outcome_of(journal, "c1").state == "done"


async def test_what_another_living_executor_has_is_left_alone(embedded, journal, owner, tmp_path):
    journal.intend(await ask(embedded, "promote"))
    with Owner(tmp_path) as other:
        journal.claim("c1", other.token)
        executor = executor_of(embedded, journal, owner)
        executor.take_up()
        assert not executor.is_busy


async def test_two_executors_carry_out_one_intent_once(embedded, journal, owner, tmp_path):
    journal.intend(await ask(embedded, "promote"))
    before = await router_service(embedded)
    with Owner(tmp_path) as other, Journal(journal_path(tmp_path)) as same:
        executors = (
            executor_of(embedded, journal, owner),
            executor_of(embedded, same, other),
        )
        for executor in executors * 3:
            executor.take_up()
        await until(lambda: outcome_of(journal, "c1"), embedded)
        await asyncio.gather(*(e.finish() for e in executors))
    assert (await router_service(embedded)).generation == before.generation + 1


async def test_a_rollback_does_not_wait_for_a_promotion_that_hangs(embedded, journal, owner):
    journal.intend(await ask(embedded, "promote", "hangs"))
    executor = executor_of(embedded, journal, owner)
    executor.take_up()
    # The cloud's clock stands still: neither of the two can settle.
    await until(lambda: journal.entry("hangs").operation(0))
    journal.intend(await ask(embedded, "rollback_all", "rollback"))
    executor.take_up()
    await until(lambda: journal.entry("rollback").operation(0))
    assert outcome_of(journal, "hangs") is None
    await until(lambda: not executor.is_busy, embedded)
    assert outcome_of(journal, "rollback").state == "done"


@pytest.mark.parametrize(
    ("age_s", "state"),
    [(0.0, "done"), (FRESH_S, "done"), (FRESH_S + 1, "not_begun"), (-FRESH_S - 1, "not_begun")],
)
async def test_an_intent_is_begun_only_while_it_is_fresh(embedded, journal, owner, age_s, state):
    journal.intend(await ask(embedded, "rollback_all"))
    executor = executor_of(embedded, journal, owner, now=1000.0 + age_s)
    executor.take_up()
    await until(lambda: outcome_of(journal, "c1"), embedded)
    assert outcome_of(journal, "c1").state == state


async def test_one_change_that_breaks_does_not_stop_the_others(embedded, journal, owner):
    journal.intend(await ask(embedded, "scale", "good"))
    change = await ask(embedded, "scale", "bad")
    # No service of that name: the cloud refuses, and that is an outcome too.
    journal.intend(
        msgspec.structs.replace(change, steps=(SetScale("none", None, ScalePreset(0, 1)),))
    )
    executor = executor_of(embedded, journal, owner)
    executor.take_up()
    await until(lambda: not executor.is_busy, embedded)
    assert outcome_of(journal, "good").state == "done"
    assert outcome_of(journal, "bad").state == "failed"


async def test_warming_says_whether_cloud_run_answers(embedded, journal, owner):
    executor = executor_of(embedded, journal, owner)
    assert await executor.warm()
    embedded.break_method("GetService", code="PERMISSION_DENIED")
    assert not await executor.warm()


async def test_the_shell_takes_the_same_path(embedded, journal):
    change = await ask(embedded, "rollback_all")
    task = asyncio.create_task(
        carry_out_here(change, hands_of(embedded), journal, plan=embedded.plan, pace=PACE)
    )
    await until(task.done, embedded)
    assert task.result().state == "done"
    assert outcome_of(journal, "c1") == task.result()


async def test_an_interrupt_in_the_shell_leaves_what_was_sent_to_be_looked_up(embedded, journal):
    embedded.set_scenario("stuck-operation")
    change = await ask(embedded, "rollback_all")
    task = asyncio.create_task(
        carry_out_here(change, hands_of(embedded), journal, plan=embedded.plan, pace=PACE)
    )
    await until(lambda: journal.entry("c1") and journal.entry("c1").operation(0))
    os.kill(os.getpid(), signal.SIGINT)
    outcome = await task
    assert outcome.state == "unknown"
    assert outcome_of(journal, "c1") is None


@contextlib.contextmanager
def standing_by(cloud: Embedded, directory: Path):
    supervisor = ExecutorSupervisor(cloud.plan, directory / "canary.toml", directory)
    supervisor.start()
    try:
        yield supervisor
    finally:
        pid = supervisor.pid
        supervisor.stop()
        if pid is not None:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
        supervisor.stop()  # what was let go is reaped


def is_gone(pid: int) -> bool:
    """Whether a child has ended; it is reaped then."""
    try:
        return os.waitpid(pid, os.WNOHANG) != (0, 0)
    except ChildProcessError:
        return True


async def test_a_ring_has_the_process_carry_out_what_is_in_the_journal(embedded, journal, tmp_path):
    with standing_by(embedded, tmp_path) as supervisor, Journal(journal_path(tmp_path)) as fresh:
        await until(lambda: supervisor.is_ready)
        fresh.intend(await ask(embedded, "rollback_all"))
        supervisor.wake()
        await until(lambda: outcome_of(journal, "c1"), embedded)
    assert outcome_of(journal, "c1").state == "done"
    assert (tmp_path / "rollout.toml").exists()


async def test_the_process_takes_up_at_its_start_what_waits_in_the_journal(embedded, tmp_path):
    with Journal(journal_path(tmp_path)) as journal:
        journal.intend(await ask(embedded, "rollback_all"))
        with standing_by(embedded, tmp_path):
            await until(lambda: outcome_of(journal, "c1"), embedded)
        assert outcome_of(journal, "c1").state == "done"


async def test_the_console_goes_and_the_change_is_finished(embedded, tmp_path):
    with Journal(journal_path(tmp_path)) as journal, standing_by(embedded, tmp_path) as supervisor:
        journal.intend(await ask(embedded, "rollback_all"))
        supervisor.wake()
        # The cloud's clock stands still: the change is on its way, and not settled.
        await until(lambda: journal.entry("c1").operation(0))
        pid = supervisor.pid
        supervisor.stop()
        for number in (signal.SIGHUP, signal.SIGINT):
            os.kill(pid, number)
        assert outcome_of(journal, "c1") is None
        await until(lambda: outcome_of(journal, "c1"), embedded)
        assert outcome_of(journal, "c1").state == "done"
        await until(lambda: is_gone(pid))
        supervisor.stop()


async def test_an_idle_executor_ends_with_its_console(embedded, tmp_path):
    with standing_by(embedded, tmp_path) as supervisor:
        await until(lambda: supervisor.is_ready)
        pid = supervisor.pid
        supervisor.stop()
        await until(lambda: is_gone(pid))


async def test_a_killed_executor_is_replaced_and_goes_on(embedded, tmp_path):
    with Journal(journal_path(tmp_path)) as journal, standing_by(embedded, tmp_path) as supervisor:
        before = await router_service(embedded)
        journal.intend(await ask(embedded, "rollback_all"))
        supervisor.wake()
        await until(lambda: journal.entry("c1").operation(0))
        os.kill(supervisor.pid, signal.SIGKILL)
        await until(lambda: not supervisor.is_alive)
        supervisor.tend()
        await until(lambda: outcome_of(journal, "c1"), embedded)
        assert outcome_of(journal, "c1").state == "done"
    after = await router_service(embedded)
    assert (after.percent, after.generation) == (0, before.generation + 1)


async def test_the_process_has_a_session_of_its_own(embedded, tmp_path):
    with standing_by(embedded, tmp_path) as supervisor:
        assert os.getsid(supervisor.pid) == supervisor.pid != os.getsid(0)
        mode = (tmp_path / "executor.log").stat().st_mode & 0o777
    assert mode == 0o600


def test_without_an_order_the_process_says_so_and_ends():
    done = subprocess.run(
        [sys.executable, "-m", "canary.cli.background", "executor"],
        input=b"hello\n",
        capture_output=True,
        check=False,
    )
    assert done.returncode == 2
    assert b"no order" in done.stderr
    assert b"Traceback" not in done.stderr


def test_an_order_comes_back_as_it_was(tmp_path):
    order = Order(DEFAULT_PLAN, "canary.toml", str(tmp_path))
    assert msgspec.json.decode(msgspec.json.encode(order), type=Order) == order


def test_a_command_that_is_not_there_is_said_in_one_sentence(tmp_path):
    supervisor = ExecutorSupervisor(
        DEFAULT_PLAN, tmp_path / "c.toml", tmp_path, command=["/nonexistent"]
    )
    with pytest.raises(RecordError, match="cannot be started"):
        supervisor.wake()


def test_an_executor_that_keeps_ending_is_started_with_growing_pauses(tmp_path):
    now = [0.0]
    supervisor = ExecutorSupervisor(
        DEFAULT_PLAN,
        tmp_path / "c.toml",
        tmp_path,
        command=["/nonexistent"],
        monotonic=lambda: now[0],
    )
    started = []
    supervisor.start = lambda: started.append(now[0])
    for second in range(16):
        now[0] = float(second)
        supervisor.tend()
    assert started == [0.0, 1.0, 3.0, 7.0, 15.0]


def test_there_is_one_way_from_an_intent_to_its_outcome():
    """Whoever wants a change carried out asks an Executor: nobody else walks the path himself."""
    sources = Path(__file__).resolve().parents[3] / "canary"
    callers = {
        str(path.relative_to(sources))
        for path in sources.rglob("*.py")
        if re.search(r"(?<!def )\bcarry_out\(", path.read_text(encoding="utf-8"))
    }
    assert callers == {"engine/change/executor.py"}


async def test_an_executor_leaves_what_routes_otherwise_alone_and_says_so(embedded, journal, owner):
    journal.intend(await ask(embedded, "promote"))
    before = await router_service(embedded)
    target = embedded.plan.target
    router = msgspec.structs.replace(target.router, variable="OTHER_SHARE")
    other = msgspec.structs.replace(
        embedded.plan, target=msgspec.structs.replace(target, router=router)
    )
    executor = Executor(other, hands_of(embedded), journal, owner, pace=PACE, wall=lambda: 1000.0)
    for _ in range(3):
        executor.take_up()
    assert not executor.is_busy
    assert await executor.go_on("c1") is None
    entry = journal.entry("c1")
    assert (entry.outcome, entry.owner) == (None, "")
    assert [note.detail for note in entry.notes] == [OTHERS]
    recovery = Recovery(other, embedded.run, journal, embedded.clock)
    with pytest.raises(Conflict, match="routes otherwise"):
        await recovery.resume("c1", "ann")
    assert (await recovery.verify("c1")).state == "unknown"
    executor_of(embedded, journal, owner).take_up()
    await until(lambda: outcome_of(journal, "c1"), embedded)
    assert outcome_of(journal, "c1").state == "done"
    assert (await router_service(embedded)).generation == before.generation + 1
