"""The whole procedure from 5 % to the end of Legacy, by the commands of docs/runbook.md.

Real Locust, the BigQuery REST, verification by real requests after each change, one rollback and
return on the way; the calendar is turned where a team would wait. It is one test on purpose: each
stage stands on what the one before has left.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.endtoend.rollout_host import RolloutHost

# Looked for, never imported here: gevent would patch the test run itself.
pytestmark = pytest.mark.skipif(find_spec("locust") is None, reason="needs the extra loadtest")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[RolloutHost]:
    host = RolloutHost(tmp_path, stage=1, soaked_hours=0.1, speed=60.0)
    yield host
    host.let_go()


def promoted(host: RolloutHost, stage: int, percent: int, options: str = "") -> None:
    """Validate, look at the dry run, apply, verified; the record and the comparison are there."""
    assert host.canary(f"validate --stage {stage - 1}").code == 0
    dry = host.canary("promote --dry-run")
    assert f"{percent} %" in dry.out
    done = host.document(f"promote --yes {options}")
    assert done["outcome"]["state"] == "done"
    assert done["verification"]["verdict"] == "passed"
    status = host.document("status")
    assert (status["stage"]["index"], status["traffic"]["canary"]) == (stage, percent)
    assert f"percent = {percent}" in (host.directory / "rollout.toml").read_text()
    assert host.output(f"compare_stage{stage}.json")["verdict"] == "passed"


def test_a_rollout_from_five_percent_to_the_end_of_legacy(host: RolloutHost) -> None:
    # Stage 1: 5 %. The gates are shut until it has soaked for a day.
    assert host.canary("status").code == 0
    host.keep_cloud()
    refused = host.canary("promote --yes")
    assert (refused.code, "soak" in refused.err) == (4, True)
    host.wait_hours(24.2)
    assert host.canary("monitor --every 1m --for 1m").code == 0
    assert host.canary("validate --stage 1 --from 'outputs/monitor_*.json'").code == 0

    # Stage 2: 10 %. Canary breaks; the tree says roll back; one stage back, and return.
    promoted(host, 2, 10)
    host.play("error-spike")
    host.wait_hours(0.5)
    assert host.wait_until("status", 20).code == 20
    assert host.canary("promote --yes").code == 4
    back = host.document("rollback --to 1 --yes --reason 'errors of the new build' --no-verify")
    assert back["outcome"]["state"] == "done"
    host.play("healthy")
    host.wait_hours(26)
    assert "reason" in host.canary("promote --yes").err
    promoted(host, 2, 10, "--reason 'the new build is mended'")
    host.wait_hours(24.2)

    # Stage 3: 25 %. Into stage 4 a load test is asked for.
    promoted(host, 3, 25)
    host.wait_hours(48.2)
    refused = host.canary("promote --yes")
    assert (refused.code, "load test" in refused.err) == (4, True)
    load = host.canary("load-test --users 120 --spawn-rate 120 --duration 10m")
    assert load.code == 0, load.out + load.err
    assert host.output("load_test_summary.json")["status"] == "PASSED"

    # Stage 4: 50 %. Into production the A/B test and a final approval are asked for.
    promoted(host, 4, 50)
    host.wait_hours(72.2)
    refused = host.canary("promote --yes")
    assert (refused.code, "A/B" in refused.err) == (4, True)
    assert host.canary("ab-test").code == 0
    assert host.output("ab_test_analysis.json")["improvements"]

    # Stage 5: production. Canary carries all, Legacy is the backup.
    promoted(host, 5, 100)
    record = (host.directory / "rollout.toml").read_text()
    assert "enabled = false" in record
    assert 'production_service = "ion-api-canary"' in record

    # Retirement: refused before day 31; then the service and its images are deleted.
    early = host.canary("retire apply --yes --confirm ion-api")
    assert early.code == 4, early.out + early.err
    host.wait_hours(31 * 24)
    assert host.canary("retire plan").code == 0
    retired = host.document("retire apply --yes --confirm ion-api")
    assert retired["outcome"]["state"] == "done"

    # Who did what: seven changes, newest first, none without an outcome.
    changes = host.document("log")
    kinds = ["retire", *["promote"] * 4, "step_back", "promote"]
    assert [(c["kind"], c["outcome"]["state"]) for c in changes] == [(k, "done") for k in kinds]
