"""Requests that found no instance: they count in the samples, which Monitoring's do not."""

import asyncio
from contextlib import aclosing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.logging.tail import LogTail
from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.engine.observe.refusals import Refusals
from canary.rollout.evidence.window import EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Responses, Sample
from canary.store.evidence import EvidenceRecord
from tests.embedded import embed
from tests.engine.watching import Watching

MINUTE = 60.0


def minute(index: int, **responses: int) -> Sample:
    return Sample(index * MINUTE, (index + 1) * MINUTE, Responses(**responses))


def window(end: float, refused: int, sampled: float = 1.0) -> EvidenceWindow:
    return EvidenceWindow(
        end - 5, end, "tail", canary=SideWindow(refused, refused, refused=refused), sampled=sampled
    )


def test_they_are_added_to_the_minute_in_which_they_were_refused():
    refusals = Refusals()
    samples = (minute(0, ok_2xx=10), minute(1, ok_2xx=10))
    refusals.note(window(60.0, 4))
    refusals.note(window(65.0, 6))
    refusals.note(window(65.0, 6))  # read again from the record
    first, second = refusals.overlay("canary", samples, ())
    assert first.responses == Responses(ok_2xx=10, refused=4)
    assert second.responses == Responses(ok_2xx=10, refused=6)
    assert second.responses.error_ratio == 6 / 16


def test_a_side_that_refuses_all_fails_and_is_not_without_data():
    refusals = Refusals()
    refusals.note(window(65.0, 6))
    legacy = (minute(0, ok_2xx=90), minute(1, ok_2xx=90))
    (found,) = refusals.overlay("canary", (), legacy)
    assert (found.start, found.responses.error_ratio) == (60.0, 1.0)


def test_without_any_the_samples_are_the_same_object():
    samples = (minute(0, ok_2xx=10),)
    assert Refusals().overlay("canary", samples, ()) is samples


def test_a_sampled_log_stands_for_all_of_it():
    refusals = Refusals()
    refusals.note(window(60.0, 4, 0.1))
    (found,) = refusals.overlay("canary", (minute(0, ok_2xx=60),), ())
    assert found.responses.refused == 40


def test_ongoing_refusals_are_said_now_and_then():
    refusals = Refusals()
    said = [refusals.note(window(5.0 * i, 3)) for i in range(1, 241)]
    assert "for want of an instance" in said[0]
    assert sum(bool(one) for one in said) == 2  # 20 minutes


@given(
    st.lists(st.integers(0, 9), max_size=12, unique=True),
    st.lists(st.tuples(st.integers(1, 120), st.integers(1, 50)), max_size=20),
)
def test_every_refusal_within_a_known_minute_counts_once(minutes, seen):
    refusals, counted = Refusals(), {}
    for step, count in seen:
        refusals.note(window(5.0 * step, count))
        counted[5.0 * step] = count
    canary = tuple(minute(i, ok_2xx=7) for i in sorted(minutes))
    legacy = tuple(minute(i, ok_2xx=90) for i in range(10))
    found = refusals.overlay("canary", canary, legacy)
    assert sum(s.responses.refused for s in found) == sum(counted.values())
    assert sum(s.responses.ok_2xx for s in found) == 7 * len(canary)
    assert [s.end for s in found] == sorted({s.end for s in found})


# A Canary without enough instances: every answer that it gives is well, and half of all callers
# get none. Source: shared/cloud.md, "no available instance".
STARVED = {"scenario": "latency", "scenario_params": {"factor": 16.0}, "percent": 50}


@pytest.mark.parametrize("again", [False, True], ids=["while it is seen", "by the next program"])
async def test_a_starved_canary_is_not_well(tmp_path, again):
    async with embed(requests_per_s=100.0, **STARVED) as cloud:
        record = EvidenceRecord(tmp_path / "evidence.db")
        tail = LogTail(cloud.connection, cloud.plan, cloud.clock)
        feed = EvidenceFeed(cloud.plan, tail, cloud.clock, EventLog(), record)
        watching = Watching(cloud, comparison=feed)
        await watching.observer.refresh()
        async with aclosing(feed.follow_tail(None)) as windows:

            async def pass_time() -> None:
                while True:
                    await asyncio.sleep(0.01)
                    cloud.advance(2.0)

            passing = asyncio.create_task(pass_time())
            async with asyncio.timeout(60):
                for _ in range(24):
                    await anext(windows)
            passing.cancel()
        feed.keep()
        cloud.advance(240)
        if again:
            feed = EvidenceFeed(cloud.plan, None, cloud.clock, EventLog(), record)
            feed.load()
            watching = Watching(cloud, comparison=feed)
        snapshot = await watching.observer.refresh()
        record.close()
    window = snapshot.canary.window
    assert window.refused > 0
    assert window.responses.server_5xx / window.requests < 0.02  # all that Monitoring shows
    assert window.error_ratio > 0.05
    assert snapshot.decision.verdict == "rollback_all"
    error_gate = next(g for g in snapshot.gates if g.id == "error_ratio")
    assert "refused for want of an instance" in error_gate.evidence
