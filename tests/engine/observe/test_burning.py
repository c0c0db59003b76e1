"""A burning objective is said once in the event log and once to others, and its end too."""

from __future__ import annotations

import msgspec
import pytest

from canary.engine.observe.burning import BurnAlarm, BurnMemory
from canary.engine.observe.event_log import EventLog
from canary.rollout.export.notification import burn_notice
from canary.rollout.measure.burn import Burn, BurnPair, BurnWindow, find_burn
from canary.rollout.measure.samples import Responses, Sample
from tests.rollout.build import NOW, snapshot

WINDOW = BurnWindow(3600.0, 12_000, 240, 1_200, 180, True)


def at(burns: bool | None):
    burn = Burn(0.999, (BurnPair("14.4", "page", WINDOW, WINDOW, burns),), NOW)
    return msgspec.structs.replace(snapshot(), burn=burn)


def test_each_turn_is_said_once_and_not_knowing_ends_nothing() -> None:
    log = EventLog()
    alarm = BurnAlarm(log)
    said = [alarm.look(at(burns)) for burns in (False, True, True, None, True, False)]
    assert said == [False, True, False, False, False, True]
    first, last = log.events
    assert (first.severity, last.severity) == ("critical", "good")
    assert first.text.startswith("SLO: burns 20.0× over 1 h")


@pytest.mark.parametrize(("burns", "tells"), [(True, True), (False, False), (None, False)])
def test_others_are_told_while_it_burns(burns: bool | None, tells: bool) -> None:
    notice = burn_notice(at(burns), "ion-api")
    assert (notice is not None) == tells


def test_without_an_objective_nothing_is_said() -> None:
    log = EventLog()
    assert not BurnAlarm(log).look(snapshot())
    assert burn_notice(snapshot(), "ion-api") is None


def test_what_was_found_is_found_again_until_anything_is_another() -> None:
    memory = BurnMemory()
    responses = Responses(ok_2xx=985, server_5xx=15)
    samples = tuple(Sample(NOW - 60 * (i + 1), NOW - 60 * i, responses) for i in range(70, -1, -1))
    first = memory.find(0.999, 100, samples, ())
    assert memory.find(0.999, 100, samples, ()) is first
    assert memory.find(0.999, 100, samples, (), is_blind=True).worst is None
    assert memory.find(0.999, 100, samples[1:], ()) == find_burn(0.999, 100, samples[1:], ())
    assert memory.find(0.99, 100, samples, ()).objective == 0.99
