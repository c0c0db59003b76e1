import re
import shlex
from urllib.parse import unquote

import pytest

from canary.rollout.export.log_links import (
    explorer_url,
    group_query,
    read_command,
    request_query,
    trace_url,
)
from canary.rollout.failures.requests import FailedRequest, GroupKey
from tests.embedded import DEFAULT_PLAN, with_router

AT = 1_772_373_480.0  # 2026-03-01 13:58:00Z
KEY = GroupKey("POST", "/users/{id}/orders", "500")


def test_the_query_names_log_service_status_method_and_route():
    query = group_query(DEFAULT_PLAN, KEY)
    assert 'logName="projects/naeda-genesis/logs/run.googleapis.com%2Frequests"' in query
    assert 'resource.labels.service_name="ion-api-canary"' in query
    assert "httpRequest.status=500" in query
    assert 'httpRequest.requestMethod="POST"' in query
    shared = group_query(with_router(DEFAULT_PLAN, kind="revisions"), KEY)
    assert 'resource.labels.service_name="ion-api"' in shared


@pytest.mark.parametrize(
    ("route", "url", "is_it"),
    [
        ("/users/{id}/orders", "https://h.a.run.app/users/42/orders?x=1", True),
        ("/users/{id}/orders", "https://h.a.run.app/users/42/orders/7", False),
        ("/a/b/c/d/e/f/…", "https://h.a.run.app/a/b/c/d/e/f/g/h", True),
        ("/static/main.{id}.js", "https://h.a.run.app/static/main.8f3e2a1b.js", True),
        ("/chat", "https://h.a.run.app/chat", True),
        ("/chat", "https://h.a.run.app/chats", False),
    ],
)
def test_a_route_becomes_a_pattern_of_the_url(route, url, is_it):
    query = group_query(DEFAULT_PLAN, GroupKey("GET", route, "500"))
    pattern = re.search(r'requestUrl=~"(.*)"', query)
    assert pattern is not None
    text = pattern.group(1).replace('\\"', '"').replace("\\\\", "\\")
    assert bool(re.search(text, url)) is is_it


def test_a_refused_request_and_a_class_are_asked_for_by_status():
    refused = group_query(DEFAULT_PLAN, GroupKey("GET", "/chat", "429 no instance"))
    assert "httpRequest.status=429" in refused
    by_class = group_query(DEFAULT_PLAN, GroupKey("", "", "5xx"))
    assert "httpRequest.status>=500 AND httpRequest.status<600" in by_class


def test_the_link_and_the_command_ask_the_same():
    query = group_query(DEFAULT_PLAN, KEY)
    url = explorer_url("naeda-genesis", query, AT, AT + 900)
    assert query in unquote(url)
    assert "timeRange=2026-03-01T13%3A58%3A00Z%2F2026-03-01T14%3A13%3A00Z" in url
    assert url.endswith("?project=naeda-genesis")
    words = shlex.split(read_command("naeda-genesis", query, AT, AT + 900))
    assert words[:3] == ["gcloud", "logging", "read"]
    assert words[3].startswith(query)


def test_quotes_and_shells_in_a_path_end_nothing():
    key = GroupKey("GET", "/a\"; rm -rf '$(x)`", "500")
    query = group_query(DEFAULT_PLAN, key)
    words = shlex.split(read_command("p", query, AT, AT + 1))
    assert words[3].startswith(query)
    assert len(words) == 7


def test_one_request_is_found_by_its_trace_or_its_instance():
    request = FailedRequest("canary", AT, "GET", "/x", 500, 1.0, "rev-1", "i1", "abc")
    assert request_query(DEFAULT_PLAN, request) == 'trace="projects/naeda-genesis/traces/abc"'
    bare = FailedRequest("canary", AT, "GET", "/x", 500, 1.0, "rev-1", "i1")
    assert 'labels.instanceId="i1"' in request_query(DEFAULT_PLAN, bare)
    assert trace_url("p", "abc").endswith("?project=p&tid=abc")
