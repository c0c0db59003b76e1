"""What `canary status` says of a Snapshot: the JSON contract, the one line, the exit code.

The document is a contract: docs/status.schema.json describes it, and keys are added but never
renamed or removed. Ratios are 0…1, null is "no data", times are RFC 3339 in UTC, of the cloud's
clock.
"""

from __future__ import annotations

from typing import Any, Final

from canary.rollout.change.hold import Hold, name_holder
from canary.rollout.change.irreversible import Irreversible, format_irreversible
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.readiness import Readiness
from canary.rollout.decision.tree import Verdict
from canary.rollout.evidence.view import EvidenceView, brief
from canary.rollout.measure.burn import Burn, BurnWindow
from canary.rollout.measure.samples import Window
from canary.rollout.plan.freeze import Frozen
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.impact import find_impact, impact_document
from canary.rollout.snapshot.next_steps import SHELL, find_next_steps
from canary.rollout.snapshot.notices import brief_drift, brief_going_back, format_drift_remedy
from canary.rollout.snapshot.served import find_hindrance, format_unserved
from canary.rollout.snapshot.snapshot import ChangeView, SideView, Snapshot, StageView, TrafficView
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import (
    COMMANDS,
    RolloutState,
    format_actor,
    format_head,
)
from canary.rollout.text import (
    AtLeast,
    fields_of,
    format_age,
    format_duration,
    format_iso_time,
    format_milliseconds,
    format_percent,
    format_ratio,
    format_until,
    plain_value,
    sanitize,
)

EXIT_GO_ON: Final = 0
EXIT_CLOUD_FAILED: Final = 3
EXIT_WATCH: Final = 10
EXIT_ROLL_BACK: Final = 20
EXIT_NO_DATA: Final = 30

_EXITS: Final[dict[Verdict, int]] = {
    "continue": EXIT_GO_ON,
    "watch": EXIT_WATCH,
    "rollback_stage": EXIT_ROLL_BACK,
    "rollback_all": EXIT_ROLL_BACK,
    "no_data": EXIT_NO_DATA,
}


_STATES: Final = {
    "roll_back_all": EXIT_ROLL_BACK,
    "roll_back_stage": EXIT_ROLL_BACK,
    "proven_worse": EXIT_ROLL_BACK,
    "watch": EXIT_WATCH,
}
"""State → exit code, where the decision tree passes no limit and a rollback is called for all the
same: by a proof, a limit of the stage's own, the quick test, or a countdown of automatic rollback.
"""


def exit_code(snapshot: Snapshot, plan: Plan) -> int:
    """The exit code of `canary status`: never better than the word that it shows.

    A verdict for the worse is told even while a source fails. "Go on" and "no data" are not told
    apart from a failing cloud by silence: a source that fails now makes them 3, except that
    numbers which are still fresh may say "go on" through a short outage of Cloud Monitoring.
    """
    code = _EXITS[snapshot.decision.verdict]
    called = _STATES.get(find_state(snapshot, plan).id)
    if called is not None and code in (EXIT_GO_ON, EXIT_NO_DATA):
        return called
    if code == EXIT_NO_DATA and any(s.state == "failing" for s in snapshot.sources):
        return EXIT_CLOUD_FAILED
    if code == EXIT_GO_ON and snapshot.traffic.canary_percent is None:
        return EXIT_CLOUD_FAILED
    return code


