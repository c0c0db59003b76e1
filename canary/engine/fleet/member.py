"""One rollout of the list: what this host has of it, and its observer, fed with what was read for
all.
"""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import msgspec

from canary.cloud.monitoring.shared import (
    FIRST_SPAN_S,
    SharedMetrics,
    SharedReader,
)
from canary.cloud.prometheus.choice import open_reader
from canary.cloud.registry import ImageRegistry
from canary.cloud.router.choice import router_class
from canary.cloud.run.listing import ListedRunClient, ListedServices
from canary.engine.clients import Cloud
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.engine.observe.observer import Observer
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.fleet.rows import FleetRow, lost_row, row_of
from canary.rollout.measure.burn import LONGEST_S
from canary.rollout.plan.plan import Plan
from canary.store.evidence import EvidenceRecord
from canary.store.journal import Journal
from canary.store.paths import evidence_path, find_state_dir, journal_path
from canary.store.presence import read_operator_sessions
from canary.store.results import read_results

log = logging.getLogger(__name__)


class Named(msgspec.Struct, frozen=True):
    """A plan and the file that it is in; `path` "": it was found in the cloud. One that others
    could have written (not `is_own`) is a row as well, and says nothing of any other rollout.
    """

    plan: Plan
    path: str = ""
    is_own: bool = True


SLACK_S: Final = 1_800.0


def kept_s_of(plan: Plan) -> float:
    """How far back a row's samples are kept: what is judged, no week of it for each of hundreds."""
    judged_s = max(plan.metrics.criteria_window_minutes, plan.alerts.watch_minutes) * 60 + SLACK_S
    return max(judged_s, FIRST_SPAN_S, LONGEST_S if plan.slo.objective is not None else 0.0)


class Member:
    """One rollout of the list: its observer, and the journal that this host has of it."""

    def __init__(
        self, named: Named, cloud: Cloud, listed: ListedServices, metrics: SharedMetrics
    ) -> None:
        plan = named.plan
        self.named = named
        self._listed = listed
        self._metrics = metrics
        self._clock = cloud.clock
        run = ListedRunClient(cloud.connection, plan, listed)
        registry = ImageRegistry(plan, cloud.endpoints)
        self.router = router_class(plan)(plan, run, registry, cloud.endpoints)
        self._directory, _ = find_state_dir(plan)
        self.is_shared = plan.metrics.source != "prometheus"
        """Whether its numbers are among those that are read for all."""
        self._own = None if self.is_shared else open_reader(cloud.connection, plan)
        self._journal = self._open_journal() if named.path else None
        self._evidence: EvidenceRecord | None = None
        self._evidence_written: tuple[float | None, ...] = ()
        self.observer = self._observe()

    def _observe(self) -> Observer:
        plan, path = self.named.plan, self.named.path
        outputs = Path(path).parent / plan.record.outputs
        shared = SharedReader(self._metrics, plan, self._listed)
        return Observer(
            plan,
            self.router,
            shared if self._own is None else self._own,
            None,
            self._journal,
            self._clock,
            # What the load and A/B tests of this host left beside the plan.
            results=(lambda: read_results(outputs)) if path else None,
            kept_s=kept_s_of(plan),
        )

    def has_begun_anew(self) -> bool:
        """Whether it is observed from the beginning again: this host has its first journal of it,
        made by a change since the list was opened.
        """
        if not self.named.path or self._journal is not None:
            return False
        self._journal = self._open_journal()
        if self._journal is None:
            return False
        self.observer, self._evidence_written = self._observe(), ()
        return True

    def _look_at_evidence(self) -> None:
        """Take over what a console, guard or monitor of this host has compared; the list compares
        nothing itself. Read anew only when they have written.
        """
        path = evidence_path(self._directory)
        written = tuple(_written_at(each) for each in (path, path.with_name(f"{path.name}-wal")))
        if not self.named.path or written == self._evidence_written:
            return
        self._evidence_written, self.observer.comparison = written, None
        self._close_evidence()
        if written[0] is None:
            return
        try:
            self._evidence = EvidenceRecord(path, read_only=True)
            feed = EvidenceFeed(self.named.plan, None, self._clock, EventLog(), self._evidence)
            found = feed.load()
        except RecordError as error:
            log.warning("evidence of %s: %s", self.named.plan.name, error)
            return
        self.observer.comparison = feed if found else None

    def _close_evidence(self) -> None:
        if self._evidence is not None:
            self._evidence.close()
        self._evidence = None

    def _open_journal(self) -> Journal | None:
        path = journal_path(self._directory)
        try:
            return Journal(path, read_only=True) if path.exists() else None
        except RecordError as error:
            log.warning("journal of %s: %s", self.named.plan.name, error)
            return None

    async def look(self) -> FleetRow:
        """The row of now; what fails is said in it."""
        plan = self.named.plan
        try:
            self._look_at_evidence()
            await self.observer.refresh()
            others = read_operator_sessions(self._directory) if self.named.path else ()
            snapshot = self.observer.judge(others)
        except CanaryError as error:
            return lost_row(plan, str(error), self.named.path)
        target = plan.target
        service = self._listed.listing.services.get((target.region, plan.router_service))
        labels = {} if service is None else dict(service.labels)
        return row_of(snapshot, plan, labels, self.named.path, looks_only=not self.named.path)

    async def close(self) -> None:
        """Give back what it holds."""
        await self.router.close()
        if self._own is not None:
            await self._own.close()
        self._close_evidence()
        if self._journal is not None:
            self._journal.close()


def _written_at(path: Path) -> float | None:
    try:
        return path.stat().st_mtime
    except OSError:
        return None
