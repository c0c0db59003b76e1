"""Cloud Monitoring through Google's own asyncio client."""

from itertools import pairwise

import pytest
from google.api_core import exceptions
from google.cloud import monitoring_v3

from canary.simulator.world.faults import Fault
from canary.simulator.world.traffic.minute import LATENCY_BOUNDS_MS, merge
from tests.simulator.local_cloud import START, local_cloud, query

CONFIDENCE = "custom.googleapis.com/ion/confidence_score"
GAUGE, DELTA, CUMULATIVE = 1, 2, 3
INT64, DOUBLE, DISTRIBUTION = 2, 3, 5


def ends(series):
    return [int(point.interval.end_time.timestamp()) for point in series.points]


def counts(series):
    """Return what a series of INT64 points adds up to."""
    return sum(point.value.int64_value for point in series.points)


async def test_both_sides_come_in_one_answer_told_apart_by_the_group():
    async with local_cloud() as cloud:
        series = await cloud.series("request_count")
    assert [dict(one.resource.labels) for one in series] == [
        {"project_id": "naeda-genesis", "service_name": "ion-api"},
        {"project_id": "naeda-genesis", "service_name": "ion-api-canary"},
    ]


async def test_points_come_newest_first_one_a_minute():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_count")
    assert all(newer - older == 60 for newer, older in pairwise(ends(legacy)))


@pytest.mark.parametrize("delay_s", [0.0, 60.0, 150.0, 180.0])
async def test_nothing_newer_than_the_ingest_delay_is_visible(delay_s):
    async with local_cloud(ingest_delay_s=delay_s) as cloud:
        (legacy, _) = await cloud.series("request_count")
    assert ends(legacy)[0] == (START - delay_s) // 60 * 60


async def test_an_interval_leaves_out_its_start_and_holds_its_end():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_count", minutes=5, end=START - 600)
    assert ends(legacy) == [START - 600 - 60 * n for n in range(5)]


async def test_the_counts_are_those_of_the_traffic():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_count", minutes=10, end=START - 600)
        minutes = cloud.world.minutes("ion-api", None, START - 1200, START - 600)
    assert counts(legacy) == sum(minute.requests for minute in minutes)


async def test_a_point_has_the_field_of_its_type_set():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_count")
    assert legacy.value_type == INT64
    assert legacy.points[0].value._pb.WhichOneof("value") == "int64_value"


async def test_a_delta_spans_its_period_and_a_gauge_none():
    async with local_cloud() as cloud:
        (delta, _) = await cloud.series("request_count", period_s=300, end=START - 600)
        (gauge, _) = await cloud.series("container/instance_count", aligner="ALIGN_MEAN")
    interval = delta.points[0].interval
    assert (delta.metric_kind, gauge.metric_kind) == (DELTA, GAUGE)
    assert (interval.end_time - interval.start_time).total_seconds() == 300
    assert gauge.points[0].interval.start_time == gauge.points[0].interval.end_time


async def test_a_longer_period_adds_up_its_minutes():
    async with local_cloud() as cloud:
        (minutes, _) = await cloud.series("request_count", minutes=60, end=START - 600)
        (hour, _) = await cloud.series("request_count", minutes=60, end=START - 600, period_s=3600)
    assert counts(hour) == counts(minutes)
    assert len(hour.points) == 1


async def test_periods_are_laid_backwards_from_the_end():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_count", minutes=10, end=START - 630, period_s=120)
    assert ends(legacy) == [START - 630 - 120 * n for n in range(5)]


async def test_a_merged_distribution_is_the_sum_of_its_minutes():
    async with local_cloud() as cloud:
        options = {"minutes": 60, "end": START - 600}
        (merged, _) = await cloud.series("request_latencies", period_s=3600, **options)
        minutes = cloud.world.minutes("ion-api", None, START - 4200, START - 600)
    value = merged.points[0].value.distribution_value
    expected = merge([minute.latency for minute in minutes])
    assert tuple(value.bucket_counts) == expected.counts
    assert value.count == expected.count
    assert value.mean == pytest.approx(expected.mean)
    assert value.sum_of_squared_deviation == pytest.approx(expected.squared_deviation)


