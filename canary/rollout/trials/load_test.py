"""The load test: what was asked for, what is seen while it runs, and PASSED or FAILED.

Latencies, rates and durations are of the cloud's clock. On the real cloud that is every clock; the
embedded one answers as many times faster as its clock runs, and what is measured on it is
multiplied by that.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL
from canary.rollout.plan.tables import LoadProfile, LoadTest
from canary.rollout.text import (
    fields_of,
    format_count,
    format_duration,
    format_iso_time,
    format_milliseconds,
    format_ratio,
)

LoadStatus = Literal["PASSED", "FAILED"]
LoadEnd = Literal["time", "stopped", "died"]
CheckState = Literal["met", "not_met", "no_data"]


class LoadTestSettings(msgspec.Struct, frozen=True):
    """What is asked of the load test; `spawn_rate` is users more each second."""

    profile_name: str
    profile: LoadProfile
    users: int
    spawn_rate: float
    duration_s: float
    timeout_s: float = 60.0


class LoadFigures(msgspec.Struct, frozen=True):
    """What one side answered so far. Latencies are of all its requests, None without any.

    `unanswered` got no answer in time, or not to the end.
    """

    requests: int = 0
    successes: int = 0
    client_errors: int = 0
    server_errors: int = 0
    unanswered: int = 0
    mean_ms: float | None = None
    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None

    @property
    def error_ratio(self) -> float | None:
        """(5xx + unanswered) ÷ all, 0…1; None without requests."""
        return (self.server_errors + self.unanswered) / self.requests if self.requests else None

    @property
    def success_ratio(self) -> float | None:
        """(2xx + 3xx) ÷ all, 0…1: a 429 counts against it. None without requests."""
        return self.successes / self.requests if self.requests else None


NOTHING = LoadFigures()


class LoadTestProgress(msgspec.Struct, frozen=True):
    """The load test at one moment. `unattributed` are requests that neither side answered.

    `users` are at work now. `requests_per_s` is of the last second or so, all requests; None at
    the start. `busy`: the machine that makes the load was near its limit: latencies are overstated.
    """

    elapsed_s: float
    duration_s: float
    users: int
    legacy: LoadFigures = NOTHING
    canary: LoadFigures = NOTHING
    unattributed: LoadFigures = NOTHING
    requests_per_s: float | None = None
    busy: bool = False

    @property
    def requests(self) -> int:
        """All requests so far."""
        return self.legacy.requests + self.canary.requests + self.unattributed.requests

    def rate_of(self, figures: LoadFigures) -> float | None:
        """Requests a second over the whole time; None before it began."""
        return figures.requests / self.elapsed_s if self.elapsed_s > 0 else None


class LoadCheck(msgspec.Struct, frozen=True):
    """One condition for PASSED; a value equal to its limit passes."""

    id: str
    label: str
    observed: float | None
    comparison: Literal["≤", "≥"]
    limit: float
    state: CheckState


class LoadTestSummary(msgspec.Struct, frozen=True):
    """How a load test ended. `reasons` say why it FAILED; empty when it PASSED.

    Times are unix seconds of the cloud's clock. `stage` and `percent` are where the rollout stood,
    None when that was not known.
    """

    status: LoadStatus
    ended: LoadEnd
    reasons: tuple[str, ...]
    checks: tuple[LoadCheck, ...]
    settings: LoadTestSettings
    figures: LoadTestProgress
    url: str
    started_at: float
    finished_at: float
    stage: int | None = None
    percent: int | None = None


def check_load(limits: LoadTest, seen: LoadTestProgress, min_requests: int) -> list[LoadCheck]:
    """What PASSED takes: of Canary enough requests, errors, p95, success; of all, an owner.

    Legacy is there to be compared with; that it fails under load is no reason to keep it.
    """
    canary = seen.canary
    tail = canary.p95_ms if canary.requests >= MIN_COUNT_FOR_TAIL else None
    enough = canary.requests >= min_requests
    nobodys = seen.unattributed.requests / seen.requests if seen.requests else None
    return [
        _check("requests", "canary requests", float(canary.requests), "≥", float(min_requests)),
        _check(
            "error_ratio",
            "canary error ratio",
            canary.error_ratio if enough else None,
            "≤",
            limits.max_error_ratio,
        ),
        _check("p95_ms", "canary p95", tail if enough else None, "≤", limits.max_p95_ms),
        _check(
            "success_ratio",
            "canary success ratio",
            canary.success_ratio if enough else None,
            "≥",
            limits.min_success_ratio,
        ),
        _check(
            "unattributed_ratio",
            "unattributed",
            nobodys,
            "≤",
            limits.max_unattributed_ratio,
        ),
    ]


def find_reasons(
    checks: list[LoadCheck], ended: LoadEnd, seen: LoadTestProgress, why: str
) -> tuple[str, ...]:
    """Why the test did not pass, one sentence a reason; empty when it passed.

    A test that did not run to its end never passes: what it did not do, it did not show.
    """
    reasons = []
    if ended != "time":
        how = "was stopped" if ended == "stopped" else "ended by itself"
        said = f" ({why})" if why else ""
        reasons.append(
            f"{how} after {format_duration(seen.elapsed_s)} of "
            f"{format_duration(seen.duration_s)}{said}"
        )
    too_few = any(check.id == "requests" and check.state != "met" for check in checks)
    # That there are too few requests is why there is no data on the rest: said once.
    silent = ("met", "no_data") if too_few else ("met",)
    reasons += [_format_check(check) for check in checks if check.state not in silent]
    return tuple(reasons)


def summarise_load(status: LoadStatus, reasons: tuple[str, ...], seen: LoadTestProgress) -> str:
    """One line for a gate's evidence."""
    elapsed = format_duration(seen.elapsed_s)
    users, requests = format_count(seen.users), format_count(seen.requests)
    load = f"{users} users, {elapsed}, {requests} requests"
    if status == "FAILED":
        return f"FAILED: {reasons[0]} ({load})" if reasons else f"FAILED ({load})"
    canary = seen.canary
    p95 = format_milliseconds(canary.p95_ms)
    shown = f"canary p95 {p95}, error ratio {format_ratio(canary.error_ratio)}"
    return f"PASSED: {load}; {shown}"


