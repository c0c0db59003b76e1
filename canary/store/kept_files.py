"""What is kept of one world on this host, all of it: thrown away when the world starts over."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from canary.store.alert_writings import alert_writings_path
from canary.store.checklists import checklists_path
from canary.store.paths import evidence_path, history_path, journal_path
from canary.store.sent_notifications import sent_notifications_path

PLACES: Final = (
    journal_path,
    history_path,
    evidence_path,
    checklists_path,
    alert_writings_path,
    sent_notifications_path,
)


def remove_kept(directory: Path) -> None:
    """Remove the files of a rollout's directory; nothing happens where there are none."""
    for path in (place(directory) for place in PLACES):
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
