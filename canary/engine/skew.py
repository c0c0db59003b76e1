"""Says once when this host's clock is off, and once when it is right again."""

from __future__ import annotations

from canary.cloud.clock import CloudClock, SystemClock
from canary.engine.event_log import EventLog
from canary.rollout import words


class SkewWatch:
    """Compares what a SystemClock has learned from answers with what was said last."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._said = False

    def look(self, clock: CloudClock) -> None:
        """Write a line when it turns; the embedded cloud's clock is right by definition."""
        if not isinstance(clock, SystemClock) or clock.skew_s is None:
            return
        if bool(clock.skew_s) == self._said:
            return
        self._said = bool(clock.skew_s)
        if self._said:
            text = f"{skew_words(clock.skew_s)}: the console goes by the cloud's"
            self._log.say(clock.now(), "warning", text)
        else:
            self._log.say(clock.now(), "good", "this host's clock agrees with the cloud's again")


def skew_words(skew_s: float) -> str:
    """In words how this host's clock stands; `skew_s` is what the cloud's is ahead of it."""
    if not skew_s:
        return "this host's clock agrees with the cloud's"
    side = "behind" if skew_s > 0 else "ahead of"
    return f"this host's clock is {words.duration(round(abs(skew_s)))} {side} the cloud's"
