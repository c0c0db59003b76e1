"""Alert policies of one rollout in Cloud Monitoring: read, and set right one at a time.

Cloud Monitoring asks for one modification at a time per project. An update names its fields (an
empty mask replaces everything), and a condition keeps its `name`, which is its identity: incidents
stay with it. What is the team's is left alone in our policies too: notification channels, whether
a policy is enabled, labels of other names, the alert strategy.
"""

from __future__ import annotations

from typing import Any

from canary.cloud.connection.calls import ask, demand_whole, send
from canary.cloud.connection.clients import Connection
from canary.rollout.errors import OutcomeUnknown, Rejected
from canary.rollout.export.alert_policies import (
    KEY_LABEL,
    OWNER_LABEL,
    Action,
    Condition,
    FoundPolicy,
    Policy,
    owner_of,
)
from canary.rollout.plan.plan import Plan

SOURCE = "Cloud Monitoring"
READ_TIMEOUT_S = 15.0
CHANGE_TIMEOUT_S = 30.0


class AlertPolicies:
    """The policies of a plan's rollout, through a Connection (which the caller closes)."""

    def __init__(self, connection: Connection, plan: Plan) -> None:
        self._connection = connection
        self._project = f"projects/{plan.target.project}"
        self._owner = owner_of(plan)

    async def read_all(self) -> tuple[FoundPolicy, ...]:
        """Return the policies that bear this rollout's mark, oldest first."""
        client, _ = await self._connection.api("alert_policies")
        doing = "reading the alert policies"

        async def read() -> list[Any]:
            pager = await client.list_alert_policies(
                name=self._project, retry=None, timeout=READ_TIMEOUT_S
            )
            pages = [type(page).pb(page) async for page in pager.pages]
            for page in pages:
                demand_whole(page, SOURCE, doing)
            return [policy for page in pages for policy in page.alert_policies]

        found = await ask(read, SOURCE, doing)
        # Filtered here: the mark decides about changes, and shall not hang on a filter's dialect.
        ours = [one for one in found if self._is_ours(one)]
        ours.sort(key=lambda one: (one.creation_record.mutate_time.ToNanoseconds(), one.name))
        return tuple(read_policy(one) for one in ours)

    async def apply(self, action: Action) -> None:
        """Carry out one action and read it back.

        Raises Rejected for a policy that is not ours (any more), Conflict while somebody else
        changes the project's policies, and OutcomeUnknown when the answer was lost or the policy
        does not show what was asked for.
        """
        if action.kind == "keep":
            return
        if action.kind == "create" and action.wanted is not None:
            name = await self._create(action.wanted)
            await self._check(name, action.wanted)
        elif action.found is not None:
            current = await self._get(action.found.name)
            if not self._is_ours(current):
                raise Rejected(
                    f"{action.found.name} does not bear the mark of this rollout any more;"
                    " it was left alone.",
                    source=SOURCE,
                )
            if action.wanted is None:
                await self._delete(action.found)
            else:
                await self._update(action.found, action.wanted, action.fields, current)
                await self._check(action.found.name, action.wanted)

    def _is_ours(self, policy: Any) -> bool:
        labels = policy.user_labels
        return OWNER_LABEL in labels and labels[OWNER_LABEL] == self._owner and KEY_LABEL in labels

    async def _create(self, wanted: Policy) -> str:
        types = await self._types()
        request = types.CreateAlertPolicyRequest.pb(types.CreateAlertPolicyRequest())
        request.name = self._project
        _write_policy(request.alert_policy, wanted, ())
        request.alert_policy.user_labels[OWNER_LABEL] = self._owner
        request.alert_policy.user_labels[KEY_LABEL] = wanted.key
        message = types.CreateAlertPolicyRequest.wrap(request)
        answer = await self._change("create_alert_policy", message, f"creating {wanted.key}")
        name: str = answer.name
        return name

    async def _update(
        self, found: FoundPolicy, wanted: Policy, fields: tuple[str, ...], current: Any
    ) -> None:
        types = await self._types()
        request = types.UpdateAlertPolicyRequest.pb(types.UpdateAlertPolicyRequest())
        names = [condition.name for condition in current.conditions]
        _write_policy(request.alert_policy, wanted, names)
        request.alert_policy.name = found.name
        request.update_mask.paths.extend(fields)
        message = types.UpdateAlertPolicyRequest.wrap(request)
        await self._change("update_alert_policy", message, f"updating {wanted.key}")

    async def _delete(self, found: FoundPolicy) -> None:
        types = await self._types()
        message = types.DeleteAlertPolicyRequest(name=found.name)
        await self._change("delete_alert_policy", message, f"deleting {found.policy.key}")

    async def _check(self, name: str, wanted: Policy) -> None:
        shown = read_policy(await self._get(name)).policy
        if shown != wanted:
            raise OutcomeUnknown(
                f"Cloud Monitoring took {wanted.key}, and shows something else.",
                remedy="`canary alerts diff` says what.",
            )

    async def _get(self, name: str) -> Any:
        client, _ = await self._connection.api("alert_policies")
        answer = await ask(
            lambda: client.get_alert_policy(name=name, retry=None, timeout=READ_TIMEOUT_S),
            SOURCE,
            "reading an alert policy",
        )
        return type(answer).pb(answer)

    async def _change(self, method: str, request: Any, doing: str) -> Any:
        client, _ = await self._connection.api("alert_policies")
        call = getattr(client, method)(request, retry=None, timeout=CHANGE_TIMEOUT_S)
        return await send(call, SOURCE, doing)

    async def _types(self) -> Any:
        _, types = await self._connection.api("alert_policies")
        return types


