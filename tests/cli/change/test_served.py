"""The shell while traffic is pinned: status tells set from served, and a rollback serves."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable
from typing import Any

from tests.cli.commands import Cloud
from tests.cli.conftest import Command

Open = Callable[..., Cloud]
LEGACY = "ion-api-00001-leg"
SERVICE = "apis/serving.knative.dev/v1/namespaces/naeda-genesis/services/ion-api"


def call(cloud: Cloud, method: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    """Cloud Run's v1 API, as gcloud speaks it."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{cloud.control}/{SERVICE}",
        None if body is None else json.dumps(body).encode(),
        {"Content-Type": "application/json"},
        method=method,
    )
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        return json.load(answer)


def pin(cloud: Cloud) -> None:
    """`gcloud run deploy --no-traffic`: newer code, whose variable says 0, serves nobody."""
    service = call(cloud, "GET")
    service["spec"]["traffic"] = [{"revisionName": LEGACY, "percent": 100}]
    template = service["spec"]["template"]
    template["metadata"]["name"] = "ion-api-00002-ci"
    for variable in template["spec"]["containers"][0]["env"]:
        if variable["name"] == "CANARY_TRAFFIC_PERCENTAGE":
            variable["value"] = "0"
    call(cloud, "PUT", service)


def test_a_rollback_under_a_pin_serves_and_status_says_so_before_and_after(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud()
    config = ("--config", str(cloud.plan_path))
    pin(cloud)
    before = command("status", "--json", *config).document["serving"]
    assert (before["set"], before["served"], before["pinned"]) == (0, 10, [LEGACY])
    assert "! Set is 0 %, served is 10 %." in command("status", *config).out
    ended = command("rollback", "--all", "--yes", *config)
    assert ended.code == 0, ended.err
    after = command("status", "--json", *config).document["serving"]
    assert (after["set"], after["served"]) == (0, 0)
    newest = call(cloud, "GET")["status"]["traffic"]
    assert [t["percent"] for t in newest] == [100]
    assert newest[0]["revisionName"] not in (LEGACY, "ion-api-00002-ci")


def test_doctor_and_promote_say_that_traffic_does_not_follow(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud(soaked_hours=25.0)
    config = ("--config", str(cloud.plan_path))
    pin(cloud)
    found = {f["what"]: f for f in json.loads(command("doctor", "--json", *config).out)}
    assert found["split"]["state"] == "wrong"
    assert "--to-latest" in found["split"]["remedy"]
    refused = command("promote", "--yes", *config)
    assert refused.code == 4
    assert f"pinned to {LEGACY}" in refused.err


def test_a_change_that_could_not_be_verified_is_not_silent_as_json(
    command: Command, open_cloud: Open
) -> None:
    cloud = open_cloud()
    plan = cloud.plan_path
    plan.write_text(plan.read_text().replace("after_change = false", "after_change = true"))
    # The plan has no `router.url`: what is left is Cloud Run's own word.
    ended = command("rollback", "--all", "--yes", "--json", "--config", str(plan))
    reported = [c for c in ended.document["verification"]["checks"] if c["id"] == "reported"]
    assert reported[0]["state"] == "passed"
    assert ended.document["verification"]["verdict"] == "unverified"
    assert ended.code == 0
    assert "COULD NOT VERIFY" in ended.err
