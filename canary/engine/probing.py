"""Both sides' health, asked for once and written into the event log."""

from __future__ import annotations

from canary.engine.session import Session
from canary.rollout import words


async def say_health(session: Session) -> None:
    """Ask both sides, Legacy first; an event for each answer. Nothing is raised."""
    for report in await session.probe():
        took = f" in {words.milliseconds(report.latency_ms)}" if report.ok else ""
        state = "healthy" if report.ok else "NOT healthy"
        text = f"health of {report.service}: {state}{took}: {report.message}"
        session.observer.log.say(report.at, "good" if report.ok else "critical", text)
