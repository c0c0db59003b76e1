"""Going back under churn: what its guard kept out is sent again, as long as the split is as shown.

Another tool may touch an annotation of the service every second. Each touch gives the service a new
etag (a URL map: a new fingerprint), and a rollback that insists on the one from the strip never
goes out. So a rollback that was clearly refused is sent again, guarded by the split that the strip
showed and by the etag as it is read in that moment: whatever happens in between is still refused
over there, and of two sendings at most one can take effect. A promotion is refused, as ever.

Rejected: leaving the etag out of a rollback. Then a split that somebody sets in the same moment
would be overwritten unseen.
"""

from __future__ import annotations

from collections.abc import Iterator

from canary.cloud.views import ServiceState
from canary.engine.change.dry_run import shell_command
from canary.engine.change.observed_state import check_split
from canary.engine.change.settling import OperationWaiter, Sent
from canary.rollout.change.change import GOING_BACK, Change, SetTraffic, Step, split_of
from canary.rollout.errors import Conflict, OutcomeUnknown
from canary.rollout.plan.plan import Plan


class KeptOut(Exception):
    """The guard kept a step out: it is certain that it has had no effect, and will have none."""

    def __init__(self, conflict: Conflict) -> None:
        super().__init__(conflict.message)
        self.conflict = conflict


class Retries:
    """The further tries of one step. `waiter` reads, and paces them."""

    def __init__(self, change: Change, plan: Plan, waiter: OperationWaiter) -> None:
        self._change = change
        self._plan = plan
        self._waiter = waiter
        self._pauses: Iterator[float] = waiter.tries()
        self._tried = 1

    async def demand(self, step: Step, kept_out: KeptOut, *, sent: bool) -> Sent | None:
        """Return None when the step may be sent again now, after a pause.

        `sent`: this try had reached the cloud; if the service shows it even so (a request that was
        doubled on its way), what became of it is returned. Raises Conflict for what does not go
        back, when the split is another than the strip showed, and when it was tried often enough.
        """
        conflict = kept_out.conflict
        if self._change.kind not in GOING_BACK:
            raise conflict
        pause = next(self._pauses, None)
        if pause is None:
            raise self._exhausted(conflict) from conflict
        await self._waiter.pause(pause)
        self._tried += 1
        state = await self._read()
        if state is None:
            return None  # the next try finds out, and waits
        reached = sent and isinstance(step, SetTraffic)
        if reached and self._waiter.observed(step, state) in ("there", "overtaken"):
            return await self._waiter.look_up(step, OutcomeUnknown(conflict.message))
        self._check_split(state, conflict)
        return None

    async def _read(self) -> ServiceState | None:
        split = split_of(self._change)
        return None if split is None else await self._waiter.read(split.service)

    def _check_split(self, state: ServiceState, conflict: Conflict) -> None:
        split = split_of(self._change)
        if split is None:
            return
        try:
            check_split(split, state)
        except Conflict as other:
            said = f"{conflict.message} {other.message}"
            raise Conflict(said, remedy=other.remedy) from conflict

    def _exhausted(self, conflict: Conflict) -> Conflict:
        typed = shell_command(self._change)
        return Conflict(
            f"{conflict.message} It was tried {self._tried} times: the service is touched all the"
            " time, though its split stays.",
            remedy=f"Ask again, or stop what touches it. What to type by hand: `{typed}`.",
        )
