"""Random schedules of people, faults and kills: what must hold, holds.

The suite plays a few, the same each time; `pytest --long` plays a hundred that are new.

pytest tests/chaos --runs 2000            as many as that, new ones
pytest tests/chaos --chaos-seed 12345     the run of that seed again
"""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.chaos.machine import Chaos, Tally

STEPS = 25
SUITE_RUNS, SUITE_SEED = 12, 26
LONG_RUNS = 100


def test_whatever_happens_what_must_hold_holds(
    request: pytest.FixtureRequest, capsys: pytest.CaptureFixture[str], is_long: bool
) -> None:
    runs = request.config.getoption("--runs")
    shrink = request.config.getoption("--chaos-shrink")
    begun_with = request.config.getoption("--chaos-seed")
    if begun_with is None:
        begun_with = random.randrange(10**9) if is_long or runs else SUITE_SEED
    runs = runs or (LONG_RUNS if is_long else SUITE_RUNS)
    with capsys.disabled():
        print(f"\nchaos: {runs} schedules, --chaos-seed {begun_with}")  # noqa: T201
    Chaos.tally = tally = Tally()
    settled = settings(
        max_examples=runs,
        stateful_step_count=STEPS,
        deadline=None,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
        phases=[Phase.generate, *([Phase.shrink] if shrink else [])],
        suppress_health_check=list(HealthCheck),
    )
    try:
        with asyncio.Runner() as runner:
            Chaos.runner = runner
            run_state_machine_as_test(seed(begun_with)(Chaos), settings=settled)
    except BaseException as failure:
        # Under xdist nothing that is printed is seen.
        failure.add_note(f"chaos: again with --chaos-seed {begun_with} --runs {runs}; {tally}")
        raise
    finally:
        with capsys.disabled():
            print(f"chaos: {tally}")  # noqa: T201
    assert tally.effects
