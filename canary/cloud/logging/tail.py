"""Cloud Logging's tail of Cloud Run's request log: both sides on one stream, as windows of 5 s.

The only source that is seconds old. It has limits: ten streams a project, 60 000 entries a minute.
What the service left out, and what was lost while a stream was cut, marks windows as unfit; they
are handed out all the same, so that it can be shown. Above `MOST_PER_S` entries a real second a
sample is read; where the clock runs faster than real time the tail is off instead, because
there the processor is the limit and nobody waits for seconds.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import msgspec

from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import CloudClock
from canary.cloud.connection.errors import foreign_errors, status_of, translate
from canary.cloud.logging.entries import (
    RIGHT,
    ROLE,
    read_requests,
    side_of_request,
    tail_requests,
)
from canary.cloud.logging.instances import WarmUp
from canary.cloud.logging.lateness import Lateness
from canary.cloud.logging.windows import GRACE_S, MOVED, Windows
from canary.rollout.errors import (
    CanaryError,
    Denied,
    HostProblem,
    NotFound,
    QuotaExhausted,
    Rejected,
    Unavailable,
)
from canary.rollout.evidence.view import NOT_OPENED, TailView
from canary.rollout.evidence.window import EvidenceWindow
from canary.rollout.failures.requests import FailedRequest, FailureWindow
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

SOURCE: Final = "Cloud Logging"
MOST_PER_S: Final = 1_000.0
"""Entries a real second: the service's own limit, and about 2 % of a core."""

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
"""Between two attempts, real seconds; doubled each time, with jitter."""

STEADY_S: Final = 60.0
FAR_S: Final = 600.0
MEASURED_S: Final = 5.0
TAIL_OVER: Final = "OUT_OF_RANGE"
"""A stream ends so after an hour, and the same request may be repeated: no error. Source: gcloud's
own tailing (lib/googlecloudsdk/api_lib/logging/tailing.py); google-cloud-dotnet#7147."""

REOPENED: Final = "the stream of the request log was opened anew, as it is each hour"
CUT = "the stream of the request log was cut"
SUPPRESSED = "Cloud Logging left entries out"


