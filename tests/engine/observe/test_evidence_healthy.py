"""Eight healthy hours, looked at every five seconds, through the engine's own feed: no alarm."""

from random import Random

import pytest

from tests.engine.comparing import Comparing
from tests.long import spread

HOURS = 8


@pytest.mark.parametrize("seed", spread(range(20), range(2)))
def test_eight_healthy_hours_never_alarm(seed):
    comparing = Comparing()
    comparing.begin()
    # Both sides alike: the hardest health there is, on which α is spent.
    comparing.run(Random(f"healthy/{seed}"), 60, HOURS * 60)
    view = comparing.feed.view(5)
    assert view.detected_at is None
    assert view.verdict not in ("rollback", "worse_now", "inconclusive")
    assert [e for e in comparing.log.events if e.severity == "critical"] == []
    assert view.judged_s == HOURS * 3600


@pytest.mark.parametrize("seed", spread(range(5), range(1)))
def test_after_eight_healthy_hours_a_sixfold_rise_is_worse_now_in_minutes_and_then_proven(seed):
    comparing = Comparing()
    comparing.begin()
    comparing.run(Random(f"late/{seed}"), 60, HOURS * 60)
    onset = comparing.clock.at
    comparing.run(Random(f"spike/{seed}"), 60 + HOURS * 3600, 15, canary=0.03)
    errors = comparing.feed.view(5).metrics[0]
    assert errors.worse_at is not None
    assert errors.worse_at - onset < 480
    assert errors.detected_at is not None
    assert errors.detected_at - onset < 900
