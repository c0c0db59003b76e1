"""google.monitoring.v3.AlertPolicyService of the embedded cloud, with the policies it keeps."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import grpc
import msgspec

from canary.simulator.wire import messages
from canary.simulator.wire.calls import (
    ApiError,
    apply_mask,
    cut_page,
    denied,
    invalid_field,
    not_found,
)
from canary.simulator.wire.filters import parse_filter
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
    for part in ("filter", "denominator_filter"):
        text = getattr(threshold, part)
        if text and "resource.type" not in text:
            raise invalid_field(
                f"{field}.condition_threshold.{part}",
                text,
                'must specify a restriction on "resource.type" in the filter; see'
                ' "https://cloud.google.com/monitoring/api/resources" for a list of available'
                " resource types.",
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


_WRITTEN_BY_MONITORING = frozenset(["name", "creation_record", "mutation_record", "validity"])


class AlertPolicyApi:
    """Answers about alert policies. Every method takes and returns the wire message.

    Modifications of a project are one at a time: one that meets another is ABORTED, as the
    service's documentation demands of callers.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._policies = AlertPolicies(world)
        self._busy = False

    def list_policies(self, request: Any) -> Any:
        """Answer ListAlertPolicies: oldest first, or by `order_by` (a field, `desc`)."""
        self._check_project(request.name, "monitoring.alertPolicies.list")
        selection = parse_filter(request.filter, _policy_field)
        kept = [self._policies.get(name) for name in self._policies.names()]
        found = [one for one in kept if one is not None and selection.matches(_fields_of(one))]
        found = _sort(found, request.order_by)
        page, following = cut_page(found, request, default=100, most=1000)
        answer = messages.ListAlertPoliciesResponse.resolve()
        return answer(alert_policies=page, next_page_token=following, total_size=len(found))

    def get(self, request: Any) -> Any:
        """Answer GetAlertPolicy."""
        return self._find(request.name)

    async def create(self, request: Any) -> Any:
        """Answer CreateAlertPolicy: names it and its conditions (names that are sent are not)."""
        self._check_project(request.name, "monitoring.alertPolicies.create")
        with self._alone():
            policy = messages.AlertPolicy.resolve()()
            policy.CopyFrom(request.alert_policy)
            check_policy(policy)
            if len(self._policies.names()) >= MOST_POLICIES:
                raise ApiError(
                    grpc.StatusCode.RESOURCE_EXHAUSTED,
                    f"There are {MOST_POLICIES} alerting policies, the most there can be.",
                )
            await self._write()
            policy.name = f"{request.name}/alertPolicies/{self._policies.new_number()}"
            for condition in policy.conditions:
                condition.name = ""
            name_conditions(self._policies, policy, ())
            if not policy.HasField("enabled"):
                policy.enabled.value = True
            self._record(policy.creation_record)
            self._record(policy.mutation_record)
            self._policies.put(policy)
            return policy

    async def update(self, request: Any) -> Any:
        """Answer UpdateAlertPolicy: the masked fields, or all of them without a mask.

        A condition that is sent with its name is the same one afterwards; one without a name is
        a new one; one that is not sent is gone.
        """
        stored = self._find(request.alert_policy.name)
        with self._alone():
            fields = {field.name for field in stored.DESCRIPTOR.fields}
            paths = request.update_mask.paths
            mutable = fields - _WRITTEN_BY_MONITORING
            policy = apply_mask(
                stored, request.alert_policy, paths, mutable, _WRITTEN_BY_MONITORING
            )
            check_policy(policy)
            name_conditions(self._policies, policy, {one.name for one in stored.conditions})
            await self._write()
            self._record(policy.mutation_record)
            self._policies.put(policy)
            return policy

    async def delete(self, request: Any) -> Any:
        """Answer DeleteAlertPolicy."""
        self._find(request.name)
        with self._alone():
            await self._write()
            self._policies.remove(request.name)
            return messages.Empty()

    async def _write(self) -> None:
        """Take as long as a modification takes: 2.5 to 5.5 s were recorded."""
        clock = self._world.clock
        await asyncio.sleep(clock.real_seconds(self._world.config.policy_write_s))

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the project's configuration; ABORTED while somebody else does."""
        if self._busy:
            raise ApiError(
                grpc.StatusCode.ABORTED,
                "Too many concurrent edits to the project configuration. Please try again.",
            )
        if self._world.scenario.current(self._world.clock.now()).changes_denied:
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                "Permission monitoring.alertPolicies.update denied (or the resource may not "
                "exist).",
            )
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    def _find(self, name: str) -> Any:
        policy = self._policies.get(name)
        if policy is None:
            raise not_found(f"Alert policy '{name}' was not found.")
        return policy

    def _record(self, record: Any) -> None:
        record.mutate_time.CopyFrom(messages.timestamp(self._world.clock.now()))
        record.mutated_by = f"oncall@{self._world.config.project}.iam.gserviceaccount.com"

    def _check_project(self, name: str, permission: str) -> None:
        if name != f"projects/{self._world.config.project}":
            raise denied(permission, name)


def _policy_field(word: str) -> str | None:
    if word in ("display_name", "name", "documentation.content"):
        return word
    owner, dot, key = word.partition(".")
    return word if owner == "user_labels" and dot and key else None


def _fields_of(policy: Any) -> dict[str, str]:
    return {
        "name": policy.name,
        "display_name": policy.display_name,
        "documentation.content": policy.documentation.content,
        **{f"user_labels.{key}": text for key, text in policy.user_labels.items()},
    }


def _sort(policies: list[Any], order_by: str) -> list[Any]:
    for key in reversed([part.split() for part in order_by.split(",") if part.strip()]):
        descending = key[1:] == ["desc"]
        if key[0] not in ("name", "display_name") or (key[1:] and not descending):
            raise invalid_field("order_by", order_by, "Only name and display_name, with desc.")
        policies = sorted(policies, key=lambda one: str(getattr(one, key[0])), reverse=descending)
    return policies
