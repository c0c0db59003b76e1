"""Legacy is deleted from day 31 on, without a share, and measured to take no requests."""

from typing import Any

import msgspec
import pytest

from canary.rollout.change.change import Author, DeleteImages, DeleteService, KeepRecord, Request
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import GateNotMet, ReadOnly, UsageError
from canary.rollout.measure.samples import Responses, Sample, Window
from canary.rollout.permit.permit import authorize, authorize_intent
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.retirement import (
    DAY_S,
    PHASES,
    Candidate,
    calendar,
    check_retirable,
    find_reasons,
    retire,
)
from tests.embedded import DEFAULT_PLAN, with_router
from tests.rollout import build

NOW = 1_760_000_040.0
PLAN = DEFAULT_PLAN
CANDIDATE = Candidate("ion-api", "e1", ("host/p/r/i@sha256:1",))
HOUR_S = 3600.0


def snapshot(
    *,
    days: float = 40.0,
    percent: int | None = 100,
    requests: int | None = None,
    minutes: int = 60,
    age_s: float = 120.0,
    seen: int | None = 9000,
    **traffic: Any,
) -> Snapshot:
    """Canary in production for `days`; Legacy reported in `minutes` of its last hour."""
    end = NOW - age_s
    counted = None if requests is None else Responses(ok_2xx=requests)
    samples = tuple(
        Sample(end - 60 * (i + 1), end - 60 * i, responses=counted if i == 0 else None, instances=1)
        for i in reversed(range(minutes))
    )
    base = build.snapshot()
    record = StageRecord(5, 100, NOW - days * DAY_S, enabled=False)
    view = msgspec.structs.replace
    window = Window(end - HOUR_S, end)
    return view(
        base,
        as_of=NOW,
        traffic=view(base.traffic, canary_percent=percent, record=record, **traffic),
        legacy=view(base.legacy, samples=samples, criteria_window=view(window, requests=requests)),
        canary=view(base.canary, criteria_window=view(window, requests=seen)),
    )


def ids(**given: Any) -> list[str]:
    return [reason.id for reason in find_reasons(PLAN, snapshot(**given))]


@pytest.mark.parametrize(
    ("days", "day", "meaning"),
    [
        (0.0, 1, 0),
        (6.99, 7, 0),
        (7.0, 8, 1),
        (29.99, 30, 1),
        (30.0, 31, 2),
        (400.0, 401, 2),
    ],
)
def test_the_days_begin_with_the_last_stage(days: float, day: int, meaning: int):
    at = calendar(PLAN, snapshot(days=days))
    assert at.day == day
    assert [phase.holds(day) for phase in PHASES].index(True) == meaning


def test_before_production_there_is_no_day():
    early = snapshot()
    traffic = msgspec.structs.replace(early.traffic, record=StageRecord(4, 50, NOW))
    at = calendar(PLAN, msgspec.structs.replace(early, traffic=traffic))
    assert (at.day, at.delete_at) == (None, None)


@pytest.mark.parametrize(
    ("given", "against"),
    [
        ({}, []),
        ({"requests": 0}, []),
        ({"days": 30.0}, []),
        ({"days": 29.999}, ["day"]),
        ({"percent": 99}, ["share"]),
        ({"percent": None}, ["share"]),
        ({"served_percent": 50}, ["share"]),
        ({"reconciling": True}, ["share"]),
        ({"requests": 1}, ["requests"]),
        ({"minutes": 0}, ["requests"]),
        ({"minutes": 47}, ["requests"]),
        ({"minutes": 48}, []),
        ({"age_s": 300.0}, []),
        ({"age_s": 301.0}, ["requests"]),
        ({"seen": None}, ["requests"]),
        ({"seen": 0}, ["requests"]),
        ({"days": 3.0, "percent": 50, "requests": 7}, ["day", "share", "requests"]),
    ],
)
def test_what_is_against_a_deletion(given: dict[str, Any], against: list[str]):
    assert ids(**given) == against


def test_no_data_is_told_apart_from_requests():
    said = [find_reasons(PLAN, snapshot(**g))[0].text for g in ({"minutes": 0}, {"requests": 7})]
    assert "no data is not zero" in said[0]
    assert "took 7 requests" in said[1]


def request(**fields: Any) -> Request:
    return Request("c1", Author("ann", "b1"), NOW, **fields)


def test_the_service_goes_before_its_images():
    change = retire(PLAN, CANDIDATE, snapshot(), request())
    assert change.steps[1:] == (
        DeleteService("ion-api", "e1", 100),
        DeleteImages("ion-api", CANDIDATE.images),
    )


def test_without_images_of_its_own_only_the_service_goes():
    change = retire(PLAN, Candidate("ion-api", "e1"), snapshot(), request())
    assert [type(step) for step in change.steps] == [KeepRecord, DeleteService]


def test_a_record_that_rides_on_legacy_is_kept_on_canary_first():
    change = retire(PLAN, CANDIDATE, snapshot(), request())
    keep = change.steps[0]
    assert isinstance(keep, KeepRecord)
    record = snapshot().traffic.record
    assert (keep.service, keep.record.stage, keep.record.change) == ("ion-api-canary", 5, "c1")
    assert record is not None
    assert keep.record.entered_at == record.entered_at


def test_a_record_that_rides_elsewhere_stays_there():
    plan = with_router(PLAN, kind="url-map")
    assert isinstance(retire(plan, CANDIDATE, snapshot(), request()).steps[0], DeleteService)


def test_what_is_against_it_refuses_it_and_names_it():
    change = retire(PLAN, CANDIDATE, snapshot(days=3.0, requests=7), request())
    with pytest.raises(GateNotMet, match="day, requests"):
        authorize(change, snapshot(), read_only=False)
    with pytest.raises(GateNotMet, match="day, requests"):
        authorize_intent(change)


def test_force_with_a_reason_overrides_and_is_recorded():
    change = retire(PLAN, CANDIDATE, snapshot(days=3.0), request(forced=True, reason="closing"))
    authorize(change, snapshot(), read_only=False)
    authorize_intent(change)
    assert (change.forced, change.reason, change.evidence.gates_unmet) == (
        True,
        "closing",
        ("day",),
    )


def test_force_without_a_reason_does_not():
    change = retire(PLAN, CANDIDATE, snapshot(days=3.0), request(forced=True))
    with pytest.raises(UsageError):
        authorize(change, snapshot(), read_only=False)


def test_read_only_refuses_it():
    change = retire(PLAN, CANDIDATE, snapshot(), request())
    with pytest.raises(ReadOnly):
        authorize(change, snapshot(), read_only=True)


def test_between_revisions_of_one_service_there_is_nothing_to_delete():
    with pytest.raises(UsageError, match="no Legacy service"):
        check_retirable(with_router(PLAN, kind="revisions"))
