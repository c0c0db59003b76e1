"""Both sides' metrics over real gRPC."""

import math

import msgspec
import pytest

from canary.cloud.monitoring.reader import MonitoringReader
from canary.rollout.errors import Malformed, NotFound, QuotaExhausted, Rejected, Unavailable
from canary.rollout.measure.samples import Sample, reduce_window
from tests.embedded import DEFAULT_PLAN, Embed, Embedded, with_router

ROLES = 6
SPLIT_PLAN = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")


async def read(cloud: Embedded, minutes: int = 30, period_s: int = 60):
    return await cloud.monitoring.read(cloud.now - minutes * 60, cloud.now, period_s)


async def test_both_sides_of_all_panels_take_six_calls(embedded: Embedded) -> None:
    reading = await read(embedded)
    assert reading.calls == ROLES
    assert reading.failures == ()


async def test_samples_are_whole_minutes_oldest_first_up_to_the_ingest_delay(
    embedded: Embedded,
) -> None:
    reading = await read(embedded)
    ends = [s.end for s in reading.canary]
    assert ends == sorted(ends)
    assert ends == [ends[0] + 60.0 * i for i in range(len(ends))]
    assert all(s.end - s.start == 60.0 and s.end % 60 == 0 for s in reading.canary)
    assert 150.0 <= embedded.now - ends[-1] < 210.0


async def test_every_metric_of_both_sides_is_there(embedded: Embedded) -> None:
    reading = await read(embedded)
    for side in (reading.legacy, reading.canary):
        for sample in side:
            assert None not in msgspec_values(sample)


def msgspec_values(sample: Sample) -> list[object]:
    return [getattr(sample, field) for field in sample.__struct_fields__]


async def test_the_numbers_are_those_of_the_model(embedded: Embedded) -> None:
    reading = await read(embedded)
    end = reading.canary[-1].end
    minutes = embedded.world.minutes("ion-api-canary", None, end - 60, end)
    (minute,), sample = minutes, reading.canary[-1]
    assert sample.responses is not None
    assert sample.latency is not None
    assert sample.confidence is not None
    assert sample.responses.total == minute.requests
    assert sample.responses.server_5xx == sum(
        n for code, n in minute.responses.items() if code >= 500
    )
    assert sample.latency.count == minute.latency.count
    assert sample.latency.mean == pytest.approx(minute.latency.mean)
    assert sample.latency.counts == minute.latency.counts
    assert sample.confidence.mean == pytest.approx(minute.confidence.mean)
    assert sample.cpu == pytest.approx(minute.cpu.mean)
    assert sample.instances == minute.instances_active + minute.instances_idle
    assert sample.instances_active == minute.instances_active


async def test_ten_percent_of_the_requests_are_canarys(embedded: Embedded) -> None:
    reading = await read(embedded)
    legacy = reduce_window(reading.legacy, 0, math.inf).requests or 0
    canary = reduce_window(reading.canary, 0, math.inf).requests or 0
    assert canary / (legacy + canary) == pytest.approx(0.10, abs=0.01)


async def test_only_what_is_new_is_read(embedded: Embedded) -> None:
    newest = (await read(embedded)).canary[-1].end
    embedded.advance(120)
    reading = await embedded.monitoring.read(newest, embedded.now)
    assert [s.end for s in reading.canary] == [newest + 60, newest + 120]


async def test_nothing_to_ask_asks_nothing(embedded: Embedded) -> None:
    reading = await embedded.monitoring.read(embedded.now, embedded.now - 1)
    assert (reading.calls, reading.legacy, reading.canary) == (0, (), ())


async def test_ten_minute_periods_add_up_to_the_same_as_their_minutes(embedded: Embedded) -> None:
    end = embedded.now - 1200
    fine = await embedded.monitoring.read(end - 3600, end, 60)
    coarse = await embedded.monitoring.read(end - 3600, end, 600)
    assert all(s.end - s.start == 600 for s in coarse.legacy)
    one = coarse.legacy[2]
    window = reduce_window(fine.legacy, one.start, one.end)
    assert one.responses == window.responses
    assert one.latency is not None
    assert one.latency.percentile(0.95) == pytest.approx(window.p95_ms)


