"""When a snapshot goes out: when it says something else than the last, and as a sign of life."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from canary.engine.cadence import SIGN_OF_LIFE_S
from canary.engine.session import Session
from canary.rollout.snapshot import Snapshot


class Publisher:
    """Hands snapshots on. `looks` see each of them, also those that do not go out."""

    def __init__(
        self,
        session: Session,
        on_snapshot: Callable[[Snapshot], None],
        looks: Sequence[Callable[[Snapshot], None]],
        monotonic: Callable[[], float],
    ) -> None:
        self._session = session
        self._on_snapshot = on_snapshot
        self._looks = tuple(looks)
        self._monotonic = monotonic
        self._shown: tuple[object, ...] = ()
        self._shown_at = float("-inf")
        self._looked_at = float("-inf")

    @property
    def looked_ago_s(self) -> float:
        """Real seconds since the last snapshot was taken, sent out or not; without end before."""
        return self._monotonic() - self._looked_at

    def publish(self, *, changed: bool) -> Snapshot:
        """Take a snapshot, and send it out if it says something else, or after a while anyway."""
        snapshot = self._session.observer.snapshot()
        self._looked_at = self._monotonic()
        for look in self._looks:
            look(snapshot)
        essence = _essence(snapshot)
        silent_s = self._monotonic() - self._shown_at
        if changed or essence != self._shown or silent_s >= SIGN_OF_LIFE_S:
            self._shown, self._shown_at = essence, self._monotonic()
            self._on_snapshot(snapshot)
        return snapshot


def _essence(snapshot: Snapshot) -> tuple[object, ...]:
    """What makes a snapshot another one, apart from ages and clocks that the screen runs itself."""
    guard, readiness = snapshot.guard, snapshot.readiness
    left = None if guard is None or guard.left_s is None else math.ceil(guard.left_s)
    return (
        None if guard is None else (guard.armed, guard.cause, guard.held, left),
        None if readiness is None else (readiness.state, readiness.reasons),
        snapshot.presence,
        snapshot.missing_rights,
        snapshot.decision.verdict,
        snapshot.decision.reason,
        snapshot.legacy.data,
        snapshot.canary.data,
        tuple(g.state for g in snapshot.gates),
        snapshot.alerts,
        tuple((s.name, s.state, s.message, s.since) for s in snapshot.sources),
        snapshot.scenario,
        snapshot.backfilled,
        snapshot.advice,
        _essence_of_evidence(snapshot),
    )


def _essence_of_evidence(snapshot: Snapshot) -> tuple[object, ...]:
    view = snapshot.evidence
    if view is None:
        return ()
    words = tuple((m.verdict, m.why, m.detected_at) for m in view.metrics)
    return (words, view.source, view.tail.off, view.tail.trouble, view.began_at)
