"""What to do now: three lines at most, the plan's own first, whom to tell where there is room."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.plan import Plan
from canary.rollout.plan.runbook import Runbook, RunbookSteps
from canary.rollout.snapshot.next_steps import (
    SHELL,
    find_next_steps,
    format_for_shell,
    format_next_step,
)
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.status import status_document
from tests.rollout.build import BARE_PLAN, PLAN, snapshot, window
from tests.rollout.snapshot.test_state import SCENES
from tui.keys import bind

SPIKE = snapshot(window(error_ratio=0.083))
KEYS = bind(PLAN).names


def book(*steps: str, **fields: str) -> Plan:
    runbook = Runbook(steps=RunbookSteps(rollback_all=steps), **fields)  # type: ignore[arg-type]
    return msgspec.structs.replace(PLAN, runbook=runbook)


def lines(plan: Plan) -> list[str]:
    return [format_next_step(step, KEYS) for step in find_next_steps(SPIKE, plan)]


@pytest.mark.parametrize("scene", SCENES)
def test_no_state_has_more_than_three_lines_and_each_has_what_it_takes(scene: str) -> None:
    steps = find_next_steps(SCENES[scene], book(owner="team ion", contact="#ion"))  # type: ignore[index]
    assert len(steps) <= 3
    for step in steps:
        assert not step.action or step.action == "failures" or step.action in KEYS, step
        assert not step.action or step.action in SHELL or step.action == "acknowledge"
    assert (
        find_state(SCENES[scene], PLAN).id != "roll_back_all" or steps[0].action == "rollback_all"
    )  # type: ignore[index]


def test_the_first_line_of_an_alarm_has_the_key() -> None:
    assert lines(PLAN)[0] == "R  roll back all"
    assert format_for_shell(find_next_steps(SPIKE, PLAN)[0]) == (
        "roll back all: `canary rollback --all`"
    )


def test_the_plans_own_lines_take_their_place_and_keys_are_filled_in() -> None:
    own = book("{rollback_all} rolls back all", "page the owner of {nothing}")
    assert lines(own) == ["R rolls back all", "page the owner of {nothing}"]
    assert (
        format_for_shell(find_next_steps(SPIKE, own)[0]) == "canary rollback --all rolls back all"
    )


def test_whom_to_tell_is_the_last_line_and_the_plans_third_line_goes_before_it() -> None:
    contact = {"owner": "team ion", "contact": "#ion-oncall", "link": "https://example.com/run"}
    assert lines(book(**contact))[-1] == "tell team ion, #ion-oncall, https://example.com/run"
    assert len(lines(book(**contact))) == 3
    assert lines(book("one", **contact)) == ["one", lines(book(**contact))[-1]]
    assert lines(book("one", "two", "three", **contact)) == ["one", "two", "three"]
    assert find_next_steps(snapshot(), book(**contact)) == ()


def test_the_contract_has_them() -> None:
    steps = status_document(SPIKE, PLAN)["next_steps"]
    assert steps[0] == {
        "text": "roll back all",
        "action": "rollback_all",
        "command": "canary rollback --all",
    }
    assert status_document(SPIKE)["next_steps"] == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('[runbook]\nlink = "http://example.com"', "runbook.link is plain http"),
        ('[runbook]\nowners = "x"', "runbook.owners is not a key"),
        ('[runbook.steps]\nwatch = ["a", "b", "c", "d"]', "runbook.steps.watch has 4 lines"),
        ('[runbook.steps]\nwatch = [""]', "runbook.steps.watch[0] is empty"),
        ('[runbook.steps]\nwatch = "a"', "runbook.steps.watch is"),
        ('[runbook.steps]\nroll_back = ["a"]', "runbook.steps.roll_back is not a key"),
    ],
)
def test_a_mistake_in_the_runbook_is_one_sentence(written: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(f"{BARE_PLAN}\n{written}\n", "canary.toml")
    assert said in caught.value.message
