"""google.monitoring.v3.AlertPolicyService of the embedded cloud."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import grpc

from canary.simulator.api.monitoring.filters import parse_filter
from canary.simulator.wire import messages
from canary.simulator.wire.errors import ApiError, invalid_field, not_found
from canary.simulator.wire.field_masks import apply_mask
from canary.simulator.wire.paging import cut_page
from canary.simulator.world.alert_policies import (
    MOST_POLICIES,
    AlertPolicies,
    check_policy,
    name_conditions,
)
from canary.simulator.world.world import World

WRITE_S = 0.03
"""Real seconds that a modification takes: long enough for two at once to meet."""

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
            await asyncio.sleep(WRITE_S)
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
            await asyncio.sleep(WRITE_S)
            self._record(policy.mutation_record)
            self._policies.put(policy)
            return policy

    async def delete(self, request: Any) -> Any:
        """Answer DeleteAlertPolicy."""
        self._find(request.name)
        with self._alone():
            await asyncio.sleep(WRITE_S)
            self._policies.remove(request.name)
            return messages.Empty()

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
            raise ApiError(
                grpc.StatusCode.PERMISSION_DENIED,
                f"Permission {permission} denied on {name} (or the resource may not exist).",
            )


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
