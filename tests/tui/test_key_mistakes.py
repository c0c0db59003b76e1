"""A plan's keys are judged beside the console's own, whichever command reads it."""

import pytest

from canary.cli.opening import known_names
from canary.rollout.errors import PlanError
from canary.rollout.plan.file import parse_plan
from tests.cli.commands import ROOT
from tui.keys import bind

SHIPPED = (ROOT / "canary.toml").read_text(encoding="utf-8")


def refused(keys: str) -> PlanError:
    with pytest.raises(PlanError) as caught:
        parse_plan(f"{SHIPPED}\n[console.keys]\n{keys}", "canary.toml", known_names())
    return caught.value


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ('promote = "R"', 'console.keys.promote is "R", the key of rollback_all too'),
        ('promote = "y"', 'is "y", which answers the question that promote asks'),
        ('promote = "ctrl+"', 'is "ctrl+", which is not a key'),
        ('promote = "x"\nscale = "x"', "the key of promote too"),
    ],
)
def test_a_key_that_clashes_is_a_mistake_of_the_plan(keys: str, said: str) -> None:
    assert said in str(refused(keys))


def test_several_are_told_at_once() -> None:
    said = str(refused('promote = "R"\nscale = "y"'))
    assert "console.keys.promote" in said
    assert "console.keys.scale" in said


@pytest.mark.parametrize("keys", ['promote = "f9"', 'promote = "R"\nrollback_all = "p"'])
def test_what_does_not_clash_is_bound_in_the_console_too(keys: str) -> None:
    plan = parse_plan(f"{SHIPPED}\n[console.keys]\n{keys}", "canary.toml", known_names())
    assert bind(plan)
