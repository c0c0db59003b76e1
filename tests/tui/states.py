"""Every state that the screen can be in, by name: what the gallery draws and the tests look at.

All but the last group are snapshots alone; those need what runs beside them, or a key.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from canary.rollout.change.change import Outcome
from canary.rollout.change.hold import Hold
from canary.rollout.decision.guard import GuardView
from canary.rollout.decision.readiness import Readiness, RollbackFacts, judge_readiness
from canary.rollout.decision.tree import IDLE, DataState, Watch, decide
from canary.rollout.evidence.tally import Part, Toll
from canary.rollout.evidence.view import Advice
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.snapshot import Drift, Snapshot, SourceView, TrafficView
from canary.rollout.snapshot.state_words import StateId
from canary.rollout.trials.jobs import JobsView
from tests.tui import proceedings, scenes
from tests.widgets.evidence_scenes import PASSED, UNDECIDED, VIEW
from tests.widgets.scenes import NOW

PLAN: Final = scenes.plan()
ARMED: Final = GuardView(armed=True, by="oncall@bastion-2")
WAY: Final = RollbackFacts(
    "ion-api",
    revision="ion-api-00007-abc",
    revision_ready=True,
    missing_rights=(),
    scale=ScalePreset(1, 10),
    expected_s=17.0,
)
READY: Final = judge_readiness(WAY)
LOST: Final = judge_readiness(msgspec.structs.replace(WAY, exists=False))


def at(**given: Any) -> Snapshot:
    """A snapshot of `scenes` with what every console has after a minute: readiness, the comparison.

    What `scenes.snapshot` does not know replaces a field of the snapshot itself.
    """
    made = {k: v for k, v in given.items() if k in _OF_SCENES}
    rest = {k: v for k, v in given.items() if k not in _OF_SCENES}
    whole = scenes.snapshot(PLAN, now=NOW, **made)
    readiness: Readiness = READY
    given_too = {
        "readiness": readiness,
        "guard": GuardView(armed=False),
        "evidence": compared(4),
        **rest,
    }
    return msgspec.structs.replace(whole, **given_too)


_OF_SCENES: Final = frozenset(
    {"stage", "percent", "soaked_hours", "error_ratio", "latency_ms", "lag_s", "canary_samples"}
    | {"drift", "changes", "sources", "events"}
)


def compared(failed: int) -> Any:
    """The comparison since half an hour: so many failures of Canary's 1 842 requests."""
    part = Part(NOW - 1_500, NOW, 1_470, 20_000, 1_842, 100, failed)
    toll = Toll(part, Part(NOW - 300, NOW, 300, 4_000, 400, 20, failed / 4))
    return msgspec.structs.replace(
        VIEW,
        began_at=NOW - 1_500,
        failed=toll,
        slow=toll,
        metrics=(msgspec.structs.replace(PASSED, passed_at=NOW - 300), UNDECIDED),
    )


def judged(data: DataState, **given: Any) -> Snapshot:
    """One whose Canary data may not be judged, for that reason."""
    base = at(**given)
    decision = decide(PLAN, base.canary.window, data, IDLE, NOW)
    window = base.canary.window
    if data == "thin":
        window = msgspec.structs.replace(window, requests=5)
    side = msgspec.structs.replace(base.canary, data=data, window=window)
    return msgspec.structs.replace(base, canary=side, decision=decision, alerts=())


def overdue() -> Snapshot:
    """A warning that has not cleared within its hour."""
    base = at(error_ratio=0.03, evidence=compared(60))
    watch = Watch(NOW - 4_000, warning=True, overdue=True)
    decision = decide(PLAN, base.canary.window, "ok", watch, NOW)
    return msgspec.structs.replace(base, decision=decision, verdict_since=NOW - 400)


def met(snapshot: Snapshot) -> Snapshot:
    """The same with every gate met."""
    gates = tuple(msgspec.structs.replace(gate, state="met") for gate in snapshot.gates)
    return msgspec.structs.replace(snapshot, gates=gates)