def status_document(snapshot: Snapshot, plan: Plan | None = None) -> dict[str, Any]:
    """The contract of `canary status --json` as plain values, ready for a JSON encoder.

    Without a plan `state` and `impact` are null.
    """
    stage, decision = snapshot.stage, snapshot.decision
    return {
        "rollout": sanitize(snapshot.rollout),
        "provider": snapshot.provider,
        "as_of": format_iso_time(snapshot.as_of),
        "window_s": plain_value(snapshot.window_s),
        "stage": {
            **fields_of(stage, "index", "name", "percent"),
            "entered_at": format_iso_time(stage.entered_at),
            **fields_of(stage, "soak_hours", "soaked_hours"),
        },
        "traffic": _traffic(snapshot.traffic),
        "drift": _drift(snapshot),
        "serving": _serving(snapshot.traffic, stage),
        "sides": {"legacy": _side(snapshot.legacy), "canary": _side(snapshot.canary)},
        "decision": {
            **fields_of(decision, "verdict", "reason", "data"),
            "path": [
                {"node": node.id, **fields_of(node, "observed", "limit", "outcome")}
                for node in decision.path
            ],
        },
        "gates": [gate_document(gate) for gate in snapshot.gates],
        "alerts": [fields_of(a, "id", "scope", "observed", "limit") for a in snapshot.alerts],
        "sources": [
            {
                **fields_of(source, "name", "state", "message"),
                "since": format_iso_time(source.since),
            }
            for source in snapshot.sources
        ],
        "state": None if plan is None else state_document(find_state(snapshot, plan)),
        "next_steps": [] if plan is None else _next_steps(snapshot, plan),
        "impact": None if plan is None else impact_document(find_impact(snapshot, plan)),
        "evidence": _evidence(snapshot.evidence),
        "readiness": _readiness(snapshot.readiness),
        "guard": _guard(snapshot),
        "hold": _hold(snapshot.hold),
        "freeze": _freeze(snapshot.freeze),
        "irreversible": _irreversible(snapshot.irreversible),
        "slo": _slo(snapshot.burn),
    }


def state_document(state: RolloutState) -> dict[str, Any]:
    """The one state in the contract: its word, cause, what comes next, and who acts."""
    actor = state.actor
    return {
        **fields_of(state, "id", "word", "cause", "next"),
        "actor": fields_of(actor, "kind", "action", "who", "left_s"),
    }


def _next_steps(snapshot: Snapshot, plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "text": sanitize(step.text, 240),
            "action": step.action,
            "command": SHELL.get(step.action, ""),
        }
        for step in find_next_steps(snapshot, plan)
    ]


def gate_document(gate: Gate) -> dict[str, Any]:
    """One gate in the contract; `canary validate --json` says its criteria the same way."""
    return fields_of(gate, "id", "observed", "comparison", "limit", "state", "evidence")


def _readiness(readiness: Readiness | None) -> dict[str, Any] | None:
    if readiness is None:
        return None
    return {
        **fields_of(readiness, "state", "expected_s"),
        "checks": [
            {
                **fields_of(check, "id", "state"),
                "said": sanitize(check.said, 300),
                "remedy": sanitize(check.remedy),
            }
            for check in readiness.checks
        ],
    }


def _evidence(view: EvidenceView | None) -> dict[str, Any] | None:
    """The comparison in brief; `canary evidence --json` says all of it. None: there is none."""
    if view is None:
        return None
    return {
        "verdict": view.verdict,
        "source": view.source,
        "log_incomplete": view.tail.incomplete or None,
        "away_since": format_iso_time(view.away_since),
        "metrics": [
            {
                "metric": one.metric,
                "verdict": one.verdict,
                "why": one.why or None,
                "proven_at": format_iso_time(one.detected_at),
                "holds_for_bursts_s": one.holds_for_s,
                "worse_since": format_iso_time(one.worse_at),
                "passed_since": format_iso_time(one.passed_at),
            }
            for one in view.metrics
        ],
    }


def _hold(hold: Hold | None) -> dict[str, Any] | None:
    if hold is None:
        return None
    return {
        "by": name_holder(hold),
        "since": format_iso_time(hold.at or None),
        "until": format_iso_time(hold.until),
        "reason": sanitize(hold.reason),
    }


def _freeze(freeze: Frozen | None) -> dict[str, Any] | None:
    if freeze is None:
        return None
    return {"until": format_iso_time(freeze.until), "reason": sanitize(freeze.why)}


