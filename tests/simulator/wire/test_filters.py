"""Monitoring filters."""

import pytest

from canary.simulator.wire.calls import ApiError
from canary.simulator.wire.filters import parse_filter

SERIES = {
    "metric.type": "run.googleapis.com/request_count",
    "resource.type": "cloud_run_revision",
    "resource.labels.service_name": "ion-api",
    "metric.labels.response_code": "200",
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ('resource.labels.service_name = "ion-api"', True),
        ('resource.label.service_name="ion-api"', True),
        ("resource.labels.service_name = 'ion-api'", True),
        ('resource.labels.service_name != "ion-api"', False),
        ('resource.labels.service_name = one_of("a", "ion-api")', True),
        ('resource.labels.service_name != one_of("a", "ion-api")', False),
        ('resource.labels.service_name = starts_with("ion")', True),
        ('resource.labels.service_name = ends_with("canary")', False),
        ('resource.labels.service_name = has_substring("n-a")', True),
        ('resource.labels.service_name : "n-a"', True),
        ('resource.labels.service_name = monitoring.regex.full_match("ion-.*")', True),
        ("metric.labels.response_code = 200", True),
        ('metric.labels.route = ""', True),
        ('resource.labels.service_name = "ion-api" AND metric.labels.response_code = "500"', False),
        ('resource.labels.service_name = "ion-api" metric.labels.response_code = "500"', False),
        ('resource.labels.service_name = "x" OR metric.labels.response_code = "200"', True),
        ('NOT resource.labels.service_name = "ion-api"', False),
        ('resource.type="x" AND resource.type="y" OR metric.labels.response_code = "200"', True),
        ('resource.type="x" AND (resource.type="y" OR metric.labels.response_code="200")', False),
        (r'resource.labels.service_name = "ion\"api"', False),
    ],
)
def test_a_filter_selects(text, selected):
    assert parse_filter(text).matches(SERIES) is selected


@pytest.mark.parametrize(
    "text",
    [
        "resource.labels.service_name",
        "resource.labels.service_name =",
        'resource.labels.service_name = "open',
        'resource.labels.service_name = "a" AND',
        'resource.labels.service_name > "a"',
        'resource.labels.service_name = one_of("a"',
        'resource.labels.service_name = one_of("a" "b")',
        "resource.labels.service_name = one_of()",
        'resource.labels.service_name = starts_with("a", "b")',
        'resource.labels.service_name = monitoring.regex.full_match("(")',
        'resource.labels.service_name = surprise("a")',
        'metadata.user_labels.x = "a"',
        'group.id = "a"',
        '(resource.type = "a"',
        'resource.type = "a")',
        "{}",
    ],
)
def test_what_is_no_filter_is_refused_with_its_text(text):
    with pytest.raises(ApiError, match="Could not parse filter") as refusal:
        parse_filter(text)
    assert text in refusal.value.message


@pytest.mark.parametrize(
    "text",
    [
        "",
        'resource.type = "a"',
        'metric.type = "a/b" AND metric.type = "c/d"',
        'metric.type = "a/b" OR metric.type = "c/d"',
        'metric.type = "a/b" OR resource.type = "a"',
        'metric.type != "a/b"',
        'NOT metric.type = "a/b"',
        'metric.type = starts_with("a/")',
        'metric.type = one_of("a/b", "c/d")',
    ],
)
def test_a_filter_must_name_exactly_one_metric_type(text):
    with pytest.raises(ApiError, match=r"metric\.type"):
        parse_filter(text).metric_type()


@pytest.mark.parametrize(
    "text",
    [
        'metric.type = "a/b"',
        'resource.type = "x" AND metric.type = "a/b"',
        '(metric.type = "a/b") AND (resource.type = "x" OR resource.type = "y")',
    ],
)
def test_the_one_metric_type_is_found(text):
    assert parse_filter(text).metric_type() == "a/b"


@pytest.mark.parametrize(
    ("text", "admitted"),
    [
        ('resource.type = "x"', False),
        ('resource.type = "x" AND metric.type = "a"', False),
        ('resource.type = "x" OR metric.type = "a"', True),
        ('NOT resource.type = "x"', True),
        ('metric.type = "a"', True),
    ],
)
def test_a_series_is_ruled_out_by_one_field_only_when_that_is_certain(text, admitted):
    assert parse_filter(text).admits("resource.type", "other") is admitted
