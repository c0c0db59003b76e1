"""Cloud Run through Google's own asyncio clients."""

import pytest
from google.api_core import exceptions
from google.cloud import run_v2
from google.iam.v1 import iam_policy_pb2

from canary.simulator.config import RouterConfig
from canary.simulator.endpoints import Endpoints
from canary.simulator.world.services.services import MOST_REVISIONS
from tests.simulator.local_cloud import (
    CANARY,
    CANARY_REVISION,
    LEGACY,
    LEGACY_REVISION,
    PARENT,
    TO_REVISION,
    local_cloud,
    split,
    with_variable,
)

SUCCEEDED = run_v2.Condition.State.CONDITION_SUCCEEDED
PENDING = run_v2.Condition.State.CONDITION_PENDING
FAILED = run_v2.Condition.State.CONDITION_FAILED


def variable(service: run_v2.Service) -> str:
    env = service.template.containers[0].env
    return next(one.value for one in env if one.name == "CANARY_TRAFFIC_PERCENTAGE")


async def test_a_new_world_has_both_services_ready_and_the_share_in_the_variable():
    async with local_cloud(percent=25) as cloud:
        services = [one async for one in await cloud.services.list_services(parent=PARENT)]
    assert [one.name for one in services] == [LEGACY, CANARY]
    assert all(one.terminal_condition.state == SUCCEEDED for one in services)
    assert variable(services[0]) == "25"


async def test_the_stage_record_is_on_the_service_that_holds_the_split():
    async with local_cloud(record='{"at":@ENTERED_AT@}') as cloud:
        service = await cloud.get()
        text = service.annotations["canary-console/record"]
        assert text == f'{{"at":{cloud.world.entered_at:.3f}}}'


async def test_listing_services_goes_page_by_page():
    async with local_cloud() as cloud:
        request = run_v2.ListServicesRequest(parent=PARENT, page_size=1)
        pager = await cloud.services.list_services(request)
        pages = [[one.name for one in page.services] async for page in pager.pages]
    assert pages == [[LEGACY], [CANARY]]


async def test_an_unknown_service_is_not_found():
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.NotFound):
            await cloud.get(f"{PARENT}/services/nobody")


async def test_a_change_of_the_template_is_a_new_revision_that_serves_when_it_settles():
    async with local_cloud() as cloud:
        operation = await cloud.set_variable("25")
        during = await cloud.get()
        cloud.advance(12.1)
        after = await operation.result()
    assert during.reconciling
    assert during.terminal_condition.state == PENDING
    assert during.latest_ready_revision.endswith("/ion-api-00001-leg")
    assert not after.reconciling
    assert after.latest_ready_revision == after.latest_created_revision
    assert after.latest_ready_revision.rpartition("/")[2].startswith("ion-api-00002-")


@pytest.mark.parametrize(("after_s", "percent"), [(0.0, 10), (11.9, 10), (12.1, 25)])
async def test_the_split_changes_when_the_operation_settles(after_s, percent):
    async with local_cloud() as cloud:
        await cloud.set_variable("25")
        cloud.advance(after_s)
        cloud.world.settle()
        assert cloud.world.timeline.split_at(cloud.now) == percent


@pytest.mark.parametrize("text", ["", "many", "101", "-1", "nan"])
async def test_a_variable_that_is_no_share_sends_everything_to_legacy(text):
    async with local_cloud(operation_s=0.0) as cloud:
        await cloud.set_variable(text)
        assert cloud.world.timeline.split_at(cloud.now) == 0


async def test_the_generation_etag_and_author_tell_that_something_changed():
    async with local_cloud() as cloud:
        before = await cloud.get()
        await cloud.set_variable("25")
        after = await cloud.get()
    assert after.generation == before.generation + 1
    assert after.observed_generation == before.generation
    assert after.etag != before.etag
    assert after.last_modifier.startswith("oncall@")
    assert after.update_time > before.update_time


async def test_a_stale_etag_is_aborted_and_changes_nothing():
    async with local_cloud(operation_s=0.0) as cloud:
        old = await cloud.get()
        await cloud.set_variable("25")
        with pytest.raises(exceptions.Aborted, match="Conflict for resource 'ion-api'"):
            await cloud.update(with_variable(old, "50"), "template")
        assert variable(await cloud.get()) == "25"


async def test_the_same_change_again_is_done_at_once_and_makes_no_revision():
    async with local_cloud(operation_s=0.0) as cloud:
        first = await (await cloud.set_variable("25")).result()
        again = await (await cloud.set_variable("25")).result()
    assert again.generation == first.generation
    assert again.latest_created_revision == first.latest_created_revision


