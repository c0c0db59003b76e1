"""What a change of several steps says of itself: its order, and what a final approval makes true.

Words only; which steps there are is `change`. Shown by the dry run, the confirm strip, the shell
and the outcome alike.
"""

from __future__ import annotations

from collections.abc import Iterable

from canary.rollout.change.change import Change, SetScale, SetTraffic
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.labels import GATE_GLYPHS
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_limit, format_value, sanitize


def is_final_approval(change: Change) -> bool:
    """Whether a change makes Canary production: a promotion whose record ends the canary mode."""
    split = split_of(change)
    return change.kind == "promote" and split is not None and not split.record.enabled


def split_of(change: Change) -> SetTraffic | None:
    """The step that sets the split; None when the change has none."""
    return next((s for s in change.steps if isinstance(s, SetTraffic)), None)


def format_order(change: Change) -> str:
    """Why the steps come in this order, one sentence; "" where there is no order to explain."""
    split = split_of(change)
    if split is None or len(change.steps) == 1:
        return ""
    if is_final_approval(change):
        return (
            "In this order: Canary gets its instances before everything comes to it; Legacy keeps"
            " its own until nothing does, so that it could take everything back."
        )
    first = change.steps[0]
    if isinstance(first, SetScale):
        return (
            f"In this order: {sanitize(first.service, 60)} is in backup size, and could not "
            "take the"
            " requests that come back to it."
        )
    return ""


def describe_consequences(change: Change, plan: Plan) -> tuple[str, ...]:
    """What is true after a final approval, one line each; empty for every other change."""
    split = split_of(change)
    if split is None or not is_final_approval(change):
        return ()
    canary, legacy = sanitize(plan.target.canary, 60), sanitize(plan.target.legacy, 60)
    record = split.record
    return (
        f"Canary ({canary}) is production and takes {split.percent} %",
        f"Legacy ({legacy}) is the backup: ready for an emergency, it takes nothing",
        f"the canary mode is recorded as ended: enabled = false, stage = {record.stage},"
        f" percent = {record.percent},"
        f" production_service = {sanitize(record.production_service, 60)}",
    )


def format_evidence(gates: Iterable[Gate]) -> tuple[str, ...]:
    """The gates as evidence, one line each, as "✓ A/B improvement 51.1 % > 10 %"; that one first.

    Empty without gates.
    """
    ordered = sorted(gates, key=lambda gate: gate.id != "ab_test")
    return tuple(_format_gate(gate) for gate in ordered)


def _format_gate(gate: Gate) -> str:
    value, limit = format_value(gate.id, gate.observed), format_limit(gate.id, gate.limit)
    said = f"{GATE_GLYPHS[gate.state]} {gate.label} {value}"
    if gate.comparison != "=":
        said += f" {gate.comparison} {limit}"
    return f"{said}: {sanitize(gate.evidence, 120)}" if gate.evidence else said
