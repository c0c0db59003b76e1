"""The plan's table [notify]."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import load_plan, parse_plan
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.tables import Notify
from tests.rollout.build import BARE_PLAN


def plan_with(text: str) -> Plan:
    return parse_plan(f"{BARE_PLAN}\n{text}", "canary.toml")


def test_nobody_is_told_unless_the_plan_says_so() -> None:
    plan = load_plan(Path(__file__).parents[3] / "canary.toml")
    assert plan.notify == Notify()
    assert not plan.notify.is_on


@pytest.mark.parametrize(
    "line",
    [
        'webhook = "https://hooks.example.com/services/T0/x"',
        'webhook = "http://127.0.0.1:8080/x"',
        'webhook = "http://[::1]:8080/x"',
        'webhook_variable = "CANARY_WEBHOOK"',
    ],
)
def test_an_address_or_the_variable_that_holds_it_turns_it_on(line: str) -> None:
    assert plan_with(f"[notify]\n{line}").notify.is_on


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('webhook = "http://example.com/s3cret"', "notify.webhook is plain http to another"),
        ('webhook = "s3cret"', "notify.webhook is no address"),
        ('webhook = "https://me:s3cret@example.com"', "notify.webhook carries a user name"),
        ('webhook = "https://a/s3cret"\nwebhook_variable = "X"', "notify.webhook is set beside"),
        ('webhook_variable = "https://a/s3cret"', "notify.webhook_variable is an address"),
        ('webhook_variable = "9X"', 'notify.webhook_variable is "9X"'),
        ("repeat_minutes = -1", "notify.repeat_minutes is -1; expected 0 to 10080"),
        ("timeout_s = 0", "notify.timeout_s is 0; expected 0.1 to 60"),
    ],
)
def test_a_mistake_is_named_without_the_secret(text: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        plan_with(f"[notify]\n{text}")
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_a_push_needs_a_commit() -> None:
    with pytest.raises(PlanError, match=r"record.push is true without record.git"):
        plan_with("[record]\npush = true")


def test_several_tables_are_told_each() -> None:
    plan = plan_with(
        '[[notify]]\nwebhook = "https://hooks.example/x"\n'
        '[[notify]]\nkind = "pagerduty"\nsecret_variable = "PD_KEY"\n'
        '[[notify]]\nkind = "grafana"\nwebhook = "https://g.example"\nsecret_variable = "TOKEN"\n'
    )
    assert [each.kind for each in plan.notify.each] == ["slack", "pagerduty", "grafana"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[[notify]]\nwebhook = "https://x.example"\n[[notify]]\n', "notify[1] says nowhere"),
        ('[notify]\nkind = "grafana"\nwebhook = "https://g.example"', "secret_variable is missing"),
        ('[notify]\nwebhook = "https://x.example"\nsecret_variable = "S"', "its address"),
        ('[notify]\nkind = "pagerduty"\nsecret_variable = "a b"', "the name of an environment"),
    ],
)
def test_a_wrong_recipient_is_one_sentence(text: str, said: str) -> None:
    with pytest.raises(PlanError) as raised:
        plan_with(text)
    assert said in str(raised.value)
