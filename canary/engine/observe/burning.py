"""The error budget's burn: worked out once for the same samples, and said in the event log when it
begins to be too fast, and ends to.
"""

from __future__ import annotations

from collections.abc import Sequence

from canary.engine.observe.event_log import EventLog, Severity
from canary.rollout.measure.burn import Burn, find_burn, format_burn
from canary.rollout.measure.samples import Sample
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


class BurnMemory:
    """Remembers the burn of the samples that it saw last: a snapshot comes each second, a sample
    each minute, and three days of both sides are walked through for it.
    """

    def __init__(self) -> None:
        self._of: tuple[Sequence[Sample], Sequence[Sample], tuple[object, ...]] | None = None
        self._found: Burn | None = None

    def find(
        self,
        objective: float,
        min_requests: int,
        legacy: Sequence[Sample],
        canary: Sequence[Sample],
        *,
        is_blind: bool = False,
    ) -> Burn:
        """As `find_burn`; the same sequences are those of the last call, not equal ones."""
        asked, before = (objective, min_requests, is_blind), self._of
        if before is not None and self._found is not None:
            same = before[0] is legacy and before[1] is canary
            if same and before[2] == asked:
                return self._found
        found = find_burn(objective, min_requests, legacy, canary, is_blind=is_blind)
        self._of, self._found = (legacy, canary, asked), found
        return found
