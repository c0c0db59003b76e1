"""One plan, opened: its files on this host, its cloud (embedded or real), readers and observer.

The shell's commands and the console's engine use the same session. Files are opened first and need
no cloud; the embedded cloud is started before Google's packages are imported, which happens beside
it. Only what is needed is loaded: no metrics, no monitoring client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.cloud.router.routing import open_routing, override_endpoints
from canary.cloud.views import HealthReport
from canary.engine.observe.observer import Observer
from canary.engine.observe.readiness import ReadinessFeed
from canary.rollout.errors import CanaryError, RecordError
from canary.rollout.plan.plan import Endpoints, Plan
from canary.store.evidence import EvidenceRecord
from canary.store.history import History
from canary.store.journal import Journal
from canary.store.paths import evidence_path, history_path, journal_path, remove_kept, state_dir
from canary.store.results import Results, read_results

if TYPE_CHECKING:
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.cloud.embedded.process import Starting
    from canary.cloud.registry.artifact_registry import ImageRegistry
    from canary.cloud.router.routing import StepWriter
    from canary.cloud.run.reader import RunReader
    from canary.engine.observe.evidence_feed import EvidenceFeed

log = logging.getLogger(__name__)


class Session:
    """What one plan is observed and changed with, inside one event loop.

    `open` does everything; the console uses the parts, to show the journal while the cloud still
    comes up. `journal` None: it cannot be used (`journal_error` says why); observing goes on, and
    nothing can be changed. `embedded` None: a real cloud, or a local server of its own.
    `starting`: the embedded cloud, where it was begun already.
    `plan_path` is where canary.toml is; results and records are looked for beside it.
    """

    observer: Observer
    connection: Connection
    run_reader: RunReader
    endpoints: Endpoints

    def __init__(
        self,
        plan: Plan,
        plan_path: Path | None = None,
        *,
        read_only: bool = False,
        need_metrics: bool = True,
        fresh: bool = False,
        starting: Starting | None = None,
    ) -> None:
        self.plan = plan
        self.directory = state_dir(plan)
        self.plan_path = plan_path if plan_path is not None else Path("canary.toml").absolute()
        self.read_only = read_only
        self.journal: Journal | None = None
        self.journal_error: RecordError | None = None
        self.history: History | None = None
        self.evidence_record: EvidenceRecord | None = None
        self.embedded: EmbeddedCloud | None = None
        self.clock: CloudClock = SystemClock()
        self._need_metrics = need_metrics
        self._fresh = fresh and plan.is_embedded
        self._starting = starting
        self._opened = contextlib.AsyncExitStack()
        # Starting over throws the files away, but not under the eyes of another console: whether
        # there is one is known only once the cloud has answered.
        if not self._fresh:
            self._open_files()

    @property
    def base(self) -> Path:
        """The directory beside whose canary.toml results and records lie."""
        return self.plan_path.parent

    @classmethod
    async def open(
        cls,
        plan: Plan,
        plan_path: Path | None = None,
        *,
        read_only: bool = False,
        need_metrics: bool = True,
        fresh: bool = False,
    ) -> Self:
        """Open and connect. Raises CanaryError when the cloud does not come up."""
        session = cls(plan, plan_path, read_only=read_only, need_metrics=need_metrics, fresh=fresh)
        try:
            await session.connect()
        except BaseException:
            await session.close()
            raise
        return session

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def connect(self) -> None:
        """Start or join the cloud, and make the readers. Nothing is asked of it yet.

        Raises CanaryError when the embedded cloud does not come up, or an address is unusable. May
        be called again after that.
        """
        endpoints = self.plan.target.endpoints
        if self.plan.is_embedded:
            embedded, _ = await asyncio.gather(self._open_embedded(), self._import_clients())
            endpoints = override_endpoints(embedded.endpoints, endpoints)
        elif self.plan.provider == "local" and endpoints.monitoring is None:
            # An independent server for the demonstration speaks both, as the embedded cloud does.
            endpoints = msgspec.structs.replace(endpoints, monitoring=endpoints.run)
        if self._fresh and self.journal is None:
            self._start_over()
        self._make_readers(endpoints)

    async def close(self) -> None:
        """Give everything back; the embedded cloud ends with its last session."""
        await self._opened.aclose()

    async def revive_embedded(self) -> None:
        """Start the embedded cloud again, which has died. Raises Unavailable."""
        from canary.cloud.embedded.embedded import revive_embedded

        if self.embedded is not None:
            await revive_embedded(self.embedded, self.plan, self.directory)

    def writer(self) -> StepWriter:
        """What changes are sent with."""
        return self._routing.writer

    def images(self) -> ImageRegistry:
        """Where the container images are."""
        return self._routing.images

    async def probe(self) -> tuple[HealthReport, ...]:
        """Ask both sides for their health, Legacy first. Nothing is raised: reports say it."""
        from canary.cloud.http.health import probe

        health, target = self.plan.target.health, self.plan.target
        urls = (
            (target.legacy, health.legacy_url or self._url_of(target.legacy)),
            (target.canary, health.canary_url or self._url_of(target.canary)),
        )
        reports = (
            probe(url, health.path, health.timeout_s, self.clock.now(), service=service)
            for service, url in urls
        )
        return tuple(await asyncio.gather(*reports))

    def _url_of(self, service: str) -> str:
        """Where a side answers: the embedded cloud's address, else what Cloud Run reports."""
        known = self.embedded.service_urls if self.embedded is not None else {}
        is_canary = service == self.plan.target.canary
        if self.plan.target.shares_one_service and is_canary:
            return known.get(self.plan.target.router.candidate, known.get(service, ""))
        return known.get(service) or self.observer.url_of(service)

    async def _open_embedded(self) -> EmbeddedCloud:
        from canary.cloud.embedded.embedded import open_embedded

        if self.embedded is None:
            starting, self._starting = self._starting, None
            embedded = await open_embedded(
                self.plan, self.directory, fresh=self._fresh, starting=starting
            )
            self._opened.push_async_callback(embedded.close)
            self.embedded, self.clock = embedded, embedded.clock
        return self.embedded

    async def _import_clients(self) -> None:
        """Import Google's packages on a thread: half a second beside the cloud's own start."""
        from canary.cloud.connection.client_modules import monitoring_modules, run_modules

        wanted: list[Callable[[], object]] = [run_modules]
        if self._need_metrics:
            wanted.append(monitoring_modules)
        # A pause first, so that the other process is on its way before this one is busy.
        await asyncio.sleep(0)
        for load in wanted:
            await asyncio.to_thread(load)

    def _make_readers(self, endpoints: Endpoints) -> None:
        from canary.cloud.monitoring.reader import MonitoringReader

        self.endpoints = endpoints
        hear = self.clock.hear if isinstance(self.clock, SystemClock) else None
        self.connection = Connection(endpoints, hear)
        self._opened.push_async_callback(self.connection.close)
        self._routing = open_routing(self.plan, self.connection, endpoints)
        self._opened.push_async_callback(self._routing.close)
        self.run_reader = self._routing.reader
        monitoring = MonitoringReader(self.connection, self.plan) if self._need_metrics else None
        self.observer = Observer(
            self.plan,
            self.run_reader,
            monitoring,
            self.history,
            self.journal,
            self.clock,
            results=self._read_results,
            scenario=self._scenario,
        )
        if self._need_metrics:
            from canary.engine.jobs.alert_policies import recall_writings

            self.observer.comparison = self._open_evidence()
            recall_writings(self)
        self.observer.rights = ReadinessFeed(self.plan, self.run_reader, self.clock)
        if self.journal_error is not None:
            self.observer.miss_journal(self.journal_error)

    def _open_evidence(self) -> EvidenceFeed:
        """What compares the sides; with the request log unless the plan leaves it alone."""
        from canary.cloud.logging.tail import LogTail
        from canary.engine.observe.evidence_feed import EvidenceFeed

        tail = LogTail(self.connection, self.plan, self.clock) if self.plan.evidence.tail else None
        record = self.evidence_record
        feed = EvidenceFeed(self.plan, tail, self.clock, self.observer.log, record)
        self._opened.callback(feed.keep)
        return feed

    def _read_results(self) -> Results:
        return read_results(self.base / self.plan.record.outputs)

    def _scenario(self) -> str:
        return self.embedded.scenario if self.embedded is not None else ""

    def _open_files(self) -> None:
        try:
            self.journal = _open_journal(journal_path(self.directory))
            self._opened.callback(self.journal.close)
        except RecordError as error:
            log.warning("journal: %s", error)
            self.journal_error = error
        if not self._need_metrics:
            return
        try:
            self.history = History(history_path(self.directory))
            self._opened.callback(self.history.close)
        except RecordError as error:
            # A cache: without it the cloud is asked again.
            log.warning("history: %s", error)
        try:
            self.evidence_record = EvidenceRecord(evidence_path(self.directory))
            self._opened.callback(self.evidence_record.close)
        except RecordError as error:
            log.warning("evidence: %s", error)

    def _start_over(self) -> None:
        """Throw away what was kept of the world that is gone; its times mean nothing in the new."""
        if self.embedded is not None and not self.embedded.shared:
            remove_kept(self.directory)
        self._open_files()


def _open_journal(path: Path) -> Journal:
    """The journal; on a disk that cannot be written, what is there to read."""
    try:
        return Journal(path)
    except RecordError:
        with contextlib.suppress(CanaryError):
            if path.exists():
                return Journal(path, read_only=True)
        raise