async def test_the_buckets_of_latency_are_exponential_and_of_the_models_bounds():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_latencies")
    buckets = legacy.points[0].value.distribution_value.bucket_options.exponential_buckets
    bounds = [
        buckets.scale * buckets.growth_factor**i for i in range(buckets.num_finite_buckets + 1)
    ]
    assert bounds == pytest.approx(LATENCY_BOUNDS_MS)


@pytest.mark.parametrize(
    ("metric", "layout"),
    [
        (CONFIDENCE, "explicit_buckets"),
        ("container/cpu/utilizations", "linear_buckets"),
        ("container/memory/utilizations", "linear_buckets"),
        ("container/max_request_concurrencies", "linear_buckets"),
    ],
)
async def test_bucket_layouts_differ_by_metric(metric, layout):
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series(metric)
    value = legacy.points[0].value._pb.distribution_value
    assert value.bucket_options.WhichOneof("options") == layout


async def test_trailing_empty_buckets_are_left_out():
    async with local_cloud() as cloud:
        (legacy, _) = await cloud.series("request_latencies")
    assert all(p.value.distribution_value.bucket_counts[-1] > 0 for p in legacy.points)


async def test_unreduced_series_are_one_for_each_revision_and_response_code():
    async with local_cloud() as cloud:
        series = await cloud.series(
            "request_count", reducer="REDUCE_NONE", group_by=[], period_s=1800
        )
    codes = {
        (one.resource.labels["revision_name"], one.metric.labels["response_code"]) for one in series
    }
    assert len(codes) == len(series)
    assert {"ion-api-00001-leg", "ion-api-canary-00001-can"} == {name for name, _ in codes}
    assert ("ion-api-00001-leg", "200") in codes


async def test_grouping_by_the_class_of_response_adds_up_to_the_whole():
    async with local_cloud() as cloud:
        options = {"period_s": 1800, "where": 'resource.labels.service_name = "ion-api"'}
        classes = await cloud.series(
            "request_count", group_by=["metric.labels.response_code_class"], **options
        )
        (whole,) = await cloud.series("request_count", group_by=[], **options)
    assert [one.metric.labels["response_code_class"] for one in classes] == ["2xx", "4xx", "5xx"]
    assert sum(map(counts, classes)) == counts(whole)


@pytest.mark.parametrize("spelling", ["label", "labels"])
async def test_both_spellings_of_a_group_by_field_are_taken(spelling):
    async with local_cloud() as cloud:
        series = await cloud.series("request_count", group_by=[f"resource.{spelling}.service_name"])
    assert len(series) == 2


@pytest.mark.parametrize(
    ("where", "found"),
    [
        ('resource.labels.service_name = one_of("ion-api","ion-api-canary")', 2),
        ('resource.label.service_name = "ion-api"', 1),
        ('resource.labels.service_name = starts_with("ion-api-")', 1),
        ('resource.type = "cloud_run_revision"', 2),
        ('resource.labels.service_name != "ion-api"', 1),
        ('resource.labels.service_name = "nobody"', 0),
        ('metric.labels.response_code_class = "3xx"', 0),
        ("", 2),
    ],
)
async def test_filters_select_series(where, found):
    async with local_cloud() as cloud:
        assert len(await cloud.series("request_count", where=where)) == found


async def test_pages_are_counted_in_points_and_lose_none():
    async with local_cloud() as cloud:
        whole = await cloud.series("request_count", end=START - 600)
        pager = await cloud.metrics.list_time_series(
            query(cloud.now, "request_count", end=int(START - 600), page_size=7)
        )
        pages = [page async for page in pager.pages]
    sizes = [sum(len(one.points) for one in page.time_series) for page in pages]
    paged = [p for page in pages for one in page.time_series for p in one.points]
    assert sizes == [7] * 8 + [4]
    assert paged == [point for one in whole for point in one.points]


async def test_a_page_shows_what_was_visible_when_the_first_was_asked_for():
    async with local_cloud() as cloud:
        request = query(cloud.now, "request_count", page_size=20)
        first = await cloud.metrics.list_time_series(request)
        token = first.next_page_token
        cloud.advance(120.0)
        request.page_token = token
        second = await cloud.metrics.list_time_series(request)
    legacy = [p for page in (first, second) for p in page._response.time_series[0].points]
    assert ends(monitoring_v3.TimeSeries(points=legacy))[0] == START - 180


