"""What the commits of a rollout are called."""

from __future__ import annotations

import pytest

from canary.rollout.change.change import Change
from canary.rollout.change.moves import adopt, promote, revert, rollback_all, scale, step_back
from canary.rollout.permit.approval import commit_message
from canary.rollout.plan.plan import ScalePreset
from tests.rollout.build import PLAN, request, standing


def subject(change: Change) -> str:
    return commit_message(change).splitlines()[0]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (promote(PLAN, standing(1), request()), "feat: Stage 2 canary rollout (10% traffic)"),
        (promote(PLAN, standing(4), request()), "feat: Stage 5 canary rollout (100% traffic)"),
        (step_back(PLAN, standing(2), request()), "fix: Roll back canary to stage 1 (5% traffic)"),
        (
            rollback_all(PLAN, standing(5), request()),
            "fix: Roll back canary, all traffic to Legacy (0% traffic)",
        ),
        (
            adopt(PLAN, standing(2, percent=25), request()),
            "chore: Adopt stage 3 canary rollout (25% traffic)",
        ),
        (
            revert(PLAN, standing(2, percent=30), request()),
            "fix: Restore stage 2 canary rollout (10% traffic)",
        ),
    ],
)
def test_the_subject_says_stage_and_share(change: Change, expected: str) -> None:
    assert subject(change) == expected


def test_the_body_says_who_why_and_which_change() -> None:
    said = commit_message(promote(PLAN, standing(2), request(reason="soaked", forced=True)))
    lines = said.splitlines()
    assert lines[1] == ""
    assert "by oncall@bastion-2." in lines[2]
    assert {"Reason: soaked", "Forced over: nothing", "Change: c-1"} <= set(lines)


def test_the_end_of_the_canary_mode_is_said() -> None:
    said = commit_message(promote(PLAN, standing(4), request()))
    assert "The canary mode has ended: ion-api-canary is production." in said


def test_a_reason_cannot_make_lines_of_its_own() -> None:
    said = commit_message(promote(PLAN, standing(2), request(reason="a\n\nfeat: b\x1b[31m")))
    assert "Reason: a feat: b" in said.splitlines()


def test_a_scale_has_no_commit() -> None:
    change = scale(PLAN, standing(), request(), "canary", ScalePreset(1, 2))
    with pytest.raises(ValueError, match="no split"):
        commit_message(change)
