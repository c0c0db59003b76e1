"""Where a person looks further in Google Cloud, for each page, and the same by gcloud. Pure.

The forms of the addresses are those that the console of Google Cloud itself shows: Cloud Run's
`/run/detail/REGION/SERVICE/TAB`, Logs Explorer's `;query=`, Cloud Trace's list.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote as url_quote

import msgspec

from canary.rollout.export.log_links import explorer_url, read_command
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import quote_command

CONSOLE: Final = "https://console.cloud.google.com"
LOOKED_BACK_S: Final = 3600.0


class Link(msgspec.Struct, frozen=True):
    """One place: what it is, its address, and the command that shows the same in a shell."""

    name: str
    url: str
    command: str


def find_links(plan: Plan, snapshot: Snapshot, page: str = "") -> tuple[Link, ...]:
    """The links of a page, by its name; of any other, and of the main screen, the usual ones.

    Empty for the embedded cloud, which no page of Google's shows.
    """
    if plan.provider != "gcp":
        return ()
    match page:
        case "differences":
            return _revisions(plan, snapshot)
        case "alerts":
            return (_policies(plan),)
        case "ab-test":
            return (_table(plan),)
        case "readiness" | "recovery":
            return (*_revisions(plan, snapshot), _permissions(plan))
        case "retirement":
            return (_service(plan, plan.target.legacy, "Legacy"),)
    own = canary_service(plan)
    return (
        _errors(plan, snapshot),
        _traces(plan),
        _metrics(plan, own),
        *_revisions(plan, snapshot),
    )


def canary_service(plan: Plan) -> str:
    """The service that Canary's requests are logged under."""
    return plan.router_service if plan.target.shares_one_service else plan.target.canary


def _run_page(plan: Plan, service: str, tab: str) -> str:
    project = url_quote(plan.target.project, safe="")
    return f"{CONSOLE}/run/detail/{plan.target.region}/{service}/{tab}?project={project}"


def _where(plan: Plan) -> tuple[str, str]:
    return f"--region={plan.target.region}", f"--project={plan.target.project}"


def _service(plan: Plan, service: str, name: str) -> Link:
    command = ["gcloud", "run", "services", "describe", service, *_where(plan)]
    return Link(name, _run_page(plan, service, "revisions"), quote_command(command))


def _revisions(plan: Plan, snapshot: Snapshot) -> tuple[Link, ...]:
    """Both sides' revisions, where they are known by name; else the service."""
    found = []
    differences = snapshot.differences
    rows = differences.rows if differences is not None else ()
    named = next((row for row in rows if row.field == "revision"), None)
    legacy = plan.router_service if plan.target.shares_one_service else plan.target.legacy
    for name, service, revision in (
        ("Canary's revision", canary_service(plan), named.canary if named else ""),
        ("Legacy's revision", legacy, named.legacy if named else snapshot.legacy.revision),
    ):
        known = revision or (snapshot.canary.revision if name.startswith("Canary") else "")
        what = ("revisions", "describe", known) if known else ("services", "describe", service)
        command = quote_command(["gcloud", "run", *what, *_where(plan)])
        found.append(Link(name, _run_page(plan, service, "revisions"), command))
    return tuple(found)


def _metrics(plan: Plan, service: str) -> Link:
    command = ["gcloud", "run", "services", "describe", service, *_where(plan)]
    return Link("metrics", _run_page(plan, service, "metrics"), quote_command(command))


def _errors(plan: Plan, snapshot: Snapshot) -> Link:
    """Canary's entries from WARNING on, of the last hour."""
    query = (
        'resource.type="cloud_run_revision" AND'
        f' resource.labels.service_name="{canary_service(plan)}" AND'
        f' resource.labels.location="{plan.target.region}" AND severity>=WARNING'
    )
    project, now = plan.target.project, snapshot.as_of
    span = (now - LOOKED_BACK_S, now)
    command = read_command(project, query, *span)
    return Link("logs", explorer_url(project, query, *span), command)


def _traces(plan: Plan) -> Link:
    project = url_quote(plan.target.project, safe="")
    query = f'resource.labels.service_name="{canary_service(plan)}" AND trace:*'
    command = ["gcloud", "logging", "read", query, f"--project={plan.target.project}", "--limit=20"]
    return Link("traces", f"{CONSOLE}/traces/list?project={project}", quote_command(command))


def _policies(plan: Plan) -> Link:
    project = url_quote(plan.target.project, safe="")
    command = ["gcloud", "alpha", "monitoring", "policies", "list"]
    shown = quote_command([*command, f"--project={plan.target.project}"])
    return Link(
        "alert policies", f"{CONSOLE}/monitoring/alerting/policies?project={project}", shown
    )


def _permissions(plan: Plan) -> Link:
    project = url_quote(plan.target.project, safe="")
    command = ["gcloud", "run", "services", "get-iam-policy", plan.router_service, *_where(plan)]
    return Link("permissions", f"{CONSOLE}/iam-admin/iam?project={project}", quote_command(command))


def _table(plan: Plan) -> Link:
    project, _, rest = plan.ab_test.full_table(plan.target.project).partition(".")
    dataset, _, table = rest.rpartition(".")
    asked = "&".join(
        f"{name}={url_quote(value, safe='')}"
        for name, value in (("project", project), ("p", project), ("d", dataset), ("t", table))
    )
    command = quote_command(["bq", "show", f"{project}:{dataset}.{table}"])
    return Link("the table", f"{CONSOLE}/bigquery?{asked}&page=table", command)


def format_links(links: tuple[Link, ...]) -> str:
    """Name, address and command of each, a line each; "" for none."""
    return "".join(f"{link.name}: {link.url}\n  $ {link.command}\n" for link in links)