async def test_a_token_of_another_request_is_refused():
    async with local_cloud() as cloud:
        page = await cloud.metrics.list_time_series(query(START, "request_count", page_size=5))
        other = query(START, "request_latencies", page_size=5)
        other.page_token = page.next_page_token
        with pytest.raises(exceptions.InvalidArgument, match="page_token"):
            await cloud.metrics.list_time_series(other)


async def test_an_unknown_metric_is_not_found():
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.NotFound, match="Cannot find metric"):
            await cloud.series("nothing")


@pytest.mark.parametrize(
    ("metric", "where"),
    [
        ("request_count", 'resource.type = "gce_instance"'),
        (CONFIDENCE, 'resource.type = "cloud_run_revision"'),
        (CONFIDENCE, 'resource.labels.service_name = "ion-api"'),
        ("request_count", 'resource.labels.job = "ion-api"'),
    ],
)
async def test_a_filter_that_does_not_fit_its_metric_is_refused(metric, where):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match="valid combination"):
            await cloud.series(metric, where=where)


# Source: GoogleCloudPlatform/opentelemetry-operations-java#248.
async def test_custom_metrics_cannot_be_written_to_cloud_run_revision():
    request = {
        "name": "projects/naeda-genesis",
        "time_series": [
            {"metric": {"type": CONFIDENCE}, "resource": {"type": "cloud_run_revision"}}
        ],
    }
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match="cannot be written to cloud_run_rev"):
            await cloud.metrics.create_time_series(request)


async def test_another_project_is_denied():
    async with local_cloud() as cloud:
        request = query(START, "request_count")
        request.name = "projects/other"
        with pytest.raises(exceptions.PermissionDenied):
            await cloud.metrics.list_time_series(request)


@pytest.mark.parametrize(
    ("metric", "options", "why"),
    [
        ("request_count", {"period_s": 59}, "at least 60"),
        ("request_latencies", {"aligner": "ALIGN_MEAN"}, "kind DELTA and value type DISTRIB"),
        ("container/instance_count", {"aligner": "ALIGN_DELTA"}, "kind GAUGE"),
        (CONFIDENCE, {"aligner": "ALIGN_SUM"}, "kind CUMULATIVE"),
        ("request_count", {"group_by": ["resource.label.nothing"]}, "groupByFields"),
        ("request_count", {"order_by": "x"}, "left blank"),
        ("request_count", {"page_size": -1}, "negative"),
        ("request_count", {"minutes": -1}, "later than the end"),
        ("request_count", {"where": 'metric.type = "a/b"'}, "metric.type"),
        ("request_count", {"where": "resource.labels.service_name ="}, "Could not parse"),
    ],
)
async def test_what_the_real_service_refuses_is_refused(metric, options, why):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.InvalidArgument, match=why):
            await cloud.series(metric, **options)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (
            {
                "secondary_aggregation": {
                    "alignment_period": {"seconds": 60},
                    "per_series_aligner": "ALIGN_MAX",
                }
            },
            "secondary_aggregation",
        ),
        ({"view": monitoring_v3.ListTimeSeriesRequest.TimeSeriesView.HEADERS}, "view"),
        ({"raw": True}, "ALIGN_NONE"),
        ({"aligner": "ALIGN_RATE"}, "ALIGN_RATE"),
        ({"reducer": "REDUCE_PERCENTILE_95"}, "REDUCE_PERCENTILE_95"),
    ],
)
async def test_what_the_real_service_can_and_this_one_cannot_is_refused_by_name(options, named):
    async with local_cloud() as cloud:
        with pytest.raises(exceptions.MethodNotImplemented, match=named):
            await cloud.series("request_count", **options)


async def test_descriptors_tell_kind_type_unit_and_delay():
    async with local_cloud() as cloud:
        request = monitoring_v3.ListMetricDescriptorsRequest(
            name="projects/naeda-genesis",
            filter='metric.type = "run.googleapis.com/request_latencies"',
        )
        (descriptor,) = [one async for one in await cloud.metrics.list_metric_descriptors(request)]
    assert descriptor.name.endswith("/metricDescriptors/run.googleapis.com/request_latencies")
    assert (descriptor.metric_kind, descriptor.value_type) == (DELTA, DISTRIBUTION)
    assert descriptor.unit == "ms"
    assert descriptor.metadata.ingest_delay.seconds == 150
    assert descriptor.metadata.sample_period.seconds == 60


