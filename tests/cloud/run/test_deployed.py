"""What a revision runs, read from raw messages; nothing hidden leaves, nothing unknown is lost."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from google.cloud import run_v2

from canary.cloud.run.deployed import read_deployed
from canary.engine.observe.position import RunFacts, differences_of
from canary.rollout.snapshot.differences import Deployed, compare
from tests.cloud.router.test_url_map_split import MAP_PLAN
from tests.embedded import DEFAULT_PLAN, Embed, with_router

SERVICE = run_v2.Service.pb(run_v2.Service(name="projects/p/locations/l/services/ion-api"))


def revision(**fields: Any) -> Any:
    made = run_v2.Revision.pb(run_v2.Revision())
    made.name = "projects/p/locations/l/services/ion-api/revisions/ion-api-00001-abc"
    made.create_time.seconds = 1_772_300_000
    made.creator = "ann@example.com"
    container = made.containers.add(image="us-docker.pkg.dev/p/r/ion-api:v1")
    container.env.add(name="PASSWORD", value=fields.get("password", "hunter2"))
    secret = container.env.add(name="DB").value_source.secret_key_ref
    secret.secret, secret.version = "projects/p/secrets/ion-db", fields.get("version", "6")
    container.resources.limits["memory"] = fields.get("memory", "1Gi")
    return made


def shown(deployed: Deployed) -> dict[str, str]:
    return {f"{fact.group} {fact.field}": fact.shown for fact in deployed.facts}


def test_no_value_of_the_environment_is_anywhere_in_what_is_kept() -> None:
    read = read_deployed(revision(), SERVICE)
    assert b"hunter2" not in msgspec.json.encode(read)
    assert shown(read)["env PASSWORD"] == ""
    assert shown(read)["secrets DB"] == "ion-db, version 6"
    assert (read.revision, read.by) == ("ion-api-00001-abc", "ann@example.com")


def test_a_changed_value_is_seen_without_being_read() -> None:
    one, other = read_deployed(revision(), SERVICE), read_deployed(revision(password="x"), SERVICE)
    rows = [r for r in compare(one, other).rows if r.field == "PASSWORD"]
    assert [(r.legacy, r.canary, r.differs) for r in rows] == [("set", "changed", True)]


@pytest.mark.parametrize(
    ("path", "value", "group"),
    [
        ("session_affinity", True, "rest"),
        ("execution_environment", 2, "rest"),
        ("max_instance_request_concurrency", 10, "resources"),
        ("service_account", "other@p.iam.gserviceaccount.com", "identity"),
        ("encryption_key", "k", "identity"),
        ("vpc_access.connector", "projects/p/locations/l/connectors/c", "network"),
        ("scaling.max_instance_count", 7, "scaling"),
        ("timeout.seconds", 77, "resources"),
        ("containers[0].startup_probe.http_get.path", "/up", "probes"),
        ("containers[0].liveness_probe.tcp_socket.port", 8080, "probes"),
        ("containers[0].working_dir", "/srv", "rest"),
        ("containers[0].resources.cpu_idle", True, "resources"),
        ("node_selector.accelerator", "nvidia-l4", "rest"),
        ("gpu_zonal_redundancy_disabled", True, "rest"),
    ],
)
def test_each_field_that_differs_has_its_row(path: str, value: Any, group: str) -> None:
    changed = revision()
    at: Any = changed
    *parents, last = path.split(".")
    for name in parents:
        at = at.containers[0] if name == "containers[0]" else getattr(at, name)
    setattr(at, last, value)
    found = compare(read_deployed(revision(), SERVICE), read_deployed(changed, SERVICE))
    assert group in {row.group for row in found.differing}, found.differing


def test_arguments_and_annotations_are_told_without_their_text() -> None:
    changed = revision()
    changed.containers[0].args.append("--token=hunter2")
    changed.annotations["team/note"] = "hunter2"
    changed.labels["commit-sha"] = "9f3c1d2"
    changed.labels["run.googleapis.com/x"] = "system"
    read = read_deployed(changed, SERVICE)
    assert b"hunter2" not in msgspec.json.encode(read)
    assert shown(read)["commit commit-sha"] == "9f3c1d2"
    assert not any("googleapis" in name for name in shown(read))
    found = compare(read_deployed(revision(), SERVICE), read)
    assert {"args", "annotation team/note"} <= {row.field for row in found.differing}


async def test_both_sides_are_read_from_services_and_from_revisions(embed: Embed):
    async with embed(DEFAULT_PLAN) as cloud:
        legacy, canary = [await cloud.run.service(n) for n in ("ion-api", "ion-api-canary")]
        assert legacy.deployed is not None
        assert canary.deployed is not None
        found = {r.field: r for r in compare(legacy.deployed, canary.deployed).differing}
        assert found["image"].canary == "ion-api:v2 (by tag)"
        assert found["ION_MODEL"].canary == "changed"
        assert found["RANKING_CACHE"].legacy == "–"
        assert found["DATABASE_URL"].canary == "ion-database, version 7"
        assert "LOG_LEVEL" not in found
    async with embed(with_router(DEFAULT_PLAN, kind="revisions")) as cloud:
        state = await cloud.run.service("ion-api")
        assert state.deployed is not None
        assert state.stable_deployed is not None
        assert state.deployed.revision != state.stable_deployed.revision
        rows = compare(state.stable_deployed, state.deployed).differing
        assert "image" in {row.field for row in rows}


async def test_a_url_map_says_what_it_cannot_know(embed: Embed):
    async with embed(MAP_PLAN, http=True) as cloud:
        states = [await cloud.run.service(name) for name in ("ion-api", "ion-api-canary")]
        found = differences_of(cloud.plan, RunFacts(states[1], states[0], states[1], cloud.now))
        assert found is not None
        assert "is not read" in found.unknown
