"""`canary doctor`: whether everything that a rollout needs is there, and what to do where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import click
import msgspec

from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import plan_options
from canary.cli.output import print_json, say
from canary.cli.setup.doctor_host import (
    Finding,
    look_at_clock,
    look_at_health,
    look_at_hosts,
    look_at_journal,
    look_at_terminal,
    look_at_webhook,
)
from canary.cli.setup.doctor_metrics import look_at_metrics
from canary.rollout.errors import CanaryError, Denied
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import find_hindrance
from canary.rollout.text import format_count, format_percent, sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session
    from canary.rollout.snapshot.snapshot import Snapshot


@click.command()
@click.option(
    "--probe", is_flag=True, help="Ask what only a real project can show; writes a report."
)
@plan_options
def doctor(probe: bool, as_json: bool, config: str | None) -> int:
    """Check plan, cloud, permissions, records and terminal. Exits 1 when something is wrong.

    With --probe it asks the cloud what docs/fidelity.md calls still unknown, changes nothing, and
    writes outputs/canary-probe.json, in which no name of yours is: attach it to an issue.
    """
    source = find_plan(config)
    if probe:
        from canary.cli.setup.doctor_probe import run_probe

        return run_probe(source, as_json=as_json)
    findings = [
        look_at_plan(source),
        *look_at_hosts(source.plan),
        *asyncio.run(_ask(source)),
        *look_at_terminal(),
    ]
    if as_json:
        print_json([msgspec.to_builtins(finding) for finding in findings])
    else:
        for finding in findings:
            _say(finding)
    return 1 if any(f.state == "wrong" and f.needed for f in findings) else 0


def look_at_plan(source: PlanSource) -> Finding:
    """Which plan it is, and whether it may act."""
    said, distrust = f"{sanitize(source.path)}, provider {source.plan.provider}", source.distrust
    if distrust is not None:
        return Finding("plan", "wrong", f"{said}. {distrust.said}", distrust.remedy)
    return Finding("plan", "ok", said)


def _say(finding: Finding) -> None:
    glyph = {"ok": "✓", "wrong": "✗", "unknown": "?"}[finding.state]
    say(f"{glyph} {finding.what}: {sanitize(finding.said, 500)}")
    if finding.remedy:
        say(f"    {sanitize(finding.remedy, 500)}")


async def _ask(source: PlanSource) -> list[Finding]:

    try:
        async with open_session(source) as session:
            return [finding async for finding in _look(source, session)]
    except CanaryError as error:
        return [Finding("cloud", "wrong", error.message, error.remedy)]


async def _look(source: PlanSource, session: Session) -> AsyncIterator[Finding]:
    yield look_at_journal(session)
    yield look_at_webhook(session)
    snapshot = await session.observer.refresh()
    for view in snapshot.sources:
        if view.name == "Journal":
            continue
        fine = view.state == "ok"
        yield Finding(view.name, "ok" if fine else "wrong", view.message or "answers")
    yield look_at_split(snapshot)
    yield look_at_clock(session)
    async for finding in look_at_rights(source.plan, session):
        yield finding
    yield await look_at_log_right(source.plan, session)
    for finding in await look_at_metrics(source.plan, session):
        yield finding
    async for finding in look_at_trials(session):
        yield finding
    for report in await session.probe():
        yield look_at_health(report)


def look_at_split(snapshot: Snapshot) -> Finding:
    """Whether what is set serves, and would: said before a change needs it."""
    traffic = snapshot.traffic
    if snapshot.standing is None:
        return Finding("split", "unknown", "Cloud Run has not answered")
    hindrance = find_hindrance(traffic)
    if hindrance is not None and not traffic.reconciling:
        return Finding("split", "wrong", hindrance.said, hindrance.remedy)
    if traffic.canary_percent is None:
        return Finding("split", "wrong", "Canary's share cannot be read", "Set it by the router.")
    served = "" if traffic.served_percent is None else " and served"
    return Finding("split", "ok", f"{format_percent(traffic.canary_percent)} is set{served}")


class Purpose(msgspec.Struct, frozen=True):
    """What rights are for. `needed`: no rollout without it."""

    verb: str
    rights: tuple[str, ...]
    roles: str
    needed: bool


PURPOSES: Final = (
    Purpose(
        "look",
        ("run.services.get", "run.revisions.list"),
        "roles/run.viewer (and roles/monitoring.viewer on the project, for the numbers)",
        needed=True,
    ),
    Purpose(
        "change",
        ("run.services.update",),
        "roles/run.developer, and roles/iam.serviceAccountUser on its service account",
        needed=True,
    ),
    Purpose("delete", ("run.services.delete",), "roles/run.developer", needed=False),
)


ACT_AS: Final = Finding(
    "right to act as the services' identity",
    "unknown",
    "iam.serviceAccounts.actAs is not checked: Cloud Run cannot be asked for it",
    "It takes roles/iam.serviceAccountUser on the service account that the services run as.",
    needed=False,
)
"""A new revision needs it. It is a right on the service account: TestIamPermissions of a service
answers for the service's own rights only, and asking IAM would need an API of its own enabled."""

