"""The alarm: each turn of the readiness once, and nothing that only nobody has asked about yet."""

from __future__ import annotations

import msgspec
import pytest

from canary.engine.observe.event_log import EventLog
from canary.engine.observe.transitions import ReadinessAlarm, readiness_notice
from canary.rollout.decision.readiness import Check, Readiness
from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes

OK = Readiness("ok", (Check("target", "ok", "It is there."),))
UNKNOWN = Readiness("degraded", (Check("target", "degraded", "Not known yet.", known=False),))
TIGHT = Readiness("degraded", (Check("instances", "degraded", "May run 1 instance."),))
GONE = Readiness("impossible", (Check("target", "impossible", "It is gone."),))


def at(readiness: Readiness) -> Snapshot:
    return msgspec.structs.replace(scenes.snapshot(), readiness=readiness)


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ((OK, UNKNOWN, OK), []),
        ((OK, TIGHT, TIGHT), ["roll back all is possible, but: May run 1 instance."]),
        ((OK, UNKNOWN, TIGHT), ["roll back all is possible, but: May run 1 instance."]),
        (
            (GONE, UNKNOWN, OK),
            [
                "ALARM: roll back all is NOT possible now: It is gone.",
                "roll back all is possible again",
            ],
        ),
    ],
)
def test_it_says_what_turned_and_not_what_is_not_known_yet(
    seen: tuple[Readiness, ...], said: list[str]
) -> None:
    log = EventLog()
    alarm = ReadinessAlarm(log)
    for readiness in seen:
        alarm.look(at(readiness))
    assert [event.text for event in log.events] == said


def test_what_is_not_known_yet_is_not_told_to_others_as_possible_again() -> None:
    assert readiness_notice("impossible", at(UNKNOWN)) is None
    notification = readiness_notice("impossible", at(OK))
    assert notification is not None
    assert "possible again" in notification.text
