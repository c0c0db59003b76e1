"""Samples, services and journal entries for the tests of the engine, built by hand."""

from __future__ import annotations

from typing import Any

import msgspec

from canary.cloud.views import ServiceState
from canary.engine.observe.position import RunFacts
from canary.rollout.change.change import Change, Outcome, SetTraffic
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.rollout.plan.plan import ScalePreset
from canary.store.journal import Entry
from tests.rollout.build import AUTHOR, PLAN, record, standing

NOW = 1_772_373_780.0
"""2026-03-01 14:03:00Z, a full minute; data of the last 150 s is not visible yet."""
NEWEST = NOW - 180.0
BOUNDS = (100.0, 200.0, 400.0, 800.0, 1600.0, 20_000.0, 30_000.0, 60_000.0)
SCORES = (0.2, 0.4, 0.6, 0.8, 1.0)


def latencies(count: int, bucket: int = 3) -> Distribution:
    """`count` values, all in one bucket; 3 is 200…400 ms."""
    return Distribution(BOUNDS, (0,) * bucket + (count,), count, mean=300.0)


def sample(
    end: float, *, total: int = 135, errors: int = 0, bucket: int = 3, length_s: float = 60.0
) -> Sample:
    """A minute with `total` responses, `errors` of them 5xx."""
    return Sample(
        start=end - length_s,
        end=end,
        responses=Responses(ok_2xx=total - errors, server_5xx=errors),
        latency=latencies(total, bucket),
        confidence=Distribution(SCORES, (0, 0, 0, 0, total), total, mean=0.85),
        cpu=0.4,
        memory=0.5,
        instances=2.0,
        instances_active=1.0,
    )


def minutes(count: int, newest: float = NEWEST, **each: Any) -> tuple[Sample, ...]:
    """`count` minutes up to `newest`, oldest first."""
    return tuple(sample(newest - 60 * i, **each) for i in reversed(range(count)))


def service(name: str = "ion-api", **changes: Any) -> ServiceState:
    """A settled service; the router's is at 10 % with the record of stage 2."""
    base = ServiceState(
        name=name,
        etag="etag-1",
        uri=f"https://{name}.example",
        percent=10 if name == "ion-api" else None,
        served_percent=None,
        reconciling=False,
        ready=True,
        ready_reason="",
        revision=f"{name}-00002-abc",
        record=record(2, entered_at=NOW - 17 * 3600) if name == "ion-api" else None,
        record_error="",
        scale=ScalePreset(1, 10),
        last_modifier="somebody@example.com",
        updated_at=NOW - 17 * 3600,
        generation=3,
        observed_generation=3,
        image="image",
    )
    return msgspec.structs.replace(base, **changes)


def run_facts(**changes: Any) -> RunFacts:
    """Both services as Cloud Run has them; `changes` are of the router's."""
    router = service(**changes)
    return RunFacts(router, router, service("ion-api-canary"), read_at=NOW - 5)


def entry(
    *,
    before: int = 10,
    after: int = 25,
    at: float = NOW - 600,
    outcome: Outcome | None = None,
    stage: int = 3,
) -> Entry:
    """A promotion in the journal, settled with `outcome`."""
    stands = standing(stage - 1)
    wrote = StageRecord(stage=stage, percent=after, entered_at=at, change=f"c-{at:.0f}")
    change = Change(
        id=f"c-{at:.0f}",
        kind="promote",
        rollout=PLAN.name,
        steps=(SetTraffic("ion-api", before, after, wrote, stands.guard),),
        author=AUTHOR,
        created_at=at,
        from_stage=stage - 1,
        to_stage=stage,
    )
    return Entry(1, change, (), outcome, acknowledged=False, intended_at=at, owner="")
