"""The monitoring loop as the screen shows it, from its state file and the process that runs."""

from __future__ import annotations

from canary.engine.monitoring_process import Monitoring
from canary.rollout.procedure import MonitoringView


def view_monitoring(found: Monitoring) -> MonitoringView:
    """The loop as the screen shows it."""
    said = found.state
    if said is None:
        return MonitoringView(found.is_running, found.pid)
    # A state file of another process is the last word of a loop that is no more.
    if found.is_running and said.pid != found.pid:
        return MonitoringView(True, found.pid)
    return MonitoringView(
        running=found.is_running,
        pid=found.pid,
        since=said.since,
        every_s=said.every_s,
        until=said.until,
        next_at=said.next_at,
        files=said.files,
        last_file=said.last_file,
        last_at=said.last_at,
        verdict=said.verdict,
        trouble=said.trouble,
        out_dir=said.out_dir,
        ended_at=said.ended_at,
        ended_by=said.ended_by,
    )
