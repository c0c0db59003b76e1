"""What fails as a document for programs (`canary failures --json`). Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Any, Final

from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.export.log_links import explorer_url, group_query, read_command
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.failures.view import HOUR_S, FailureGroup, FailuresView
from canary.rollout.plan.plan import Plan
from canary.rollout.text import fields_of, format_iso_time

SCHEMA: Final = 1


def failures_document(view: FailuresView | None, plan: Plan, now: float) -> dict[str, Any]:
    """Everything that is known of what fails; without a view `groups` is empty, `source` "none".

    There is nothing in it of a query string, a body, a client's address or a user agent.
    """
    if view is None:
        return {"schema": SCHEMA, "as_of": format_iso_time(now), "source": "none", "groups": []}
    return {
        "schema": SCHEMA,
        "as_of": format_iso_time(now),
        "source": view.source,
        "missing": view.missing or None,
        "since": format_iso_time(view.since),
        "until": format_iso_time(view.until),
        "requests": {"legacy": view.legacy, "canary": view.canary},
        **fields_of(view, "sampled", "seen_s", "unfit_s", "tested", "beyond_chance", "more"),
        "groups": [_group(group, view, plan, now) for group in view.groups],
    }


def _group(group: FailureGroup, view: FailuresView, plan: Plan, now: float) -> dict[str, Any]:
    key, since = group.key, view.since if view.since is not None else now - HOUR_S
    query = group_query(plan, key)
    return {
        **fields_of(key, "method", "route", "status"),
        **fields_of(group, "legacy", "canary", "excess", "log_e", "is_beyond_chance"),
        "mark": group.mark or None,
        "times_legacy": _interval(group.interval),
        "last_at": format_iso_time(group.last_at),
        "logs": explorer_url(plan.target.project, query, since, now),
        "command": read_command(plan.target.project, query, since, now),
        "requests": [_request(request) for request in group.requests],
    }


def _request(request: FailedRequest) -> dict[str, Any]:
    return {
        "at": format_iso_time(request.at),
        **fields_of(request, "latency_ms", "revision", "instance", "trace", "refused"),
    }


def _interval(interval: RatioInterval | None) -> dict[str, Any] | None:
    return None if interval is None else fields_of(interval, "estimate", "low", "high")
