"""The A/B test: its figures from BigQuery or a file, judged, and written for the gate."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from canary.engine.jobs.job import Host, Job
from canary.engine.observe.event_log import Severity
from canary.rollout.errors import PlanError, Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize
from canary.rollout.trials.ab_test import (
    DEFAULT_LEAST_IMPROVEMENT,
    AbAnalysis,
    AbSource,
    AbStatus,
    GroupFigures,
    ab_document,
    analyse,
    summarise,
)
from canary.rollout.trials.jobs import AbTestView
from canary.store.ab_results import read_ab_results
from canary.store.outputs import output_path, write_result
from canary.store.results import AB_TEST_FILE

if TYPE_CHECKING:
    from canary.cloud.bigquery.client import BigQuery, Parameter
    from canary.engine.session import Session

DAY_S = 86_400.0

SAID: Final[dict[AbStatus, tuple[Severity, str]]] = {
    "APPROVED": ("good", "A/B test approves Canary"),
    "NOT_APPROVED": ("critical", "A/B test does not approve Canary"),
    "NO_DATA": ("warning", "A/B test"),
}
"""How the event log says a result."""


class AbTestRun(msgspec.Struct, frozen=True):
    """One analysis with where its figures are from."""

    analysis: AbAnalysis
    source: AbSource


async def ask_bigquery(session: Session, days: int | None = None) -> AbTestRun:
    """Analyse the last `days` (the plan's if None) of the table, by the cloud's clock.

    Raises CanaryError when BigQuery cannot be asked; nothing is written then.
    """
    from canary.cloud.bigquery.ab_query import find_group

    test, until = session.plan.ab_test, session.clock.now()
    since = until - (days or test.days) * DAY_S
    table, query = _build(session, since, until)
    async with _connected(session) as bigquery:
        rows = await bigquery.query(*query, f"reading {table}")
    groups = (find_group(rows, test.legacy_group), find_group(rows, test.canary_group))
    return _judge(session.plan, *groups, AbSource(table, session.clock.now(), since, until))


async def estimate_bigquery(session: Session) -> int:
    """The bytes that the plan's A/B test would read now; nothing is read, and nothing charged.

    Raises CanaryError where the test itself would be refused.
    """
    until = session.clock.now()
    table, query = _build(session, until - session.plan.ab_test.days * DAY_S, until)
    async with _connected(session) as bigquery:
        return await bigquery.estimate(*query, f"looking at {table}")


def take_file(plan: Plan, path: Path) -> AbTestRun:
    """Analyse a file of results as it stands. Raises RecordError when it cannot be used."""
    found = read_ab_results(path, plan.ab_test.legacy_group, plan.ab_test.canary_group)
    return _judge(plan, found.legacy, found.canary, AbSource(sanitize(path), found.finished_at))


def _build(
    session: Session, since: float, until: float
) -> tuple[str, tuple[str, tuple[Parameter, ...]]]:
    """The table, and the query of it with its parameters."""
    from canary.cloud.bigquery.ab_query import build_parameters, build_query

    test = session.plan.ab_test
    table = test.full_table(session.plan.target.project)
    parameters = build_parameters(test.legacy_group, test.canary_group, since, until)
    return table, (build_query(table), parameters)


def _judge(
    plan: Plan, legacy: GroupFigures | None, canary: GroupFigures | None, source: AbSource
) -> AbTestRun:
    least, requests = least_improvement(plan), plan.metrics.min_requests
    return AbTestRun(analyse(legacy, canary, least=least, min_requests=requests), source)


def write_analysis(plan: Plan, base: Path, run: AbTestRun) -> Path:
    """Write the analysis for the gate; "no data" too: the newest look counts. Raises RecordError.

    `base` is the directory of the plan.
    """
    path = output_path(base, plan.record.outputs, AB_TEST_FILE)
    write_result(path, ab_document(run.analysis, run.source))
    return path


def least_improvement(plan: Plan) -> float:
    """The gain beyond which Canary is approved: that of the stage that asks for one."""
    asked = (s.min_ab_improvement for s in plan.stages if s.min_ab_improvement is not None)
    return next(asked, DEFAULT_LEAST_IMPROVEMENT)


@contextlib.asynccontextmanager
async def _connected(session: Session) -> AsyncIterator[BigQuery]:
    from canary.cloud.bigquery.client import BigQuery

    test = session.plan.ab_test
    bigquery = BigQuery(
        _endpoint(session),
        session.plan.target.project,
        location=test.location,
        max_bytes_billed=test.max_bytes_billed,
        timeout_s=test.timeout_s,
    )
    try:
        yield bigquery
    finally:
        await bigquery.close()


def _endpoint(session: Session) -> str | None:
    """Where BigQuery is. The demonstration must never reach for the real one."""
    given = session.plan.target.endpoints.bigquery
    if given is not None or session.plan.provider == "gcp":
        return given
    if session.embedded is None:
        raise PlanError(
            "The plan reaches a local server of its own and does not say where BigQuery is.",
            remedy="Set target.endpoints.bigquery, or name results with --from FILE.",
        )
    if session.embedded.endpoints.bigquery is None:
        raise Unavailable(
            "The embedded cloud that is running has no BigQuery: it is of an older version.",
            remedy="Quit all consoles, and try again.",
            source="BigQuery",
        )
    return session.embedded.endpoints.bigquery


class AbTestJob(Job[AbTestView]):
    """The console's A/B test."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, AbTestView())

    def begin(self) -> None:
        """Ask BigQuery, and write the analysis for the gate; nothing while it is being asked."""
        if self._host.opening.connected is None:
            self._host.report("The cloud is not connected yet: the A/B test cannot be asked for.")
        elif not self.view.running:
            self.view = msgspec.structs.replace(self.view, running=True, trouble="")
            self._begin("A/B test", self._ask)

    async def _ask(self) -> None:
        session = self._host.opening.session
        run = await ask_bigquery(session)
        self._show(analysis=run.analysis, source=run.source)
        write_analysis(session.plan, session.base, run)
        severity, said = SAID[run.analysis.status]
        self._host.say(severity, f"{said}: {summarise(run.analysis)}")
