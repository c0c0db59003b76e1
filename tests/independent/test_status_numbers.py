"""`canary status --json` as a process against a server that is not ours: the numbers are right.

Only the endpoints (and the router, for the second topology) differ from the canary.toml at the top
of the repository.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import jsonschema
import pytest

from tests.forked import run_forked
from tests.independent import worlds
from tests.independent.raw_metrics import CONFIDENCE, RUN, integer, real
from tests.independent.server import World, serving
from tests.independent.worlds import CANARY, LEGACY, Number

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "docs/status.schema.json").read_text())
DELAY_S = 120
Make = Callable[..., World]
TOPOLOGIES: dict[str, Make] = {"env": worlds.two_services, "revisions": worlds.two_revisions}


def newest_minute() -> int:
    """The end of the newest minute that is visible; never one that ends while the test runs."""
    return int(time.time() - DELAY_S) // 60 * 60


def ask(world: World, tmp_path: Path, router: str = "env") -> tuple[int, Any]:
    """The exit code and the document of the real command."""
    plan = tmp_path / "canary.toml"
    text = (ROOT / "canary.toml").read_text()
    assert 'kind = "env"' in text
    with serving(world) as address:
        endpoints = f'run = "http://{address}"\nmonitoring = "http://{address}"\n'
        plan.write_text(
            text.replace('kind = "env"', f'kind = "{router}"')
            + f"\n[target.endpoints]\n{endpoints}"
        )
        done = run_forked(
            ("status", "--json", "--config", str(plan)),
            ROOT,
            {**os.environ, "CANARY_STATE_DIR": str(tmp_path / "state")},
        )
    document = json.loads(done.stdout)
    jsonschema.validate(document, SCHEMA)
    return done.returncode, document


def numbers(side: dict[str, Any]) -> dict[str, Any]:
    """A side without its name, its age and the state of its data; latency flat."""
    left_out = ("service", "data", "data_age_s", "latency_ms", "refused")
    return {**{k: v for k, v in side.items() if k not in left_out}, **side["latency_ms"]}


EXPECTED_CANARY = {
    "requests": 750,
    "error_ratio": 0.02,
    "success_ratio": 0.94,
    "p50": 118.75,
    "p95": 425.0,
    "p99": 485.0,
    "confidence": 0.75,
    "cpu": 0.4,
    "memory": 0.6,
    "instances": 5.0,
}
EXPECTED_LEGACY = {
    "requests": 5000,
    "error_ratio": 0.05,
    "success_ratio": 0.9,
    "p50": 250.0,
    "p95": 295.0,
    "p99": 299.0,
    "confidence": 0.7,
    "cpu": 0.3,
    "memory": 0.5,
    "instances": 8.0,
}


@pytest.mark.parametrize("number", [integer, real], ids=["int64", "double"])
@pytest.mark.parametrize("router", TOPOLOGIES)
def test_every_number_is_the_one_worked_out_by_hand(
    router: str, number: Number, tmp_path: Path
) -> None:
    world = TOPOLOGIES[router](newest_minute(), number)
    code, document = ask(world, tmp_path, router)
    assert {side["refused"] for side in document["sides"].values()} == {None}  # no log is read
    assert numbers(document["sides"]["canary"]) == pytest.approx(EXPECTED_CANARY, rel=1e-12)
    assert numbers(document["sides"]["legacy"]) == pytest.approx(EXPECTED_LEGACY, rel=1e-12)
    assert (code, document["decision"]["verdict"]) == (0, "continue")
    assert (document["traffic"]["canary"], document["stage"]["index"]) == (10, 2)
    assert document["stage"]["soaked_hours"] == pytest.approx(30, abs=0.2)
    assert [g["state"] for g in document["gates"]] == ["met"] * 6


def test_the_criteria_rest_on_an_hour(tmp_path: Path) -> None:
    """60 minutes of 150 responses, 15 of them failed, 8955 successful."""
    _, document = ask(worlds.two_services(newest_minute()), tmp_path)
    observed = {gate["id"]: gate["observed"] for gate in document["gates"]}
    assert observed["error_ratio"] == pytest.approx(15 / 9000, rel=1e-12)
    assert observed["success_ratio"] == pytest.approx(8955 / 9000, rel=1e-12)


def test_one_look_at_both_sides_asks_each_metric_once(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    ask(world, tmp_path)
    assert len(set(world.asked)) == 6


# -- what is not there is never a zero and never green ---------------------------------------------


def without(world: World, metric: str, service: str | None = None) -> World:
    """The world without a metric (of one service)."""
    world.series = [
        s for s in world.series if s.metric != metric or (service and s.service != service)
    ]
    return world


def test_a_server_without_any_series_is_no_data(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    world.series = []
    code, document = ask(world, tmp_path)
    assert (code, document["decision"]["verdict"]) == (30, "no_data")
    for side in document["sides"].values():
        assert set(numbers(side).values()) == {None}
        assert side["data_age_s"] is None


def test_a_canary_without_series_is_null_beside_a_legacy_that_is_there(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    world.series = [s for s in world.series if s.service == LEGACY]
    code, document = ask(world, tmp_path)
    assert (code, document["decision"]["verdict"]) == (30, "no_data")
    assert set(numbers(document["sides"]["canary"]).values()) == {None}
    assert numbers(document["sides"]["legacy"]) == pytest.approx(EXPECTED_LEGACY)


def test_counts_without_latencies_are_no_go_on(tmp_path: Path) -> None:
    world = without(worlds.two_services(newest_minute()), RUN + "request_latencies", CANARY)
    code, document = ask(world, tmp_path)
    assert (code, document["decision"]["verdict"]) == (30, "no_data")
    canary = document["sides"]["canary"]
    assert canary["requests"] == 750
    assert set(canary["latency_ms"].values()) == {None}
    assert next(g for g in document["gates"] if g["id"] == "p95_ms")["state"] == "no_data"


def test_latencies_without_counts_are_no_go_on(tmp_path: Path) -> None:
    world = without(worlds.two_services(newest_minute()), RUN + "request_count", CANARY)
    code, document = ask(world, tmp_path)
    canary = document["sides"]["canary"]
    assert (code, document["decision"]["verdict"]) == (30, "no_data")
    assert canary["requests"] is canary["error_ratio"] is canary["success_ratio"] is None


def test_without_scores_the_confidence_is_null_and_its_gate_has_no_data(tmp_path: Path) -> None:
    world = without(worlds.two_services(newest_minute()), CONFIDENCE)
    _, document = ask(world, tmp_path)
    assert document["sides"]["canary"]["confidence"] is None
    assert next(g for g in document["gates"] if g["id"] == "confidence")["state"] == "no_data"


def test_counts_that_are_not_a_number_are_not_counted_as_none_failed(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute(), real)
    for one in world.series:
        if one.service == CANARY and one.labels.get("response_code_class") == "5xx":
            one.points = dict.fromkeys(one.points, real(float("nan")))
    code, document = ask(world, tmp_path)
    assert document["sides"]["canary"]["error_ratio"] is None
    assert document["decision"]["verdict"] == "no_data"
    assert code in (3, 30)


@pytest.mark.parametrize(
    "status", [grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INTERNAL], ids=lambda s: s.name
)
def test_a_metric_that_is_refused_is_null_and_the_source_is_named(
    status: grpc.StatusCode, tmp_path: Path
) -> None:
    world = worlds.two_services(newest_minute())
    world.refused = {RUN + "request_count": status}
    code, document = ask(world, tmp_path)
    assert document["sides"]["canary"]["requests"] is None
    assert (code, document["decision"]["verdict"]) == (3, "no_data")
    assert "failing" in [s["state"] for s in document["sources"]]


def test_old_series_are_stale_and_not_judged(tmp_path: Path) -> None:
    code, document = ask(worlds.two_services(newest_minute() - 1200), tmp_path)
    assert (code, document["decision"]["verdict"]) == (30, "no_data")
    assert document["sides"]["canary"]["data"] == "stale"
    assert document["sides"]["canary"]["data_age_s"] > 1200


def test_without_a_stage_record_the_soak_is_null_and_its_gate_has_no_data(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    world.services[LEGACY].annotations.clear()
    _, document = ask(world, tmp_path)
    assert document["stage"]["entered_at"] is document["stage"]["soaked_hours"] is None
    assert document["traffic"]["recorded"] is document["traffic"]["drift"] is None
    assert next(g for g in document["gates"] if g["id"] == "soak_hours")["state"] == "no_data"


def test_without_the_routers_variable_the_share_is_null(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    world.services[LEGACY].template.containers[0].env.clear()
    code, document = ask(world, tmp_path)
    assert document["traffic"]["canary"] is document["traffic"]["legacy"] is None
    assert code != 0


def test_without_the_service_nothing_is_claimed(tmp_path: Path) -> None:
    world = worlds.two_services(newest_minute())
    world.services.clear()
    code, document = ask(world, tmp_path)
    assert (code, document["decision"]["verdict"]) == (3, "no_data")
    assert document["stage"]["index"] is None
