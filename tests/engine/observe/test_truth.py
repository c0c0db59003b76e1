"""Whatever failed meanwhile, after recovery the snapshot equals that of a console that starts now
with an empty history.

The reader is the real one over a script of answers (`tests.engine.scripted`), so that any pattern
of failures, gaps, late points, restarts and changes can be tried.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.connection.clock import ScaledClock
from canary.cloud.monitoring.queries import ROLES, Role
from canary.cloud.views import ServiceState
from canary.engine.observe.observer import Observer
from canary.rollout.decision.tree import IDLE
from canary.rollout.snapshot.snapshot import Snapshot
from canary.store.history import History
from tests.engine.observed import service
from tests.engine.scripted import BEGIN, Fails, Script, ScriptedReader
from tests.long import examples
from tests.rollout.build import PLAN, record

TARGET = PLAN.target
RECOVERY_MIN = 14
"""After the last failure: longer than the latest point is late."""


class ScriptedRun:
    """The split of a script: stage 2 from the begin, one record a move."""

    def __init__(self, script: Script) -> None:
        self.minute = 0
        self._moves = script.moves

    async def service(self, name: str) -> ServiceState:
        if name != TARGET.legacy:
            return service(name)
        moved = [m for m in self._moves if m <= self.minute]
        stage = 2 + len(moved) % 2
        percent = PLAN.stage(stage).percent
        entered_at = float(BEGIN + 60 * moved[-1] if moved else BEGIN - 3600)
        return service(
            percent=percent,
            record=record(stage, entered_at=entered_at, percent=percent),
            updated_at=entered_at,
        )


class Console:
    """An observer on a script; `history` None: it keeps nothing."""

    def __init__(self, script: Script, history: History | None) -> None:
        self.reader, self.run = ScriptedReader(PLAN, script), ScriptedRun(script)
        self.clock = ScaledClock(float(BEGIN), 0.0, 0.0, lambda: 0.0)
        self.observer = Observer(PLAN, self.run, self.reader, history, None, self.clock)
        self.log = self.observer.log

    async def look(self, minute: int) -> Snapshot:
        """As the poll loop: the newest minutes, then what of the past is missing."""
        now = BEGIN + 60.0 * minute
        self.clock.follow(now, 0.0)
        self.reader.now, self.run.minute = now, minute
        await self.observer.refresh()
        if self.observer.needs_backfill:
            async for _ in self.observer.backfill():
                pass
        return self.observer.judge()


async def watched(script: Script, minutes: int, since: int = 0) -> Snapshot:
    """What a console shows that was there all the time, but for the restarts."""
    with tempfile.TemporaryDirectory() as directory:
        history = History(Path(directory) / "history.db")
        console = Console(script, history)
        for minute in range(since, minutes):
            if minute in script.restarts:
                console = Console(script, history)
                console.clock.follow(BEGIN + 60.0 * minute, 0.0)
                console.observer.load_history()
            await console.look(minute)
        snapshot = await console.look(minutes)
        history.close()
    return snapshot


async def fresh(script: Script, minutes: int) -> Snapshot:
    """What a console shows that starts now."""
    return await Console(script, None).look(minutes)


def told(snapshot: Snapshot) -> dict[str, Any]:
    """What a snapshot says of the rollout; not how the sources were, nor what was logged."""
    names = ("stage", "traffic", "legacy", "canary", "decision", "gates", "alerts", "backfilled")
    return {name: getattr(snapshot, name) for name in names}


MINUTES = st.integers(0, 150)
SPANS = st.tuples(MINUTES, st.integers(1, 100)).map(lambda s: (s[0], s[0] + s[1]))
ROLE = st.sampled_from(ROLES)
FAILS = st.builds(
    lambda roles, span: Fails(frozenset(roles), *span),
    st.one_of(st.sets(ROLE, min_size=1, max_size=3), st.just(set(ROLES))),
    SPANS,
)
SIDE = st.sampled_from([TARGET.legacy, TARGET.canary])
LATE = st.dictionaries(st.tuples(SIDE, ROLE, MINUTES), st.integers(60, 420), max_size=12)
SCRIPTS = st.builds(
    Script,
    fails=st.lists(FAILS, max_size=4).map(tuple),
    bursts=st.lists(SPANS, max_size=2).map(tuple),
    silent=st.lists(st.tuples(SIDE, MINUTES, MINUTES), max_size=2).map(tuple),
    late=LATE,
    spoilt=st.lists(st.tuples(SIDE, MINUTES, st.integers(0, 5)), max_size=2).map(
        lambda found: tuple((s, m, m + 4 + d) for s, m, d in found)
    ),
    restarts=st.frozensets(MINUTES, max_size=3),
    moves=st.lists(MINUTES, max_size=2, unique=True).map(lambda m: tuple(sorted(m))),
    absent=st.sampled_from([frozenset[Role](), frozenset[Role]({"confidence"})]),
)


@examples(4, 60)
@given(script=SCRIPTS)
async def test_after_any_recovery_the_snapshot_is_that_of_a_console_that_starts_now(
    script: Script,
) -> None:
    last = max((f.last for f in script.fails), default=0)
    minutes = max(last, 150) + RECOVERY_MIN
    assert told(await watched(script, minutes)) == told(await fresh(script, minutes))


RESPONSES, LATENCY = frozenset[Role]({"responses"}), frozenset[Role]({"latency"})
EVERY = frozenset(ROLES)
CASES = {
    "one metric fails over a burst": Script(
        fails=(Fails(RESPONSES, 100, 120),), bursts=((102, 112),)
    ),
    "for longer than is asked for at once": Script(
        fails=(Fails(RESPONSES, 20, 140),), bursts=((80, 100),)
    ),
    "and the console begins again": Script(
        fails=(Fails(RESPONSES, 60, 120),), bursts=((90, 100),), restarts=frozenset({118})
    ),
    "both that are judged": Script(
        fails=(Fails(RESPONSES | LATENCY, 60, 120),), bursts=((90, 100),), restarts=frozenset({130})
    ),
    "all of it, and a restart": Script(
        fails=(Fails(EVERY, 60, 120),), bursts=((90, 100),), restarts=frozenset({121})
    ),
    "beside one that never answers": Script(
        fails=(Fails(RESPONSES, 100, 120),),
        bursts=((102, 112),),
        absent=frozenset[Role]({"confidence"}),
    ),
    "one value turns out to be none": Script(spoilt=((TARGET.canary, 138, 144),)),
    "late points, and a restart": Script(
        late={(TARGET.canary, "responses", m): 420 for m in range(90, 120)},
        restarts=frozenset({121}),
        bursts=((90, 120),),
    ),
}


@pytest.mark.parametrize("case", list(CASES))
async def test_a_metric_that_failed_alone_is_fetched_when_it_answers(case: str) -> None:
    """20 minutes of failing request_count once showed an error ratio of 0.0 afterwards."""
    script, minutes = CASES[case], 150
    before = min([f.first for f in script.fails] + [m for _, m, _ in script.spoilt] + [90]) - 20
    seen, expected = await watched(script, minutes, before), await fresh(script, minutes)
    assert told(seen) == told(expected)
    ratio = seen.canary.criteria_window.error_ratio
    assert ratio is not None
    assert ratio > 0.02 or case == "one value turns out to be none"


async def test_a_metric_that_is_not_there_is_said_once_and_holds_nothing_up() -> None:
    console = Console(Script(absent=frozenset[Role]({"confidence"})), None)
    for minute in range(5, 25):
        snapshot = await console.look(minute)
    assert not console.observer.needs_backfill
    assert {s.name: s.state for s in snapshot.sources}["Cloud Monitoring"] == "ok"
    said = [e.text for e in console.log.events if "Cannot find metric" in e.text]
    assert len(said) == 1
    assert "confidence is shown as no data" in said[0]
    assert snapshot.canary.window.confidence is None


async def test_a_metric_that_fails_beside_those_that_are_judged_does_not_hold_up_the_past() -> None:
    console = Console(Script(fails=(Fails(frozenset[Role]({"cpu"}), 0, 999),)), None)
    snapshot = await console.look(30)
    assert not console.observer.needs_backfill
    assert snapshot.backfilled
    assert {s.name: s.state for s in snapshot.sources}["Cloud Monitoring"] == "failing"


async def test_a_point_of_the_past_that_cannot_be_used_does_not_keep_the_past_open() -> None:
    console = Console(Script(spoilt=((TARGET.canary, 3, 0),)), None)
    await console.look(200)
    assert not console.observer.needs_backfill


async def test_the_watch_is_idle_from_a_change_of_the_split_on() -> None:
    """After a rollback to 0 % no sample ever comes that would end it."""
    console = Console(Script(bursts=((60, 90),), moves=(80,)), None)
    before = await console.look(79)
    after = await console.look(80)
    assert before.decision.watch is not None
    assert before.decision.watch.since is not None
    assert after.decision.watch == IDLE
