"""One plan, opened: its files on this host, its cloud (embedded or real), readers and observer.

The shell's commands and the console's engine use the same `Session`, which is whole when it is
made. The console shows the journal while the cloud still comes up: it begins with a
`SessionOpening`, whose local files are there first, and has a `Session` once it is connected. Only
what is needed is loaded: no metrics, no monitoring client.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

import msgspec

from canary.cloud.connection.clock import CloudClock, SystemClock
from canary.cloud.views import HealthReport
from canary.engine.clients import Cloud, open_cloud
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.observer import Observer
from canary.engine.observe.readiness import ReadinessFeed
from canary.rollout.errors import CanaryError, RecordError, Unavailable
from canary.rollout.plan.doubts import find_doubts
from canary.rollout.plan.plan import Plan
from canary.store.evidence import EvidenceRecord
from canary.store.history import History
from canary.store.journal import Journal
from canary.store.paths import (
    evidence_path,
    find_state_dir,
    history_path,
    journal_path,
    remove_kept,
)
from canary.store.results import read_results

if TYPE_CHECKING:
    from canary.cloud.connection.id_token import IdTokens
    from canary.cloud.embedded.embedded import EmbeddedCloud
    from canary.cloud.embedded.process import Starting
    from canary.engine.observe.evidence_feed import EvidenceFeed
    from canary.engine.observe.failures_feed import FailuresFeed
    from canary.rollout.failures.requests import FailedRequest
    from canary.rollout.failures.statuses import StatusMinute

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LocalFiles:
    """What this host keeps of a rollout, opened. No cloud is needed for it.

    `journal` None: it cannot be used; observing goes on, and nothing can be changed. It may be
    there to read only. `journal_error` says why, in both cases. `history` and `evidence` None: a
    cache that cannot be used, or is not asked for.
    """

    journal: Journal | None
    journal_error: RecordError | None
    history: History | None
    evidence: EvidenceRecord | None

    def close(self) -> None:
        """Give them back."""
        for file in (self.evidence, self.history, self.journal):
            if file is not None:
                file.close()


def open_files(directory: Path, *, need_metrics: bool = True) -> LocalFiles:
    """Open what lies in a rollout's directory; what cannot be opened is logged and left out."""
    journal, journal_error = _open_journal(journal_path(directory))
    history, evidence = None, None
    if need_metrics:
        # Caches: without them the cloud is asked again.
        with _logged("history"):
            history = History(history_path(directory))
        with _logged("evidence"):
            evidence = EvidenceRecord(evidence_path(directory))
    return LocalFiles(journal, journal_error, history, evidence)


