"""A feed of the evidence with an injected clock and windows that are drawn, without the network."""

from __future__ import annotations

from random import Random

from canary.engine.observe.event_log import EventLog
from canary.engine.observe.evidence_feed import EvidenceFeed
from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.rollout.plan.plan import Plan
from canary.store.evidence import EvidenceRecord
from tests.embedded import DEFAULT_PLAN
from tests.rollout.evidence.windows import BEGAN, drawn


class HandClock:
    """A clock that is set by hand."""

    speed = 1.0

    def __init__(self, at: float = BEGAN) -> None:
        self.at = at

    def now(self) -> float:
        return self.at


class Comparing:
    """A feed whose clock follows the windows that it is given."""

    def __init__(self, record: EvidenceRecord | None = None, plan: Plan = DEFAULT_PLAN) -> None:
        self.clock = HandClock()
        self.log = EventLog()
        self.feed = EvidenceFeed(plan, None, self.clock, self.log, record)

    def begin(self, percent: int = 5) -> None:
        self.feed.follow_split(BEGAN, percent, ())

    def run(
        self,
        rng: Random,
        begin: float,
        minutes: float,
        legacy: float = 0.005,
        canary: float = 0.005,
        requests_per_s: float = 100.0,
    ) -> None:
        """So many minutes of the request log from `begin` seconds after the change."""
        for index in range(int(minutes * 12)):
            window = drawn(rng, begin + 5 * index, requests_per_s, legacy, canary)
            self.clock.at = window.end + 3
            self.feed.take(window)


def minute(at: float, requests: int, bad: int, score: float = 0.85) -> Sample:
    """A sample of Cloud Monitoring that begins `at` seconds after the change."""
    return Sample(
        BEGAN + at,
        BEGAN + at + 60,
        Responses(ok_2xx=requests - bad, server_5xx=bad),
        confidence=Distribution((0.5, 1.0), (0, requests), requests, score, requests * 0.01),
    )
