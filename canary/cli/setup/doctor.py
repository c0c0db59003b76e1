"""`canary doctor`: whether everything that a rollout needs is there, and what to do where not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import click
import msgspec

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import print_json, say
from canary.cli.plan_source import PlanSource, find_plan
from canary.cli.setup.doctor_host import (
    Finding,
    State,
    look_at_clock,
    look_at_journal,
    look_at_terminal,
)
from canary.cli.setup.doctor_rights import look_at_log_right, look_at_rights, look_at_trials
from canary.rollout.errors import CanaryError
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session


@click.command()
@json_option
@config_option
def doctor(as_json: bool, config: str | None) -> int:
    """Check plan, cloud, permissions, records and terminal. Exits 1 when something is wrong."""
    source = find_plan(chosen_config(config))
    findings = [
        Finding("plan", "ok", f"{sanitize(source.path)}, provider {source.plan.provider}"),
        *asyncio.run(_ask(source)),
        *look_at_terminal(),
    ]
    if as_json:
        print_json([msgspec.to_builtins(finding) for finding in findings])
    else:
        for finding in findings:
            _say(finding)
    return 1 if any(f.state == "wrong" and f.needed for f in findings) else 0


def _say(finding: Finding) -> None:
    glyph = {"ok": "✓", "wrong": "✗", "unknown": "?"}[finding.state]
    say(f"{glyph} {finding.what}: {sanitize(finding.said, 500)}")
    if finding.remedy:
        say(f"    {sanitize(finding.remedy, 500)}")


async def _ask(source: PlanSource) -> list[Finding]:
    from canary.engine.session import Session

    try:
        async with await Session.open(source.plan, source.path, read_only=True) as session:
            return [finding async for finding in _look(source, session)]
    except CanaryError as error:
        return [Finding("cloud", "wrong", error.message, error.remedy)]


async def _look(source: PlanSource, session: Session) -> AsyncIterator[Finding]:
    yield look_at_journal(session)
    snapshot = await session.observer.refresh()
    for view in snapshot.sources:
        if view.name == "Journal":
            continue
        fine = view.state == "ok"
        yield Finding(view.name, "ok" if fine else "wrong", view.message or "answers")
    yield look_at_clock(session)
    async for finding in look_at_rights(source.plan, session):
        yield finding
    yield await look_at_log_right(source.plan, session)
    async for finding in look_at_trials(session):
        yield finding
    for report in await session.probe():
        state: State = "ok" if report.ok else "wrong"
        yield Finding(f"health of {report.service}", state, report.message, needed=False)
