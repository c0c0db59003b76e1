"""The plan's table of the verification: defaults and mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import load_plan, parse_plan
from canary.rollout.plan.tables import Verify
from tests.rollout.build import BARE_PLAN

DEFAULT = Path(__file__).parents[3] / "canary.toml"


def test_the_default_is_the_procedures_and_the_files() -> None:
    assert (Verify().requests, Verify().delay_ms, Verify().after_change) == (100, 50.0, True)
    assert load_plan(DEFAULT).verify == Verify()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("requests = 0", "verify.requests is 0"),
        ("requests = 10001", "1 to 10000"),
        ("delay_ms = -1", "verify.delay_ms is -1"),
        ("timeout_s = 0", "verify.timeout_s is 0"),
        ('path = "health"', "verify.path"),
        ('path = "/a b"', "verify.path"),
        ('side_header = "x y"', "verify.side_header"),
        ('side_field = ""', "verify.side_field is empty"),
        ('confidence_field = ""', "verify.confidence_field is empty"),
        ("after = true", "verify.after is not a key"),
    ],
)
def test_a_mistake_is_named(line: str, said: str) -> None:
    with pytest.raises(PlanError) as error:
        parse_plan(f"{BARE_PLAN}\n[verify]\n{line}\n", "canary.toml")
    assert said in str(error.value)
