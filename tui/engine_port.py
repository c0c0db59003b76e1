"""What the screen needs of the engine, as a protocol: nothing of the engine is imported to draw.

`canary.engine.console.ConsoleEngine` fulfils it. The screen's tests hand in an object that emits
snapshots; that stands for the engine's thread, not for the cloud.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from canary.rollout.change import Author, Change
from canary.rollout.snapshot import Snapshot

OnSnapshot = Callable[[Snapshot], None]
OnTrouble = Callable[[str], None]


class EnginePort(Protocol):
    """The engine as the screen sees it. Every method returns at once; any thread may call.

    `start` hands in two callbacks; they are called from the engine's thread. A trouble is one or
    two sentences for a person: what happened, what to do.
    """

    @property
    def author(self) -> Author:
        """Who asks for the changes of this console."""

    def start(self, on_snapshot: OnSnapshot, on_trouble: OnTrouble) -> None:
        """Begin to observe."""

    def stop(self) -> None:
        """End the observation; changes under way are the executor's and go on."""

    def submit(self, change: Change) -> None:
        """Hand a confirmed change over. Raises CanaryError when the intent cannot be kept."""

    def acknowledge(self, change_id: str) -> None:
        """Mark the outcome of a change as seen."""

    def refresh_now(self) -> None:
        """Look again without waiting for the next round."""

    def probe(self) -> None:
        """Ask both sides for their health; the answers arrive as events."""

    def scenarios(self) -> tuple[str, ...]:
        """What the embedded cloud can play; empty on a real cloud."""

    def set_scenario(self, name: str) -> None:
        """Let the embedded cloud play something else."""
