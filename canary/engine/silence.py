"""When nothing can be judged any more, and when it can again: said once each."""

from __future__ import annotations

from canary.engine.event_log import EventLog
from canary.rollout import words
from canary.rollout.snapshot import Snapshot, SourceState


class Silence:
    """Whether the last snapshot could be judged, and whether the log was told that it could not."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._blind: bool | None = None
        self._said = False

    def note(self, snapshot: Snapshot) -> None:
        """Remember how the snapshot that went out was."""
        self._blind = snapshot.decision.verdict == "no_data"

    def say(self, snapshot: Snapshot, metrics: SourceState, run: SourceState) -> bool:
        """Say when nothing can be judged any more, and when it can again. True when it was said.

        Turns between judged verdicts come from the replay, which finds the same after a restart.
        Before the first answer, and with nobody on Canary, silence is no news.
        """
        blind = snapshot.decision.verdict == "no_data"
        if blind == self._blind or "never" in (metrics, run):
            return False
        if snapshot.traffic.canary_percent == 0:
            return False
        if not blind and not self._said:
            return False
        self._said = blind
        verdict = words.verdict(snapshot.decision.verdict)
        text = f"{verdict}: {snapshot.decision.reason}" if blind else f"data again: {verdict}"
        self._log.say(snapshot.as_of, "warning" if blind else "info", text)
        return True
