"""The table [evidence]: its defaults, and each rule with its key's path."""

import pytest

from canary.rollout.plan.table_rules import find_evidence_mistakes
from canary.rollout.plan.tables import EvidenceSettings


def test_the_default_advises_and_obeys_its_own_rules():
    assert EvidenceSettings().on_regression == "advise"
    assert list(find_evidence_mistakes(EvidenceSettings())) == []


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
    found = list(find_evidence_mistakes(EvidenceSettings(**{field: value})))
    assert [m.path for m in found] == ([f"evidence.{field}"] if wrong else [])