LOG_WITHIN_S: Final = 3.0
"""Real seconds within which a refusal of the tail comes."""


async def look_at_rights(plan: Plan, session: Session) -> AsyncIterator[Finding]:
    """Ask TestIamPermissions for each service of the plan; it needs no right of its own."""
    target = plan.target
    services = {plan.router_service, target.legacy}
    if not target.shares_one_service:
        services.add(target.canary)
    for service in sorted(services):
        for purpose in PURPOSES:
            yield await _look_at_right(session, service, purpose)
    yield ACT_AS


async def look_at_log_right(plan: Plan, session: Session) -> Finding:
    """Whether the request log may be tailed: without it the evidence is minutes late."""
    from canary.cloud.logging.entries import RIGHT, ROLE, demand_log_right

    what = "right to read the request log"
    if not plan.evidence.tail:
        return Finding(what, "ok", "not asked: the plan leaves the log alone", needed=False)
    instead = "Without it the evidence rests on Cloud Monitoring's minutes."
    try:
        await demand_log_right(session.cloud.connection, plan, LOG_WITHIN_S)
    except Denied as error:
        remedy = f"Grant {ROLE} ({RIGHT}). {instead}"
        return Finding(what, "wrong", error.message, remedy, needed=False)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, f"It takes {RIGHT}. {instead}", needed=False)
    return Finding(what, "ok", RIGHT, needed=False)


async def _look_at_right(session: Session, service: str, purpose: Purpose) -> Finding:
    what = f"right to {purpose.verb} {service}"
    try:
        held = await session.cloud.router.run.permissions(service, purpose.rights)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, error.remedy, purpose.needed)
    missing = [right for right in purpose.rights if right not in held]
    if not missing:
        return Finding(what, "ok", ", ".join(purpose.rights), needed=purpose.needed)
    said = f"missing: {', '.join(missing)}"
    if purpose.verb == "change":
        said += "; the console is read-only"
    return Finding(what, "wrong", said, f"Grant {purpose.roles}.", purpose.needed)


# What `canary doctor` finds of the tests that stages ask for: Locust, and BigQuery's table.


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
    from canary.engine.jobs.load_process import demand_locust

    try:
        demand_locust()
    except CanaryError as error:
        return Finding("load test", "wrong", error.message, error.remedy, needed=False)
    return Finding("load test", "ok", "Locust is installed", needed=False)


async def look_at_bigquery(session: Session) -> Finding:
    """Whether the A/B test's query would be answered, by a dry run."""
    from canary.engine.jobs.ab_test import estimate_bigquery

    test = session.plan.ab_test
    table = sanitize(test.full_table(session.plan.target.project), 200)
    try:
        size = await estimate_bigquery(session)
    except CanaryError as error:
        return Finding("A/B test", "wrong", error.message, error.remedy, needed=False)
    said = f"{table}: the query would read {format_count(size)} bytes"
    if size > test.max_bytes_billed:
        most = format_count(test.max_bytes_billed)
        remedy = "Ask for fewer days, partition the table, or raise ab_test.max_bytes_billed."
        return Finding("A/B test", "wrong", f"{said}, more than {most}", remedy, needed=False)
    return Finding("A/B test", "ok", said, needed=False)