class Session:
    """What one plan is observed and changed with, inside one event loop.

    `embedded` None: a real cloud, or a local server of its own. `plan_path` is where canary.toml
    is; results and records are looked for beside it. `journal` and `history` as in LocalFiles.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path,
        directory: Path,
        files: LocalFiles,
        cloud: Cloud,
        given_back: contextlib.AsyncExitStack,
        *,
        need_metrics: bool = True,
    ) -> None:
        self.plan, self.plan_path, self.directory = plan, plan_path, directory
        self.journal, self.journal_error = files.journal, files.journal_error
        self.history = files.history
        self.cloud = cloud
        self.embedded: EmbeddedCloud | None = cloud.embedded
        self.clock: CloudClock = cloud.clock
        self._given_back = given_back
        self._id_tokens: IdTokens | None = None
        self.observer = self._observe(files, need_metrics=need_metrics)

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
        need_metrics: bool = True,
        fresh: bool = False,
    ) -> Session:
        """Open and connect. Raises CanaryError when the cloud does not come up."""
        opening = SessionOpening(plan, plan_path, need_metrics=need_metrics, fresh=fresh)
        try:
            return await opening.connect()
        except BaseException:
            await opening.close()
            raise

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Give everything back; the embedded cloud ends with its last session."""
        await self._given_back.aclose()

    def keep_evidence(self) -> None:
        """Write what the evidence has come to into its record; done at the end, too."""
        if self.observer.comparison is not None:
            self.observer.comparison.keep()

    async def revive_embedded(self) -> None:
        """Start the embedded cloud again, which has died. Raises Unavailable."""
        from canary.cloud.embedded.embedded import revive_embedded

        if self.embedded is not None:
            await revive_embedded(self.embedded, self.plan, self.directory)

    async def probe(self) -> tuple[HealthReport, ...]:
        """Ask both sides for their health, Legacy first. Nothing is raised: reports say it."""
        from canary.cloud.http.health import probe

        health, target = self.plan.target.health, self.plan.target
        urls = (
            (target.legacy, health.legacy_url or self._url_of(target.legacy)),
            (target.canary, health.canary_url or self._url_of(target.canary)),
        )

        async def ask(service: str, url: str) -> HealthReport:
            token, why = await self.id_token(url, service)
            report = await probe(
                url, health.path, health.timeout_s, self.clock.now(), service=service, token=token
            )
            if report.reached or not why:
                return report
            return msgspec.structs.replace(report, message=f"{report.message}; {why}")

        return tuple(await asyncio.gather(*(ask(service, url) for service, url in urls)))

    async def id_token(self, url: str, service: str) -> tuple[str, str]:
        """An ID token for a request to `url`, or why there is none; both "" unless the plan asks.

        `service`: whose address Cloud Run must report as this one.
        """
        if not self.plan.target.health.id_token or self.embedded is not None or not url:
            return "", ""
        if self._id_tokens is None:
            from canary.cloud.connection.id_token import IdTokens

            self._id_tokens = IdTokens()
        return await self._id_tokens.token_for(url, reported=self.observer.url_of(service))

    def _url_of(self, service: str) -> str:
        """Where a side answers: the embedded cloud's address, else what Cloud Run reports."""
        known = self.embedded.service_urls if self.embedded is not None else {}
        is_canary = service == self.plan.target.canary
        if self.plan.target.shares_one_service and is_canary:
            return known.get(self.plan.target.router.candidate, known.get(service, ""))
        return known.get(service) or self.observer.url_of(service)

    def _observe(self, files: LocalFiles, *, need_metrics: bool) -> Observer:
        from canary.cloud.prometheus.choice import open_reader

        plan, cloud, events = self.plan, self.cloud, EventLog()
        for said in find_doubts(plan) if need_metrics else ():
            events.say(cloud.clock.now(), "warning", f"The plan: {said}")
        reader = open_reader(cloud.connection, plan) if need_metrics else None
        if reader is not None:
            self._given_back.push_async_callback(reader.close)
        outputs, embedded = self.base / plan.record.outputs, self.embedded
        failures = self._failures() if need_metrics else None
        observer = Observer(
            plan,
            cloud.router,
            reader,
            files.history,
            files.journal,
            cloud.clock,
            log=events,
            comparison=self._compare(files.evidence, events, failures) if need_metrics else None,
            failures=failures,
            readiness=ReadinessFeed(plan, cloud.router.run, cloud.clock),
            results=lambda: read_results(outputs),
            scenario=lambda: (
                embedded.scenario if embedded is not None and not plan.local.drill else ""
            ),
        )
        if files.journal is None and files.journal_error is not None:
            observer.miss_journal(files.journal_error)
        return observer

    def _compare(
        self, record: EvidenceRecord | None, events: EventLog, failures: FailuresFeed | None
    ) -> EvidenceFeed:
        """What compares the sides; with the request log unless the plan leaves it alone."""
        from canary.cloud.logging.tail import LogTail
        from canary.engine.observe.evidence_feed import EvidenceFeed

        plan, cloud, tail = self.plan, self.cloud, None
        if plan.evidence.tail and failures is not None:
            tail = LogTail(cloud.connection, plan, cloud.clock, on_failures=failures.take)
        return EvidenceFeed(plan, tail, cloud.clock, events, record)

    def _failures(self) -> FailuresFeed:
        """What gathers the failures; it looks back where the plan lets the request log be read."""
        from canary.engine.observe.failures_feed import FailuresFeed

        read_past = self.read_failing if self.plan.evidence.tail else None
        return FailuresFeed(self.cloud.clock, read_past, self.read_statuses)

    async def read_failing(
        self, since: float, until: float
    ) -> tuple[tuple[FailedRequest, ...], bool]:
        """The failing requests that began in [since, until), newest first, and whether those are
        all. Raises CanaryError.
        """
        from canary.cloud.logging.past import read_failing

        sides = await self._sides()
        return await read_failing(self.cloud.connection, self.plan, since, until, sides=sides)

    async def read_statuses(self, since: float, until: float) -> tuple[StatusMinute, ...]:
        """Requests by response code, as Cloud Monitoring counts them. Raises CanaryError."""
        from canary.cloud.monitoring.statuses import read_statuses

        sides = await self._sides()
        return await read_statuses(self.cloud.connection, self.plan, since, until, sides=sides)

    async def _sides(self) -> tuple[str | None, str]:
        """Canary's and Legacy's revisions, where they share a service; None and "" else."""
        if not self.plan.target.shares_one_service:
            return None, ""
        found = await self.cloud.router.run.sides()
        return found.candidate, found.stable