def _check(
    check_id: str,
    label: str,
    observed: float | None,
    comparison: Literal["≤", "≥"],
    limit: float,
) -> LoadCheck:
    if observed is None:
        return LoadCheck(check_id, label, None, comparison, limit, "no_data")
    met = observed <= limit if comparison == "≤" else observed >= limit
    return LoadCheck(check_id, label, observed, comparison, limit, "met" if met else "not_met")


def _format_check(check: LoadCheck) -> str:
    if check.state == "no_data":
        return f"no data on {check.label}"
    if check.id == "requests":
        return f"Canary answered {check.observed:g} requests, at least {check.limit:g} are needed"
    shown = format_milliseconds if check.id.endswith("_ms") else format_ratio
    return (
        f"{check.label} {shown(check.observed)}, expected {check.comparison} {shown(check.limit)}"
    )


# The load test's result as a document: outputs/load_test_summary.json and `load-test --json`.
#
# The names of the fields are those that the rollout's files have always had. Ratios are 0…1, times
# RFC 3339 in UTC of the cloud's clock; null is "no data".


def load_document(summary: LoadTestSummary) -> dict[str, Any]:
    """The document of one load test. `requests_per_second` is of the whole time."""
    settings, seen = summary.settings, summary.figures
    return {
        "status": summary.status,
        "summary": summarise_load(summary.status, summary.reasons, seen),
        "reasons": list(summary.reasons),
        "ended": summary.ended,
        "profile": settings.profile_name,
        **fields_of(settings, "users", "spawn_rate", "duration_s"),
        "elapsed_s": round(seen.elapsed_s, 1),
        "url": summary.url,
        "paths": [request.path for request in settings.profile.requests],
        "stage": summary.stage,
        "canary_percent": summary.percent,
        "total_requests": seen.requests,
        "load_generator_busy": seen.busy,
        "legacy": side_document(seen, seen.legacy),
        "canary": side_document(seen, seen.canary),
        "unattributed": side_document(seen, seen.unattributed),
        "checks": [msgspec.to_builtins(check) for check in summary.checks],
        "started_at": format_iso_time(summary.started_at),
        "finished_at": format_iso_time(summary.finished_at),
    }


def side_document(seen: LoadTestProgress, side: LoadFigures) -> dict[str, Any]:
    """One side's figures."""
    return {
        "requests": side.requests,
        "requests_per_second": seen.rate_of(side),
        "avg_response_time_ms": side.mean_ms,
        "p50_response_time_ms": side.p50_ms,
        "p95_response_time_ms": side.p95_ms,
        "p99_response_time_ms": side.p99_ms,
        "error_rate": side.error_ratio,
        "success_rate": side.success_ratio,
        **fields_of(side, "client_errors", "server_errors", "unanswered"),
    }
