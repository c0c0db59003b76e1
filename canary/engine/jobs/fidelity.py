"""What only a real project can show, asked of it without changing anything (`doctor --probe`).

Each check is one line of docs/fidelity.md's "still unknown". The report is for an issue: names of
the project, its services and people are not in it.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from canary.cloud.logging.delay import measure_log_delay
from canary.cloud.monitoring.queries import build_query, roles_of
from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.views import Reading, ServiceState
from canary.engine.session import Session
from canary.rollout.change.change import Guard, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import CanaryError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_count, sanitize

CheckState = Literal["ok", "differs", "unknown"]
LOG_WITHIN_S = 15.0
LOOKED_BACK_S = 1800.0
_PERSON = re.compile(r"[\w.+-]+@[\w.-]+")


class ProbeCheck(msgspec.Struct, frozen=True):
    """One question and what was found. "differs": not as the embedded cloud has it."""

    id: str
    state: CheckState
    said: str
    values: dict[str, Any] = {}


async def probe_cloud(session: Session, log_within_s: float = LOG_WITHIN_S) -> list[ProbeCheck]:
    """Ask everything; what fails is an answer of its own, and nothing is raised for it."""
    state: ServiceState | None = None
    found = []
    try:
        state = await session.cloud.router.service(session.plan.router_service)
        found.append(_look_at_fields(state))
    except CanaryError as error:
        found.append(ProbeCheck("fields", "unknown", error.message))
    found.append(await _asked("mask", lambda: _validate_mask(session, state)))
    reader = MonitoringReader(session.cloud.connection, session.plan)
    end = session.clock.now()
    try:
        reading = await reader.read(end - LOOKED_BACK_S, end)
    except CanaryError as error:
        found.append(ProbeCheck("filters", "unknown", error.message))
    else:
        found += _look_at_filters(session.plan, reading)
        found += [_look_at_age(reading, end), _look_at_buckets(reading)]
    found.append(await _asked("ingest_delay", lambda: _ask_ingest_delay(reader)))
    found.append(await _asked("log", lambda: _look_at_log(session, log_within_s)))
    return [_scrub(check, session.plan) for check in found]


async def _asked(name: str, ask: Callable[[], Awaitable[ProbeCheck]]) -> ProbeCheck:
    try:
        return await ask()
    except CanaryError as error:
        return ProbeCheck(name, "differs", error.message)


def _look_at_fields(state: ServiceState) -> ProbeCheck:
    """Which fields Cloud Run fills; not what is in them."""
    fields = {
        "etag": bool(state.etag),
        "uri": bool(state.uri),
        "revision": bool(state.revision),
        "share": state.percent is not None,
        "served_share": state.served_percent is not None,
        "ready": state.ready is not None,
        "scale": state.scale is not None,
        "last_modifier": bool(state.last_modifier),
        "updated_at": state.updated_at is not None,
    }
    missing = [name for name, is_there in fields.items() if not is_there]
    said = f"not filled: {', '.join(missing)}" if missing else "all are filled"
    return ProbeCheck("fields", "differs" if missing else "ok", said, fields)


async def _validate_mask(session: Session, state: ServiceState | None) -> ProbeCheck:
    """The update of a split as it is now, with validate_only: nothing takes effect."""
    plan = session.plan
    if plan.target.router.kind not in ("env", "revisions"):
        return ProbeCheck("mask", "unknown", "this router cannot be asked without a change")
    if state is None or state.percent is None:
        return ProbeCheck("mask", "unknown", "Canary's share is not known")
    now = session.clock.now()
    record = state.record or StageRecord(0, state.percent, now, move="adopt")
    guard = Guard(state.name, state.etag, state.percent, state.revision)
    step = SetTraffic(state.name, state.percent, state.percent, record, guard)
    await session.cloud.router.send(step, validate_only=True)
    return ProbeCheck("mask", "ok", "validate_only accepted the mask of a split")


def _look_at_filters(plan: Plan, reading: Reading) -> list[ProbeCheck]:
    found = []
    for role in roles_of(plan):
        trouble = reading.unread.get(role) or reading.absent.get(role)
        said = trouble.message if trouble is not None else "accepted"
        metric = build_query(plan, role).metric
        state: CheckState = "ok" if trouble is None else "differs"
        found.append(ProbeCheck(f"filter_{role}", state, said, {"metric": metric}))
    return found


def _look_at_age(reading: Reading, now: float) -> ProbeCheck:
    """How old the newest minute of requests and of latencies is."""
    both = (*reading.legacy, *reading.canary)
    ages = {
        "requests_s": min((now - s.end for s in both if s.responses is not None), default=None),
        "latencies_s": min((now - s.end for s in both if s.latency is not None), default=None),
    }
    if all(age is None for age in ages.values()):
        return ProbeCheck("newest", "unknown", "no requests in the last half hour", ages)
    said = ", ".join(f"{k.removesuffix('_s')} {v:.0f} s old" for k, v in ages.items() if v)
    return ProbeCheck("newest", "ok", said, ages)


def _look_at_buckets(reading: Reading) -> ProbeCheck:
    """The layout of Cloud Run's latency buckets, which is documented nowhere."""
    layouts = {s.latency.bounds for s in (*reading.legacy, *reading.canary) if s.latency}
    if not layouts:
        return ProbeCheck("latency_buckets", "unknown", "no latencies in the last half hour")
    shown = [list(bounds) for bounds in sorted(layouts)]
    said = f"{len(shown)} layout(s), {', '.join(f'{len(b)} bounds to {b[-1]:g}' for b in shown)} ms"
    state: CheckState = "ok" if len(shown) == 1 else "differs"
    return ProbeCheck("latency_buckets", state, said, {"bounds_ms": shown})


