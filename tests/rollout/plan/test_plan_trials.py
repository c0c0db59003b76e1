"""The plan's tables of the load test and the A/B test: defaults, profiles, mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import load_plan, parse_plan
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.tables import LIGHT, AbTest, LoadProfile, LoadRequest, LoadTest

DEFAULT = Path(__file__).parents[3] / "canary.toml"
HEAD = """
[target]
project = "naeda-genesis"
region = "us-central1"
legacy = "ion-api"
canary = "ion-api-canary"
[[stages]]
percent = 100
"""


def plan_with(text: str) -> Plan:
    return parse_plan(f"{HEAD}\n{text}", "canary.toml")


def test_the_default_load_test_is_the_procedures() -> None:
    test = load_plan(DEFAULT).load_test
    assert (test.users, test.spawn_rate, test.duration_minutes) == (50, 5.0, 60.0)
    light = test.find_profile(test.profile)
    assert light is LIGHT
    assert {r.path for r in light.requests} == {"/chat", "/api/v2/recommend/personalized"}


def test_the_file_says_nothing_else_than_the_defaults() -> None:
    plan = load_plan(DEFAULT)
    assert (plan.load_test, plan.ab_test) == (LoadTest(), AbTest())


def test_the_default_table_is_the_procedures() -> None:
    plan = load_plan(DEFAULT)
    assert plan.ab_test.full_table(plan.target.project) == "naeda-genesis.ab_test.results"


def test_a_table_of_another_project_keeps_it() -> None:
    assert AbTest(table="other-project.x.y").full_table("mine") == "other-project.x.y"


def test_a_profile_of_the_file_stands_beside_the_built_in_one() -> None:
    plan = plan_with(
        '[load_test]\nprofile = "heavy"\n[load_test.profiles.heavy]\nmin_wait_s = 0.5\n'
        '[[load_test.profiles.heavy.requests]]\npath = "/chat"\nmethod = "POST"\nweight = 3\n'
    )
    expected = LoadProfile((LoadRequest("/chat", "POST", weight=3),), min_wait_s=0.5)
    assert plan.load_test.find_profile("heavy") == expected
    assert plan.load_test.profile_names == ("heavy", "light")


def test_an_unknown_profile_is_none() -> None:
    assert LoadTest().find_profile("heavy") is None


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[load_test]\nusers = 0", "load_test.users is 0; expected 1 to 100000"),
        ("[load_test]\nspawn_rate = 0", "load_test.spawn_rate is 0"),
        ("[load_test]\nduration_minutes = 0", "load_test.duration_minutes is 0"),
        ("[load_test]\nmax_error_ratio = 2", "load_test.max_error_ratio is 2"),
        ("[load_test]\nmax_error_ratio = 2", "2 % is 0.02"),
        ('[load_test]\nprofile = "lihgt"', 'load_test.profile is "lihgt"; expected "light"'),
        ("[load_test]\nusres = 5", "load_test.usres is not a key of the plan"),
        (
            "[load_test.profiles.a]\nmin_wait_s = 3\nmax_wait_s = 1\nrequests = []",
            "load_test.profiles.a.max_wait_s is 1; expected 3 to 3600",
        ),
        ("[load_test.profiles.a]\nrequests = []", "load_test.profiles.a.requests is empty"),
        ("[load_test.profiles.a]\nmin_wait_s = 1", "load_test.profiles.a.requests is missing"),
        (
            '[[load_test.profiles.a.requests]]\npath = "chat"',
            'load_test.profiles.a.requests[0].path is "chat"; expected a path',
        ),
        (
            '[[load_test.profiles.a.requests]]\npath = "/c"\nbody = "{}"',
            "requests[0].body is set, and method is GET",
        ),
        ('[[load_test.profiles.a.requests]]\npath = "/c"\nmethod = "PUT"', "requests[0].method is"),
        ('[ab_test]\ntable = "results"', 'ab_test.table is "results"; expected dataset.table'),
        ('[ab_test]\ntable = "a.b`; DROP"', "ab_test.table is"),
        ("[ab_test]\ndays = 0", "ab_test.days is 0; expected 1 to 3650"),
        ("[ab_test]\nmax_bytes_billed = 1000", "ab_test.max_bytes_billed is 1000"),
        ('[ab_test]\nlegacy_group = ""', "ab_test.legacy_group is empty"),
        ('[ab_test]\ncanary_group = "legacy"', "ab_test.canary_group is the same"),
        ('[target.endpoints]\nbigquery = "http://example.com"', "target.endpoints.bigquery"),
    ],
)
def test_a_mistake_names_key_and_what_is_expected(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_with(text)
    assert said in str(caught.value)
