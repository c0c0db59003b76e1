"""What one short window showed of both sides: the unit that the evidence is advanced by.

Windows come from the request log (a few seconds each) or from Cloud Monitoring (a minute or more);
the statistics see no difference, because each window is a stratum of its own.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from canary.rollout.evidence.ratio import Counts
from canary.rollout.measure.samples import Distribution, Responses, Sample

WindowSource = Literal["tail", "monitoring"]

_GROWTH: Final = 2.0**0.25
LATENCY_BOUNDS_MS: Final[tuple[float, ...]] = tuple(round(_GROWTH**i, 6) for i in range(80))
"""Bucket bounds for latencies that come one by one: 1 ms to 15 min, each 19 % above the last."""


class SideWindow(msgspec.Struct, frozen=True):
    """One side in one window.

    `requests` are all answers, `bad` the 5xx and the refused among them. `refused` found no
    instance; only the request log has them. `latency` in ms, of those that an instance answered;
    None: not known. `revisions` are those that answered, sorted; empty where the source does not
    say. `answers` are the log's, by class, to be compared with Cloud Monitoring's; None: not known
    any more. `cold` are requests of new instances, which are in no other count but `answers`.
    """

    requests: int = 0
    bad: int = 0
    latency: Distribution | None = None
    revisions: tuple[str, ...] = ()
    refused: int = 0
    answers: Responses | None = None
    cold: int = 0


class EvidenceWindow(msgspec.Struct, frozen=True):
    """Both sides in (start, end], unix seconds of the cloud's clock.

    `unfit` says why the window must not be judged although it was seen ("" : it may be): the
    source left entries out, or the stream was cut inside it. `late` counts entries of earlier
    windows that came too late to be counted anywhere; `too_late` are the begins of the windows
    that miss so many of them that they must not be judged after all. `sampled` is the share of the
    log that was read, 0…1.
    """

    start: float
    end: float
    source: WindowSource
    legacy: SideWindow = SideWindow()
    canary: SideWindow = SideWindow()
    unfit: str = ""
    late: int = 0
    too_late: tuple[float, ...] = ()
    sampled: float = 1.0

    @property
    def is_empty(self) -> bool:
        """Whether no request of either side was seen."""
        return not self.legacy.requests and not self.canary.requests

    @property
    def errors(self) -> Counts:
        """The 5xx of both sides, for the ratio test."""
        legacy, canary = self.legacy, self.canary
        return Counts(
            self.start, self.end, legacy.requests, canary.requests, legacy.bad, canary.bad
        )

    def slow(self, bound_ms: float) -> Counts | None:
        """Requests slower than the first bucket bound that is not below `bound_ms`.

        None when a side has no latencies or the sides' buckets differ. Any bound that was chosen
        without looking at the window is a fair one, so a source with other buckets may round it.
        """
        legacy, canary = self.legacy.latency, self.canary.latency
        if legacy is None or canary is None or legacy.bounds != canary.bounds:
            return None
        first = next((i for i, b in enumerate(legacy.bounds) if b >= bound_ms), None)
        if first is None:
            return None
        return Counts(
            self.start,
            self.end,
            legacy.count,
            canary.count,
            sum(legacy.counts[first + 1 :]),
            sum(canary.counts[first + 1 :]),
        )


def window_of_samples(legacy: Sample, canary: Sample) -> EvidenceWindow | None:
    """The window of two samples of the same time; None where a side's requests are not known."""
    if legacy.responses is None or canary.responses is None:
        return None
    if (legacy.start, legacy.end) != (canary.start, canary.end):
        return None
    sides = [
        SideWindow(s.responses.total, s.responses.failed, s.latency)
        for s in (legacy, canary)
        if s.responses is not None
    ]
    return EvidenceWindow(legacy.start, legacy.end, "monitoring", sides[0], sides[1])


def slow_bound_ms(latency: Distribution) -> float | None:
    """The first bucket bound at or above the 95th percentile; None without values."""
    p95 = latency.percentile(0.95)
    if p95 is None:
        return None
    return next((b for b in latency.bounds if b >= p95), None)