async def test_pages_are_followed_and_counted(embedded: Embedded, monkeypatch) -> None:
    whole = await read(embedded)
    monkeypatch.setattr("canary.cloud.monitoring.queries.PAGE_SIZE", 7)
    paged = await read(embedded)
    assert paged.canary == whole.canary
    assert paged.legacy == whole.legacy
    assert paged.calls > ROLES


async def test_silence_of_one_side_is_no_sample(embedded: Embedded) -> None:
    embedded.set_scenario("no-data")
    embedded.advance(600)
    reading = await embedded.monitoring.read(embedded.now - 300, embedded.now)
    assert reading.canary == ()
    assert reading.legacy != ()
    assert reading.failures == ()


async def test_a_gap_stays_a_gap(embedded: Embedded) -> None:
    began = embedded.now
    embedded.set_scenario("no-data")
    embedded.advance(300)
    embedded.set_scenario("healthy")
    embedded.advance(600)
    reading = await embedded.monitoring.read(began - 300, embedded.now)
    missing = {began + 60 * i for i in range(1, 5)}
    assert not missing & {s.end for s in reading.canary}
    assert missing <= {s.end for s in reading.legacy}
    assert max(s.end for s in reading.canary) > max(missing)


async def test_one_metric_that_fails_does_not_lose_the_others(embedded: Embedded) -> None:
    embedded.break_method("ListTimeSeries", code="PERMISSION_DENIED", times=1)
    reading = await read(embedded)
    assert len(reading.failures) == 1
    assert all(s.cpu is not None or s.latency is not None for s in reading.canary)


async def test_when_all_metrics_fail_the_first_failure_is_raised(embedded: Embedded) -> None:
    embedded.set_scenario("monitoring-outage")
    with pytest.raises(Unavailable):
        await read(embedded)


async def test_a_quota_is_not_asked_again(embedded: Embedded) -> None:
    for _ in range(ROLES):
        embedded.break_method("ListTimeSeries", code="RESOURCE_EXHAUSTED", times=1)
    with pytest.raises(QuotaExhausted):
        await read(embedded)
    assert (await read(embedded)).failures == ()


async def test_a_short_outage_is_read_through(embedded: Embedded) -> None:
    embedded.break_method("ListTimeSeries", code="UNAVAILABLE", times=1)
    reading = await read(embedded)
    assert reading.failures == ()
    assert reading.calls == ROLES + 1


async def test_values_that_are_no_numbers_become_no_data_and_are_reported(
    embedded: Embedded,
) -> None:
    embedded.break_method("ListTimeSeries", shape="nan")
    reading = await read(embedded)
    assert (reading.legacy, reading.canary) == ((), ())
    assert len(reading.failures) == ROLES
    assert all(isinstance(f, Malformed) for f in reading.failures)


async def test_points_in_another_order_are_put_where_they_belong(embedded: Embedded) -> None:
    usual = await read(embedded)
    embedded.break_method("ListTimeSeries", shape="unordered")
    assert (await read(embedded)).canary == usual.canary


async def test_a_second_value_for_a_period_is_left_out_and_reported(embedded: Embedded) -> None:
    usual = await read(embedded)
    embedded.break_method("ListTimeSeries", shape="duplicate")
    reading = await read(embedded)
    assert reading.canary == usual.canary
    assert len(reading.failures) == ROLES


async def test_an_answer_that_admits_to_be_partial_is_no_data_with_the_reason(
    embedded: Embedded,
) -> None:
    # google.monitoring.v3.ListTimeSeriesResponse: execution_errors come with an OK.
    embedded.break_method("ListTimeSeries", shape="partial")
    reading = await read(embedded)
    assert all(sample.responses is None for sample in (*reading.legacy, *reading.canary))
    assert all(sample.latency is not None for sample in reading.canary)
    (failure,) = reading.failures
    assert failure.message == (
        "Cloud Monitoring answered only in part (reading run.googleapis.com/request_count):"
        " Some of the data could not be read."
    )


async def test_a_partial_answer_is_asked_for_again(embedded: Embedded) -> None:
    embedded.break_method("ListTimeSeries", shape="partial", times=ROLES)
    reading = await read(embedded)
    assert reading.failures == ()
    assert all(sample.responses is not None for sample in reading.canary)


async def test_a_next_page_that_fails_loses_the_pages_before_it(embedded: Embedded) -> None:
    embedded.break_method("ListTimeSeries", shape="half")
    with pytest.raises(Rejected):
        await read(embedded)


