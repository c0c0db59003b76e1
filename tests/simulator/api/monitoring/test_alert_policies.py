"""google.monitoring.v3.AlertPolicyService through Google's asyncio client."""

import asyncio
import contextlib

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_v3
from google.cloud.monitoring_v3.services.alert_policy_service.transports import (
    AlertPolicyServiceGrpcAsyncIOTransport,
)
from google.protobuf.field_mask_pb2 import FieldMask

from canary.simulator.world.faults import Fault
from tests.simulator.local_cloud import local_cloud

PROJECT = "projects/naeda-genesis"
FILTER = 'metric.type = "run.googleapis.com/request_count" AND resource.type = "cloud_run_revision"'


@contextlib.asynccontextmanager
async def policies(**settings):
    """Yield (cloud, client)."""
    async with local_cloud(**settings) as cloud:
        transport = AlertPolicyServiceGrpcAsyncIOTransport(channel=cloud.channel)
        yield cloud, monitoring_v3.AlertPolicyServiceAsyncClient(transport=transport)


def condition(title="errors", threshold=0.02, **more):
    return {
        "display_name": title,
        "condition_threshold": {
            "filter": FILTER,
            "comparison": "COMPARISON_GT",
            "threshold_value": threshold,
            "duration": {"seconds": 300},
        },
    } | more


def policy(name="warning", *conditions, **more):
    return {
        "display_name": name,
        "combiner": "OR",
        "conditions": list(conditions or [condition()]),
        "user_labels": {"managed_by": "canary"},
    } | more


async def create(client, *arguments, **more):
    return await client.create_alert_policy(
        name=PROJECT, alert_policy=policy(*arguments, **more), retry=None
    )


async def listed(client, **request):
    pager = await client.list_alert_policies({"name": PROJECT} | request, retry=None)
    return [one async for one in pager]


async def test_a_policy_that_is_made_can_be_read_with_names_and_who_made_it():
    async with policies() as (cloud, client):
        made = await create(client)
        assert made.name.startswith(f"{PROJECT}/alertPolicies/")
        assert made.conditions[0].name.startswith(f"{made.name}/conditions/")
        assert made.enabled
        assert made.creation_record.mutate_time.timestamp() == cloud.now
        assert await client.get_alert_policy(name=made.name, retry=None) == made


async def test_a_mask_changes_its_fields_only():
    async with policies() as (cloud, client):
        made = await create(client)
        cloud.advance(60)
        sent = monitoring_v3.AlertPolicy(name=made.name, display_name="other")
        changed = await client.update_alert_policy(
            alert_policy=sent, update_mask=FieldMask(paths=["display_name"]), retry=None
        )
        assert changed.display_name == "other"
        assert changed.conditions == made.conditions
        assert changed.mutation_record.mutate_time > changed.creation_record.mutate_time


async def test_an_empty_mask_replaces_everything():
    async with policies() as (_, client):
        made = await create(client)
        sent = monitoring_v3.AlertPolicy(policy("other", condition("latency")), name=made.name)
        sent.user_labels = {}
        changed = await client.update_alert_policy(alert_policy=sent, retry=None)
        assert (changed.display_name, dict(changed.user_labels)) == ("other", {})
        assert [one.display_name for one in changed.conditions] == ["latency"]
        assert changed.creation_record == made.creation_record


async def test_a_condition_keeps_its_identity_by_its_name():
    async with policies() as (_, client):
        made = await create(client, "two", condition("a"), condition("b"))
        kept = condition("a", 0.05, name=made.conditions[0].name)
        sent = monitoring_v3.AlertPolicy(policy("two", kept, condition("c")), name=made.name)
        changed = await client.update_alert_policy(alert_policy=sent, retry=None)
        assert changed.conditions[0].name == made.conditions[0].name
        assert changed.conditions[0].condition_threshold.threshold_value == 0.05
        assert changed.conditions[1].name not in {one.name for one in made.conditions}