class LogTail:
    """One plan's tail, through a Connection (which the caller closes). One `windows` at a time.

    `view` says how it stands at any moment; `monotonic` and `rng` are for pauses and their jitter.
    `on_failures` is told what failed in each window; None: nobody asks.
    """

    def __init__(
        self,
        connection: Connection,
        plan: Plan,
        clock: CloudClock,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random | None = None,
        on_failures: Callable[[FailureWindow], None] | None = None,
    ) -> None:
        self._on_failures = on_failures
        self._failing: list[FailedRequest] = []
        self._connection = connection
        self._plan = plan
        self._clock = clock
        self._monotonic = monotonic
        self._rng = rng or random.Random()
        self._off = NOT_OPENED
        self._trouble = ""
        self._sampled = 1.0
        self._rate: float | None = None
        self._suppressed = 0
        self._is_over = False
        self._late = 0
        self._lateness = Lateness()
        self._warm_up = WarmUp(plan.evidence.warm_up_minutes * 60.0)
        self._newest_at: float | None = None
        self._sides: tuple[str, str] | None = None
        self._moved = False

    @property
    def view(self) -> TailView:
        """How it stands now."""
        return TailView(
            off=self._off,
            trouble=self._trouble,
            limit_per_s=MOST_PER_S,
            rate_per_s=self._rate,
            sampled=self._sampled,
            suppressed=self._suppressed,
            late=self._late,
            newest_at=self._newest_at,
            waits_s=self._grace_s,
        )

    def follow_sides(self, candidate: str, stable: str) -> None:
        """Whose the revisions are from now on, where both sides share a service: a stream that is
        open goes on, and what it is amid is not judged.
        """
        if self._sides is None or not candidate or self._sides == (candidate, stable):
            return
        self._sides, self._moved = (candidate, stable), True

    async def windows(self, expected_per_s: float | None = None) -> AsyncIterator[EvidenceWindow]:
        """Yield windows, oldest first, for as long as it can be read; ends when it cannot.

        `expected_per_s`: requests a second of the cloud's clock, where Cloud Monitoring knows them.
        Cuts are mended here, with backoff. It ends, with `view.off` saying why, without the right,
        with all streams taken, and when it is off. Raises nothing of the cloud's.
        """
        if not self._may_open(expected_per_s):
            return
        pause_s = FIRST_PAUSE_S
        while True:
            begun, opened_at = self._monotonic(), self._clock.now()
            async for window in self._until_broken():
                yield window
            if self._off:
                return
            steady = self._monotonic() - begun >= STEADY_S
            if self._is_over and (steady or self._clock.now() - opened_at >= STEADY_S):
                pause_s = FIRST_PAUSE_S
                continue
            if steady:
                pause_s = FIRST_PAUSE_S
            await asyncio.sleep(pause_s * self._rng.uniform(0.5, 1.0))
            pause_s = min(LONGEST_PAUSE_S, pause_s * 2)

    async def _until_broken(self) -> AsyncIterator[EvidenceWindow]:
        """One stream's windows; what ended it is in `view` then."""
        self._is_over = False
        try:
            async for window in self._follow():
                yield window
        except Denied as error:
            message = sanitize(error.message, 300)
            if error.login_expired:
                self._connection.renew_login()
                self._trouble = message
            else:
                self._off = f"{message} It takes {RIGHT} ({ROLE})."
        except (Rejected, NotFound, QuotaExhausted, HostProblem) as error:
            self._off = sanitize(error.message, 300)
        except CanaryError as error:
            self._trouble = sanitize(error.message, 300)

    def _may_open(self, expected_per_s: float | None) -> bool:
        self._off, self._trouble = "", ""
        if expected_per_s is not None:
            self._fit(expected_per_s * self._clock.speed)
        return not self._off

    def _fit(self, per_s: float) -> None:
        """Sample, or go off, for so many entries a real second (all of them)."""
        self._rate = per_s
        if self._clock.speed > 1.0 and per_s > MOST_PER_S:
            self._off = (
                f"off, because {per_s:.0f} entries a second at ×{self._clock.speed:g} are more"
                f" than the {MOST_PER_S:.0f} that are read"
            )
            return
        # Some way below the limit, so that a busier minute is not suppressed at once; and more
        # again only where it is worth the cut of the stream.
        fits = 1.0 if per_s <= MOST_PER_S else 0.8 * MOST_PER_S / per_s
        if per_s * self._sampled > MOST_PER_S or fits > 2.0 * self._sampled:
            self._sampled = fits

    async def _follow(self) -> AsyncIterator[EvidenceWindow]:
        """One stream, from its opening to its end; raises what it ended with, translated."""
        await self._ask_sides()
        client, types = await self._connection.api("logs")
        requests, done = tail_requests(types, self._plan, self._sampled)
        self._warm_up.open(self._clock.now())
        windows = Windows(self._clock.now(), grace_s=self._grace_s, warm_up=self._warm_up)
        error: CanaryError | None = None
        gap = CUT
        try:
            call = await client.tail_log_entries(requests, retry=None, timeout=None)
            async for window in self._read(call, windows):
                yield self._hand_out(window)
        except foreign_errors() as exc:
            if status_of(exc)[0] == TAIL_OVER:
                gap, self._is_over = REOPENED, True
            else:
                error = translate(exc, SOURCE, "tailing the request log")
                error.__cause__ = exc
        finally:
            done.set()
        for window in windows.break_off(self._clock.now(), gap):
            yield self._hand_out(window)
        if error is not None:
            raise error

    async def _read(self, call: Any, windows: Windows) -> AsyncIterator[EvidenceWindow]:
        """Windows as they close, whether anything comes or not; ends with the stream."""
        answers, meter = aiter(call), _Meter(self._monotonic())
        waiting: asyncio.Future[Any] | None = None
        try:
            while not (self._off or meter.resample):
                waiting = waiting or asyncio.ensure_future(anext(answers, None))
                await asyncio.wait({waiting}, timeout=self._until_close(windows))
                if waiting.done():
                    answer, waiting = waiting.result(), None
                    if answer is None:
                        self._trouble = f"{SOURCE} has ended the stream."
                        return
                    self._take(type(answer).pb(answer), windows, meter)
                if self._moved:
                    windows.spoil(self._clock.now(), MOVED)
                    self._moved = False
                for window in windows.close(self._clock.now()):
                    yield window
        finally:
            if waiting is not None:
                waiting.cancel()
            call.cancel()

    @property
    def _grace_s(self) -> float:
        """The service's ordering, the way here, and on a fast clock half a real second of it;
        longer where entries are seen to come later.
        """
        least_s = GRACE_S + max(0.0, self._clock.speed - 1.0) * 0.5
        return max(least_s, self._lateness.wait_s)

    def _until_close(self, windows: Windows) -> float:
        left_s = windows.next_close_at - self._clock.now()
        return max(0.02, left_s / max(self._clock.speed, 1e-3))

    def _take(self, answer: Any, windows: Windows, meter: _Meter) -> None:
        self._trouble = ""
        side_of = side_of_request(self._plan, *(self._sides or (None, "")))
        now = self._clock.now()
        for request in read_requests(answer.entries, side_of, self._plan.failures.routes):
            self._lateness.add(now - request.ended_at)
            if request.failed is not None and self._on_failures is not None:
                self._failing.append(request.failed)
            windows.add(request)
        windows.grace_s = self._grace_s
        suppressed = sum(info.suppressed_count for info in answer.suppression_info)
        if suppressed:
            self._suppressed += suppressed
            windows.spoil(self._clock.now(), SUPPRESSED)
        self._measure(meter, len(answer.entries))

    def _measure(self, meter: _Meter, entries: int) -> None:
        """Watch the rate: the expected one may be unknown, or wrong by now."""
        rate = meter.add(entries, self._monotonic())
        if rate is None:
            return
        before = self._sampled
        self._fit(rate / self._sampled)
        meter.resample = self._sampled != before

    def _hand_out(self, window: EvidenceWindow) -> EvidenceWindow:
        self._late += window.late
        self._newest_at = window.end
        if self._on_failures is not None:
            self._on_failures(self._failures_of(window))
        return msgspec.structs.replace(window, sampled=self._sampled)

    def _failures_of(self, window: EvidenceWindow) -> FailureWindow:
        """What failed up to the end of a window; what is from a strange future is dropped."""
        due = tuple(r for r in self._failing if r.at <= window.end)
        self._failing = [r for r in self._failing if window.end < r.at <= window.end + FAR_S]
        return FailureWindow(
            window.start,
            window.end,
            window.legacy.requests + window.legacy.cold,
            window.canary.requests + window.canary.cold,
            due,
            self._sampled,
            window.unfit,
        )

    async def _ask_sides(self) -> None:
        """Note both sides' revisions, where they share a service."""
        self._sides, self._moved = None, False
        if not self._plan.target.shares_one_service:
            return
        from canary.cloud.run.client import RunClient

        found = await RunClient(self._connection, self._plan).sides()
        if not found.candidate:
            raise Unavailable("No revision has the candidate's tag.", source="Cloud Run")
        self._sides = found.candidate, found.stable


class _Meter:
    """Entries a real second, over a few seconds. `resample`: the stream must be opened anew."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._entries = 0
        self.resample = False

    def add(self, entries: int, now: float) -> float | None:
        """The rate, when it has been measured for long enough."""
        self._entries += entries
        if now - self._since < MEASURED_S:
            return None
        rate = self._entries / (now - self._since)
        self._since, self._entries = now, 0
        return rate
