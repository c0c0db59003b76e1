"""Alert policies over real gRPC: made once, set right by mask, others' left alone."""

from typing import Any

import msgspec
import pytest

from canary.cloud.monitoring.alert_policies import AlertPolicies
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    OutcomeUnknown,
    QuotaExhausted,
    Rejected,
    Unavailable,
)
from canary.rollout.export.alert_policies import (
    KEY_LABEL,
    OWNER_LABEL,
    Action,
    FoundPolicy,
    owner_of,
    plan_actions,
    wanted_policies,
)
from tests.embedded import DEFAULT_PLAN, Embedded

SERVICE = "/google.monitoring.v3.AlertPolicyService"
PROJECT = f"projects/{DEFAULT_PLAN.target.project}"
WANTED = wanted_policies(DEFAULT_PLAN)


@pytest.fixture
def policies(embedded: Embedded) -> AlertPolicies:
    return AlertPolicies(embedded.connection, embedded.plan)


async def changes(policies: AlertPolicies, wanted: Any = WANTED) -> list[Action]:
    actions = plan_actions(wanted, await policies.read_all())
    return [action for action in actions if action.kind != "keep"]


async def set_right(policies: AlertPolicies) -> None:
    for action in await changes(policies):
        await policies.apply(action)


async def first(policies: AlertPolicies) -> FoundPolicy:
    """The policy of the first limit."""
    return next(one for one in await policies.read_all() if one.policy.key == WANTED[0].key)


async def client_of(cloud: Embedded) -> Any:
    client, _ = await cloud.connection.api("alert_policies")
    return client


async def raw(cloud: Embedded) -> dict[str, Any]:
    client = await client_of(cloud)
    pager = await client.list_alert_policies(name=PROJECT)
    return {one.name: type(one).pb(one) async for one in pager}


async def add_foreign(cloud: Embedded, **labels: str) -> str:
    """Somebody else's policy that looks just like ours."""
    from google.cloud import monitoring_v3

    client = await client_of(cloud)
    threshold = monitoring_v3.AlertPolicy.Condition.MetricThreshold(
        filter=WANTED[0].conditions[0].filter, comparison="COMPARISON_GT", threshold_value=0.5
    )
    condition = monitoring_v3.AlertPolicy.Condition(
        display_name="theirs", condition_threshold=threshold
    )
    policy = monitoring_v3.AlertPolicy(
        display_name=WANTED[0].display_name,
        conditions=[condition],
        combiner="OR",
        user_labels=labels,
    )
    created = await client.create_alert_policy(name=PROJECT, alert_policy=policy)
    return str(created.name)


async def test_what_was_made_reads_back_and_is_not_made_twice(policies: AlertPolicies):
    assert len(await changes(policies)) == 6
    await set_right(policies)
    found = {one.policy.key: one.policy for one in await policies.read_all()}
    assert found == {one.key: one for one in WANTED}
    assert await changes(policies) == []


async def test_a_policy_bears_the_mark_and_is_switched_on(
    embedded: Embedded, policies: AlertPolicies
):
    await set_right(policies)
    for message in (await raw(embedded)).values():
        assert message.user_labels[OWNER_LABEL] == owner_of(DEFAULT_PLAN)
        assert message.user_labels[KEY_LABEL] in {one.key for one in WANTED}
        assert message.enabled.value


@pytest.mark.parametrize(
    "labels",
    [
        {},
        {KEY_LABEL: "warning-error_ratio"},
        {OWNER_LABEL: "another-rollout", KEY_LABEL: "warning-error_ratio"},
    ],
)
async def test_a_policy_of_others_is_not_touched(
    embedded: Embedded, policies: AlertPolicies, labels: dict[str, str]
):
    name = await add_foreign(embedded, **labels)
    before = (await raw(embedded))[name]
    await set_right(policies)
    await set_right(policies)
    assert (await raw(embedded))[name] == before
    assert len(await raw(embedded)) == 7


async def test_an_update_keeps_the_conditions_name_and_what_is_the_teams(
    embedded: Embedded, policies: AlertPolicies
):
    await set_right(policies)
    before = await first(policies)
    client = await client_of(embedded)
    from google.cloud import monitoring_v3

    theirs = await client.get_alert_policy(name=before.name)
    theirs.user_labels["team"] = "web"
    theirs.enabled = False
    theirs.notification_channels.append(f"{PROJECT}/notificationChannels/7")
    theirs.conditions[0].condition_threshold.threshold_value = 0.5
    await client.update_alert_policy(monitoring_v3.UpdateAlertPolicyRequest(alert_policy=theirs))
    (action,) = await changes(policies)
    assert action.fields == ("conditions",)
    await policies.apply(action)
    after = (await raw(embedded))[before.name]
    assert after.conditions[0].condition_threshold.threshold_value == 0.02
    assert after.conditions[0].name == before.condition_names[0]
    assert after.user_labels["team"] == "web"
    assert not after.enabled.value
    assert list(after.notification_channels) == [f"{PROJECT}/notificationChannels/7"]


async def test_a_limit_that_is_gone_from_the_plan_takes_its_policy_along(
    embedded: Embedded, policies: AlertPolicies
):
    await set_right(policies)
    for action in await changes(policies, WANTED[:5]):
        await policies.apply(action)
    assert len(await raw(embedded)) == 5


async def test_a_policy_that_lost_its_mark_is_left_alone(
    embedded: Embedded, policies: AlertPolicies
):
    await set_right(policies)
    changed = msgspec.structs.replace(WANTED[0], display_name="other")
    (action,) = plan_actions([changed], [await first(policies)])
    client = await client_of(embedded)
    theirs = await client.get_alert_policy(name=action.found.name)
    del theirs.user_labels[OWNER_LABEL]
    await client.update_alert_policy(alert_policy=theirs)
    with pytest.raises(Rejected, match="does not bear the mark"):
        await policies.apply(action)


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"code": "ABORTED"}, Conflict),
        ({"code": "PERMISSION_DENIED"}, Denied),
        ({"code": "RESOURCE_EXHAUSTED"}, QuotaExhausted),
        ({"code": "INVALID_ARGUMENT"}, Rejected),
        ({"code": "UNAVAILABLE"}, OutcomeUnknown),
        ({"code": "UNAVAILABLE", "after_apply": True}, OutcomeUnknown),
    ],
)
async def test_a_change_that_fails_is_told_apart_and_not_sent_again(
    embedded: Embedded, policies: AlertPolicies, fault: dict[str, Any], error: type[CanaryError]
):
    action = (await changes(policies))[0]
    embedded.break_method(f"{SERVICE}/CreateAlertPolicy", times=1, **fault)
    with pytest.raises(error):
        await policies.apply(action)
    assert len(await raw(embedded)) == (1 if "after_apply" in fault else 0)


async def test_after_a_lost_answer_nothing_is_made_twice(
    embedded: Embedded, policies: AlertPolicies
):
    embedded.break_method(
        f"{SERVICE}/CreateAlertPolicy", code="UNAVAILABLE", after_apply=True, times=1
    )
    with pytest.raises(OutcomeUnknown):
        await set_right(policies)
    await set_right(policies)
    assert len(await raw(embedded)) == 6


async def test_a_list_that_is_away_is_not_an_empty_one(embedded: Embedded, policies: AlertPolicies):
    embedded.break_method(f"{SERVICE}/ListAlertPolicies", code="UNAVAILABLE", times=1)
    assert await policies.read_all() == ()
    embedded.break_method(f"{SERVICE}/ListAlertPolicies", code="UNAVAILABLE")
    with pytest.raises(Unavailable):
        await policies.read_all()
