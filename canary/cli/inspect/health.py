"""`canary health`: ask both sides whether they are well."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import click

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import print_json, print_table
from canary.cli.plan_source import PlanSource, find_plan
from canary.rollout.text import format_iso_time, format_milliseconds, sanitize

if TYPE_CHECKING:
    from canary.cloud.views import HealthReport


@click.command()
@json_option
@config_option
def health(as_json: bool, config: str | None) -> int:
    """Ask both sides for their health over HTTP. Exits 0 when both are well, else 1."""
    reports = asyncio.run(_probe(find_plan(chosen_config(config))))
    if as_json:
        print_json([_document(report) for report in reports])
    else:
        print_table([_row(report) for report in reports])
    return 0 if all(report.ok for report in reports) else 1


async def _probe(source: PlanSource) -> tuple[HealthReport, ...]:
    from canary.engine.session import Session

    opening = Session.open(source.plan, source.path, read_only=True, need_metrics=False)
    async with await opening as session:
        # The addresses are the plan's or, without any there, what Cloud Run says.
        await session.observer.read_run()
        return await session.probe()


def _row(report: HealthReport) -> tuple[str, ...]:
    glyph = "✓ well" if report.ok else "✗ not well"
    shown = format_milliseconds(report.latency_ms)
    return (glyph, sanitize(report.service), shown, sanitize(report.message), sanitize(report.url))


def _document(report: HealthReport) -> dict[str, object]:
    return {
        "service": report.service,
        "url": sanitize(report.url),
        "ok": report.ok,
        "status": report.status,
        "latency_ms": report.latency_ms,
        "message": sanitize(report.message),
        "at": format_iso_time(report.at),
    }
