"""The table [evidence]: its defaults, and each rule with its key's path."""

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.tables import EvidenceSettings
from tests.rollout.build import BARE_PLAN


def test_the_default_advises_and_obeys_its_own_rules():
    assert EvidenceSettings().on_regression == "advise"
    assert parse_plan(BARE_PLAN, "canary.toml").evidence == EvidenceSettings()


@pytest.mark.parametrize(
    ("field", "value", "wrong"),
    [
        ("alpha", 0.0, True),
        ("alpha", 0.001, False),
        ("alpha", 1.0, True),
        ("pass_alpha", 0.0, True),
        ("pass_alpha", 0.999, False),
        ("warm_up_minutes", -1.0, True),
        ("warm_up_minutes", 0.0, False),
        ("smallest_score_effect", 0.0, True),
        ("smallest_score_effect", 1.0, False),
        ("smallest_score_effect", 1.1, True),
    ],
)
def test_values_outside_their_range_are_named(field, value, wrong):
    text = f"{BARE_PLAN}[evidence]\n{field} = {value}\n"
    if not wrong:
        assert getattr(parse_plan(text, "canary.toml").evidence, field) == value
        return
    with pytest.raises(PlanError) as caught:
        parse_plan(text, "canary.toml")
    assert caught.value.message.startswith(f"canary.toml: evidence.{field} is {value:g}; expected")
    assert caught.value.remedy == ""