async def test_a_template_that_keeps_its_revisions_name_but_differs_already_exists():
    async with local_cloud() as cloud:
        changed = with_variable(await cloud.get(), "25")
        changed.template.revision = "ion-api-00001-leg"
        with pytest.raises(
            exceptions.AlreadyExists,
            match="Revision named 'ion-api-00001-leg' with different configuration already exists",
        ):
            await cloud.update(changed, "template")


async def test_a_template_may_name_its_new_revision():
    async with local_cloud(operation_s=0.0) as cloud:
        changed = with_variable(await cloud.get(), "25")
        changed.template.revision = "ion-api-at-25"
        service = await (await cloud.update(changed, "template")).result()
    assert service.latest_ready_revision.endswith("/ion-api-at-25")


async def test_a_mask_takes_only_what_it_names():
    async with local_cloud(operation_s=0.0) as cloud:
        before = await cloud.get()
        sent = run_v2.Service(name=LEGACY, annotations={"team/note": "x"}, description="unmasked")
        after = await (await cloud.update(sent, "annotations")).result()
    assert dict(after.annotations) == {"team/note": "x"}
    assert after.description == before.description
    assert after.template == before.template
    assert after.latest_created_revision == before.latest_created_revision


async def test_a_nested_mask_leaves_the_siblings():
    async with local_cloud(operation_s=0.0) as cloud:
        sent = run_v2.Service(name=LEGACY, scaling={"min_instance_count": 3})
        after = await (await cloud.update(sent, "scaling.min_instance_count")).result()
    assert after.scaling.min_instance_count == 3
    assert after.scaling.max_instance_count == 10


async def test_scaling_of_the_service_scales_without_a_new_revision():
    async with local_cloud(operation_s=0.0) as cloud:
        before = await cloud.get(CANARY)
        sent = run_v2.Service(
            name=CANARY, scaling={"min_instance_count": 0, "max_instance_count": 1}
        )
        after = await (await cloud.update(sent, "scaling")).result()
        assert after.latest_created_revision == before.latest_created_revision
        assert cloud.world.timeline.scale_at(cloud.now, "ion-api-canary") == (0, 1)


async def test_no_mask_replaces_the_whole():
    async with local_cloud(operation_s=0.0) as cloud:
        before = await cloud.get()
        sent = run_v2.Service(name=LEGACY, template=before.template, description="all new")
        after = await (await cloud.update(sent)).result()
    assert after.description == "all new"
    assert after.scaling.max_instance_count == 0
    assert [target.percent for target in after.traffic] == [100]


async def test_annotations_and_variable_change_in_one_update():
    async with local_cloud(operation_s=0.0) as cloud:
        sent = with_variable(await cloud.get(), "25")
        sent.annotations["canary-console/record"] = "{}"
        after = await (await cloud.update(sent, "template", "annotations")).result()
    assert (variable(after), after.annotations["canary-console/record"]) == ("25", "{}")


@pytest.mark.parametrize(
    "path", ["scaling.minInstanceCount", "nothing", "annotations.key", "template.containers.env"]
)
async def test_a_mask_that_leads_nowhere_is_refused(path):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match="update_mask"):
            await cloud.update(run_v2.Service(name=LEGACY), path)


@pytest.mark.parametrize(
    "key", ["run.googleapis.com/x", "serving.knative.dev/x", "cloud.googleapis.com/x"]
)
async def test_annotations_in_system_namespaces_are_refused(key):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match="namespace"):
            await cloud.update(run_v2.Service(name=LEGACY, annotations={key: "1"}), "annotations")


@pytest.mark.parametrize(
    ("scaling", "why"),
    [
        ({"min_instance_count": -1}, "not in 0 to"),
        ({"min_instance_count": 5, "max_instance_count": 4}, "above max_instance_count"),
    ],
)
async def test_impossible_scaling_is_refused(scaling, why):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match=why):
            await cloud.update(run_v2.Service(name=LEGACY, scaling=scaling), "scaling")


async def test_validate_only_answers_what_would_be_and_changes_nothing():
    async with local_cloud() as cloud:
        before = await cloud.get()
        operation = await cloud.update(with_variable(before, "25"), "template", validate_only=True)
        assert variable(await operation.result()) == "25"
        assert await cloud.get() == before


async def test_validate_only_refuses_what_an_update_would():
    async with local_cloud("revisions") as cloud:
        sent = split(await cloud.get(), 10)
        sent.traffic[0].percent = 80
        with pytest.raises(exceptions.InvalidArgument, match="sum to 100"):
            await cloud.update(sent, "traffic", validate_only=True)


async def test_an_update_of_a_missing_service_is_never_a_creation():
    async with local_cloud() as cloud:
        request = run_v2.UpdateServiceRequest(
            service=run_v2.Service(name=f"{PARENT}/services/new"), allow_missing=True
        )
        with pytest.raises(exceptions.MethodNotImplemented):
            await cloud.services.update_service(request=request)


