"""Two hosts and one cloud, and what must hold whatever is done to them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Self

import msgspec

from canary.engine.change.capacity import RAISED
from canary.engine.observe.source import QUOTA_MOST_S
from canary.rollout.change.change import Change, Kind, SetScale, SetTraffic
from canary.rollout.change.life import NEVER_SENT, replay
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from tests.chaos.host import Host, Ticker
from tests.chaos.ledger import OTHERS, Ledger, split_sums, stored_change, stored_service
from tests.embedded import DEFAULT_PLAN, Embedded, embed, with_router
from tests.engine.watching import go_on_is_founded

_QUICK = msgspec.structs.replace(
    DEFAULT_PLAN,
    metrics=msgspec.structs.replace(DEFAULT_PLAN.metrics, criteria_window_minutes=15),
    alerts=msgspec.structs.replace(DEFAULT_PLAN.alerts, watch_minutes=15),
)
"""Shorter windows: a third of the minutes to draw and to read, and nothing else is different."""

PLANS = {"env": _QUICK, "revisions": with_router(_QUICK, kind="revisions", candidate="canary")}
_MEMORY = next((d for d in (Path("/dev/shm"),) if d.is_dir()), None)  # noqa: S108
"""Thousands of journals, and every commit of theirs is synced."""
SETTLED_WITHIN = 150
"""Turns of 20 s after which everything must have an outcome, once nothing is broken any more."""


class Rollout:
    """A fresh cloud with two hosts; `close` gives everything back."""

    cloud: Embedded
    ledger: Ledger
    hosts: list[Host]

    def __init__(self) -> None:
        self._opened = contextlib.AsyncExitStack()
        self._seen: dict[str, tuple[Change, Snapshot]] = {}

    @classmethod
    async def open(cls, router: str = "env", *, blind: bool = False, **config: object) -> Self:
        """`blind`: the consoles ask for no metrics."""
        self = cls()
        plan: Plan = PLANS[router]
        config = {"soaked_hours": 25.0, **config}
        self.cloud = await self._opened.enter_async_context(embed(plan, **config))
        self.directory = Path(tempfile.mkdtemp(prefix="chaos", dir=_MEMORY))
        self._opened.callback(shutil.rmtree, self.directory)
        self.ledger = Ledger(self.cloud)
        self._began = (self._percent_stored(), stored_change(self.cloud))
        self.ticker = Ticker(self.cloud)
        self.hosts = []
        for name in ("ann", "bob"):
            host = Host(name, self.cloud, self.directory / name, self.ticker, blind=blind)
            self._opened.push_async_callback(host.close)
            self.hosts.append(host)
        return self

    async def close(self) -> None:
        await self._opened.aclose()

    # -- what happens ----------------------------------------------------------------------------

    async def look(self, host: Host) -> Snapshot:
        snapshot = await host.look()
        assert go_on_is_founded(snapshot, self.cloud.plan)
        return snapshot

    async def ask(self, host: Host, kind: Kind, *, forced: bool = False) -> Change | None:
        asked = host.ask(kind, forced=forced)
        await self.ticker.rest(self.hosts)
        if asked is None:
            return None
        change, snapshot = self._seen[asked[0].id] = asked
        if kind == "promote" and not forced and change.from_stage:
            self._check_founded(snapshot)
        return change

    async def pass_time(self, cloud_s: float) -> None:
        await self.ticker.tick(cloud_s, self.hosts)

    async def recover(self) -> None:
        """Nothing is broken any more, everybody is back: wait until all is settled."""
        self.cloud.world.faults.clear()
        self.cloud.set_scenario("healthy")
        for host in self.hosts:
            await host.bury()
            host.life.left = None
            if not host.is_alive:
                host.live()
            host.wake()
        for _ in range(SETTLED_WITHIN):
            if not any(host.busy for host in self.hosts):
                break
            await self.pass_time(20.0)
        await self.pass_time(QUOTA_MOST_S + 60.0)

    # -- what must hold --------------------------------------------------------------------------

    def check(self) -> None:
        """At every moment."""
        assert set(split_sums(self.cloud)) == {100}
        effects = Counter(e.change for e in self.ledger.splits if e.change != OTHERS)
        assert all(count == 1 for count in effects.values()), effects
        assert self.ledger.scales <= self._scales_sent()
        self._check_promotions()

    async def check_recovered(self) -> None:
        """After `recover`."""
        self.check()
        entries = {e.change.id: e for host in self.hosts for e in host.entries}
        assert [i for i, e in entries.items() if e.outcome is None] == []
        for effect in self.ledger.splits:
            if effect.change != OTHERS:
                outcome = entries[effect.change].outcome
                assert outcome is not None
                # An operation may fail after it was accepted, and a person may give it up then.
                assert outcome.state not in ("not_begun",), (effect, outcome)
        effects = {e.change for e in self.ledger.splits}
        for change_id, entry in entries.items():
            assert entry.outcome is not None
            # Its whole life is one that the table allows.
            steps = len(entry.change.steps)
            assert replay(entry.marks, steps, entry.outcome.state) == entry.state
            splits = any(isinstance(s, SetTraffic) for s in entry.change.steps)
            if splits and entry.outcome.state == "done":
                assert change_id in effects, entry
        self._check_replay(entries)
        for host in self.hosts:
            snapshot = await self.look(host)
            assert snapshot.traffic.canary_percent == self._percent_stored()

    def _check_replay(self, entries: dict[str, object]) -> None:
        """The journals, replayed over what others did, lead to what the cloud has."""
        percent, owner = self._began
        for effect in self.ledger.splits:
            if effect.change == OTHERS:
                percent = effect.percent or 0
                continue
            change = entries[effect.change].change  # type: ignore[attr-defined]
            split = next(s for s in change.steps if isinstance(s, SetTraffic))
            percent, owner = split.percent, change.id
        assert self._percent_stored() == percent
        assert stored_change(self.cloud) == owner

    def _percent_stored(self) -> int:
        service, plan = stored_service(self.cloud), self.cloud.plan
        if plan.target.shares_one_service:
            return sum(t.percent for t in service.traffic if t.tag == plan.target.router.candidate)
        variables = {v.name: v.value for v in service.template.containers[0].env}
        return int(variables[plan.target.router.variable])

    def _scales_sent(self) -> int:
        """How many scales were ever about to be sent; a raise of Legacy may be doubled."""
        raised = 2 * sum(
            note.detail.startswith(RAISED)
            for host in self.hosts
            for entry in host.entries
            for note in entry.notes
        )
        return raised + sum(
            isinstance(step, SetScale) and entry.state_of(index) not in NEVER_SENT
            for host in self.hosts
            for entry in host.entries
            for index, step in enumerate(entry.change.steps)
        )

    def _check_promotions(self) -> None:
        """Every promotion that took effect was asked for on enough fresh data, or with a reason."""
        for effect in self.ledger.splits:
            if effect.move != "promote":
                continue
            change, _ = self._seen[effect.change]
            evidence, metrics = change.evidence, self.cloud.plan.metrics
            if change.forced:
                assert change.reason
                continue
            if change.from_stage == 0:
                # With nobody on Canary nothing is measured; a bad verdict forbids it even so.
                assert evidence.verdict in ("continue", "no_data")
                continue
            assert evidence.verdict == "continue"
            assert evidence.gates_unmet == ()
            assert evidence.data_age_s is not None
            assert evidence.data_age_s <= metrics.stale_after_s
            assert (evidence.requests or 0) >= metrics.min_requests

    def _check_founded(self, snapshot: Snapshot) -> None:
        """What the console went by is what the cloud really had, and fresh."""
        plan, now = self.cloud.plan, self.cloud.now
        assert snapshot.as_of == now
        assert snapshot.decision.verdict == "continue"
        revisions = plan.target.shares_one_service
        service = plan.target.legacy if revisions else plan.target.canary
        revision = f"{service}-00002-can" if revisions else None
        begin = now - plan.metrics.stale_after_s
        window = snapshot.canary.window
        real = self.cloud.world.minutes(service, revision, min(begin, window.start), now)
        assert any(minute.end >= begin for minute in real)
        seen = sum(sum(m.responses.values()) for m in real if m.end <= (window.newest_at or now))
        assert (window.requests or 0) <= seen
