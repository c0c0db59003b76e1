"""What going back rests on, asked of Cloud Run now and then, and put together for judgement.

Rights are asked every five minutes, revisions every minute: two small calls, none of them a write.
The cloud's minutes count for the rights, so that where the clock is fast they are not asked too
late to be seen.
Everything else is known anyway.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from typing import Final, Protocol

from canary.cloud.connection.clock import CloudClock
from canary.cloud.views import RevisionState, ServiceState
from canary.engine.observe.position import RunFacts
from canary.rollout.change.change import GOING_BACK, SetTraffic
from canary.rollout.decision.readiness import RollbackFacts
from canary.rollout.errors import CanaryError
from canary.rollout.measure.samples import Window
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.snapshot.snapshot import SourceView
from canary.store.journal import Entry

UPDATE: Final = "run.services.update"
RIGHTS_EVERY_S: Final = 300.0
REVISIONS_EVERY_S: Final = 60.0
PAST_CHANGES: Final = 10

FRESH_S: Final = 90.0
FRESH_REAL_S: Final = 30.0
"""What is set may be as old as 90 s of the cloud's time and 30 real seconds together."""


class RightsReader(Protocol):
    """What is asked of Cloud Run besides the services (`cloud.run.client.RunClient`)."""

    async def permissions(self, service: str, names: Iterable[str]) -> set[str]:
        """Those of the permissions that the caller has. Raises CanaryError."""

    async def revisions(self, service: str) -> tuple[RevisionState, ...]:
        """The revisions of a service, newest first. Raises CanaryError."""


class ReadinessFeed:
    """Rights and revisions as they were last told; None while not known. Never raises.

    `revisions_at` is when the revisions were told, the cloud's time.
    """

    def __init__(self, plan: Plan, reader: RightsReader, clock: CloudClock) -> None:
        self.missing_rights: tuple[str, ...] | None = None
        self.revisions: tuple[RevisionState, ...] | None = None
        self._plan = plan
        self._reader = reader
        self._clock = clock
        self.revisions_at = self._rights_at = float("-inf")

    def ask_again(self) -> None:
        """Ask for the rights at the next look: a change was refused, or a person wants to know."""
        self._rights_at = float("-inf")

    def look_again(self) -> None:
        """Ask for the revisions at the next look: a change has made another one."""
        self.revisions_at = float("-inf")

    async def read(self) -> bool:
        """Ask for what is due. True when anything is different from before."""
        before = (self.missing_rights, self.revisions)
        pace = max(1.0, self._clock.speed)
        now = self._clock.now()
        if now - self.revisions_at >= REVISIONS_EVERY_S * pace:
            self.revisions = await self._ask_revisions()
            self.revisions_at = now
        if now - self._rights_at >= RIGHTS_EVERY_S or self.missing_rights is None:
            self.missing_rights = await self._ask_rights()
            self._rights_at = now
        return before != (self.missing_rights, self.revisions)

    async def _ask_revisions(self) -> tuple[RevisionState, ...] | None:
        try:
            return await self._reader.revisions(target_of(self._plan))
        except CanaryError:
            return None

    async def _ask_rights(self) -> tuple[str, ...] | None:
        """With `url-map` the right that counts is Compute Engine's, which cannot be asked here."""
        services = dict.fromkeys((self._plan.router_service, self._plan.target.legacy))
        try:
            held = {s: await self._reader.permissions(s, (UPDATE,)) for s in services}
        except CanaryError:
            return None
        return tuple(f"{UPDATE} on {s}" for s in services if UPDATE not in held[s])


def target_of(plan: Plan) -> str:
    """The service that is to take everything."""
    shared = plan.target.shares_one_service
    return plan.router_service if shared else plan.target.legacy


def is_retired(plan: Plan, run: RunFacts) -> bool:
    """Whether Legacy is gone on purpose: then there is nothing to go back to, and no alarm."""
    record = run.router.record
    production = record is not None and not record.enabled
    return production and plan.target.legacy in run.missing


