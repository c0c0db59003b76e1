"""A Snapshot as `outputs/monitor_<UTC time>.json` has it: one of the soak, taken now and then.

`canary` and `legacy` hold what the success criteria judge: the criteria window, in the fields of
the procedure's own scripts (`error_rate`, `success_rate`, `p95_response_time_ms`,
`avg_confidence_score`; ratios 0…1). A number that may not be judged, because data is missing, stale
or thin, is null, and `data` says why: whoever reads only the number cannot take it for good.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from canary.rollout.decision.tree import DataState, Decision, judge_data
from canary.rollout.measure.samples import MIN_COUNT_FOR_TAIL, Window
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import (
    SideView,
    Snapshot,
    SourceView,
    StageView,
    TrafficView,
)
from canary.rollout.snapshot.status import status_document
from canary.rollout.text import AtLeast, format_iso_time, plain_value, sanitize

PATTERN: Final = "monitor_*.json"
_NAME: Final = re.compile(r"monitor_(\d{8})[T_-]?(\d{6})Z?\.json")


def file_name(at: float) -> str:
    """The file's name for a moment: "monitor_20260301T140322Z.json"; sorts by time."""
    return f"monitor_{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}.json"


def time_of_name(name: str) -> float | None:
    """The moment in a file's name, UTC; None when there is none in it."""
    found = _NAME.fullmatch(name)
    if found is None:
        return None
    try:
        moment = datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S")  # noqa: DTZ007 - next line
        return moment.replace(tzinfo=UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def monitor_document(snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    """One snapshot of the loop; what `canary status --json` says is in it, too."""
    status = status_document(snapshot)
    return {
        "timestamp": format_iso_time(snapshot.as_of),
        "rollout": status["rollout"],
        "provider": status["provider"],
        "stage": status["stage"],
        "traffic": status["traffic"],
        "window_s": plan.metrics.criteria_window_minutes * 60,
        "canary": _side(snapshot.canary, snapshot, plan),
        "legacy": _side(snapshot.legacy, snapshot, plan),
        "recent": {"window_s": status["window_s"], **status["sides"]},
        "decision": status["decision"],
        "gates": status["gates"],
        "alerts": status["alerts"],
        "sources": status["sources"],
    }


def outage_document(plan: Plan, at: float, trouble: str) -> dict[str, Any]:
    """The same document when nothing could be asked at all: it says "no data", and why.

    It has every field; what is of Cloud Run (stage, traffic) is null.
    """
    document = monitor_document(_empty(plan, at, trouble), plan)
    return document | {name: dict.fromkeys(document[name]) for name in ("stage", "traffic")}


def _empty(plan: Plan, at: float, trouble: str) -> Snapshot:
    """The snapshot of which nothing is known but why."""
    nothing, window_s = Window(at, at), plan.metrics.window_minutes * 60.0
    return Snapshot(
        rollout=plan.name,
        provider=plan.provider,
        project=plan.target.project,
        region=plan.target.region,
        as_of=at,
        window_s=window_s,
        stage=StageView(None, "", None),
        traffic=TrafficView(None),
        legacy=SideView(plan.target.legacy, nothing, nothing, "missing"),
        canary=SideView(plan.target.canary, nothing, nothing, "missing"),
        decision=Decision("no_data", (), sanitize(trouble), "missing"),
        sources=(SourceView("cloud", "failing", sanitize(trouble), at),),
    )


def _side(side: SideView, snapshot: Snapshot, plan: Plan) -> dict[str, Any]:
    window, record = side.criteria_window, snapshot.traffic.record
    entered_at = record.entered_at if record is not None else None
    return _figures(side.service, window, judge_data(window, plan, snapshot.as_of, entered_at))


def _figures(service: str, window: Window, data: DataState) -> dict[str, Any]:
    usable = data == "ok"
    tail = usable and window.latency_count >= MIN_COUNT_FOR_TAIL
    scored = usable and window.confidence_count >= MIN_COUNT_FOR_TAIL
    return {
        "service": sanitize(service),
        "data": data,
        "request_count": window.requests,
        "error_rate": window.error_ratio if usable else None,
        "success_rate": window.success_ratio if usable else None,
        **_percentiles(window, tail=tail),
        "avg_confidence_score": window.confidence if scored else None,
        "confidence_count": window.confidence_count,
        "cpu": window.cpu,
        "memory": window.memory,
        "instances": window.instances,
        "newest_at": format_iso_time(window.newest_at),
    }


def _percentiles(window: Window, *, tail: bool) -> dict[str, float | None]:
    """Of what is known only as "at least" the number is null, and has a key of its own."""
    figures: dict[str, float | None] = {}
    for name in ("p50", "p95", "p99"):
        value: float | None = getattr(window, f"{name}_ms") if tail else None
        bounded = isinstance(value, AtLeast)
        figures[f"{name}_response_time_ms"] = None if bounded else value
        if bounded:
            figures[f"{name}_at_least_ms"] = plain_value(value)
    return figures
