import pytest

from canary.simulator.wire.calls import ApiError
from canary.simulator.wire.filters import parse_log_filter

ENTRY = {
    "logName": "projects/p/logs/run.googleapis.com%2Frequests",
    "resource.type": "cloud_run_revision",
    "resource.labels.project_id": "p",
    "resource.labels.location": "us-central1",
    "resource.labels.service_name": "ion-api",
    "resource.labels.revision_name": "ion-api-00001-leg",
    "resource.labels.configuration_name": "ion-api",
    "httpRequest.status": "503",
    "httpRequest.requestMethod": "GET",
    "severity": "ERROR",
    "insertId": "00000000002a",
}


@pytest.mark.parametrize(
    ("text", "selected"),
    [
        ("", True),
        ('logName="projects/p/logs/run.googleapis.com%2Frequests"', True),
        ('resource.labels.service_name="ion-api"', True),
        ('resource.labels.service_name!="ion-api"', False),
        ('resource.labels.service_name=("ion-api" OR "ion-api-canary")', True),
        ('resource.labels.service_name=("a" OR "b")', False),
        ('resource.labels.revision_name:"00001"', True),
        ("httpRequest.status>=500", True),
        ("httpRequest.status>503", False),
        ("httpRequest.status<=503 AND httpRequest.status<504", True),
        ('resource.type="cloud_run_revision" severity=ERROR', True),
        ('NOT resource.type="cloud_run_revision"', False),
        ('-resource.type="x"', True),
        ('severity=INFO OR severity=ERROR AND resource.type="cloud_run_revision"', True),
        ('severity=INFO AND resource.type="x" OR severity=ERROR', False),  # OR binds tighter
        ('(severity=INFO AND resource.type="x") OR severity=ERROR', True),
        ("sample(insertId, 1)", True),
        ("sample(insertId, 0)", False),
    ],
)
def test_a_filter_selects_what_the_query_language_says(text, selected):
    assert parse_log_filter(text).matches(ENTRY) is selected


@pytest.mark.parametrize(
    "text",
    [
        "colour=blue",
        "severity",
        'severity="ERROR',
        "(severity=ERROR",
        "severity=ERROR)",
        "httpRequest.status>many",
        "sample(severity, 0.5)",
        "sample(insertId, 2)",
        'severity=~"E.*"',
    ],
)
def test_what_is_no_filter_is_refused_with_the_reason(text):
    with pytest.raises(ApiError, match="filter"):
        parse_log_filter(text)


def test_a_sample_takes_about_its_share_and_always_the_same():
    sample = parse_log_filter("sample(insertId, 0.25)").matches
    taken = [i for i in range(4000) if sample({**ENTRY, "insertId": f"{i:012x}"})]
    assert len(taken) == pytest.approx(1000, rel=0.1)
    assert taken == [i for i in range(4000) if sample({**ENTRY, "insertId": f"{i:012x}"})]