def find_rollback_readiness(
    plan: Plan,
    run: RunFacts,
    feed: ReadinessFeed | None,
    sources: Sequence[SourceView],
    entries: Sequence[Entry],
    windows: tuple[Window, Window],
    now: float,
    speed: float,
) -> RollbackFacts:
    """All that is known, for `judge_readiness`. `windows` are Legacy's and Canary's."""
    journal = next((s for s in sources if s.name == "Journal"), None)
    away = away_since(sources)
    legacy, router = run.legacy, run.router
    scale = legacy.scale if legacy is not None else None
    revision, ready, reason = _serving(plan, run, feed)
    return RollbackFacts(
        target=target_of(plan),
        away_since=away,
        login=any(s.name == "Cloud Run" and s.login for s in sources),
        away_for_s=away_for_s(sources, now, speed),
        journal_trouble=journal.message if journal and journal.state == "failing" else "",
        exists=target_of(plan) not in run.missing,
        revision=revision,
        revision_ready=ready,
        revision_reason=reason,
        remakes=plan.target.router.makes_revisions,
        template_ready=router.ready if not router.reconciling else None,
        template_reason=router.ready_reason,
        base=router.serving,
        missing_rights=feed.missing_rights if feed is not None else None,
        scale=scale,
        scaled_to=_scaled_to(plan, scale, _most_percent(router)),
        needed=needed_instances(*windows),
        read_age_s=max(0.0, now - run.read_at),
        fresh_s=FRESH_S + FRESH_REAL_S * max(1.0, speed),
        expected_s=expected_s(entries),
    )


def away_since(sources: Sequence[SourceView]) -> float | None:
    """Since when Cloud Run has not answered, cloud time; None while it does."""
    cloud = next((s for s in sources if s.name == "Cloud Run"), None)
    return cloud.since if cloud is not None and cloud.state == "failing" else None


def away_for_s(sources: Sequence[SourceView], now: float, speed: float) -> float:
    """For how many real seconds Cloud Run has not answered; 0 while it does."""
    since = away_since(sources)
    return 0.0 if since is None else (now - since) / max(1.0, speed)


def needed_instances(legacy: Window, canary: Window) -> float | None:
    """About how many instances everything takes on Legacy, by what each takes now.

    By Legacy's own load an instance where it takes requests, else by Canary's; None without either.
    """
    total = (legacy.requests or 0) + (canary.requests or 0)
    for side in (legacy, canary):
        busy = side.instances_active
        if side.requests and busy:
            return busy * total / side.requests
    return None


def expected_s(entries: Iterable[Entry]) -> float | None:
    """How long the last changes of the split took, from sent to settled: the median, cloud
    seconds. Those that went back count where there are any; None when there was none at all.
    """
    back: list[float] = []
    forth: list[float] = []
    for entry in entries:
        took = _took_s(entry)
        if took is not None:
            going_back = entry.change.kind in GOING_BACK
            (back if going_back else forth).append(took)
    known = back[:PAST_CHANGES] or forth[:PAST_CHANGES]
    return statistics.median(known) if known else None


def _took_s(entry: Entry) -> float | None:
    if entry.outcome is None or entry.outcome.state != "done":
        return None
    if not any(isinstance(s, SetTraffic) for s in entry.change.steps):
        return None
    # What was sent before it waited for Cloud Run, or for a person, did not go out: the wait is not
    # the way's length.
    waits = (i for i, n in enumerate(entry.notes) if n.state in ("waiting", "retry", "resumed"))
    sent = [n.at for n in entry.notes[max(waits, default=-1) + 1 :] if n.state == "sent"]
    settled = [n.at for n in entry.notes if n.state == "settled"]
    return max(0.0, settled[-1] - sent[0]) if sent and settled else None


def _serving(plan: Plan, run: RunFacts, feed: ReadinessFeed | None) -> tuple[str, bool | None, str]:
    """The revision that would serve everything: its name, whether it is ready, and why not.

    A revision that the list does not have is gone only if the list is the newer of the two: right
    after a change the service names one that was made since.
    """
    revisions = feed.revisions if feed is not None else None
    if plan.target.shares_one_service:
        candidate = run.router.revision
        neither = {candidate, *(other.name for other in run.router.others)}
        others = [r for r in revisions or () if r.name not in neither]
        good = next((r for r in others if r.ready is not False), None)
        best = good if good is not None else next(iter(others), None)
        if revisions is None:
            return f"what {run.router.name} ran before", None, ""
        return (best.name, best.ready, best.reason) if best is not None else ("", None, "")
    name = (run.legacy.serving or run.legacy.revision) if run.legacy is not None else ""
    if feed is None or revisions is None:
        return name, None, ""
    found = next((r for r in revisions if r.name == name), None)
    if found is not None:
        return name, found.ready, found.reason
    return (name, False, "it is gone") if feed.revisions_at >= run.read_at else (name, None, "")


def _most_percent(router: ServiceState) -> int | None:
    known = [p for p in (router.percent, router.served_percent) if p is not None]
    return max(known, default=None)


def _scaled_to(plan: Plan, scale: ScalePreset | None, percent: int | None) -> ScalePreset | None:
    """What Legacy is scaled to first, as `moves.rollback_all` does; None: it is left alone."""
    if scale is None or scale.max > plan.scale.backup.max or percent == 0:
        return None
    return plan.scale.production
