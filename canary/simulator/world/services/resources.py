"""Services and revisions as Cloud Run shows them: names, conditions, etags, what is served."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import grpc
from google.protobuf.message import DecodeError

from canary.simulator.endpoints import Endpoints
from canary.simulator.wire import messages
from canary.simulator.wire.calls import ApiError, copy_field
from canary.simulator.wire.messages import short_name

_SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz"
_NUMBER = re.compile(r"-(\d{5})-[a-z]{3}$")
_READY = "Ready"
_ACTIVE = "Active"


def bare_template(template: Any) -> bytes:
    """Return a template's configuration, without the revision's name, for comparison."""
    bare = messages.RevisionTemplate()
    bare.CopyFrom(template)
    bare.revision = ""
    return bytes(bare.SerializeToString(deterministic=True))


def new_revision_name(
    service: str,
    before: Any,
    after: Any,
    latest: str,
    templates: Mapping[str, bytes],
    *,
    latest_failed: bool,
) -> str | None:
    """Return the name of the revision that a change of template makes, or None if it makes none.

    `templates` are the bare templates of the revisions that exist, `latest` the one created
    last. A template with a name of its own must not differ from the revision of that name:
    ApiError ALREADY_EXISTS, which is what a get–modify–update of a whole service runs into.
    After a failure the same template is tried again, as a new revision.
    """
    config, wanted = bare_template(after), after.revision
    if not wanted:
        same = config == bare_template(before) and not latest_failed
        return None if same else _generate_name(service, templates)
    if wanted not in templates:
        return str(wanted)
    if wanted == latest and templates[wanted] == config:
        return None
    raise ApiError(
        grpc.StatusCode.ALREADY_EXISTS,
        f"Revision named '{wanted}' with different configuration already exists.",
    )


def _generate_name(service: str, names: Iterable[str]) -> str:
    numbers = [int(found.group(1)) for name in names if (found := _NUMBER.search(name))]
    number = max(numbers, default=0) + 1
    # Letters that look random, as Cloud Run's do, but are the same in every run.
    digest = hashlib.sha256(f"{service}-{number}".encode()).digest()
    suffix = "".join(_SUFFIX_LETTERS[byte % len(_SUFFIX_LETTERS)] for byte in digest[:3])
    return f"{service}-{number:05d}-{suffix}"


def build_revision(service: Any, name: str, template: Any, now: float) -> Any:
    """Return the Revision that a template becomes: created, not ready yet."""
    short = service.name.rpartition("/")[2]
    revision = messages.Revision(
        name=f"{service.name}/revisions/{name}",
        uid=_uid(f"{service.name}/{name}"),
        generation=1,
        service=short,
        create_time=messages.timestamp(now),
        update_time=messages.timestamp(now),
        launch_stage=service.launch_stage,
        reconciling=True,
        creator=service.last_modifier,
    )
    for field, _ in template.ListFields():
        if field.name in revision.DESCRIPTOR.fields_by_name:
            copy_field(template, revision, field.name)
    revision.etag = _etag(revision)
    set_condition(revision, _READY, "CONDITION_RECONCILING", now)
    return revision


def finish_revision(revision: Any, now: float, failure: str = "") -> None:
    """Say that a revision became ready, or why it did not."""
    revision.reconciling = False
    revision.observed_generation = revision.generation
    revision.update_time.CopyFrom(messages.timestamp(now))
    state = "CONDITION_FAILED" if failure else "CONDITION_SUCCEEDED"
    set_condition(revision, _READY, state, now, failure)


def mark_active(revision: Any, active: bool, now: float) -> None:
    """Say whether a revision takes traffic, as the condition `Active` does."""
    state = "CONDITION_SUCCEEDED" if active else "CONDITION_FAILED"
    condition = set_condition(revision, _ACTIVE, state, now)
    if not active:
        condition.severity = messages.Condition.Severity.Value("INFO")
        condition.revision_reason = messages.Condition.RevisionReason.Value("RETIRED")


def set_condition(owner: Any, kind: str, state: str, now: float, message: str = "") -> Any:
    """Set one of the `conditions` of a Service or Revision, in its place; return it."""
    fresh = messages.Condition(
        type_=kind,
        state=messages.Condition.State.Value(state),
        message=message,
        last_transition_time=messages.timestamp(now),
    )
    for condition in owner.conditions:
        if condition.type_ == kind:
            if condition.state == fresh.state:
                fresh.last_transition_time.CopyFrom(condition.last_transition_time)
            condition.CopyFrom(fresh)
            return condition
    owner.conditions.append(fresh)
    return owner.conditions[-1]


def is_ready(revision: Any) -> bool:
    """Tell whether a revision has become ready and can serve."""
    succeeded = messages.Condition.State.Value("CONDITION_SUCCEEDED")
    return any(one.type_ == _READY and one.state == succeeded for one in revision.conditions)


def has_failed(revision: Any) -> bool:
    """Tell whether a revision ended without becoming ready."""
    return not revision.reconciling and not is_ready(revision)


def environment(revision: Any, variable: str) -> str:
    """Return a variable's value in the first container that sets it; "" when none does."""
    for container in revision.containers:
        for entry in container.env:
            if entry.name == variable:
                return str(entry.value)
    return ""


