"""Canary's share in an environment variable of a Service message."""

import pytest

from canary.cloud.router.env import read_variable, write_variable
from canary.rollout.errors import NotFound, Rejected
from tests.cloud.messages import env_service, service

VARIABLE = "CANARY_TRAFFIC_PERCENTAGE"


@pytest.mark.parametrize(
    ("text", "percent"),
    [
        ("0", 0),
        ("10", 10),
        ("100", 100),
        (" 25 ", 25),
        ("101", None),
        ("-1", None),
        ("10.5", None),
        ("", None),
        ("ten", None),
        ("１０", None),
        ("1" * 5000, None),
    ],
)
def test_the_variable_is_a_whole_percent_or_not_known(text: str, percent: int | None) -> None:
    assert read_variable(VARIABLE, env_service({VARIABLE: text})) == percent


def test_a_variable_that_is_not_set_is_not_known() -> None:
    assert read_variable(VARIABLE, env_service({"OTHER": "10"})) is None


def test_two_containers_that_disagree_are_not_known() -> None:
    assert read_variable(VARIABLE, env_service({VARIABLE: "10"}, {VARIABLE: "20"})) is None


def test_two_containers_that_agree_are_known_and_set_together() -> None:
    message = env_service({VARIABLE: "10"}, {VARIABLE: "10"})
    write_variable(VARIABLE, message, 25)
    assert read_variable(VARIABLE, message) == 25


def test_setting_the_variable_clears_the_revisions_name() -> None:
    message = env_service({VARIABLE: "10", "KEPT": "as it is"})
    write_variable(VARIABLE, message, 0)
    assert message.template.revision == ""
    assert {v.name: v.value for v in message.template.containers[0].env} == {
        VARIABLE: "0",
        "KEPT": "as it is",
    }


def test_a_missing_variable_is_set_on_the_container_that_takes_requests() -> None:
    message = env_service({}, {})
    message.template.containers[1].ports.add(container_port=8080)
    write_variable(VARIABLE, message, 5)
    assert not message.template.containers[0].env
    assert message.template.containers[1].env[0].value == "5"


def test_a_variable_from_a_secret_is_not_overwritten() -> None:
    message = env_service({})
    variable = message.template.containers[0].env.add(name=VARIABLE)
    variable.value_source.secret_key_ref.secret = "share"
    assert read_variable(VARIABLE, message) is None
    with pytest.raises(Rejected):
        write_variable(VARIABLE, message, 5)


def test_a_service_without_containers_cannot_carry_the_variable() -> None:
    with pytest.raises(NotFound):
        write_variable(VARIABLE, service(), 5)
