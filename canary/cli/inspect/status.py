"""`canary status`: where the rollout stands, for people, for programs, for a status bar."""

from __future__ import annotations

import asyncio

import click

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import print_json, say
from canary.cli.plan_source import PlanSource, find_plan
from canary.rollout.errors import UsageError
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.status import exit_code, status_document, status_line


@click.command()
@json_option
@click.option("--line", "as_line", is_flag=True, help="One line, for a tmux status bar.")
@config_option
def status(as_json: bool, as_line: bool, config: str | None) -> int:
    """Say where the rollout stands and what the tree advises.

    Exits 0 for "go on", 10 for watch, 20 when a roll back is advised, 30 without data, and 3 when
    the cloud failed. The JSON is a contract: docs/status.schema.json.
    """
    if as_json and as_line:
        raise UsageError("--json and --line exclude each other.", remedy="Choose one.")
    source = find_plan(chosen_config(config))
    snapshot = asyncio.run(_look(source, asks_way_back=as_json))
    if as_json:
        print_json(status_document(snapshot))
    elif as_line:
        say(status_line(snapshot))
    else:
        from canary.cli.inspect.lines import print_status

        print_status(snapshot, source.plan)
    return exit_code(snapshot)


async def _look(source: PlanSource, *, asks_way_back: bool) -> Snapshot:
    """One look; with what going back rests on only where it is told: that is three calls more."""
    from canary.cli.look import look
    from canary.engine.session import Session
    from canary.store.presence import read_operator_sessions

    async with await Session.open(source.plan, source.path, read_only=True) as session:
        session.observer.others = lambda: read_operator_sessions(session.directory)
        if not asks_way_back:
            return await look(session)
        snapshot, _ = await asyncio.gather(look(session), session.observer.read_readiness())
        return session.observer.snapshot() if snapshot.standing is not None else snapshot