def _irreversible(mark: Irreversible | None) -> dict[str, Any] | None:
    if mark is None:
        return None
    by = sanitize(f"{mark.by}@{mark.host}" if mark.host else mark.by, 80)
    return {
        "what": sanitize(mark.what),
        "by": by,
        "at": format_iso_time(mark.at or None),
        "revision": sanitize(mark.revision, 80),
    }


def _slo(burn: Burn | None) -> dict[str, Any] | None:
    if burn is None:
        return None

    def window(found: BurnWindow) -> dict[str, Any]:
        rate = found.burn(burn.objective)
        return {
            **fields_of(found, "length_s", "requests", "failed"),
            **fields_of(found, "canary_requests", "canary_failed"),
            "burn_rate": plain_value(rate),
        }

    return {
        "objective": burn.objective,
        "until": format_iso_time(burn.end),
        "pairs": [
            {
                "factor": float(pair.factor),
                "urgency": pair.urgency,
                "burns": pair.burns,
                "why": pair.why or None,
                "long": window(pair.long),
                "short": window(pair.short),
            }
            for pair in burn.pairs
        ],
    }


def _line_of_hold(snapshot: Snapshot) -> list[str]:
    """That nobody promotes, as short as it goes: "HELD until 09:00Z"."""
    held = snapshot.hold if snapshot.hold is not None else snapshot.freeze
    if held is None:
        return []
    return [
        "HELD" if held.until is None else f"HELD until {format_until(held.until, snapshot.as_of)}"
    ]


def _guard(snapshot: Snapshot) -> dict[str, Any]:
    """Automatic rollback as far as this host knows: what runs on another host is not seen here."""
    armed = [one for one in snapshot.presence.others if one.guards]
    return {
        "armed": bool(armed) or (snapshot.guard is not None and snapshot.guard.armed),
        "by": [{"user": sanitize(one.user, 60), "kind": one.kind, "pid": one.pid} for one in armed],
    }


def status_line(snapshot: Snapshot, plan: Plan) -> str:
    """One line for a tmux status bar: state, whether no rollback can be, stage, share, drift,
    error ratio, p95, what is worse, soak, age.

    As `✓ HEALTHY  stage 2  10 % ion-api-canary  err 0.30 %  p95 610 ms  soak 17 h / 24 h  74 s
    old`.
    What asks for a person says who acts behind its word: "✗ ROLL BACK ALL  YOU: canary rollback …".
    """
    stage, canary = snapshot.stage, snapshot.canary
    judged = canary.data == "ok"
    state = find_state(snapshot, plan)
    acts = state.tone == "act" or state.actor.kind in ("auto", "running", "other")
    parts = [
        format_head(state),
        *([format_actor(state.actor, COMMANDS)] if acts else []),
        *filter(None, [brief_going_back(snapshot.readiness)]),
        "stage not known" if stage.index is None else f"stage {stage.index}",
        f"{_share(snapshot.traffic)} {sanitize(canary.service, 49)}",
        *filter(None, [brief_drift(snapshot)]),
        f"err {format_ratio(canary.window.error_ratio if judged else None)}",
        f"p95 {format_milliseconds(canary.window.p95_ms if judged else None)}",
        *filter(None, [brief(snapshot.evidence)]),
        *_soak(snapshot),
        _age(canary.data_age_s),
        *_line_of_hold(snapshot),
        *([format_irreversible(snapshot.irreversible)] if snapshot.irreversible else []),
        *(f"{sanitize(s.name, 30)} failing" for s in snapshot.sources if s.state == "failing"),
        *(f"{sanitize(c.kind, 30).replace('_', ' ')} in flight" for c in in_flight(snapshot)),
        *(["LOCAL CLOUD"] if snapshot.provider == "local" else []),
    ]
    return "  ".join(parts)