class SessionOpening:
    """A plan whose local files are open and whose cloud is still to come.

    `fresh` starts a local cloud over: its files are opened when it has answered. `starting`: it was
    begun already. To be closed, connected or not. Without a usable directory there is no journal
    and no cache, and a look is possible all the same (`paths.NOWHERE`). Raises RecordError where
    the embedded cloud itself would be kept there.
    """

    def __init__(
        self,
        plan: Plan,
        plan_path: Path | None = None,
        *,
        need_metrics: bool = True,
        fresh: bool = False,
        starting: Starting | None = None,
    ) -> None:
        self.plan = plan
        self.directory, self._directory_error = find_state_dir(plan)
        if self._directory_error is not None and plan.is_embedded:
            raise self._directory_error  # the embedded cloud itself is kept there
        self.plan_path = plan_path if plan_path is not None else Path("canary.toml").absolute()
        self.connected: Session | None = None
        self._need_metrics = need_metrics
        self._fresh = fresh and plan.is_embedded
        self._starting = starting
        self._given_back = contextlib.AsyncExitStack()
        # Starting over throws the files away, but not under the eyes of another console: whether
        # there is one is known only once the cloud has answered.
        self._files = None if self._fresh else self._open_files()

    @property
    def session(self) -> Session:
        """The session. Raises Unavailable until it is connected."""
        if self.connected is None:
            raise Unavailable("The cloud is not connected yet.", remedy="Wait a moment.")
        return self.connected

    @property
    def base(self) -> Path:
        """The directory beside whose canary.toml results and records lie."""
        return self.plan_path.parent

    @property
    def clock(self) -> CloudClock:
        """The cloud's; this host's until it is connected."""
        return self.connected.clock if self.connected is not None else SystemClock()

    @property
    def journal(self) -> Journal | None:
        """The journal; None when it cannot be used, or is not open yet."""
        return self._files.journal if self._files is not None else None

    def demand_journal(self) -> Journal:
        """The journal. Raises RecordError when it cannot be used, Unavailable when it is not open
        yet.
        """
        if self.journal is None:
            error = self._files.journal_error if self._files is not None else None
            raise error or Unavailable("The journal is not open yet.", remedy="Wait a moment.")
        return self.journal

    async def connect(self) -> Session:
        """Start or join the cloud, and make the readers. Nothing is asked of it yet.

        Raises CanaryError when the embedded cloud does not come up, or an address is unusable. May
        be called again after that.
        """
        starting, self._starting = self._starting, None
        async with contextlib.AsyncExitStack() as stack:
            cloud = await stack.enter_async_context(
                open_cloud(
                    self.plan,
                    self.directory,
                    need_metrics=self._need_metrics,
                    fresh=self._fresh,
                    starting=starting,
                )
            )
            if self._files is None:
                if cloud.embedded is not None and not cloud.embedded.shared:
                    # Of a world that is gone: its times mean nothing in the new.
                    remove_kept(self.directory)
                self._files = self._open_files()
            session = Session(
                self.plan,
                self.plan_path,
                self.directory,
                self._files,
                cloud,
                self._given_back,
                need_metrics=self._need_metrics,
            )
            stack.callback(session.keep_evidence)
            await self._given_back.enter_async_context(stack.pop_all())
        self.connected = session
        return session

    async def close(self) -> None:
        """Give everything back; the embedded cloud ends with its last session."""
        await self._given_back.aclose()

    def _open_files(self) -> LocalFiles:
        if self._directory_error is not None:
            log.warning("%s", self._directory_error)
            return LocalFiles(None, self._directory_error, None, None)
        files = open_files(self.directory, need_metrics=self._need_metrics)
        self._given_back.callback(files.close)
        return files


@contextlib.contextmanager
def _logged(what: str) -> Iterator[None]:
    try:
        yield
    except RecordError as error:
        log.warning("%s: %s", what, error)


def _open_journal(path: Path) -> tuple[Journal | None, RecordError | None]:
    """The journal, on a disk that cannot be written what is there to read; and why it cannot."""
    try:
        journal = Journal(path)
    except RecordError as error:
        log.warning("journal: %s", error)
        with contextlib.suppress(CanaryError, OSError):
            if path.exists():
                return Journal(path, read_only=True), error
        return None, error
    with _logged("journal"):
        journal.shrink()
    return journal, None
