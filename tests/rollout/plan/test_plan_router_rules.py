"""The table [target.router] for `url-map` and `command`: what is missing or impossible is named."""

from pathlib import Path

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.plan import Plan, Router

TEXT = (Path(__file__).parents[3] / "canary.toml").read_text()
MAP = 'kind = "url-map"\nurl_map = "m"\nlegacy_backend = "old"\ncanary_backend = "new"\n'
COMMAND = 'kind = "command"\nset = ["set-share", "{percent}"]\n'


def plan_of(router: str) -> Plan:
    return parse_plan(TEXT.replace('kind = "env"\n', router), "canary.toml")


def test_both_kinds_are_read_as_they_are_written():
    router = plan_of(MAP).target.router
    assert (router.url_map, router.legacy_backend, router.canary_backend) == ("m", "old", "new")
    command = plan_of(COMMAND + 'read = ["/opt/get"]\ntimeout_s = 5.0\n').target.router
    assert (command.set, command.read, command.timeout_s) == (
        ("set-share", "{percent}"),
        ("/opt/get",),
        5.0,
    )


@pytest.mark.parametrize("router", [MAP, COMMAND])
def test_a_split_that_no_service_carries_is_looked_up_beside_canary(router: str):
    assert plan_of(router).router_service == "ion-api-canary"


@pytest.mark.parametrize(
    ("router", "said"),
    [
        (MAP.replace('url_map = "m"\n', ""), "target.router.url_map is missing"),
        (MAP.replace('"old"', '"Old_1"'), 'target.router.legacy_backend is "Old_1"'),
        (MAP.replace('"new"', '"old"'), "is the same as target.router.legacy_backend"),
        ('kind = "command"\n', "target.router.set is missing"),
        (COMMAND.replace("{percent}", "10"), "has no argument with {percent}"),
        ('kind = "command"\nset = ["{percent}"]\n', "has no argument with {percent}"),
        (COMMAND.replace("set-share", "./set-share"), 'begins with "./set-share"'),
        (COMMAND.replace("set-share", ""), 'target.router.set begins with ""'),
        (COMMAND + 'read = ["bin/get"]\n', 'target.router.read begins with "bin/get"'),
        (COMMAND.replace('"{percent}"', '"{percent}\\u0000"'), "holds a NUL character"),
        ('kind = "command"\nset = "set-share {percent}"\n', "a list of texts"),
        (COMMAND + "timeout_s = 0.0\n", "target.router.timeout_s is 0"),
        ('kind = "urlmap"\n', '"url-map"'),
    ],
)
def test_a_mistake_is_named_with_its_key(router: str, said: str):
    with pytest.raises(PlanError) as caught:
        plan_of(router)
    assert said in str(caught.value)


@pytest.mark.parametrize("api", ["compute", "artifact_registry"])
def test_addresses_of_the_two_apis_are_checked(api: str):
    with pytest.raises(PlanError, match=f"endpoints.{api} is plain http"):
        parse_plan(f'{TEXT}\n[target.endpoints]\n{api} = "http://example.com"\n', "canary.toml")


def test_the_share_stands_wherever_it_is_asked_for():
    router = Router(kind="command", set=("p", "--canary={percent}", "x{percent}y{percent}"))
    assert router.set_arguments(5) == (
        "p",
        "--canary=5",
        "x5y5",
    )
