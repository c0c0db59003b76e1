"""Every way in which a read can fail: what is shown stays true, and it mends by itself."""

from __future__ import annotations

import pytest

from canary.cloud.monitoring.reader import MonitoringReader
from canary.cloud.router.choice import open_router
from canary.engine.observe.observer import Observer
from canary.rollout.errors import CanaryError
from canary.rollout.permit.permit import promotion_gates, why_not
from canary.rollout.snapshot.snapshot import Snapshot
from tests.embedded import Embedded
from tests.engine.watching import go_on_is_founded, source
from tests.faults.table import FAULTS, deadline_s, most_calls

RUN, METRICS = "GetService", "ListTimeSeries"
SOURCES = {RUN: "Cloud Run", METRICS: "Cloud Monitoring"}
ASKED = {RUN: 2, METRICS: 6}
"""Questions of each kind in one round: two services, six metrics."""

QUOTA_S = 130.0
"""Longer than the first pause after RESOURCE_EXHAUSTED."""


class Watch:
    """An observer with the deadlines for a fault."""

    def __init__(self, cloud: Embedded, fault: str) -> None:
        self.cloud = cloud
        run = open_router(cloud.plan, cloud.connection, read_timeout_s=deadline_s(fault))
        metrics = MonitoringReader(cloud.connection, cloud.plan, timeout_s=deadline_s(fault))
        self.observer = Observer(cloud.plan, run, metrics, None, None, cloud.clock)

    async def look(self, after_s: float = 0.0) -> Snapshot:
        self.cloud.advance(after_s)
        snapshot = await self.observer.refresh()
        assert go_on_is_founded(snapshot, self.cloud.plan)
        return snapshot


@pytest.fixture
async def watch(embedded: Embedded, request: pytest.FixtureRequest) -> Watch:
    """With a good look behind it. The clients are made before: that is not to be timed."""
    await embedded.run.service("ion-api")
    await embedded.monitoring.read(embedded.now - 600, embedded.now)
    watch = Watch(embedded, request.node.callspec.params["fault"])
    assert (await watch.look()).decision.verdict == "continue"
    return watch


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", [RUN, METRICS])
async def test_a_source_that_fails_is_named_with_its_reason(watch: Watch, method: str, fault: str):
    watch.cloud.break_method(method, **FAULTS[fault])
    view = source(await watch.look(), SOURCES[method])
    assert view.state == "failing"
    assert view.message
    assert view.since == watch.cloud.now


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", [RUN, METRICS])
async def test_a_read_is_tried_again_a_bounded_number_of_times(
    watch: Watch, method: str, fault: str
):
    watch.cloud.break_method(method, **FAULTS[fault])
    before = watch.cloud.world.calls[method]
    await watch.look()
    calls = watch.cloud.world.calls[method] - before
    assert calls == ASKED[method] * most_calls(fault)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("method", [RUN, METRICS])
async def test_it_recovers_by_itself(watch: Watch, method: str, fault: str):
    watch.cloud.break_method(method, **FAULTS[fault])
    await watch.look(after_s=60.0)
    watch.cloud.world.faults.clear()
    snapshot = await watch.look(after_s=QUOTA_S)
    assert source(snapshot, SOURCES[method]).state == "ok"
    assert snapshot.decision.verdict == "continue"


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_metrics_the_verdict_becomes_no_data_and_nothing_may_be_promoted(
    watch: Watch, fault: str
):
    watch.cloud.break_method(METRICS, **FAULTS[fault])
    snapshot = await watch.look(after_s=600.0)
    assert snapshot.decision.verdict == "no_data"
    assert promotion_gates(snapshot)
    assert why_not("promote", snapshot, read_only=False) is not None


@pytest.mark.parametrize("fault", FAULTS)
async def test_without_cloud_run_the_last_known_stays_with_its_age_and_going_back_is_offered(
    watch: Watch, fault: str
):
    answered_at = watch.cloud.now
    watch.cloud.break_method(RUN, **FAULTS[fault])
    snapshot = await watch.look(after_s=60.0)
    assert snapshot.traffic.canary_percent == 10
    assert source(snapshot, "Cloud Run").answered_at == answered_at
    assert why_not("rollback_all", snapshot, read_only=False) is None


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_cloud_that_never_answered_is_not_known_instead_of_empty(
    embedded: Embedded, fault: str
):
    await embedded.run.service("ion-api")
    embedded.break_method(RUN, **FAULTS[fault])
    snapshot = await Watch(embedded, fault).look()
    assert snapshot.stage.index is None
    assert snapshot.traffic.canary_percent is None
    assert snapshot.standing is None
    assert why_not("promote", snapshot, read_only=False) is not None


@pytest.mark.parametrize("fault", FAULTS)
async def test_one_metric_that_fails_loses_no_other(watch: Watch, fault: str):
    """The first question of a round fails, whichever it is; the five others are answered."""
    watch.cloud.break_method(METRICS, **FAULTS[fault], times=most_calls(fault))
    snapshot = await watch.look(after_s=60.0)
    assert source(snapshot, "Cloud Monitoring").answered_at == watch.cloud.now


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize(
    ("method", "ask"),
    [
        ("ListRevisions", lambda run: run.revisions("ion-api")),
        ("TestIamPermissions", lambda run: run.permissions("ion-api", ["run.services.get"])),
    ],
)
async def test_other_reads_end_in_one_sentence_after_a_bounded_number_of_calls(
    embedded: Embedded, method: str, ask, fault: str
):
    await ask(embedded.run.run)
    embedded.break_method(method, **FAULTS[fault])
    before = embedded.world.calls[method]
    slow = open_router(embedded.plan, embedded.connection, read_timeout_s=deadline_s(fault))
    with pytest.raises(CanaryError) as caught:
        await ask(slow.run)
    assert embedded.world.calls[method] - before == most_calls(fault)
    assert caught.value.message.startswith("Cloud Run ")


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_unknown_ingest_delay_is_only_a_nicety_less(embedded: Embedded, fault: str):
    await embedded.monitoring.read(embedded.now - 600, embedded.now)
    embedded.break_method("ListMetricDescriptors", **FAULTS[fault])
    snapshot = await Watch(embedded, fault).look()
    assert snapshot.ingest_delay_s is None
    assert snapshot.decision.verdict == "continue"
