"""What can go wrong with a call: the rows of the fault tests."""

from typing import Any

from canary.cloud.connection.calls import ATTEMPTS

CODES = (
    "UNAVAILABLE",
    "DEADLINE_EXCEEDED",
    "RESOURCE_EXHAUSTED",
    "INTERNAL",
    "ABORTED",
    "PERMISSION_DENIED",
    "UNAUTHENTICATED",
)

FAULTS: dict[str, dict[str, Any]] = {
    **{code: {"code": code} for code in CODES},
    "cut short": {"shape": "truncated"},
    "lost after": {"code": "UNAVAILABLE", "after_apply": True},
    "slow": {"delay_s": 1.0},
}
"""Name → what the fault table is told. "slow" is slower than SLOW_S, its deadline here."""

SLOW_S = 0.25


def deadline_s(fault: str) -> float:
    """The deadline of calls under a fault: short only where it is to be missed."""
    return SLOW_S if fault == "slow" else 20.0


def looks_away(fault: str, looks: int) -> int:
    """After so many looks a cloud is back that is away by a fault: sooner where each look takes
    all deadlines of its tries in real time.
    """
    return 2 if fault == "slow" else looks


TRIED_AGAIN = frozenset(
    {
        "UNAVAILABLE",
        "DEADLINE_EXCEEDED",
        "INTERNAL",
        "ABORTED",
        "cut short",
        "lost after",
        "slow",
    }
)
"""Faults that may pass by themselves: a read is tried again, and only then."""

UNCERTAIN = frozenset(
    {"UNAVAILABLE", "DEADLINE_EXCEEDED", "INTERNAL", "cut short", "lost after", "slow"}
)
"""Faults of a change after which nobody knows whether it was taken."""


def most_calls(fault: str) -> int:
    """How often one question may be asked at most."""
    return ATTEMPTS if fault in TRIED_AGAIN else 1
