"""`canary doctor`: whether everything that a rollout needs is there, and what to do where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import TYPE_CHECKING, Final

import click
import msgspec

from canary.cli.opening import PlanSource, find_plan, open_session
from canary.cli.options import plan_options
from canary.cli.output import print_json, say
from canary.cli.setup.doctor_files import look_at_files
from canary.cli.setup.doctor_host import (
    Finding,
    look_at_clock,
    look_at_health,
    look_at_hosts,
    look_at_journal,
    look_at_surroundings,
    look_at_terminal,
    look_at_webhooks,
)
from canary.cli.setup.doctor_metrics import look_at_metrics
from canary.cli.setup.doctor_rights import (
    look_at_images_right,
    look_at_log_right,
    look_at_login,
    look_at_policies_right,
    look_at_rights,
)
from canary.rollout.errors import CanaryError
from canary.rollout.plan.confidence import CLOUD_RUN, find_confidence_source
from canary.rollout.plan.confidence_presets import PRESETS, preset_of
from canary.rollout.plan.doubts import find_doubts
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.served import find_hindrance
from canary.rollout.text import format_count, format_percent, sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session
    from canary.rollout.snapshot.snapshot import Snapshot


NOT_ASKED: Final = (
    "Cloud Run, Cloud Monitoring, the split, rights and roles, the request log, alert policies,"
    " images, the A/B test, health"
)
"""What nobody can say without a login: to name roles for it would lead astray."""


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
        *look_at_limits(source.plan),
        *look_at_hosts(source.plan),
        *look_at_surroundings(source.plan),
        *asyncio.run(_ask(source)),
        *look_at_terminal(),
    ]
    if as_json:
        print_json([msgspec.to_builtins(finding) for finding in findings])
    else:
        _say_all(findings)
    return 1 if any(f.state == "wrong" and f.needed for f in findings) else 0


def look_at_plan(source: PlanSource) -> Finding:
    """Which plan it is, and whether it may act."""
    said, distrust = f"{sanitize(source.path)}, provider {source.plan.provider}", source.distrust
    if distrust is not None:
        return Finding("plan", "wrong", f"{said}. {distrust.said}", distrust.remedy)
    return Finding("plan", "ok", said)


def _say_all(findings: list[Finding]) -> None:
    """Each cause once, with what it makes wrong, and each remedy once."""
    told: set[str] = set()
    for finding in fold_findings(findings):
        glyph = {"ok": "✓", "wrong": "✗", "unknown": "?"}[finding.state]
        say(f"{glyph} {finding.what}: {sanitize(finding.said, 500)}")
        if finding.remedy and finding.remedy not in told:
            told.add(finding.remedy)
            say(f"    {sanitize(finding.remedy, 500)}")


def fold_findings(findings: Sequence[Finding]) -> list[Finding]:
    """The findings, those of one cause in one: at its first, with the names of all."""
    causes: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        # Of two services the same is said in each one's name, which is the last word of `what`.
        said = finding.said.replace(finding.what.rpartition(" ")[2], "")
        key = (finding.state, said if finding.state != "ok" else finding.what)
        causes.setdefault(key, []).append(finding)
    return [
        msgspec.structs.replace(alike[0], what=", ".join(each.what for each in alike))
        for alike in causes.values()
    ]


def look_at_limits(plan: Plan) -> Iterator[Finding]:
    """Limits of the plan that guard nothing."""
    for said in find_doubts(plan):
        remedy = "Tighten it, or leave it out so that nobody takes it for a guard."
        yield Finding("limit", "wrong", said, remedy, needed=False)


def look_at_confidence(plan: Plan, snapshot: Snapshot) -> Finding:
    """Whether the application's score can arrive, and does; else what it takes."""
    what, preset = "confidence metric", PRESETS[preset_of(plan)]
    source = find_confidence_source(plan)
    if source is None:
        return Finding(what, "ok", "the plan has none", needed=False)
    metric = sanitize(plan.metrics.confidence_metric, 120)
    where = f"{metric} on {source.resource}, the side by {source.label}"
    if source.resource == CLOUD_RUN and preset is not PRESETS["log"]:
        remedy = " ".join(PRESETS["log"].lines)
        said = f"{where}: custom metrics cannot be written to {CLOUD_RUN}"
        return Finding(what, "wrong", said, remedy, needed=False)
    seen = [side.window.confidence for side in (snapshot.legacy, snapshot.canary)]
    if any(score is not None for score in seen):
        return Finding(what, "ok", where, needed=False)
    remedy = f'{" ".join(preset.lines)} Or metrics.confidence_metric = "" for none.'
    return Finding(what, "unknown", f"{where}: no score of either side now", remedy, needed=False)


async def _ask(source: PlanSource) -> list[Finding]:

    try:
        async with open_session(source) as session:
            return [finding async for finding in _look(source, session)]
    except CanaryError as error:
        return [Finding("cloud", "wrong", error.message, error.remedy)]


async def _look(source: PlanSource, session: Session) -> AsyncIterator[Finding]:
    yield look_at_journal(session)
    yield look_at_files(source.plan, session.directory)
    for finding in look_at_webhooks(session):
        yield finding
    login = await look_at_login(source.plan, session)
    if login is not None:
        yield login
        yield Finding("not asked", "unknown", f"{NOT_ASKED} (see {login.what})")
        return
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
    yield await look_at_policies_right(source.plan, session)
    yield await look_at_images_right(source.plan, session)
    yield look_at_confidence(source.plan, snapshot)
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
