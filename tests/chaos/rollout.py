"""Three hosts and one cloud, and what must hold whatever is done to them."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import msgspec

from canary.engine.change.capacity import RAISED
from canary.engine.observe.source import QUOTA_MOST_S
from canary.rollout.change.change import GOING_BACK, Change, Kind, SetScale, SetTraffic
from canary.rollout.change.life import NEVER_SENT, replay
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.entries import Entry
from tests.chaos.host import Host, Ticker
from tests.chaos.ledger import OTHERS, Ledger, percent_stored, split_sums, stored_change
from tests.chaos.routers import PLANS, has_map, install_program
from tests.embedded import Embedded, embed
from tests.engine.watching import go_on_is_founded

_MEMORY = next((d for d in (Path("/dev/shm"),) if d.is_dir()), None)  # noqa: S108
"""Thousands of journals, and every commit of theirs is synced."""
NOTHING = "Nothing was changed"
SETTLED_WITHIN = 150
"""Turns of 20 s after which everything must have an outcome, once nothing is broken any more."""


class Rollout:
    """A fresh cloud with three hosts; `close` gives everything back."""

    cloud: Embedded
    ledger: Ledger
    hosts: list[Host]

    def __init__(self) -> None:
        self._opened = contextlib.AsyncExitStack()
        self._seen: dict[str, tuple[Change, Snapshot]] = {}
        self._plans: dict[str, Plan] = {}
        self._checked = 0

    @classmethod
    async def open(
        cls, router: str = "env", *, stage: int = 2, blind: bool = False, **config: object
    ) -> Self:
        """At `stage`. `blind`: the consoles ask for no metrics."""
        self = cls()
        plan: Plan = PLANS[router]
        plan = msgspec.structs.replace(plan, local=msgspec.structs.replace(plan.local, stage=stage))
        config = {"soaked_hours": 25.0, **config}
        over_http = has_map(plan)
        if router == "command":
            config["operation_s"] = 0.0  # a program reads back at once, and no time passes by then
        opened = embed(plan, http=over_http, **config)
        self.cloud = await self._opened.enter_async_context(opened)
        self.directory = Path(tempfile.mkdtemp(prefix="chaos", dir=_MEMORY))
        self._opened.callback(shutil.rmtree, self.directory)
        if router == "command":
            install_program(self.cloud, self.directory)
        self.ledger = Ledger(self.cloud)
        self._began = (percent_stored(self.cloud), stored_change(self.cloud))
        self.ticker = Ticker(self.cloud)
        self.hosts = []
        for name in ("ann", "bob", "eve"):
            host = Host(name, self.cloud, self.directory / name, self.ticker, blind=blind)
            self._opened.push_async_callback(host.close)
            self.hosts.append(host)
        return self

    async def close(self) -> None:
        await self._opened.aclose()

    # -- what happens ----------------------------------------------------------------------------

    async def look(self, host: Host) -> Snapshot:
        snapshot = await host.look()
        assert go_on_is_founded(snapshot, host.plan)
        return snapshot

    async def ask(self, host: Host, kind: Kind, *, forced: bool = False) -> Change | None:
        asked = host.ask(kind, forced=forced)
        await self.ticker.rest(self.hosts)
        if asked is None:
            return None
        change, snapshot = self._seen[asked[0].id] = asked
        self._plans[change.id] = host.plan
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
        self._check_splits()

    async def check_recovered(self) -> None:
        """After `recover`."""
        self.check()
        for host in self.hosts:
            self._check_strange(host)
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
        await self._check_legacy(entries)
        for host in self.hosts:
            snapshot = await self.look(host)
            assert snapshot.traffic.canary_percent == percent_stored(self.cloud)

    async def check_way_back(self) -> None:
        """After `check_recovered`: from wherever it is, any person takes everybody off (I6)."""
        host = self.hosts[-1]
        snapshot = await self.look(host)
        if percent_stored(self.cloud) == 0 and snapshot.traffic.served_percent in (0, None):
            return
        asked = await self.ask(host, "rollback_all")
        assert asked is not None, snapshot.readiness
        await self.recover()
        entry = host.journal.entry(asked.id)
        assert entry is not None
        assert entry.outcome is not None
        assert entry.outcome.state == "done", entry
        assert percent_stored(self.cloud) == 0
        assert not await self._is_legacy_in_backup()

    def _check_strange(self, host: Host) -> None:
        """I5: what was asked for under another routing is left alone, and can be withdrawn."""
        assert not {effect.change for effect in self.ledger.effects} & host.strange
        for entry in host.entries:
            if entry.change.id in host.strange:
                assert all(note.state == "remark" for note in entry.notes), entry
        host.withdraw()

    async def _check_legacy(self, entries: Mapping[str, Entry]) -> None:
        """I1: while Legacy serves it is not in backup by our doing."""
        splits = self.ledger.splits
        by_others = bool(splits) and splits[-1].change == OTHERS
        left_open = any(e.outcome and e.outcome.state == "abandoned" for e in entries.values())
        if percent_stored(self.cloud) < 100 and not by_others and not left_open:
            assert not await self._is_legacy_in_backup()

    async def _is_legacy_in_backup(self) -> bool:
        plan = self.cloud.plan
        scale = (await self.cloud.run.service(plan.target.legacy)).scale
        return scale is not None and scale.max <= plan.scale.backup.max

    async def put_legacy_in_backup(self) -> None:
        """Before anybody looks, as an approval leaves it."""
        plan = self.cloud.plan
        await self.cloud.writer.send(SetScale(plan.target.legacy, None, plan.scale.backup))
        self.cloud.advance(60.0)
        self.ledger.effects.clear()

    def _check_splits(self) -> None:
        """I2, I3, I4 for each split that took effect since the last look."""
        splits = self.ledger.splits
        for effect in splits[self._checked :]:
            if effect.change == OTHERS:
                continue
            change, _ = self._seen[effect.change]
            step = next(s for s in change.steps if isinstance(s, SetTraffic))
            # A share that could not be read is no guard. A team's program has none from its last
            # look until its effect; nobody here acts in between without asking for a turn.
            assert step.guard.percent in (None, effect.before), (effect, change)
            assert effect.percent == step.percent
            if change.kind in GOING_BACK:
                assert effect.before is not None
                assert effect.percent is not None
                assert effect.percent <= effect.before, (effect, change)
            if change.kind == "promote" and change.to_stage is not None:
                plan, stage = self._plans[change.id], change.from_stage or 0
                assert change.to_stage == stage + 1
                assert effect.percent == plan.percent_of(stage + 1), (effect, change)
        self._checked = len(splits)
        took = {effect.change for effect in splits}
        for host in self.hosts:
            for entry in host.entries:
                if entry.outcome is not None and NOTHING in entry.outcome.message:
                    assert entry.change.id not in took, entry

    def _check_replay(self, entries: Mapping[str, Entry]) -> None:
        """The journals, replayed over what others did, lead to what the cloud has."""
        percent, owner = self._began
        for effect in self.ledger.splits:
            if effect.change == OTHERS:
                percent = effect.percent or 0
                continue
            change = entries[effect.change].change
            split = next(s for s in change.steps if isinstance(s, SetTraffic))
            percent, owner = split.percent, change.id
        assert percent_stored(self.cloud) == percent
        if self.cloud.plan.target.router.kind != "command":  # there the record follows the program
            assert stored_change(self.cloud) == owner

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