def read_policy(message: Any) -> FoundPolicy:
    """A raw AlertPolicy as ours are; conditions of other kinds than thresholds compare as empty."""
    severity = message.DESCRIPTOR.fields_by_name["severity"].enum_type
    combiner = message.DESCRIPTOR.fields_by_name["combiner"].enum_type
    policy = Policy(
        key=message.user_labels.get(KEY_LABEL, ""),
        display_name=message.display_name,
        documentation=message.documentation.content,
        severity=severity.values_by_number[message.severity].name,
        conditions=tuple(_read_condition(condition) for condition in message.conditions),
        combiner=combiner.values_by_number[message.combiner].name,
    )
    return FoundPolicy(message.name, policy, tuple(c.name for c in message.conditions))


def _read_condition(message: Any) -> Condition:
    threshold = message.condition_threshold
    first = threshold.aggregations[0] if len(threshold.aggregations) == 1 else None
    same = list(threshold.denominator_aggregations) == (
        list(threshold.aggregations) if threshold.denominator_filter else []
    )
    usable = first is not None and same and not first.group_by_fields
    return Condition(
        display_name=message.display_name,
        filter=threshold.filter,
        aligner=_enum_name(first, "per_series_aligner") if usable else "other",
        reducer=_enum_name(first, "cross_series_reducer") if usable else "other",
        period_s=first.alignment_period.seconds if first is not None else 0,
        comparison=_enum_name(threshold, "comparison"),
        threshold=threshold.threshold_value,
        denominator_filter=threshold.denominator_filter,
        duration_s=threshold.duration.seconds,
    )


def _write_policy(message: Any, policy: Policy, condition_names: Any) -> None:
    """Fill a raw AlertPolicy; its conditions keep the names that are given, in order."""
    message.display_name = policy.display_name
    message.documentation.content = policy.documentation
    message.documentation.mime_type = "text/markdown"
    _set_enum(message, "severity", policy.severity)
    _set_enum(message, "combiner", policy.combiner)
    for index, condition in enumerate(policy.conditions):
        out = message.conditions.add(display_name=condition.display_name)
        if index < len(condition_names):
            out.name = condition_names[index]
        threshold = out.condition_threshold
        threshold.filter = condition.filter
        threshold.denominator_filter = condition.denominator_filter
        threshold.threshold_value = condition.threshold
        threshold.duration.seconds = condition.duration_s
        _set_enum(threshold, "comparison", condition.comparison)
        _write_aggregation(threshold.aggregations.add(), condition)
        if condition.denominator_filter:
            _write_aggregation(threshold.denominator_aggregations.add(), condition)


def _write_aggregation(out: Any, condition: Condition) -> None:
    out.alignment_period.seconds = condition.period_s
    _set_enum(out, "per_series_aligner", condition.aligner)
    _set_enum(out, "cross_series_reducer", condition.reducer)


def _set_enum(message: Any, field: str, name: str) -> None:
    values = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_name
    setattr(message, field, values[name].number)


def _enum_name(message: Any, field: str) -> str:
    number = getattr(message, field)
    known = message.DESCRIPTOR.fields_by_name[field].enum_type.values_by_number
    return str(known[number].name) if number in known else str(number)
