"""The load test's result as a document: outputs/load_test_summary.json and `load-test --json`.

The names of the fields are those that the rollout's files have always had. Ratios are 0…1, times
RFC 3339 in UTC of the cloud's clock; null is "no data".
"""

from __future__ import annotations

from typing import Any

import msgspec

from canary.rollout.load_test import LoadFigures, LoadTestProgress, LoadTestSummary, summarise_load
from canary.rollout.words import iso_time


def load_document(summary: LoadTestSummary) -> dict[str, Any]:
    """The document of one load test. `requests_per_second` is of the whole time."""
    settings, seen = summary.settings, summary.figures
    return {
        "status": summary.status,
        "summary": summarise_load(summary.status, summary.reasons, seen),
        "reasons": list(summary.reasons),
        "ended": summary.ended,
        "profile": settings.profile_name,
        "users": settings.users,
        "spawn_rate": settings.spawn_rate,
        "duration_s": settings.duration_s,
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
        "started_at": iso_time(summary.started_at),
        "finished_at": iso_time(summary.finished_at),
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
        "client_errors": side.client_errors,
        "server_errors": side.server_errors,
        "unanswered": side.unanswered,
    }
