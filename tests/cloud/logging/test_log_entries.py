import pytest
from google.cloud.logging_v2.types import LogEntry

from canary.cloud.logging.entries import log_filter, read_requests, side_of_request
from canary.simulator.wire.filters import parse_log_filter
from tests.embedded import DEFAULT_PLAN, with_router

PLAN = DEFAULT_PLAN
REVISIONS = with_router(DEFAULT_PLAN, kind="revisions")


def entry(service="ion-api", status=200, latency=(0, 250_000_000), received=0, revision="r"):
    message = LogEntry.pb(LogEntry(resource={"type": "x", "labels": {"service_name": service}}))
    message.resource.labels["revision_name"] = revision
    message.timestamp.seconds = 1000
    message.receive_timestamp.seconds = received
    message.http_request.status = status
    message.http_request.latency.seconds, message.http_request.latency.nanos = latency
    return message


def read(*entries, plan=PLAN, candidate=None):
    return list(read_requests(entries, side_of_request(plan, candidate)))


def test_a_request_ended_its_latency_after_it_began():
    (found,) = read(entry())
    assert (found.side, found.ended_at, found.latency_ms) == ("legacy", 1000.25, 250.0)


def test_it_did_not_end_after_its_entry_was_received():
    (found,) = read(entry(latency=(40, 0), received=1030))
    assert found.ended_at == 1030.0
    assert found.latency_ms == 40_000.0


@pytest.mark.parametrize(
    "odd",
    [
        entry(service="other"),
        entry(status=0),
        entry(status=99),
        entry(status=600),
        entry(latency=(-1, 0)),
    ],
    ids=["another service", "no request", "below", "above", "negative latency"],
)
def test_what_is_no_request_of_either_side_is_left_out(odd):
    assert read(odd) == []


@pytest.mark.parametrize(("revision", "side"), [("x-2", "canary"), ("x-1", "legacy")])
def test_with_two_revisions_of_one_service_the_revision_tells_the_side(revision, side):
    (found,) = read(entry(revision=revision), plan=REVISIONS, candidate="x-2")
    assert found.side == side


def test_the_filter_names_the_log_the_region_and_both_services():
    text = log_filter(PLAN)
    assert 'logName="projects/naeda-genesis/logs/run.googleapis.com%2Frequests"' in text
    assert 'resource.labels.location="us-central1"' in text
    assert 'service_name=("ion-api" OR "ion-api-canary")' in text
    assert "sample" not in text


def test_a_sample_is_asked_for_in_the_filter():
    assert log_filter(PLAN, 0.25).endswith("AND sample(insertId, 0.2500)")


@pytest.mark.parametrize("plan", [PLAN, REVISIONS])
def test_the_filter_can_be_parsed(plan):
    parse_log_filter(log_filter(plan, 0.5))


# As recorded: shared/fixtures/request_log_entries.json (the 429 from public log samples).
REFUSED = LogEntry.pb(
    LogEntry(
        resource={
            "type": "cloud_run_revision",
            "labels": {"service_name": "ion-api-canary", "revision_name": "svc-00067-c4g"},
        },
        text_payload="The request was aborted because there was no available instance.",
        http_request={"status": 429},
        timestamp="2025-12-29T00:58:51.018142Z",
    )
)


@pytest.mark.parametrize(
    ("status", "instance", "refused"),
    [
        (429, "", True),
        (500, "", True),
        (429, "0007e26d", False),  # the application's own limit
        (500, "0007e26d", False),
        (403, "", False),  # the caller's fault: no token
        (404, "", False),
        (200, "", False),
    ],
)
def test_what_found_no_instance_is_told_from_what_the_application_answered(
    status, instance, refused
):
    message = LogEntry.pb(LogEntry())
    message.CopyFrom(REFUSED)
    message.http_request.status = status
    if instance:
        message.labels["instanceId"] = instance
    (found,) = read(message)
    assert (found.status, found.refused) == (status, refused)
