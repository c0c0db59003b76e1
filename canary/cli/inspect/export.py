"""`canary export grafana`: the dashboard as a file for Grafana."""

from __future__ import annotations

from pathlib import Path

import click

from canary.cli.options import chosen_config, config_option, json_option
from canary.cli.output import print_json, say
from canary.cli.plan_source import find_plan
from canary.rollout.text import sanitize


@click.group()
def export() -> None:
    """Write a dashboard for Grafana."""


@export.command()
@click.option("--out", "-o", metavar="FILE", help="Where to; standard output if not given.")
@json_option
@config_option
def grafana(out: str | None, as_json: bool, config: str | None) -> int:
    """Write the dashboard for Grafana 10 or newer and its Google Cloud Monitoring data source.

    In Grafana: Dashboards, New, Import. Both sides, with the limits of the plan; nothing is asked
    of the cloud.
    """
    from canary.rollout.export.grafana import build_dashboard
    from canary.store.outputs import write_output

    dashboard = build_dashboard(find_plan(chosen_config(config)).plan)
    if out is None:
        print_json(dashboard)
        return 0
    path = Path(out).expanduser().absolute()
    write_output(path, dashboard)
    if as_json:
        print_json({"file": str(path), "title": dashboard["title"], "uid": dashboard["uid"]})
    else:
        say(f"Written to {sanitize(path)}.")
    return 0
