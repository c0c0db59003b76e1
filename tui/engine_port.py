"""What the screen needs of the engine, as a protocol: nothing of the engine is imported to draw.

`canary.engine.console.console.ConsoleEngine` fulfils it. The screen's tests hand in an object that
emits snapshots; that stands for the engine's thread, not for the cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, Protocol

from canary.rollout.change.change import Author, Change
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import JobsView, ResultOf
from canary.rollout.trials.load_test import LoadTestSettings

How = Literal["verify", "resume", "abandon"]
OnSnapshot = Callable[[Snapshot], None]
OnTrouble = Callable[[str], None]
OnJobs = Callable[[JobsView], None]


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

    `start` hands in three callbacks; they are called from the engine's thread. A trouble is one or
    two sentences for a person: what happened, what to do.
    """

    @property
    def author(self) -> Author:
        """Who asks for the changes of this console."""

    @property
    def procedure(self) -> JobsPort:
        """What it runs beside observing. Raises Unavailable before `start`."""

    def start(self, on_snapshot: OnSnapshot, on_trouble: OnTrouble, on_procedure: OnJobs) -> None:
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

    def arm_guard(self, countdown_s: float | None = None) -> None:
        """Arm automatic rollback for as long as this console runs. Raises ReadOnly, Unavailable."""

    def disarm_guard(self) -> None:
        """Disarm it; holds when this returns."""

    def cancel_guard(self) -> bool:
        """Stop its countdown, for this cause; holds when this returns. False: none runs."""

    def refresh_now(self) -> None:
        """Look again without waiting for the next round."""

    def probe(self) -> None:
        """Ask both sides for their health; the answers arrive as events."""

    def scenarios(self) -> tuple[str, ...]:
        """What the embedded cloud can play; empty on a real cloud."""

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""
