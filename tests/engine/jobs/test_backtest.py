"""Other limits over an incident that was recorded."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from canary.engine.jobs.backtest import backtest
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.player import Recording
from canary.store.paths import recording_path
from canary.store.recording import RecordingFile
from tests.embedded import DEFAULT_PLAN, Embedded
from tests.engine.recorded import Recorded, record_incident


@pytest.fixture
async def recording(embedded: Embedded, tmp_path: Path) -> Recording:
    await record_incident(embedded, tmp_path)
    return opened(tmp_path)


def opened(directory: Path) -> Recording:
    return Recording(RecordingFile(recording_path(directory), read_only=True))


def with_limits(warning: float, critical: float) -> Plan:
    alerts = DEFAULT_PLAN.alerts
    changed = msgspec.structs.replace(
        alerts,
        warning=msgspec.structs.replace(alerts.warning, error_ratio=warning),
        critical=msgspec.structs.replace(alerts.critical, error_ratio=critical),
    )
    return msgspec.structs.replace(DEFAULT_PLAN, alerts=changed)


async def test_the_plans_own_limits_find_the_incident_and_what_was_done(
    recording: Recording,
) -> None:
    found = backtest(recording, DEFAULT_PLAN, recording.begin, recording.end)
    assert [a.verdict for a in found.alarms] == ["rollback_all"]
    alarm = found.alarms[0]
    assert alarm.is_founded
    assert alarm.percent == 25
    assert alarm.excess is not None
    assert 0 < alarm.excess < alarm.failed < alarm.requests
    assert alarm.rolled_back_at is not None

    lax = backtest(recording, with_limits(0.2, 0.3), recording.begin, recording.end)
    assert lax.alarms == ()

    early = backtest(recording, DEFAULT_PLAN, recording.begin, alarm.at - 60)
    assert early.alarms == ()


async def test_limits_too_tight_alarm_without_more_failures_than_chance_makes(
    embedded: Embedded, tmp_path: Path
) -> None:
    it = Recorded(embedded, tmp_path)
    await it.begin()
    await it.after(60)
    it.close()
    recording = opened(tmp_path)
    tight = backtest(recording, with_limits(0.0001, 0.5), recording.begin, recording.end)
    assert tight.alarms
    assert not any(alarm.is_founded for alarm in tight.alarms)
    assert backtest(recording, DEFAULT_PLAN, recording.begin, recording.end).alarms == ()
