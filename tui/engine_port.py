"""What the screen needs of the engine, and how its words arrive: nothing of it is imported to draw.

`canary.engine.console.console.ConsoleEngine` fulfils the protocol. The screen's tests hand in an
object that emits snapshots; that stands for the engine's thread, not for the cloud.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Generic, Literal, Protocol, TypeVar

import msgspec
from textual.message import Message

from canary.rollout.change.change import Author, Change
from canary.rollout.evidence.metric_evidence import Metric
from canary.rollout.failures.lines import LinesView
from canary.rollout.failures.requests import FailedRequest
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView, ResultOf
from canary.rollout.trials.load_test import LoadTestSettings

if TYPE_CHECKING:
    from canary.rollout.recording.player import Recording

How = Literal["verify", "resume", "abandon"]
OnSnapshot = Callable[[Snapshot], None]
OnError = Callable[[str], None]
OnJobs = Callable[[JobsView], None]
OnLines = Callable[[LinesView], None]


class JobsPort(Protocol):
    """What the engine runs beside observing. Every method returns at once; any thread may call.

    What becomes of it is told through `OnJobs`, and as events.
    """

    def verify(self) -> None:
        """Verify the present split; one that runs is abandoned for it."""

    def stop(self) -> None:
        """End the verification and the load test that run here."""

    def acknowledge(self, what: ResultOf) -> None:
        """The last result of that has been seen."""

    def load_target(self) -> str:
        """Where a load test's requests would enter; "" while it is not known."""

    def start_load_test(self, settings: LoadTestSettings) -> None:
        """Begin a load test. Raises ReadOnly."""

    def run_ab_test(self) -> None:
        """Ask BigQuery, and write the analysis for the gate."""

    def look_at_retirement(self) -> None:
        """Look up what a retirement would delete."""

    def read_lines(self, request: FailedRequest, on_lines: OnLines) -> None:
        """Ask for the application's log lines about a request; `on_lines` is called from the
        engine's thread. They are kept nowhere.
        """

    def leave_lines(self) -> None:
        """Nobody waits for them any more."""

    def look_at_alerts(self) -> None:
        """Compare the alert policies with the plan."""

    def apply_alerts(self) -> None:
        """Write the alert policies as they were shown to differ. Raises ReadOnly."""

    def start_monitoring(self) -> int:
        """Start the monitoring loop; its process. Raises ReadOnly and RecordError."""

    def stop_monitoring(self) -> int | None:
        """Ask the loop to end; its process, None when none runs. Raises as `start_monitoring`."""

    def read_checklists(self) -> None:
        """Read the checklists anew."""

    def tick(self, stage: int, item: str, *, done: bool) -> None:
        """Tick an item of a stage's list, or take that back."""


class EnginePort(Protocol):
    """The engine as the screen sees it. Every method returns at once; any thread may call.

    `start` hands in three callbacks; they are called from the engine's thread. An error is one or
    two sentences for a person: what happened, what to do.
    """

    @property
    def author(self) -> Author:
        """Who asks for the changes of this console."""

    @property
    def procedure(self) -> JobsPort:
        """What it runs beside observing. Raises Unavailable before `start`."""

    def start(self, on_snapshot: OnSnapshot, on_error: OnError, on_procedure: OnJobs) -> None:
        """Begin to observe."""

    def stop(self) -> None:
        """End the observation; changes under way are the executor's and go on."""

    def submit(self, change: Change) -> None:
        """Hand a confirmed change over. Raises CanaryError when the intent cannot be kept."""

    def acknowledge(self, change_id: str) -> None:
        """Mark the outcome of a change as seen."""

    def recover(self, change_id: str, how: How) -> None:
        """Check the status of, resume or abandon a change whose end is not known.

        What was found comes as an event. Raises ReadOnly.
        """

    def withdraw(self, change_id: str) -> object:
        """Withdraw a change of which nothing is on its way; holds when this returns.

        Raises ReadOnly, and Conflict when it is too late.
        """

    def dismiss_proof(self, metrics: tuple[Metric, ...], reason: str) -> None:
        """Dismiss what is proven of these metrics, and say why; holds when this returns, and
        others see it.

        Raises ReadOnly, and RecordError when it cannot be kept.
        """

    def arm_guard(self, countdown_s: float | None = None) -> None:
        """Arm automatic rollback for as long as this console runs. Raises ReadOnly, Unavailable."""

    def disarm_guard(self) -> None:
        """Disarm it; holds when this returns."""

    def leave_guard(self) -> int:
        """Leave a guard behind that outlives this console; its process's number. Armed here no
        longer. Raises Unavailable, RecordError.
        """

    def cancel_guard(self) -> bool:
        """Stop its countdown, for this cause; holds when this returns. False: none runs."""

    def refresh_now(self) -> None:
        """Look again without waiting for the next poll."""

    def probe(self) -> None:
        """Ask both sides for their health; the answers arrive as events."""

    def scenarios(self) -> Mapping[str, str]:
        """What the embedded cloud can play, each with a sentence; empty on a real cloud."""

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""


class Past(msgspec.Struct, frozen=True):
    """What can be replayed: `open` reads the recording (raises RecordError where there is none).

    `is_alone`: there is no live rollout behind it; then the replay begins at `at` (cloud time;
    None: its end). `what` stands in the place of "as seen then", `marks` are on the line below.
    """

    open: Callable[[], Recording]
    is_alone: bool = False
    at: float | None = None
    what: str = ""
    marks: tuple[float, ...] = ()


T = TypeVar("T")


class SnapshotsWaiting(Message):
    """At least one snapshot waits in the mailbox; the newest is the one to draw."""


class JobsWaiting(Message):
    """The procedure's state is another; the newest is in its mailbox."""


class EngineFailed(Message):
    """The engine could not do something. `text` says what and what to do."""

    def __init__(self, text: str) -> None:
        self.text = text
        super().__init__()


class EngineStarted(Message):
    """The engine is built and started."""


class Mailbox(Generic[T]):
    """Holds the newest snapshot (or procedure) between the engine's thread and the screen's loop.

    A screen whose terminal stalls takes nothing out for seconds; what it then finds is one newest
    snapshot, not a queue of old ones.
    """

    def __init__(self, wake: Callable[[], object]) -> None:
        self._wake = wake
        self._lock = Lock()
        self._newest: T | None = None

    def put(self, value: T) -> None:
        """Leave one; the screen is woken only when the box was empty. Any thread."""
        with self._lock:
            empty, self._newest = self._newest is None, value
        if empty:
            self._wake()

    def take(self) -> T | None:
        """Take the newest one out; None when there is none."""
        with self._lock:
            value, self._newest = self._newest, None
        return value


class CloudTime:
    """The cloud's time between two snapshots: runs on from the newest at the cloud's speed.

    `monotonic` is in seconds.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._as_of = 0.0
        self._speed = 1.0
        self._received_at: float | None = None

    def set(self, snapshot: Snapshot) -> None:
        """Take the time of a snapshot that arrived now."""
        self._as_of = snapshot.as_of
        self._speed = snapshot.speed
        self._received_at = self._monotonic()

    def now(self) -> float:
        """The cloud's time, unix seconds; 0 before the first snapshot."""
        return self._as_of + self.waited_s() * self._speed

    def waited_s(self) -> float:
        """Real seconds since the newest snapshot arrived; 0 before the first."""
        return 0.0 if self._received_at is None else self._monotonic() - self._received_at