async def test_traffic_between_revisions_is_the_split():
    async with local_cloud("revisions") as cloud:
        operation = await cloud.update(split(await cloud.get(), 25), "traffic")
        during = await cloud.get()
        cloud.advance(8.1)
        after = await operation.result()
        assert cloud.world.timeline.split_at(cloud.now) == 25
    assert [status.percent for status in during.traffic_statuses] == [90, 10]
    assert [(s.revision, s.percent, s.tag) for s in after.traffic_statuses] == [
        (LEGACY_REVISION, 75, ""),
        (CANARY_REVISION, 25, "canary"),
    ]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"percent": 80}, "sum to 100, found 90"),
        ({"percent": 101}, "not in 0 to 100"),
        ({"revision": "ion-api-00009-xyz"}, 'revision "ion-api-00009-xyz" does not exist'),
        ({"tag": "canary"}, "used twice"),
        ({"tag": "Not A Tag"}, "not a valid tag"),
        ({"type_": 0}, "allocation type"),
    ],
)
async def test_impossible_traffic_is_refused(changes, why):
    async with local_cloud("revisions") as cloud:
        sent = split(await cloud.get(), 10)
        for name, value in changes.items():
            setattr(sent.traffic[0], name, value)
        with pytest.raises(exceptions.InvalidArgument, match=why):
            await cloud.update(sent, "traffic")


async def test_two_changes_settle_in_the_order_they_came():
    async with local_cloud("revisions") as cloud:
        first = await cloud.update(split(await cloud.get(), 25), "traffic")
        cloud.advance(4.0)
        second = await cloud.update(split(await cloud.get(), 50), "traffic")
        cloud.advance(4.5)
        await first.result()
        between = await cloud.get()
        cloud.advance(4.0)
        await second.result()
        after = await cloud.get()
    assert (between.reconciling, between.traffic_statuses[1].percent) == (True, 25)
    assert (after.reconciling, after.traffic_statuses[1].percent) == (False, 50)


async def test_revisions_are_listed_newest_first():
    async with local_cloud(operation_s=0.0) as cloud:
        await cloud.set_variable("25")
        pager = await cloud.revisions.list_revisions(parent=LEGACY)
        names = [one.name.rpartition("/")[2] async for one in pager]
    assert names[1:] == ["ion-api-00001-leg"]
    assert names[0].startswith("ion-api-00002-")


async def test_a_revision_has_its_templates_containers():
    async with local_cloud() as cloud:
        name = f"{LEGACY}/revisions/ion-api-00001-leg"
        revision = await cloud.revisions.get_revision(name=name)
        assert revision.containers == (await cloud.get()).template.containers


async def test_a_deleted_service_is_gone_when_its_operation_is_done():
    async with local_cloud() as cloud:
        operation = await cloud.services.delete_service(name=CANARY)
        assert (await cloud.get(CANARY)).delete_time is not None
        cloud.advance(8.1)
        await operation.result()
        assert "ion-api-canary" in cloud.world.timeline.regime_at(cloud.now).removed
        with pytest.raises(exceptions.NotFound):
            await cloud.get(CANARY)


@pytest.mark.parametrize(
    ("scenario", "held"),
    [
        ("healthy", ["run.services.get", "run.services.update"]),
        ("denied", ["run.services.get"]),
    ],
)
async def test_permissions_are_told_as_they_are(scenario, held):
    async with local_cloud(scenario=scenario) as cloud:
        request = iam_policy_pb2.TestIamPermissionsRequest(
            resource=LEGACY, permissions=["run.services.get", "run.services.update"]
        )
        answer = await cloud.services.test_iam_permissions(request=request)
    assert list(answer.permissions) == held


async def test_denied_refuses_changes_and_answers_reads():
    async with local_cloud(scenario="denied") as cloud:
        await cloud.get()
        with pytest.raises(exceptions.PermissionDenied):
            await cloud.set_variable("25")


async def test_a_failing_operation_says_why_and_the_old_split_stays():
    async with local_cloud(scenario="failing-operation") as cloud:
        operation = await cloud.set_variable("25")
        cloud.advance(12.1)
        with pytest.raises(exceptions.GoogleAPICallError, match="is not ready and cannot serve"):
            await operation.result()
        service = await cloud.get()
        assert cloud.world.timeline.split_at(cloud.now) == 10
    assert service.terminal_condition.state == FAILED
    assert not service.reconciling
    assert service.latest_ready_revision.endswith("/ion-api-00001-leg")


