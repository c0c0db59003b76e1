"""The fields of a Service that only Cloud Run writes: conditions, statuses, etag."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from typing import Any

from canary.simulator.endpoints import Endpoints
from canary.simulator.wire import messages
from canary.simulator.world.services.revisions import set_condition
from canary.simulator.world.services.run_state import short_name

_CONDITIONS = ("RoutesReady", "ConfigurationsReady")


def stamp_etag(service: Any) -> None:
    """Give a Service the etag of its present version."""
    version = f"{service.name}:{service.generation}:{service.update_time.ToJsonString()}"
    digest = hashlib.sha256(version.encode()).digest()[:12]
    service.etag = f'"{base64.urlsafe_b64encode(digest).decode()}"'


def show_reconciling(service: Any, now: float) -> None:
    """Say that the wanted state is not the served one yet; `traffic_statuses` stays."""
    service.reconciling = True
    _set_terminal(service, "CONDITION_RECONCILING", now)


def show_settled(service: Any, wanted: Any, latest_ready: str, now: float) -> None:
    """Say that the state `wanted` (an earlier version of `service`, or itself) is served now.

    `latest_ready` is the full name of the newest revision that is ready.
    """
    service.latest_ready_revision = latest_ready
    del service.traffic_statuses[:]
    for target in wanted.traffic:
        # For the latest revision the real API leaves `revision` empty here too.
        service.traffic_statuses.add(
            type_=target.type_, revision=target.revision, percent=target.percent, tag=target.tag
        )
    service.observed_generation = wanted.generation
    _finish(service, wanted, "CONDITION_SUCCEEDED", now)


def show_failed(service: Any, wanted: Any, message: str, now: float) -> None:
    """Say that `wanted` could not be reached; what was served goes on being served."""
    service.observed_generation = wanted.generation
    _finish(service, wanted, "CONDITION_FAILED", now, message)


def _finish(service: Any, wanted: Any, state: str, now: float, message: str = "") -> None:
    if service.generation != wanted.generation:
        return  # a later change is under way: still reconciling
    service.reconciling = False
    _set_terminal(service, state, now, message)


def _set_terminal(service: Any, state: str, now: float, message: str = "") -> None:
    terminal = service.terminal_condition
    changed = terminal.state != messages.Condition.State.Value(state)
    terminal.type_ = "Ready"
    terminal.state = messages.Condition.State.Value(state)
    terminal.message = message
    if changed:
        terminal.last_transition_time.CopyFrom(messages.timestamp(now))
    for kind in _CONDITIONS:
        set_condition(service, kind, state, now, message)


def with_addresses(service: Any, endpoints: Endpoints) -> Any:
    """Return a copy with `uri`, `urls` and the tags' addresses, which change at every start."""
    shown = messages.Service()
    shown.CopyFrom(service)
    name = short_name(service.name)
    shown.uri = endpoints.services.get(name, f"https://{name}.invalid")
    shown.urls[:] = [shown.uri]
    for status in shown.traffic_statuses:
        if status.tag:
            status.uri = endpoints.tags.get(status.tag, f"https://{status.tag}---{name}.invalid")
    return shown


def served_percents(service: Any) -> dict[str, int]:
    """Return the percent that each revision really serves, by short name."""
    latest = short_name(service.latest_ready_revision)
    percents: Counter[str] = Counter()
    for status in service.traffic_statuses:
        percents[status.revision or latest] += status.percent
    return dict(percents)


def tagged_revision(service: Any, tag: str) -> str | None:
    """Return the short name of the revision that a served tag points at, or None."""
    latest = short_name(service.latest_ready_revision)
    for status in service.traffic_statuses:
        if status.tag == tag:
            return status.revision or latest
    return None