def _uid(text: str) -> str:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))


def _etag(message: Any) -> str:
    return f'"{hashlib.sha256(message.SerializeToString(deterministic=True)).hexdigest()[:24]}"'


_CONDITIONS = ("RoutesReady", "ConfigurationsReady")


def stamp_etag(service: Any) -> None:
    """Give a Service the etag of its present version: its time, and its name, in base64.

    As recorded (k8s-config-connector, runservicebasic): "CMvxprEGELis5qYD/cHJvamVjdHMv…" is a
    Timestamp of the update, "/" and the resource's name. Versions of one moment differ by a
    microsecond for each generation.
    """
    at = service.update_time
    micros = at.seconds * 1_000_000 + at.nanos // 1000 + service.generation
    version = messages.timestamp(0.0)
    version.seconds, version.nanos = micros // 1_000_000, micros % 1_000_000 * 1000
    parts = (version.SerializeToString(), service.name.encode())
    service.etag = '"{}"'.format("/".join(base64.b64encode(p).decode().rstrip("=") for p in parts))


def version_of(etag: str) -> str:
    """Return an etag's version as refusals name it, in microseconds; what is no etag of ours as it
    is.
    """
    stamp = messages.timestamp(0.0)
    try:
        stamp.ParseFromString(base64.b64decode(etag.strip('"').partition("/")[0] + "=="))
    except (ValueError, DecodeError):
        return etag
    micros = stamp.seconds * 1_000_000 + stamp.nanos // 1000
    return str(micros) if micros else etag


def show_reconciling(service: Any) -> None:
    """Say that the wanted state is not the served one yet; `traffic_statuses` stays.

    So do the sub-conditions, and the terminal one keeps its time: as recorded in the life of a
    service (k8s-config-connector, runservicebasic).
    """
    service.reconciling = True
    service.terminal_condition.state = messages.Condition.State.Value("CONDITION_PENDING")
    service.terminal_condition.message = ""


def show_settled(service: Any, wanted: Any, latest_ready: str, now: float) -> None:
    """Say that the state `wanted` (an earlier version of `service`, or itself) is served now.

    `latest_ready` is the full name of the newest revision that is ready.
    """
    before = (
        service.latest_ready_revision,
        [s.SerializeToString() for s in service.traffic_statuses],
    )
    service.latest_ready_revision = latest_ready
    del service.traffic_statuses[:]
    for target in wanted.traffic:
        # For the latest revision the real API leaves `revision` empty here too.
        service.traffic_statuses.add(
            type_=target.type_, revision=target.revision, percent=target.percent, tag=target.tag
        )
    service.observed_generation = wanted.generation
    _finish(service, wanted, "CONDITION_SUCCEEDED", now)
    after = (latest_ready, [s.SerializeToString() for s in service.traffic_statuses])
    if after != before:
        routes = next((c for c in service.conditions if c.type_ == "RoutesReady"), None)
        if routes is not None:
            routes.last_transition_time.CopyFrom(messages.timestamp(now))


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
