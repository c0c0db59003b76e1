"""Freezes: by weekday and wall clock, to the second, through both changes of the clocks."""

from __future__ import annotations

from datetime import datetime

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan import freeze as freezes
from canary.rollout.plan.file import parse_plan
from canary.rollout.plan.freeze import Freeze, Frozen, find_freeze
from tests.rollout.build import BARE_PLAN

BERLIN = "Europe/Berlin"
WEEKEND = (
    Freeze(("fri",), "16:00", "24:00", BERLIN, "weekend"),
    Freeze(("sat", "sun"), zone=BERLIN, name="weekend"),
)


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def end(*frozen: Freeze, now: str) -> str | None:
    """When the freeze at `now` ends, as UTC; None: there is none."""
    found = find_freeze(frozen, at(now))
    if found is None or found.until is None:
        return None
    return datetime.fromtimestamp(found.until, tz=datetime.fromisoformat(now).tzinfo).isoformat()


def test_it_holds_from_its_first_second_on_and_not_at_its_last() -> None:
    assert find_freeze(WEEKEND, at("2026-11-27T15:59:59.999+01:00")) is None
    over = at("2026-11-30T00:00+01:00")
    assert find_freeze(WEEKEND, at("2026-11-27T16:00+01:00")) == Frozen(over, "weekend")
    assert find_freeze(WEEKEND, over - 0.001) == Frozen(over, "weekend")
    assert find_freeze(WEEKEND, over) is None


def test_a_night_belongs_to_the_day_on_which_it_begins() -> None:
    nights = Freeze(("mon",), "22:00", "06:00", "UTC")
    assert end(nights, now="2026-11-30T22:00+00:00") == "2026-12-01T06:00:00+00:00"
    assert end(nights, now="2026-12-01T05:59:59+00:00") == "2026-12-01T06:00:00+00:00"
    assert end(nights, now="2026-12-01T22:00+00:00") is None


def test_a_weekend_in_which_clocks_go_back_is_an_hour_longer() -> None:
    begins, over = at("2026-10-24T00:00+02:00"), at("2026-10-26T00:00+01:00")
    whole = (Freeze(("sat", "sun"), zone=BERLIN),)
    assert over - begins == 49 * 3600
    assert find_freeze(whole, begins) == Frozen(over, "")
    assert find_freeze(whole, begins - 1) is None
    assert find_freeze(whole, over) is None


def test_a_time_that_there_is_twice_is_frozen_from_its_first_to_its_last() -> None:
    # 02:30 is at 00:30Z (summer) and at 01:30Z on 25 October.
    twice = Freeze(("sun",), "02:30", "02:45", BERLIN)
    assert end(twice, now="2026-10-25T00:30+00:00") == "2026-10-25T01:45:00+00:00"
    assert end(twice, now="2026-10-25T00:29:59+00:00") is None
    assert end(twice, now="2026-10-25T01:45+00:00") is None


def test_a_time_that_is_skipped_is_the_moment_of_the_change() -> None:
    # Clocks go from 02:00 to 03:00 at 01:00Z on 29 March.
    skipped = Freeze(("sun",), "02:30", "03:30", BERLIN)
    assert end(skipped, now="2026-03-29T01:00+00:00") == "2026-03-29T01:30:00+00:00"
    assert end(skipped, now="2026-03-29T00:59:59+00:00") is None
    inside = Freeze(("sun",), "02:15", "02:45", BERLIN)
    assert end(inside, now="2026-03-29T01:00+00:00") is None  # it takes no time at all


def test_windows_without_a_gap_are_one_and_a_whole_week_has_no_end() -> None:
    morning, evening = Freeze(ends="12:00"), Freeze(begins="12:00", ends="13:00")
    assert end(morning, evening, now="2026-11-27T08:00+00:00") == "2026-11-27T13:00:00+00:00"
    assert find_freeze((Freeze(),), at("2026-11-27T08:00+00:00")) == Frozen(None, "")
    assert find_freeze((), at("2026-11-27T08:00+00:00")) is None


def test_a_zone_that_this_host_does_not_know_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freezes, "find_zone", lambda _: None)
    found = find_freeze(WEEKEND, at("2026-11-25T08:00+00:00"))
    assert found is not None
    assert found.until is None
    assert BERLIN in found.why


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ('days = ["friday"]', 'freeze[0].days[0] is "friday"'),
        ("days = []", "freeze[0].days is empty"),
        ('days = "fri"', "freeze[0].days is"),
        ('begins = "25:00"', "freeze[0].begins is"),
        ('begins = "16:00"\nends = "16:00"', "freeze[0].ends is"),
        ('begins = "24:00"', "freeze[0].begins is"),
        ('zone = "Europe/Berln"', "freeze[0].zone is"),
        ('zone = "/etc/passwd"', "freeze[0].zone is"),
        ("until = 3", "freeze[0].until is not a key of the plan"),
    ],
)
def test_a_mistake_in_a_freeze_is_one_sentence(written: str, said: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(f"{BARE_PLAN}\n[[freeze]]\n{written}\n", "canary.toml")
    assert said in caught.value.message


def test_the_example_of_the_shipped_plan_is_one() -> None:
    plan = parse_plan(
        f'{BARE_PLAN}\n[[freeze]]\nname = "weekend"\ndays = ["fri"]\nbegins = "16:00"\n'
        'ends = "24:00"\nzone = "Europe/Berlin"\n',
        "canary.toml",
    )
    assert plan.freeze == (Freeze(("fri",), "16:00", "24:00", BERLIN, "weekend"),)
