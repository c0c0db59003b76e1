"""`canary export openmetrics`: the rollout for a scraper, once."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import click

from canary.cli.opening import PlanSource, look_back, open_session
from canary.cli.output import say_written
from canary.host.home import expand_home
from canary.rollout.errors import RecordError, UsageError
from canary.rollout.export.openmetrics import write_openmetrics
from canary.store.outputs import replace_file

READABLE: Final = 0o644
"""node_exporter runs as a user of its own."""


def write_metrics(source: PlanSource, out: str | None) -> int:
    """Print OpenMetrics, or replace the textfile `out`. Raises UsageError, RecordError."""
    if out is not None and not out.endswith(".prom"):
        raise UsageError(
            "node_exporter reads no textfile of that name.", remedy="Name it NAME.prom."
        )
    text = asyncio.run(_look(source, textfile=out is not None))
    if out is None:
        click.echo(text, nl=False)
        return 0
    path = expand_home(out, "--out").absolute()
    _replace(path, text)
    say_written(path)
    return 0


async def _look(source: PlanSource, *, textfile: bool) -> str:
    async with open_session(source) as session:
        snapshot = await look_back(session)
        since, now = snapshot.verdict_since, session.clock.now()
        return write_openmetrics(
            snapshot, source.plan, now, snapshot.changes, since, textfile=textfile
        )


def _replace(path: Path, text: str) -> None:
    """Whole or not at all, and readable from the first moment: a scraper may come any time.

    Others may write in a collector's directory: the file beside has a name of its own, and its
    rights are set by its descriptor, not through a link that somebody puts there meanwhile.
    """
    try:
        replace_file(path, text.encode(), READABLE)
    except OSError as exc:
        raise RecordError(
            f"{path} cannot be written: {exc.strerror or exc}.", remedy="Name another with --out."
        ) from exc
