"""Secrets come from the environment alone, and go to hosts that are trusted."""

import pytest

from canary.cloud.prometheus.client import PrometheusClient, read_headers
from canary.rollout.errors import HostProblem, PlanError
from canary.rollout.plan.metrics import Metrics
from tests.cloud.prometheus.test_reader import asking
from tests.embedded import DEFAULT_PLAN


def test_a_bearer_token_is_that_of_the_variable() -> None:
    metrics = Metrics(source="prometheus", auth="bearer", secret_env="TOKEN")
    assert read_headers(metrics, {"TOKEN": " abc \n"}) == {"authorization": "Bearer abc"}


def test_basic_authentication_is_name_and_password() -> None:
    metrics = Metrics(source="prometheus", auth="basic", username="me", secret_env="PASSWORD")
    # RFC 7617's own way: base64 of "me:secret".
    assert read_headers(metrics, {"PASSWORD": "secret"}) == {"authorization": "Basic bWU6c2VjcmV0"}


def test_headers_are_those_of_the_plan_and_of_the_environment() -> None:
    metrics = Metrics(headers={"X-Scope-OrgID": "team"}, headers_env={"X-Key": "KEY"})
    assert read_headers(metrics, {"KEY": "k"}) == {"X-Scope-OrgID": "team", "X-Key": "k"}


@pytest.mark.parametrize("value", ["", "two\nlines", "ümlaut"])
def test_a_variable_without_a_usable_secret_is_named(value: str) -> None:
    metrics = Metrics(source="prometheus", auth="bearer", secret_env="TOKEN")
    with pytest.raises(HostProblem, match="TOKEN"):
        read_headers(metrics, {"TOKEN": value})


def test_a_secret_goes_to_no_host_that_is_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN", "abc")
    plan = asking(DEFAULT_PLAN, "https://prometheus.example", auth="bearer", secret_env="TOKEN")
    with pytest.raises(PlanError, match="have not trusted"):
        PrometheusClient(plan)


def test_without_a_secret_any_host_may_be_asked() -> None:
    PrometheusClient(asking(DEFAULT_PLAN, "https://prometheus.example"))
