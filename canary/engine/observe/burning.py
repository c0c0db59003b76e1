"""Says in the event log when the service begins to burn its error budget too fast, and ends to."""

from __future__ import annotations

from canary.engine.observe.event_log import EventLog, Severity
from canary.rollout.measure.burn import format_burn
from canary.rollout.snapshot.snapshot import Snapshot


class BurnAlarm:
    """Says each turn of the burn once. What is not known says nothing, and ends nothing."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._factor = ""

    def look(self, snapshot: Snapshot) -> bool:
        """Say what has turned since the last look. True when something was said."""
        burn = snapshot.burn
        if burn is None or all(pair.burns is None for pair in burn.pairs):
            return False
        worst = burn.worst
        factor = worst.factor if worst is not None else ""
        if factor == self._factor:
            return False
        self._factor = factor
        if worst is None:
            text = "SLO: the error budget is no longer burned too fast"
            self._log.say(snapshot.as_of, "good", text)
        else:
            severity: Severity = "critical" if worst.urgency == "page" else "warning"
            self._log.say(snapshot.as_of, severity, f"SLO: {format_burn(burn, worst)}")
        return True
