"""An executor process that carries out one change, as a console has it do. Run by a test."""

import asyncio
import sys
import uuid
from pathlib import Path

from canary.engine.console.executor_supervisor import ExecutorSupervisor
from canary.engine.person import this_person
from canary.engine.session import Session
from canary.rollout.change.change import Request
from canary.rollout.change.moves import rollback_all
from canary.rollout.plan.file import load_plan


async def run(path: Path) -> int:
    plan = load_plan(path)
    async with await Session.open(plan, path) as session:
        snapshot = await session.observer.refresh()
        assert snapshot.standing is not None
        assert session.journal is not None
        request = Request(id=uuid.uuid4().hex, author=this_person(), now=session.clock.now())
        change = rollback_all(plan, snapshot.standing, request)
        session.journal.intend(change)
        supervisor = ExecutorSupervisor(plan, path, session.directory)
        supervisor.start()
        process = supervisor._process
        assert process is not None
        supervisor.stop()  # it finishes what is open, then ends
        code = await asyncio.to_thread(process.wait)
        entry = session.journal.entry(change.id)
        assert entry is not None
        assert entry.outcome is not None, (session.directory / "executor.log").read_text()
        assert entry.outcome.state == "done"
        return code


def main(path: str) -> None:
    sys.exit(asyncio.run(run(Path(path))))
