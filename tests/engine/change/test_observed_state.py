"""What a service shows of a step that may or may not have arrived."""

import msgspec

from canary.engine.change.observed_state import find_observed_state
from canary.rollout.change.change import Guard, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from tests.embedded import Embedded
from tests.engine.carried import router_service


async def test_a_revert_of_somebody_elses_is_newer_by_the_time_at_which_it_was_written(
    embedded: Embedded,
):
    """A revert keeps the time at which its stage was entered, which lies before any question."""
    state = await router_service(embedded)
    asked_at = embedded.now
    reverted = StageRecord(
        2, 10, asked_at - 3600, change="theirs", move="revert", moved_at=asked_at + 30
    )
    state = msgspec.structs.replace(state, percent=10, record=reverted, history=())
    ours = StageRecord(3, 25, asked_at, change="ours", move="promote")
    step = SetTraffic(state.name, 10, 25, ours, Guard(state.name, state.etag, 10))
    assert find_observed_state(step, state, asked_at) == "foreign"
    before = msgspec.structs.replace(reverted, moved_at=asked_at - 30)
    unmoved = msgspec.structs.replace(state, record=before)
    assert find_observed_state(step, unmoved, asked_at) == "absent"
