"""Alert policies as they are kept: names, records of who and when, what none can be without."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from typing import Any

import msgspec

from canary.simulator.wire import messages
from canary.simulator.wire.errors import invalid_field
from canary.simulator.world.world import World

MOST_CONDITIONS = 6
MOST_POLICIES = 500

_KEY = "alert-policies"


class _Kept(msgspec.Struct, kw_only=True):
    policies: dict[str, bytes] = {}
    numbers: int = 0
    """How many names were ever given: none is given twice."""


class AlertPolicies:
    """The policies of a project, by full name, in the order they were made."""

    def __init__(self, world: World) -> None:
        self._world = world
        text = world.saved.get(_KEY)
        self._kept = _Kept() if text is None else msgspec.msgpack.decode(text, type=_Kept)

    def names(self) -> list[str]:
        """Return all names, oldest first."""
        return list(self._kept.policies)

    def get(self, name: str) -> Any | None:
        """Return a copy of a policy, or None."""
        data = self._kept.policies.get(name)
        return None if data is None else messages.AlertPolicy.FromString(data)

    def put(self, policy: Any) -> None:
        """Keep a policy under its name."""
        self._kept.policies[policy.name] = policy.SerializeToString()
        self._save()

    def remove(self, name: str) -> None:
        """Forget a policy."""
        del self._kept.policies[name]
        self._save()

    def new_number(self) -> str:
        """Return digits for a name, as Cloud Monitoring's look, but the same in every run."""
        self._kept.numbers += 1
        text = f"{self._world.origin.seed}/alert/{self._kept.numbers}"
        return str(10**18 + int.from_bytes(hashlib.sha256(text.encode()).digest()[:7]))

    def _save(self) -> None:
        self._world.saved.put(_KEY, msgspec.msgpack.encode(self._kept))
        self._world.save()


def check_policy(policy: Any) -> None:
    """Raise ApiError INVALID_ARGUMENT for a policy that cannot be."""
    if not policy.display_name:
        raise invalid_field("alert_policy.display_name", "", "It must not be empty.")
    if not 1 <= len(policy.conditions) <= MOST_CONDITIONS:
        count = str(len(policy.conditions))
        raise invalid_field(
            "alert_policy.conditions", count, f"There must be 1 to {MOST_CONDITIONS}."
        )
    if not policy.combiner:
        raise invalid_field("alert_policy.combiner", "COMBINE_UNSPECIFIED", "It must be set.")
    for index, condition in enumerate(policy.conditions):
        _check_condition(condition, f"alert_policy.conditions[{index}]")


def _check_condition(condition: Any, field: str) -> None:
    if not condition.display_name:
        raise invalid_field(f"{field}.display_name", "", "It must not be empty.")
    kind = condition.WhichOneof("condition")
    if kind is None:
        raise invalid_field(field, "", "It must say what it watches.")
    if kind != "condition_threshold":
        return
    threshold = condition.condition_threshold
    if "metric.type" not in threshold.filter:
        raise invalid_field(
            f"{field}.condition_threshold.filter",
            threshold.filter,
            'It must specify a restriction on "metric.type".',
        )
    if not threshold.comparison:
        raise invalid_field(
            f"{field}.condition_threshold.comparison", "COMPARISON_UNSPECIFIED", "It must be set."
        )
    if threshold.duration.seconds % 60 or threshold.duration.nanos:
        raise invalid_field(
            f"{field}.condition_threshold.duration",
            f"{threshold.duration.seconds}s",
            "It must be a multiple of a minute.",
        )


def name_conditions(policies: AlertPolicies, policy: Any, known: Collection[str]) -> None:
    """Give a name to each condition that has none.

    Raises ApiError INVALID_ARGUMENT for a name that is not in `known`: only what the policy has
    already can be kept, and each of it once.
    """
    seen: set[str] = set()
    for index, condition in enumerate(policy.conditions):
        if not condition.name:
            condition.name = f"{policy.name}/conditions/{policies.new_number()}"
        elif condition.name not in known or condition.name in seen:
            raise invalid_field(
                f"alert_policy.conditions[{index}].name",
                condition.name,
                "It does not name a condition of this policy.",
            )
        seen.add(condition.name)
