"""The burn rate of the service: the workbook's pairs with worked numbers, and what is not known."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.errors import PlanError
from canary.rollout.measure.burn import Burn, BurnWindow, find_burn, format_burn, format_part
from canary.rollout.measure.samples import Responses, Sample
from canary.rollout.plan.file import parse_plan
from canary.rollout.snapshot.status import status_document
from tests.rollout.build import BARE_PLAN, NOW, PLAN, snapshot

HOUR = 3600.0


def side(hours: float, failed: int, total: int = 1000, *, period_s: float = 300.0):
    """Periods of five minutes up to NOW, each with as many requests, of which `failed` fail."""
    count = int(hours * HOUR / period_s)
    responses = Responses(ok_2xx=total - failed, server_5xx=failed)
    return tuple(
        Sample(NOW - (i + 1) * period_s, NOW - i * period_s, responses)
        for i in reversed(range(count))
    )


def burn(failed: int, hours: float = 73, **fields: object) -> Burn:
    """Legacy takes 1 000 requests each five minutes, and fails as often; Canary nothing."""
    return find_burn(0.999, 100, side(hours, failed), (), **fields)  # type: ignore[arg-type]


def burning(found: Burn) -> list[bool | None]:
    return [pair.burns for pair in found.pairs]


@pytest.mark.parametrize(
    ("failed", "expected"),
    [
        (0, [False, False, False]),
        (1, [False, False, False]),  # 0.1 % is the budget's own pace: 1.0×, and not beyond it
        (2, [False, False, True]),
        (6, [False, False, True]),  # 6.0×, and not beyond it
        (7, [False, True, True]),
        (14, [False, True, True]),  # 14.0×
        (15, [True, True, True]),  # 15.0×
    ],
)
def test_each_pair_burns_strictly_beyond_its_factor(
    failed: int, expected: list[bool | None]
) -> None:
    assert burning(burn(failed)) == expected


def test_14_point_4_is_not_beyond_14_point_4_and_one_more_failure_is() -> None:
    at = BurnWindow(HOUR, requests=10_000, failed=144)
    assert at.burn(0.999) == pytest.approx(14.4)
    assert not at.is_beyond(0.999, "14.4")
    assert msgspec.structs.replace(at, failed=145).is_beyond(0.999, "14.4")


def test_both_windows_must_burn() -> None:
    ended = side(73, 50)[:-1] + side(1 / 12, 0)
    found = find_burn(0.999, 100, ended, ())
    assert found.pairs[0].burns is False  # the last five minutes are well again
    begun = side(73, 0)[:-1] + side(1 / 12, 50)
    found = find_burn(0.999, 100, begun, ())
    assert found.pairs[0].short.burn(0.999) == pytest.approx(50)
    assert found.pairs[0].long.burn(0.999) == pytest.approx(50 / 12)
    assert found.pairs[0].burns is False


def test_too_few_requests_say_nothing() -> None:
    found = find_burn(0.999, 100, side(73, 1, total=3), ())
    assert found.pairs[0].burns is None
    assert found.pairs[0].why == "3 requests in 5 m, required 100"
    exactly = find_burn(0.999, 100, side(73, 50, total=100), ())
    assert exactly.pairs[0].burns is True


def test_what_does_not_reach_back_is_not_known() -> None:
    found = burn(15, hours=7)
    assert burning(found) == [True, True, None]
    assert "does not reach back 72 h" in found.pairs[2].why
    assert burning(burn(15, hours=0.5)) == [None, None, None]
    assert find_burn(0.999, 100, (), ()) == Burn(0.999, (), None)


def test_where_a_side_is_not_seen_nothing_is_said() -> None:
    found = burn(15, is_blind=True)
    assert burning(found) == [None, None, None]
    assert found.worst is None


def test_both_sides_count_and_canarys_part_is_told() -> None:
    legacy, canary = side(73, 5, total=900), side(73, 15, total=100)
    found = find_burn(0.999, 100, legacy, canary)
    worst = found.worst
    assert worst is not None
    assert (worst.factor, worst.long.requests, worst.long.failed) == ("14.4", 12_000, 240)
    assert format_burn(found, worst) == (
        "burns 20.0× over 1 h and 20.0× over 5 m of SLO 99.9 %;"
        " Canary's part: 75.0 % of 240 failed with 10.0 % of the requests"
    )
    assert format_part(BurnWindow(HOUR, 10)) == "nothing failed"


def test_the_contract_has_every_pair_with_what_is_not_known() -> None:
    shown = msgspec.structs.replace(snapshot(), burn=burn(15, hours=7))
    slo = status_document(shown, PLAN)["slo"]
    assert [pair["burns"] for pair in slo["pairs"]] == [True, True, None]
    assert slo["pairs"][0]["long"]["burn_rate"] == pytest.approx(15)
    assert status_document(snapshot(), PLAN)["slo"] is None


@pytest.mark.parametrize("written", ["objective = 99.9", "objective = 1", "objective = 0.4"])
def test_an_objective_is_a_ratio_below_one(written: str) -> None:
    with pytest.raises(PlanError) as caught:
        parse_plan(f"{BARE_PLAN}\n[slo]\n{written}\n", "canary.toml")
    assert "slo.objective is" in caught.value.message
    assert "as 0.999" in caught.value.message
