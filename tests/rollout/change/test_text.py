"""A change in words: each form of each step, and no second place that has them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import get_args

import pytest

from canary.rollout.change import moves
from canary.rollout.change.change import (
    DeleteImages,
    DeleteService,
    KeepRecord,
    Kind,
    SetScale,
    Step,
)
from canary.rollout.change.stage_record import Move
from canary.rollout.change.text import (
    KIND_WORDS,
    MOVE_WORDS,
    format_achieved,
    format_planned,
    format_step,
    format_title,
    format_wanted,
)
from canary.rollout.plan.plan import ScalePreset
from tests.rollout.build import PLAN, record, request, standing

ROOT = Path(__file__).resolve().parents[3]
PROMOTE = moves.promote(PLAN, standing(), request())
SPLIT = PROMOTE.steps[0]
SCALE = SetScale("ion-api", ScalePreset(1, 10), ScalePreset(0, 1))
IMAGES = DeleteImages("ion-api", ("img@sha256:aa", "img@sha256:bb"))
EVIL = DeleteService("ion\x1b[2J-api", "e1", 100)


@pytest.mark.parametrize(
    ("step", "whole", "brief", "wanted", "achieved"),
    [
        (
            SPLIT,
            "canary 10 % → 25 %",
            "10 % → 25 %",
            "Canary to 25 %",
            "Canary has 25 % (was 10 %), stage 3.",
        ),
        (
            SCALE,
            "ion-api 1–10 → 0–1 instances",
            "ion-api 1–10 → 0–1",
            "ion-api to 0 to 1 instances",
            "ion-api runs 0 to 1 instances (was 1 to 10).",
        ),
        (
            KeepRecord("ion-api", record()),
            "record kept on ion-api",
            "record to ion-api",
            "the stage record to ion-api",
            "ion-api keeps the stage record.",
        ),
        (
            DeleteService("ion-api", "e1", 100),
            "ion-api deleted",
            "delete ion-api",
            "deleting ion-api",
            "ion-api is deleted, with its revisions.",
        ),
        (
            IMAGES,
            "2 images of ion-api deleted",
            "and 2 of its images",
            "deleting 2 images of ion-api",
            "2 images of ion-api: deleted.",
        ),
    ],
)
def test_a_step_is_said_as_a_fact_as_a_wish_and_as_it_was_achieved(
    step: Step, whole: str, brief: str, wanted: str, achieved: str
) -> None:
    assert (format_step(step), format_step(step, brief=True)) == (whole, brief)
    change = (
        PROMOTE
        if step is SPLIT
        else moves.scale(PLAN, standing(), request(), "legacy", SCALE.after)
    )
    assert (format_wanted(step), format_achieved(step, change)) == (wanted, achieved)


def test_a_plan_has_a_line_for_each_thing_that_changes() -> None:
    assert format_planned(SPLIT, "the router") == (
        "Canary's share: 10 % → 25 % on the router",
        "stage: 2 → 3, since 2026-03-01 14:03:22Z",
    )
    assert format_planned(IMAGES, "") == (
        "image deleted: img@sha256:aa",
        "image deleted: img@sha256:bb",
    )


def test_names_from_outside_are_plain_in_every_form() -> None:
    said = (
        format_step(EVIL),
        format_step(EVIL, brief=True),
        format_wanted(EVIL),
        format_achieved(EVIL, PROMOTE),
        *format_planned(EVIL, ""),
    )
    assert not any("\x1b" in text for text in said)


def test_every_kind_and_move_has_its_words() -> None:
    assert set(KIND_WORDS) == set(get_args(Kind))
    assert set(MOVE_WORDS) == set(get_args(Move))
    assert format_title(PROMOTE) == "Promote to stage 3"
    assert format_title(moves.rollback_all(PLAN, standing(), request())) == "Roll back all"


def test_no_other_file_has_a_table_of_them() -> None:
    """But the subjects of commits, which are the procedure's own, the shell's commands, the names
    in the palette, what was done (in the timeline), and what is right to do (in the drills).
    """
    table = re.compile(r'"step_back": f?"(?!step_back")')
    found = {
        str(path.relative_to(ROOT))
        for folder in ("canary", "tui", "widgets")
        for path in (ROOT / folder).rglob("*.py")
        if table.search(path.read_text(encoding="utf-8"))
    }
    assert found == {
        "canary/rollout/change/text.py",
        "canary/rollout/permit/approval.py",
        "canary/rollout/recording/drills.py",
        "canary/rollout/recording/timeline_changes.py",
        "canary/rollout/snapshot/state_words.py",
        "tui/keys.py",
    }
