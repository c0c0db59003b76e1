"""Once Legacy is deleted, Canary stands in for it, and its absence is no failure."""

from typing import Any

import msgspec
import pytest

from canary.engine.observe.run_feed import find_retired
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.errors import NotFound, Unavailable
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embedded

ENDED = StageRecord(5, 100, 1_760_000_000.0, enabled=False, production_service="ion-api-canary")
GONE = NotFound("no such service")


async def canary(cloud: Embedded, record: StageRecord | None) -> Any:
    state = await cloud.run.service("ion-api-canary")
    return msgspec.structs.replace(state, record=record)


async def test_canary_stands_in_with_the_records_share(embedded: Embedded):
    state = await canary(embedded, ENDED)
    found = find_retired(DEFAULT_PLAN, {"ion-api": GONE, "ion-api-canary": state})
    assert found == msgspec.structs.replace(state, percent=100)


async def test_a_split_by_url_map_tells_its_own_share(embedded: Embedded):
    state = msgspec.structs.replace(await canary(embedded, ENDED), percent=99)
    assert find_retired(MAP_PLAN, {"ion-api": GONE, "ion-api-canary": state}) == state


@pytest.mark.parametrize(
    "record",
    [
        None,
        msgspec.structs.replace(ENDED, enabled=True),
        msgspec.structs.replace(ENDED, production_service="other"),
    ],
)
async def test_without_an_ended_record_a_missing_legacy_is_a_failure(
    embedded: Embedded, record: StageRecord | None
):
    answers = {"ion-api": GONE, "ion-api-canary": await canary(embedded, record)}
    assert find_retired(DEFAULT_PLAN, answers) is None


async def test_a_legacy_that_only_does_not_answer_is_not_gone(embedded: Embedded):
    answers = {"ion-api": Unavailable("away"), "ion-api-canary": await canary(embedded, ENDED)}
    assert find_retired(DEFAULT_PLAN, answers) is None
