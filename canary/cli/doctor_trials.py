"""What `canary doctor` finds of the tests that stages ask for: Locust, and BigQuery's table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from canary.cli.finding import Finding
from canary.rollout.errors import CanaryError
from canary.rollout.words import count, plain

if TYPE_CHECKING:
    from canary.engine.session import Session


async def look_at_trials(session: Session) -> AsyncIterator[Finding]:
    """Only what the plan's stages ask for. Their results may also come from another host, so that
    no rollout fails for lack of them here.
    """
    stages = session.plan.stages
    if any(stage.load_test for stage in stages):
        yield look_at_locust()
    if any(stage.min_ab_improvement is not None for stage in stages):
        yield await look_at_bigquery(session)


def look_at_locust() -> Finding:
    """Whether a load test could be begun from this host."""
    from canary.engine.load_process import demand_locust

    try:
        demand_locust()
    except CanaryError as error:
        return Finding("load test", "wrong", error.message, error.remedy, needed=False)
    return Finding("load test", "ok", "Locust is installed", needed=False)


async def look_at_bigquery(session: Session) -> Finding:
    """Whether the A/B test's query would be answered, by a dry run."""
    from canary.engine.ab_test import estimate_bigquery

    test = session.plan.ab_test
    table = plain(test.full_table(session.plan.target.project), 200)
    try:
        size = await estimate_bigquery(session)
    except CanaryError as error:
        return Finding("A/B test", "wrong", error.message, error.remedy, needed=False)
    said = f"{table}: the query would read {count(size)} bytes"
    if size > test.max_bytes_billed:
        most = count(test.max_bytes_billed)
        remedy = "Ask for fewer days, partition the table, or raise ab_test.max_bytes_billed."
        return Finding("A/B test", "wrong", f"{said}, more than {most}", remedy, needed=False)
    return Finding("A/B test", "ok", said, needed=False)
