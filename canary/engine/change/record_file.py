"""The record on this host after the split has changed: rollout.toml, and git if the plan asks.

What is written and committed here is a copy for people. Whatever fails is a remark on a change
that has been made, and never a failure of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from canary.rollout.change.change import Change, SetTraffic
from canary.rollout.errors import RecordError
from canary.rollout.permit.approval import commit_message
from canary.rollout.plan.plan import Plan
from canary.store.stage_file import commit_file, write_stage_file


class RecordFile:
    """The stage file of one change. `path` None: none is kept.

    `remark` is called with a sentence for the journal; `remarks` are those for the outcome.
    """

    def __init__(self, path: Path | None, plan: Plan, remark: Callable[[int, str], None]) -> None:
        self.remarks: list[str] = []
        self._path = path
        self._plan = plan
        self._remark = remark
        self._written: int | None = None

    def write(self, index: int, step: SetTraffic) -> None:
        """Write the record of step `index`, which is settled."""
        if self._path is None:
            return
        try:
            write_stage_file(self._path, self._plan.name, step.record)
        except RecordError as error:
            self._remark(index, error.message)
            self.remarks.append(str(error))
        else:
            self._written = index

    async def commit(self, change: Change) -> None:
        """Commit what was written, and push it if the plan asks; nothing was written: nothing.

        On a thread, so that another change of this process does not wait for a hook or a push.
        """
        settings = self._plan.record
        if self._written is None or self._path is None or not settings.git:
            return
        self._remark(self._written, f"putting {self._path.name} into git")
        message = commit_message(change)
        try:
            done = await asyncio.to_thread(commit_file, self._path, message, push=settings.push)
        except RecordError as error:
            said = str(error)
        else:
            how = f"committed as {done.commit}" if done.commit else "in git already"
            said = f"{self._path.name} is {how}{' and pushed' if done.pushed else ''}."
        self._remark(self._written, said)
        self.remarks.append(said)