async def _ask_ingest_delay(reader: MonitoringReader) -> ProbeCheck:
    delay_s = await reader.ingest_delay_s()
    if delay_s is None:
        return ProbeCheck("ingest_delay", "differs", "the descriptor does not say")
    return ProbeCheck("ingest_delay", "ok", f"{delay_s:.0f} s", {"seconds": delay_s})


async def _look_at_log(session: Session, within_s: float) -> ProbeCheck:
    clock, plan = session.clock, session.plan
    if not plan.evidence.tail:
        return ProbeCheck("log", "unknown", "the plan leaves the request log alone")
    seen = await measure_log_delay(session.cloud.connection, plan, clock.now, within_s)
    if seen.delay_s is None:
        return ProbeCheck("log", "unknown", f"no request within {within_s:.0f} s")
    said = (
        f"{format_count(seen.entries)} entries, {seen.delay_s:.1f} s after their requests,"
        f" {format_count(seen.with_instance)} name their instance"
    )
    state: CheckState = "ok" if seen.with_instance else "differs"
    return ProbeCheck("log", state, said, msgspec.to_builtins(seen))


def _scrub(check: ProbeCheck, plan: Plan) -> ProbeCheck:
    """Without the names of the project, its services and people."""
    target = plan.target
    names = {
        target.project: "PROJECT",
        target.canary: "CANARY",
        plan.router_service: "ROUTER",
        target.legacy: "LEGACY",
    }
    said = sanitize(check.said, 500)
    for name in sorted(names, key=len, reverse=True):
        said = said.replace(name, names[name])
    return msgspec.structs.replace(check, said=_PERSON.sub("SOMEBODY", said))


def probe_document(checks: list[ProbeCheck], plan: Plan, version: str) -> dict[str, Any]:
    """The report, to be attached to an issue."""
    return {
        "canary_console": version,
        "provider": plan.provider,
        "router": plan.target.router.kind,
        "region": plan.target.region,
        "checks": [msgspec.to_builtins(check) for check in checks],
    }
