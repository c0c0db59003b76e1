"""What a confirmation rests on: the numbers at that moment, and names for what is grave."""

from __future__ import annotations

import pytest

from canary.rollout.change.change import Change
from canary.rollout.change.moves import promote, rollback_all, scale, step_back
from canary.rollout.permit.approval import evidence_of, name_to_type
from canary.rollout.plan.plan import ScalePreset
from tests.rollout.build import EMPTY, NOW, PLAN, request, snapshot, standing

BACKUP, PRODUCTION = PLAN.scale.backup, PLAN.scale.production


def test_the_evidence_is_what_was_shown_and_as_old_as_it_is_now() -> None:
    shown = snapshot()
    evidence = evidence_of(shown, NOW + 30)
    assert (evidence.verdict, evidence.requests, evidence.error_ratio) == ("continue", 1000, 0.003)
    assert shown.canary.data_age_s is not None
    assert evidence.data_age_s == shown.canary.data_age_s + 30
    assert evidence.gates_unmet == ("soak_hours",)


def test_what_was_not_known_stays_unknown_in_the_evidence() -> None:
    evidence = evidence_of(snapshot(EMPTY, "missing"), NOW)
    assert (evidence.verdict, evidence.requests, evidence.p95_ms) == ("no_data", None, None)


def sized(side: str, size: ScalePreset) -> Change:
    return scale(PLAN, standing(), request(), side, size)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "percent_now", "name"),
    [
        (promote(PLAN, standing(4), request()), 50, "ion-api-canary"),  # everything to Canary
        (promote(PLAN, standing(3), request()), 25, ""),
        (step_back(PLAN, standing(5), request()), 100, ""),
        (rollback_all(PLAN, standing(2), request()), 10, ""),  # must be quick
        (rollback_all(PLAN, standing(5), request()), 100, ""),
        (sized("legacy", BACKUP), 49, "ion-api"),
        (sized("legacy", BACKUP), 50, "ion-api"),  # exactly half
        (sized("legacy", BACKUP), 51, "ion-api"),
        (sized("legacy", BACKUP), 99, "ion-api"),  # it serves something
        (sized("legacy", BACKUP), 100, ""),
        (sized("canary", BACKUP), 49, ""),
        (sized("canary", BACKUP), 50, "ion-api-canary"),
        (sized("canary", BACKUP), None, "ion-api-canary"),  # not known: may be all
        (sized("legacy", PRODUCTION), 0, ""),
    ],
)
def test_the_name_is_typed_for_what_is_grave_and_never_to_get_everybody_off(
    change: Change, percent_now: int | None, name: str
) -> None:
    assert name_to_type(PLAN, change, percent_now) == name


@pytest.mark.parametrize(("served", "name"), [(100, ""), (None, ""), (60, "ion-api")])
def test_a_legacy_that_still_serves_takes_its_name_whatever_is_set(
    served: int | None, name: str
) -> None:
    assert name_to_type(PLAN, sized("legacy", BACKUP), 100, served=served) == name