def unknown() -> Snapshot:
    """A promotion whose end nobody knows."""
    outcome = Outcome("unknown", "No answer within 30 s.", NOW - 60, None, "Check its status.")
    return at(changes=(msgspec.structs.replace(scenes.failed(NOW), outcome=outcome),))


SPIKE: Final[dict[str, Any]] = {
    "error_ratio": 0.083,
    "evidence": compared(155),
    "verdict_since": NOW - 2_160,
}
AWAY: Final = (
    SourceView("Cloud Run", "failing", "not reachable: connection refused", NOW - 95),
    SourceView("Cloud Monitoring", "ok", answered_at=NOW),
)
SILENT: Final = (
    SourceView("Cloud Run", "ok", answered_at=NOW),
    SourceView("Cloud Monitoring", "failing", "503 from monitoring.googleapis.com", NOW - 400),
)

STATES: Final[dict[StateId, Snapshot]] = {
    "ready": at(soaked_hours=25),
    "healthy": at(),
    "watch": at(error_ratio=0.03, evidence=compared(60), verdict_since=NOW - 1_380),
    "roll_back_stage": overdue(),
    "roll_back_all": at(**SPIKE),
    "proven_worse": at(
        evidence=msgspec.structs.replace(compared(55), metrics=VIEW.metrics),
        advice=Advice("advise", "a regression is proven: 5xx", ("5xx",), NOW - 300),
    ),
    "settling": judged("masked"),
    "thin": judged("thin"),
    "stale": at(lag_s=900.0),
    "silent": at(canary_samples=False, sources=SILENT),
    "cannot_see": at(sources=AWAY),
    "off": at(stage=0, evidence=None),
    "in_progress": at(changes=(scenes.in_flight(NOW),)),
    "failed": at(changes=(scenes.failed(NOW),)),
    "unknown_outcome": unknown(),
    "drift": at(percent=25, drift=Drift(10, 25, "deploy@ci", NOW - 60)),
    "rollback_not_possible": at(
        readiness=judge_readiness(msgspec.structs.replace(WAY, exists=False))
    ),
    "held": at(soaked_hours=25, hold=Hold(NOW + 7_200, "the database moves", "eve", "bastion-3")),
}
"""One for each state of the row."""


class Shown(msgspec.Struct, frozen=True):
    """What else is drawn: a snapshot, what runs beside it, and the keys that are pressed."""

    snapshot: Snapshot
    jobs: JobsView | None = None
    keys: tuple[str, ...] = ()


MORE: Final[dict[str, Shown]] = {
    "auto-rollback": Shown(
        at(
            **SPIKE,
            guard=msgspec.structs.replace(
                ARMED, cause="error ratio 9.45 % > 5 %", kind="rollback_all", left_s=43.0
            ),
        )
    ),
    "worse-now": Shown(
        at(advice=Advice("advise", "worse now: 5xx", ("5xx",), NOW - 60, "worse_now"))
    ),
    "promote-strip": Shown(at(soaked_hours=25), keys=("p",)),
    "rollback-strip": Shown(at(**SPIKE), keys=("R",)),
    "final-approval": Shown(met(at(stage=4, soaked_hours=80)), keys=("p",)),
    "last-stage": Shown(at(stage=5, soaked_hours=30)),
    "verification-failed": Shown(at(), proceedings.with_verification(proceedings.verified(30))),
    "load-test": Shown(at(stage=3), proceedings.of(load_test=proceedings.loading())),
    "not-served": Shown(
        at(traffic=TrafficView(10, scenes.snapshot(PLAN).traffic.record, served_percent=0))
    ),
}
"""States that a reviewer could not reach before: strips, procedures, a countdown."""


def shown(name: str) -> Shown:
    """What is drawn for a name of STATES or MORE."""
    return MORE[name] if name in MORE else Shown(STATES[name])  # type: ignore[index]


def names() -> tuple[str, ...]:
    """All of them, those of the row first."""
    return (*STATES, *MORE)