async def test_after_a_failure_the_same_change_can_be_tried_again():
    async with local_cloud(scenario="failing-operation", operation_s=0.0) as cloud:
        await cloud.set_variable("25")
        cloud.world.scenario.switch("healthy", {})
        await (await cloud.set_variable("25")).result()
        assert cloud.world.timeline.split_at(cloud.now) == 25


async def test_traffic_to_a_revision_that_failed_is_not_served():
    async with local_cloud("revisions", scenario="failing-operation", operation_s=0.0) as cloud:
        sent = run_v2.Service(name=LEGACY, template=(await cloud.get()).template)
        sent.template.revision = "ion-api-broken"
        await cloud.update(sent, "template")
        cloud.world.scenario.switch("healthy", {})
        sent = split(await cloud.get(), 10)
        sent.traffic[0].revision = "ion-api-broken"
        operation = await cloud.update(sent, "traffic")
        with pytest.raises(exceptions.GoogleAPICallError, match="ion-api-broken"):
            await operation.result()


async def test_a_stuck_operation_stays_open_and_goes_on_when_the_scenario_ends():
    async with local_cloud(scenario="stuck-operation") as cloud:
        operation = await cloud.set_variable("25")
        cloud.advance(3600.0)
        stuck = await cloud.get()
        assert not await operation.done()
        cloud.world.scenario.switch("healthy", {})
        cloud.world.settle()
        cloud.advance(12.1)
        await operation.result()
        assert cloud.world.timeline.split_at(cloud.now) == 25
    assert stuck.reconciling


async def test_somebody_else_changes_the_split_and_leaves_our_record():
    async with local_cloud(scenario="conflict", record="{}") as cloud:
        before = await cloud.get()
        cloud.advance(90.1)
        cloud.world.settle()
        cloud.advance(12.1)
        after = await cloud.get()
        assert cloud.world.timeline.split_at(cloud.now) == 15
    assert after.etag != before.etag
    assert after.annotations == before.annotations
    assert after.last_modifier.startswith("release-bot@")


@pytest.mark.parametrize("router", ["env", "revisions"])
async def test_in_a_conflict_the_first_update_loses_and_the_second_wins(router):
    async with local_cloud(router, scenario="conflict", operation_s=0.0) as cloud:

        async def change():
            service = await cloud.get()
            if router == "env":
                return await cloud.update(with_variable(service, "25"), "template")
            return await cloud.update(split(service, 25), "traffic")

        with pytest.raises(exceptions.Aborted):
            await change()
        assert cloud.world.timeline.split_at(cloud.now) == 20
        await (await change()).result()
        assert cloud.world.timeline.split_at(cloud.now) == 25


async def test_when_cloud_run_is_away_services_and_operations_are():
    async with local_cloud() as cloud:
        operation = await cloud.set_variable("25")
        cloud.world.scenario.switch("run-outage", {})
        with pytest.raises(exceptions.ServiceUnavailable):
            await cloud.get()
        with pytest.raises(exceptions.ServiceUnavailable):
            await cloud.services.get_operation({"name": operation.operation.name})


async def test_a_third_service_can_hold_the_split():
    router = RouterConfig(kind="env", service="ion-router")
    async with local_cloud(router=router) as cloud:
        assert variable(await cloud.get(f"{PARENT}/services/ion-router")) == "10"


async def test_a_revisions_service_keeps_tags_that_people_set():
    async with local_cloud("revisions", operation_s=0.0) as cloud:
        sent = split(await cloud.get(), 10)
        sent.traffic[0].tag = "stable"
        await cloud.update(sent, "traffic")
        after = await cloud.get()
    assert [target.tag for target in after.traffic] == ["stable", "canary"]
    assert [target.type_ for target in after.traffic] == [TO_REVISION, TO_REVISION]


async def test_old_revisions_that_nothing_leads_to_are_forgotten():
    async with local_cloud(operation_s=0.0) as cloud:
        for percent in range(MOST_REVISIONS + 3):
            await cloud.set_variable(str(percent % 100))
        pager = await cloud.revisions.list_revisions(parent=LEGACY, retry=None)
        names = [one.name.rpartition("/")[2] async for one in pager]
    assert len(names) == MOST_REVISIONS
    assert LEGACY_REVISION not in names


async def test_a_service_and_its_tags_tell_their_addresses():
    async with local_cloud("revisions") as cloud:
        cloud.world.endpoints = Endpoints(
            services={"ion-api": "http://127.0.0.1:1"}, tags={"canary": "http://127.0.0.1:2"}
        )
        service = await cloud.get()
    assert (service.uri, list(service.urls)) == ("http://127.0.0.1:1", ["http://127.0.0.1:1"])
    assert [status.uri for status in service.traffic_statuses] == ["", "http://127.0.0.1:2"]