@pytest.mark.parametrize(
    ("selection", "count"),
    [
        ("", 8),
        ('metric.type = starts_with("run.googleapis.com/")', 7),
        (f'metric.type = "{CONFIDENCE}"', 1),
        ('metric.type = starts_with("compute.googleapis.com/")', 0),
    ],
)
async def test_descriptors_are_listed_by_filter(selection, count):
    async with local_cloud() as cloud:
        request = monitoring_v3.ListMetricDescriptorsRequest(
            name="projects/naeda-genesis", filter=selection
        )
        pager = await cloud.metrics.list_metric_descriptors(request=request)
        assert len([one async for one in pager]) == count


async def test_a_new_revision_begins_series_of_its_own():
    async with local_cloud(operation_s=0.0) as cloud:
        await cloud.set_variable("25")
        cloud.advance(600.0)
        series = await cloud.series(
            "container/billable_instance_time",
            group_by=["resource.labels.revision_name"],
            where='resource.labels.service_name = "ion-api"',
            minutes=5,
        )
    names = [one.resource.labels["revision_name"] for one in series]
    assert len(names) == 1
    assert names[0].startswith("ion-api-00002-")


async def test_both_sides_of_a_revisions_service_are_told_apart_by_revision():
    async with local_cloud("revisions") as cloud:
        series = await cloud.series(
            "request_count",
            group_by=["resource.labels.revision_name"],
            where='resource.labels.service_name = "ion-api"',
        )
    assert [one.resource.labels["revision_name"] for one in series] == [
        "ion-api-00001-leg",
        "ion-api-00002-can",
    ]


async def test_no_data_is_no_series_never_zero():
    async with local_cloud(scenario="no-data") as cloud:
        cloud.advance(1200.0)
        series = await cloud.series("request_count", minutes=10)
    assert [one.resource.labels["service_name"] for one in series] == ["ion-api"]


async def test_stale_keeps_what_was_visible_and_shows_nothing_new():
    async with local_cloud() as cloud:
        (before, _) = await cloud.series("request_count")
        cloud.world.scenario.switch("stale", {})
        cloud.advance(300.0)
        (during, _) = await cloud.series("request_count")
        cloud.advance(300.0)
        (later, _) = await cloud.series("request_count")
    assert ends(during)[0] == ends(before)[0]
    assert ends(later)[0] == START - 0.0


@pytest.mark.parametrize(
    ("scenario", "error"),
    [
        ("quota", exceptions.ResourceExhausted),
        ("monitoring-outage", exceptions.ServiceUnavailable),
    ],
)
async def test_a_scenario_refuses_reads(scenario, error):
    async with local_cloud(scenario=scenario) as cloud:
        with pytest.raises(error):
            await cloud.series("request_count")


async def test_a_fault_happens_as_often_as_it_was_asked_for():
    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="ListTimeSeries", code="INTERNAL", times=1))
        with pytest.raises(exceptions.InternalServerError):
            await cloud.series("request_count")
        assert len(await cloud.series("request_count")) == 2


async def test_a_lost_answer_is_of_a_change_that_took_effect():
    async with local_cloud(operation_s=0.0) as cloud:
        cloud.world.faults.add(
            Fault(method="UpdateService", code="UNAVAILABLE", after_apply=True, times=1)
        )
        with pytest.raises(exceptions.ServiceUnavailable):
            await cloud.set_variable("25")
        assert cloud.world.timeline.split_at(cloud.now) == 25


@pytest.mark.parametrize(
    ("shape", "expected"), [("empty", 0), ("cut", 0), ("duplicate", 54), ("unordered", 27)]
)
async def test_answers_can_come_in_a_bad_shape(shape, expected):
    async with local_cloud() as cloud:
        cloud.world.faults.add(Fault(method="ListTimeSeries", shape=shape, times=1))
        series = await cloud.series("request_count")
    assert sum(len(one.points) for one in series[:1]) == expected
