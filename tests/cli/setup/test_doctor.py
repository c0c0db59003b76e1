"""`canary doctor`: which roles are missing, how the clock stands, whether the journal is well."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import msgspec
import pytest

from canary.cli.setup.doctor_host import look_at_surroundings, look_at_tmux
from canary.rollout.export.notification import Notification
from canary.rollout.plan.file import load_plan
from canary.store.journal import Journal
from canary.store.paths import journal_path, sent_notifications_path, state_dir
from canary.store.sent_notifications import SentNotifications
from tests.cli.commands import ROOT, Cloud
from tests.cli.conftest import Command

NOON = 1_767_268_800.0
"""2026-01-01 12:00:00 UTC."""


def findings(command: Command, cloud: Cloud) -> dict[str, dict[str, str]]:
    ended = command("doctor", "--json", "--config", str(cloud.plan_path))
    return {f["what"]: f for f in json.loads(ended.out)}


def test_the_roles_that_are_missing_to_change_and_to_delete_are_named(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    found = findings(command, open_cloud("denied"))
    assert found["right to look ion-api"]["state"] == "ok"
    change = found["right to change ion-api"]
    assert "missing: run.services.update; the console is read-only" in change["said"]
    assert "roles/run.developer" in change["remedy"]
    assert "roles/iam.serviceAccountUser" in change["remedy"]
    act_as = found["right to act as the services' identity"]
    assert (act_as["state"], "is not checked" in act_as["said"]) == ("unknown", True)
    delete = found["right to delete ion-api-canary"]
    assert (delete["state"], delete["said"]) == ("wrong", "missing: run.services.delete")


def test_the_role_that_is_missing_to_read_the_request_log_is_named(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    assert findings(command, cloud)["right to read the request log"]["state"] == "ok"
    cloud.post("faults", {"method": "TailLogEntries", "code": "PERMISSION_DENIED"})
    log = findings(command, cloud)["right to read the request log"]
    assert log["state"] == "wrong", log["said"]
    assert "roles/logging.viewer on the project (logging.logEntries.list)" in log["remedy"]
    assert "Cloud Monitoring's minutes" in log["remedy"]


def test_what_the_stages_ask_for_is_looked_at(command: Command, healthy_cloud: Cloud) -> None:
    found = findings(command, healthy_cloud)
    locust = "ok" if find_spec("locust") else "wrong"
    assert found["load test"]["state"] == locust
    assert found["A/B test"]["state"] == "ok"
    assert "naeda-genesis.ab_test.results: the query would read" in found["A/B test"]["said"]


def test_a_clock_that_is_off_is_found_by_the_answers(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    cloud.post("clock", {"advance_s": 900.0})
    clock = findings(command, cloud)["clock"]
    assert clock["state"] == "wrong"
    assert "behind the cloud's; the console goes by the cloud's" in clock["said"]


def test_a_journal_that_others_can_read_is_found(command: Command, healthy_cloud: Cloud) -> None:
    directory = state_dir(load_plan(healthy_cloud.plan_path))
    Journal(journal_path(directory)).close()
    journal_path(directory).chmod(0o644)
    found = findings(command, healthy_cloud)["journal"]
    assert found["state"] == "wrong"
    assert "chmod go-rwx" in found["remedy"]


def test_a_journal_that_is_damaged_is_found(command: Command, healthy_cloud: Cloud) -> None:
    path = journal_path(state_dir(load_plan(healthy_cloud.plan_path)))
    path.write_bytes(b"not a database, and longer than a header of SQLite's would ever be" * 40)
    found = findings(command, healthy_cloud)["journal"]
    assert found["state"] == "wrong"
    assert "damaged" in found["said"]


def test_what_a_webhook_refused_and_waits_is_found(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    said = findings(command, cloud)["webhook"]["said"]
    assert said == "none is set in the plan"
    plan = cloud.plan_path.read_text()
    address = "http://127.0.0.1:9/services/T0/s3cret"
    cloud.plan_path.write_text(plan.replace("\n[notify]\n", f'\n[notify]\nwebhook = "{address}"\n'))
    assert findings(command, cloud)["webhook"]["said"] == "nothing waits to be told"
    path = sent_notifications_path(state_dir(load_plan(cloud.plan_path)))
    with SentNotifications(path) as kept:
        kept.put(Notification("", "worse", "critical"), NOON, 900.0)
        waiting = kept.take(NOON, 60.0)
        assert waiting is not None
        kept.refused(waiting, NOON, "The webhook at 127.0.0.1 answered 503.", all_of_it=True)
    found = findings(command, cloud)["webhook"]
    assert found["state"] == "wrong"
    expected = "1 notification waits since 2026-01-01 12:00:00Z: The webhook at 127.0.0.1 answered"
    assert expected in found["said"]


def test_each_recipients_backlog_is_told(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    address = "http://127.0.0.1:9/services/T0/s3cret"
    tables = (
        f'[[notify]]\nwebhook = "{address}"\n'
        '[[notify]]\nkind = "pagerduty"\nsecret_variable = "PAGER_KEY"\n'
    )
    plan = cloud.plan_path.read_text()
    begin, end = plan.index("\n[notify]\n"), plan.index("[evidence]\n")
    cloud.plan_path.write_text(f"{plan[:begin]}\n{tables}\n{plan[end:]}")
    path = sent_notifications_path(state_dir(load_plan(cloud.plan_path)), 1)
    with SentNotifications(path) as kept:
        kept.put(Notification("", "worse", "critical"), NOON, 900.0)
        waiting = kept.take(NOON, 60.0)
        assert waiting is not None
        kept.refused(waiting, NOON, "PagerDuty answered 503.", all_of_it=True)
    found = findings(command, cloud)
    assert found["webhook 1 (slack)"]["said"] == "nothing waits to be told"
    assert "PagerDuty answered 503." in found["webhook 2 (pagerduty)"]["said"]


def test_what_is_kept_on_this_host_is_for_its_owner_alone(
    command: Command, healthy_cloud: Cloud
) -> None:
    old = os.umask(0)
    try:
        command("status", "--json", "--config", str(healthy_cloud.plan_path))
    finally:
        os.umask(old)
    directory = state_dir(load_plan(healthy_cloud.plan_path))
    for path in (directory, *directory.rglob("*")):
        assert not stat.S_IMODE(path.stat().st_mode) & 0o077, path


@pytest.mark.parametrize(
    ("answer", "state", "said"),
    [
        ("echo on", "ok", "set-clipboard is on"),
        ("echo external", "ok", "set-clipboard is external"),
        ("echo off", "wrong", "set-clipboard is off"),
        ("exit 1", "unknown", "does not say how it copies"),
        ("[ $1 = display-message ] && echo 0 || echo on", "wrong", "draws _ for every sign"),
        ("[ $1 = display-message ] && echo 1 || echo on", "ok", "set-clipboard is on"),
    ],
)
def test_what_tmux_does_with_signs_and_the_clipboard_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, state: str, said: str
) -> None:
    program = tmp_path / "tmux"
    program.write_text(f"#!/bin/sh\n{answer}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = look_at_tmux()
    assert (found.state, found.said.partition(":")[0]) == (state, said)


def test_without_tmux_the_doctor_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert look_at_tmux().state == "unknown"


def test_the_probe_writes_a_report_and_changes_nothing(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    ended = command("doctor", "--probe", "--json", "--config", str(cloud.plan_path))
    assert ended.code == 0
    report = json.loads((cloud.plan_path.parent / "outputs" / "canary-probe.json").read_text())
    assert report == json.loads(ended.out)
    assert {c["id"]: c["state"] for c in report["checks"]}["mask"] == "ok"
    assert "ion-api" not in json.dumps(report["checks"]).replace("ion/confidence_score", "")


def test_without_a_login_there_is_one_cause_one_remedy_and_no_role(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "none.json"))
    plan = tmp_path / "canary.toml"
    shipped = (ROOT / "canary.toml").read_text(encoding="utf-8")
    plan.write_text(shipped.replace('provider = "local"', 'provider = "gcp"', 1))
    ended = command("doctor", "--config", str(plan))
    assert ended.code == 1
    assert ended.out.count("No usable credentials") == 1
    assert ended.out.count("gcloud auth application-default login") == 1
    assert "roles/" not in ended.out
    assert "? not asked: Cloud Run, Cloud Monitoring, the split" in ended.out


def test_what_one_cause_makes_wrong_is_one_finding_with_one_remedy(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    cloud.post("faults", {"method": "TestIamPermissions", "code": "UNAVAILABLE", "message": "gone"})
    out = command("doctor", "--config", str(cloud.plan_path)).out
    assert out.count("gone") == 1
    (line,) = [line for line in out.splitlines() if "gone" in line]
    for what in ("right to look ion-api", "right to delete ion-api-canary"):
        assert what in line


def test_rights_beside_cloud_runs_are_looked_at_and_their_roles_named(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    found = findings(command, cloud)
    assert "run.revisions.get" in found["right to look ion-api"]["said"]
    assert "roles/monitoring.alertPolicyEditor" in found["right to the alert policies"]["said"]
    assert "roles/artifactregistry.repoAdmin" in found["right to Legacy's images"]["said"]
    cloud.post("faults", {"method": "ListAlertPolicies", "code": "PERMISSION_DENIED"})
    policies = findings(command, cloud)["right to the alert policies"]
    assert (policies["state"], policies["needed"]) == ("wrong", False)
    assert "roles/monitoring.viewer" in policies["remedy"]


def test_a_limit_that_guards_nothing_is_found(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    text = cloud.plan_path.read_text().replace("max_error_ratio = 0.015", "max_error_ratio = 1.0")
    cloud.plan_path.write_text(text)
    limit = findings(command, cloud)["limit"]
    assert "stages[1].criteria.max_error_ratio is 100 %" in limit["said"]
    assert limit["needed"] is False


def test_a_score_that_cannot_be_written_there_is_found_with_the_way_that_works(
    command: Command, open_cloud: Callable[..., Cloud]
) -> None:
    cloud = open_cloud()
    text = cloud.plan_path.read_text()
    assert findings(command, cloud)["confidence metric"]["state"] == "ok"
    cloud.plan_path.write_text(
        text.replace(
            '# confidence_resource = "generic_task"', 'confidence_resource = "cloud_run_revision"'
        )
    )
    found = findings(command, cloud)["confidence metric"]
    assert (found["state"], "cannot be written" in found["said"]) == ("wrong", True)
    assert "gcloud logging metrics create confidence" in found["remedy"]


def test_what_the_environment_names_and_others_could_have_written_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = msgspec.structs.replace(load_plan(ROOT / "canary.toml"), provider="gcp")
    shared, certificates = tmp_path / "shared", tmp_path / "ca.pem"
    shared.mkdir()
    certificates.touch()
    monkeypatch.setenv("PATH", f"/usr/bin:{shared}")
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing"))
    assert list(look_at_surroundings(plan)) == []
    shared.chmod(0o777)
    certificates.chmod(0o666)
    found = {each.what: each for each in look_at_surroundings(plan)}
    assert set(found) == {"PATH", "SSL_CERT_FILE"}
    assert str(shared) in found["PATH"].said
    assert not found["PATH"].needed
    assert "chmod go-w" in found["SSL_CERT_FILE"].remedy
