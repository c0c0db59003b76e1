"""Where a person looks further: a query in Logs Explorer, and the same by gcloud. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote as url_quote

from canary.rollout.failures.requests import NO_INSTANCE, OTHER, FailedRequest, GroupKey
from canary.rollout.failures.routes import REST
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_iso_time, quote_command

EXPLORER: Final = "https://console.cloud.google.com/logs/query"
REQUESTS_LOG: Final = "run.googleapis.com%2Frequests"
MOST_READ: Final = 50


def explorer_url(project: str, query: str, since: float, until: float) -> str:
    """A query in Logs Explorer, over [since, until], cloud time."""
    span = f"{format_iso_time(since)}/{format_iso_time(until)}"
    return (
        f"{EXPLORER};query={url_quote(query, safe='')}"
        f";timeRange={url_quote(span, safe='')}?project={url_quote(project, safe='')}"
    )


def read_command(project: str, query: str, since: float, until: float) -> str:
    """The same as a command that can be copied into a shell; newest first."""
    span = f'timestamp>="{format_iso_time(since)}" AND timestamp<="{format_iso_time(until)}"'
    return quote_command(
        [
            "gcloud",
            "logging",
            "read",
            f"{query} AND {span}",
            f"--project={project}",
            f"--limit={MOST_READ}",
            "--order=desc",
        ]
    )


def group_query(plan: Plan, key: GroupKey) -> str:
    """The query of Canary's failing requests of one group."""
    target = plan.target
    service = plan.router_service if target.shares_one_service else target.canary
    log = f"projects/{target.project}/logs/{REQUESTS_LOG}"
    parts = [
        f"logName={_text(log)}",
        'resource.type="cloud_run_revision"',
        f"resource.labels.location={_text(target.region)}",
        f"resource.labels.service_name={_text(service)}",
        _status(key),
    ]
    if key.method:
        parts.append(f"httpRequest.requestMethod={_text(key.method)}")
    if key.route and key != OTHER:
        parts.append(f"httpRequest.requestUrl=~{_text(_pattern(key.route))}")
    return " AND ".join(parts)


def request_query(plan: Plan, request: FailedRequest) -> str:
    """The query of all entries of one request: by its trace, else by its instance."""
    project = plan.target.project
    if request.trace:
        return f"trace={_text(f'projects/{project}/traces/{request.trace}')}"
    revision = f"resource.labels.revision_name={_text(request.revision)}"
    if not request.instance:
        return revision
    return f"{revision} AND labels.instanceId={_text(request.instance)}"


def trace_url(project: str, trace: str) -> str:
    """A trace in Cloud Trace."""
    base = "https://console.cloud.google.com/traces/list"
    return f"{base}?project={url_quote(project, safe='')}&tid={url_quote(trace, safe='')}"


def _status(key: GroupKey) -> str:
    status = key.status.removesuffix(f" {NO_INSTANCE}")
    if status.endswith("xx"):
        return f"httpRequest.status>={status[0]}00 AND httpRequest.status<{int(status[0]) + 1}00"
    return f"httpRequest.status={status}" if status else "httpRequest.status>=400"


def _pattern(route: str) -> str:
    """A route as a regular expression (RE2) over the URL."""
    parts = []
    for segment in route.strip("/").split("/"):
        if segment == REST:
            parts.append(".*")
        else:
            pieces = re.split(r"\{[^}]*\}", segment)
            parts.append("[^/?]+".join(re.escape(piece) for piece in pieces))
    return f"/{'/'.join(parts)}" + ("" if route.endswith(REST) else "/*([?;#].*)?$")


def _text(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
