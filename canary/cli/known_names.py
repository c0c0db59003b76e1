"""Names that a plan may use and that others own: the console's keys, the scenarios.

The domain knows neither; every command that reads a plan gives it these.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.plan.rules import KnownNames

SCENARIOS: Final = (
    "healthy",
    "error-spike",
    "slow-burn",
    "latency",
    "low-confidence",
    "no-data",
    "stale",
    "quota",
    "monitoring-outage",
    "run-outage",
    "conflict",
    "denied",
    "stuck-operation",
    "failing-operation",
)
"""What the embedded cloud can play. It is a process that nobody imports, so a test holds its own
list and this one together."""


def known_names() -> KnownNames:
    """What [console.keys] and `local.scenario` may name."""
    # The keys are plain data: no Textual comes with them (0.8 ms).
    from tui.keys import ACTIONS

    return KnownNames(tuple(action.name for action in ACTIONS), SCENARIOS)
