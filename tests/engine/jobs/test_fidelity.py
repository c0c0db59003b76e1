"""`canary doctor --probe` on the embedded cloud: every check, nothing changed, nobody named."""

import json
import re
from pathlib import Path

import msgspec
import pytest

from canary.engine.jobs.fidelity import probe_cloud, probe_document
from canary.engine.session import Session
from tests.embedded import DEFAULT_PLAN, Embed, with_router

pytestmark = pytest.mark.usefixtures("state_dir")
ROOT = Path(__file__).parents[3]
DOCUMENT = (ROOT / "docs" / "fidelity.md").read_text(encoding="utf-8")
IDS = {
    "fields", "mask", "newest", "latency_buckets", "ingest_delay", "log",
    *(f"filter_{r}" for r in ("responses", "latency", "confidence", "cpu", "memory", "instances")),
}  # fmt: skip


@pytest.mark.parametrize("kind", ["env", "revisions"])
async def test_all_is_asked_and_nothing_is_changed(embed: Embed, kind: str) -> None:
    async with embed(with_router(DEFAULT_PLAN, kind=kind), requests_per_s=50.0) as cloud:
        before = await cloud.router.service(cloud.plan.router_service)
        async with await Session.open(cloud.plan) as session:
            checks = {c.id: c for c in await probe_cloud(session, log_within_s=0.05)}
        assert await cloud.router.service(cloud.plan.router_service) == before
    assert set(checks) == IDS
    assert checks["mask"].state == "ok"
    assert all(checks[f"filter_{r}"].state == "ok" for r in ("responses", "latency", "confidence"))
    assert checks["latency_buckets"].values["bounds_ms"][0][0] == 1.0
    assert checks["ingest_delay"].values["seconds"] == 150.0


async def test_what_is_refused_is_told_without_names(embed: Embed) -> None:
    async with embed() as cloud:
        target = cloud.plan.target
        said = f"{target.canary} of {target.project}: Permission denied for jo@corp.example"
        cloud.break_method("UpdateService", code="PERMISSION_DENIED", message=said)
        cloud.break_method("ListMetricDescriptors", code="PERMISSION_DENIED", message=said)
        async with await Session.open(cloud.plan) as session:
            checks = await probe_cloud(session, log_within_s=0.05)
        text = json.dumps(probe_document(checks, cloud.plan, "0"))
    found = {c.id: c for c in checks}
    assert (found["mask"].state, found["ingest_delay"].state) == ("differs", "differs")
    assert "CANARY of PROJECT" in found["mask"].said
    for name in (target.project, target.canary, "jo@corp.example"):
        assert name not in text
    assert msgspec.json.decode(text.encode())["router"] == "env"


def test_the_document_names_each_probe_and_no_other() -> None:
    *_, last = DOCUMENT.split("## Asking a real project")
    named = set(re.findall(r"`([a-zA-Z_]+)`", last.partition("(")[2].partition(")")[0]))
    assert named == {"filter_ROLE" if each.startswith("filter_") else each for each in IDS}


def test_each_test_that_the_document_names_is_there() -> None:
    named = set(re.findall(r"`(tests/[\w/.]+)`", DOCUMENT))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []
