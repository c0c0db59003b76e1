"""One look at the rollout for a command: open the session, read everything once, judge it."""

from __future__ import annotations

from canary.engine.session import Session
from canary.rollout.errors import Unavailable
from canary.rollout.snapshot.snapshot import Snapshot


async def look(session: Session) -> Snapshot:
    """The snapshot of now. A source that fails is told in it, not raised.

    What earlier looks have read is taken over first, so that a one-hour watch is known at once.
    """
    session.observer.load_history()
    session.observer.read_results()
    return await session.observer.refresh()


def demand_cloud_run(snapshot: Snapshot, first: str = "") -> None:
    """Raise Unavailable, with what Cloud Run said, when it has not answered; `first` is what to do
    before anything else.
    """
    if snapshot.standing is not None:
        return
    said = next((s.message for s in snapshot.sources if s.name == "Cloud Run" and s.message), "")
    raise Unavailable(
        f"Cloud Run has not answered: {said}" if said else "Cloud Run has not answered.",
        remedy=f"{first}`canary doctor` says what is missing.",
        source="Cloud Run",
    )
