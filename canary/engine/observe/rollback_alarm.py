"""The alarm before it is needed: roll back all would not work just now."""

from __future__ import annotations

from canary.engine.observe.event_log import EventLog
from canary.rollout.decision.readiness import ReadinessState
from canary.rollout.export.notification import Notification, place_of
from canary.rollout.snapshot.snapshot import Snapshot


class ReadinessAlarm:
    """Says each turn of the readiness in the event log, once. What is only not known yet turns
    nothing: every change makes a revision that nobody has asked about for a moment.
    """

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._state: ReadinessState | None = None

    def look(self, snapshot: Snapshot) -> bool:
        """Say what has turned since the last look. True when something was said."""
        readiness = snapshot.readiness
        if readiness is None or readiness.state == self._state or readiness.is_only_unknown:
            return False
        was, self._state = self._state, readiness.state
        why = " ".join(readiness.reasons)
        if readiness.state == "impossible":
            text = f"ALARM: roll back all is NOT possible now: {why}"
            self._log.say(snapshot.as_of, "critical", text)
        elif was == "impossible":
            but = f", but: {why}" if why else ""
            self._log.say(snapshot.as_of, "good", f"roll back all is possible again{but}")
        elif readiness.state == "degraded" and was == "ok":
            self._log.say(snapshot.as_of, "warning", f"roll back all is possible, but: {why}")
        else:
            return False
        return True


def readiness_notice(before: ReadinessState | None, snapshot: Snapshot) -> Notification | None:
    """Notify others when roll back all has become impossible, or possible again."""
    readiness = snapshot.readiness
    if readiness is None or readiness.state == before or readiness.is_only_unknown:
        return None
    place = place_of(snapshot.rollout, snapshot.project, snapshot.provider)
    if readiness.state == "impossible":
        why = " ".join(readiness.reasons)
        text = f"{place}: roll back all is NOT possible now: {why}"
        return Notification("readiness impossible", text, "critical")
    if before == "impossible":
        return Notification("", f"{place}: roll back all is possible again", "good")
    return None