def in_flight(snapshot: Snapshot) -> list[ChangeView]:
    """The changes that have no outcome yet, newest first."""
    return [change for change in snapshot.changes if change.outcome is None]


def _traffic(traffic: TrafficView) -> dict[str, Any]:
    canary = traffic.canary_percent
    recorded = None if traffic.record is None else traffic.record.percent
    known = canary is not None and recorded is not None
    return {
        "legacy": None if canary is None else 100 - canary - _others(traffic),
        "canary": canary,
        "recorded": recorded,
        "drift": traffic.drift is not None if known else None,
        "reconciling": traffic.reconciling,
        "ready": traffic.ready,
    }


def _drift(snapshot: Snapshot) -> dict[str, Any] | None:
    """What was changed elsewhere, by whom, and the remedy that works now; None: nothing."""
    drift = snapshot.traffic.drift
    if drift is None:
        return None
    return {
        "recorded": drift.recorded_percent,
        "actual": drift.actual_percent,
        "by": sanitize(drift.by, 80) or None,
        "since": format_iso_time(drift.at),
        "plan_has": sanitize(drift.plan_has, 80) or None,
        "remedy": format_drift_remedy(snapshot),
    }


def _serving(traffic: TrafficView, stage: StageView) -> dict[str, Any]:
    """What is set is not what serves: both, and what stands between them."""
    known = traffic.canary_percent is not None
    return {
        "set": traffic.canary_percent,
        "served": traffic.served_percent,
        "follows": find_hindrance(traffic) is None if known else None,
        "pinned": [sanitize(name, 80) for name in traffic.pinned],
        "others": [{"name": sanitize(o.name, 80), "percent": o.percent} for o in traffic.others],
        "said": " ".join(format_unserved(traffic)),
        "session_affinity": traffic.affinity,
        "redeployed": stage.redeployed or None,
    }


def _others(traffic: TrafficView) -> int:
    return sum(other.percent for other in traffic.others)


def _side(side: SideView) -> dict[str, Any]:
    window: Window = side.window
    known = {name: getattr(window, f"{name}_ms") for name in ("p50", "p95", "p99")}
    latency: dict[str, Any] = {name: plain_value(value) for name, value in known.items()}
    if bounded := [name for name, value in known.items() if isinstance(value, AtLeast)]:
        latency["at_least"] = bounded
    return {
        **fields_of(side, "service", "data"),
        **fields_of(window, "requests", "error_ratio", "success_ratio"),
        # None that are known is not none: they are seen only where the request log is read.
        "refused": window.refused or None,
        "latency_ms": latency,
        **fields_of(window, "confidence", "cpu", "memory", "instances"),
        **fields_of(side, "data_age_s"),
    }


def _share(traffic: TrafficView) -> str:
    if traffic.canary_percent is None:
        return "share not known"
    if traffic.is_unserved:
        doubt = " (may not be served)" if traffic.ready is False else " set"
        served = format_percent(traffic.served_percent)
        return f"{format_percent(traffic.canary_percent)}{doubt}, {served} SERVED"
    if traffic.drift is not None:
        recorded = format_percent(traffic.drift.recorded_percent)
        return f"{format_percent(traffic.canary_percent)} (recorded {recorded})"
    if traffic.others:
        return f"{format_percent(traffic.canary_percent)} (others have {_others(traffic)} %)"
    if traffic.in_doubt:
        return f"{format_percent(traffic.canary_percent)} (may not be served)"
    return format_percent(traffic.canary_percent)


def _soak(snapshot: Snapshot) -> list[str]:
    stage = snapshot.stage
    if stage.soak_hours is None:
        return []
    soaked = None if stage.soaked_hours is None else stage.soaked_hours * 3600
    return [f"soak {format_duration(soaked)} / {format_duration(stage.soak_hours * 3600)}"]


def _age(data_age_s: float | None) -> str:
    return "no data" if data_age_s is None else f"{format_age(data_age_s)} old"