@pytest.mark.parametrize("shape", ["empty", "cut"])
async def test_an_empty_answer_is_no_data_and_no_failure(embedded: Embedded, shape: str) -> None:
    embedded.break_method("ListTimeSeries", shape=shape)
    reading = await read(embedded)
    assert (reading.legacy, reading.canary, reading.failures) == ((), (), ())


async def test_between_revisions_the_candidate_is_the_one_that_the_tag_points_at(
    embed: Embed,
) -> None:
    async with embed(SPLIT_PLAN) as cloud:
        reading = await read(cloud)
        assert reading.calls == ROLES
        end = reading.canary[-1].end
        for side, revision in (("canary", "ion-api-00002-can"), ("legacy", "ion-api-00001-leg")):
            (minute,) = cloud.world.minutes("ion-api", revision, end - 60, end)
            sample = getattr(reading, side)[-1]
            assert sample.responses.total == minute.requests


async def test_between_revisions_the_last_known_candidate_holds_while_run_is_away(
    embed: Embed,
) -> None:
    async with embed(SPLIT_PLAN) as cloud:
        known = await read(cloud)
        cloud.set_scenario("run-outage")
        assert (await read(cloud)).canary == known.canary


async def test_between_revisions_sides_that_cannot_be_told_apart_are_an_error(
    embed: Embed,
) -> None:
    plan = with_router(DEFAULT_PLAN, kind="revisions", candidate="canary")
    async with embed(plan) as cloud:
        stranger = with_router(cloud.plan, kind="revisions", candidate="no-such-tag")
        with pytest.raises(Malformed, match="no-such-tag"):
            await MonitoringReader(cloud.connection, stranger).read(cloud.now - 600, cloud.now)


async def test_the_ingest_delay_is_read_from_the_descriptor(embedded: Embedded) -> None:
    assert await embedded.monitoring.ingest_delay_s() == 150.0


async def test_a_confidence_metric_that_does_not_exist_is_told_and_fails_nothing(
    embed: Embed,
) -> None:
    async with embed(confidence_metric="custom.googleapis.com/other") as cloud:
        reading = await read(cloud)
        assert reading.failures == ()
        assert [type(f) for f in reading.absent.values()] == [NotFound]
        assert all(s.confidence is None and s.latency is not None for s in reading.canary)


LOG_BASED = "logging.googleapis.com/user/confidence"


def with_metrics(plan, **metrics):
    return msgspec.structs.replace(plan, metrics=msgspec.structs.replace(plan.metrics, **metrics))


@pytest.mark.parametrize("kind", ["env", "revisions"])
@pytest.mark.parametrize("metric", ["custom.googleapis.com/ion/confidence_score", LOG_BASED])
async def test_the_confidence_of_both_sides_is_read_wherever_it_hangs(embed, kind, metric):
    plan = with_metrics(with_router(DEFAULT_PLAN, kind=kind), confidence_metric=metric)
    async with embed(plan) as cloud:
        reading = await cloud.monitoring.read(cloud.now - 1200, cloud.now - 300)
    assert reading.failures == ()
    for side, mean in ((reading.legacy, 0.72), (reading.canary, 0.85)):
        found = [s.confidence for s in side if s.confidence is not None]
        assert found
        assert found[-1].mean == pytest.approx(mean, abs=0.03)


async def test_a_plan_without_a_confidence_metric_asks_for_none(embed):
    async with embed(with_metrics(DEFAULT_PLAN, confidence_metric="")) as cloud:
        reading = await cloud.monitoring.read(cloud.now - 1200, cloud.now - 300)
    assert (reading.calls, reading.failures, reading.absent) == (ROLES - 1, (), {})
    assert all(s.confidence is None for s in reading.canary)


async def test_a_metric_that_knows_no_revision_is_no_data_and_says_so(embed):
    plan = with_router(DEFAULT_PLAN, kind="revisions")
    async with embed(with_metrics(plan, confidence_label="job")) as cloud:
        reading = await cloud.monitoring.read(cloud.now - 1200, cloud.now - 300)
    assert all(s.confidence is None for s in (*reading.legacy, *reading.canary))
    (said,) = [f for f in reading.failures if "cannot be told apart" in f.message]
    assert "names no revision" in said.message