async def test_a_condition_of_another_policy_cannot_be_taken():
    async with policies() as (_, client):
        made, other = await create(client), await create(client, "other")
        taken = condition("a", name=other.conditions[0].name)
        sent = monitoring_v3.AlertPolicy(policy("x", taken), name=made.name)
        with pytest.raises(exceptions.InvalidArgument):
            await client.update_alert_policy(alert_policy=sent, retry=None)


@pytest.mark.parametrize(
    "wrong",
    [
        policy(""),
        policy("none", conditions=[]),
        policy("many", *[condition()] * 7),
        policy("combiner", combiner=0),
        policy("nothing watched", {"display_name": "x"}),
        policy("unnamed", condition("")),
        policy("filter", {"display_name": "x", "condition_threshold": {"comparison": 1}}),
    ],
)
async def test_a_policy_that_cannot_be_is_refused(wrong):
    async with policies() as (_, client):
        with pytest.raises(exceptions.InvalidArgument):
            await client.create_alert_policy(name=PROJECT, alert_policy=wrong, retry=None)
        assert await listed(client) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ["a", "b", "c"]),
        ('display_name = "b"', ["b"]),
        ('user_labels.team = "x"', ["a", "c"]),
        ('user_labels.team = "x" AND display_name != "a"', ["c"]),
        ('display_name = starts_with("c")', ["c"]),
        ('display_name = "nobody"', []),
    ],
)
async def test_a_filter_selects(text, found):
    async with policies() as (_, client):
        for name, team in (("a", "x"), ("b", "y"), ("c", "x")):
            await create(client, name, user_labels={"team": team})
        assert [one.display_name for one in await listed(client, filter=text)] == found


async def test_a_filter_on_an_unknown_field_is_refused_by_name():
    async with policies() as (_, client):
        with pytest.raises(exceptions.InvalidArgument, match="severity"):
            await listed(client, filter='severity = "x"')


async def test_pages_hold_everything_once_in_order():
    async with policies() as (_, client):
        for name in "bac":
            await create(client, name)
        assert [one.display_name for one in await listed(client, page_size=2)] == ["b", "a", "c"]
        ordered = await listed(client, page_size=1, order_by="display_name desc")
        assert [one.display_name for one in ordered] == ["c", "b", "a"]


async def test_of_two_modifications_at_once_one_is_aborted():
    async with policies(policy_write_s=0.2) as (_, client):
        given = await asyncio.gather(
            create(client, "one"), create(client, "two"), return_exceptions=True
        )
        refused = [one for one in given if isinstance(one, Exception)]
        assert [type(one) for one in refused] == [exceptions.Aborted]
        assert len(await listed(client)) == 1


async def test_what_is_deleted_is_gone():
    async with policies() as (_, client):
        made = await create(client)
        await client.delete_alert_policy(name=made.name, retry=None)
        for call in (client.get_alert_policy, client.delete_alert_policy):
            with pytest.raises(exceptions.NotFound):
                await call(name=made.name, retry=None)


async def test_policies_outlive_the_process(tmp_path):
    path = str(tmp_path / "cloud.db")
    async with policies(state_path=path) as (_, client):
        made = await create(client)
    async with policies(state_path=path) as (_, client):
        assert await listed(client) == [made]
        assert (await create(client, "new")).name != made.name


async def test_an_outage_of_monitoring_is_one_of_its_policies():
    async with policies(scenario="monitoring-outage") as (_, client):
        with pytest.raises(exceptions.ServiceUnavailable):
            await listed(client)


async def test_who_may_only_look_cannot_change_policies():
    async with policies(scenario="denied") as (_, client):
        assert await listed(client) == []
        with pytest.raises(exceptions.PermissionDenied):
            await create(client)


async def test_an_answer_lost_after_the_policy_was_made_leaves_the_policy():
    async with policies() as (cloud, client):
        fault = Fault(method="CreateAlertPolicy", code="UNAVAILABLE", after_apply=True, times=1)
        cloud.world.faults.add(fault)
        with pytest.raises(exceptions.ServiceUnavailable):
            await create(client)
        assert len(await listed(client)) == 1
