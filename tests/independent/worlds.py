"""Two worlds with counts chosen by hand: two services, and two revisions of one service.

Canary, each of the last five minutes, revision a + revision b:

=========  =====================  ====================  ==========================
responses  a                      b                     both, five minutes
=========  =====================  ====================  ==========================
2xx        95                     45 (the newest 40)    700 − 5 = 695
3xx        2                      –                     10
4xx        2                      4                     30
5xx        1                      1 (the newest 6)      10 + 5 = 15
all        100                    50                    750
=========  =====================  ====================  ==========================

error 15 ÷ 750 = 0.02 (exactly the warning's limit, which is not beyond it);
success (695 + 10) ÷ 750 = 0.94.

Latency in buckets of 100 ms: a 60, 30, 0, 0, 10; b 0, 50. Five minutes: 300, 400, 0, 0, 50.
p50: rank 375, 75 of 400 into 100…200 → 118.75. p95: rank 712.5, 12.5 of 50 into 400…500 → 425.
p99: rank 742.5, 42.5 of 50 → 485.

Confidence: (0.8 · 100 + 0.65 · 50) ÷ 150 = 0.75. CPU: (0.5 · 60 + 0.2 · 30) ÷ 90 = 0.4.
Memory 0.6. Instances: 3 + 1 active and 1 idle = 5.

Legacy, each minute, one revision: 900 2xx, 50 4xx, 50 5xx: error 0.05, success 0.9. All latencies
in 200…300 ms: p50 250, p95 295, p99 299. Confidence 0.7, CPU 0.3, memory 0.5, 8 instances.

Before these five minutes nothing fails on Canary: whoever takes a minute too many is found out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from google.cloud.run_v2.types import Condition, Service, TrafficTargetAllocationType

from tests.independent.raw_metrics import CONFIDENCE, RUN, Raw, Value, integer, real, spread
from tests.independent.server import World

MINUTES = 75
WINDOW = 5
LEGACY, CANARY = "ion-api", "ion-api-canary"
PARENT = "projects/naeda-genesis/locations/us-central1/services"
RECORD = "canary-console/record"

Number = Callable[[int], Value]
"""How the server says a count: the real one may answer int64 or double."""


def two_services(newest: int, number: Number = integer) -> World:
    """The split is a variable of Legacy; Canary is a service of its own with two revisions."""
    series = [*_canary(CANARY, f"{CANARY}-00002-b", f"{CANARY}-00001-a", newest, number)]
    series += _legacy(LEGACY, f"{LEGACY}-00007-x", newest, number)
    services = {
        LEGACY: _service(LEGACY, newest, share="10"),
        CANARY: _service(CANARY, newest),
    }
    return World(services, series)


def two_revisions(newest: int, number: Number = integer) -> World:
    """One service: its candidate has the tag `canary`; the rest goes to one of two others.

    Canary is one revision here, with the sum of both, and Legacy the one that takes the rest. What
    another revision still answers (it had the traffic before) is neither side's.
    """
    canary, old, new = f"{LEGACY}-00003-c", f"{LEGACY}-00001-a", f"{LEGACY}-00002-b"
    series = [*_canary(LEGACY, canary, canary, newest, number)]
    for one in _legacy(LEGACY, new, newest, number):
        series.append(one)
        if one.metric == RUN + "request_count":
            other = Raw(one.metric, LEGACY, old, dict(one.labels))
            other.points = {at: number(300) for at in one.points}
            series.append(other)
    kind = TrafficTargetAllocationType.TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION
    traffic = [
        {"type_": kind, "revision": new, "percent": 90},
        {"type_": kind, "revision": canary, "percent": 10, "tag": "canary"},
    ]
    service = _service(LEGACY, newest, traffic=traffic, traffic_statuses=traffic)
    return World({LEGACY: service}, series)


def _service(name: str, newest: int, *, share: str = "", **fields: Any) -> Service:
    entered_at = newest - 30 * 3600
    record = {"stage": 2, "percent": 10, "entered_at": float(entered_at)}
    environment = [{"name": "CANARY_TRAFFIC_PERCENTAGE", "value": share}] if share else []
    return Service(
        name=f"{PARENT}/{name}",
        uri=f"https://{name}.invalid",
        etag='"1"',
        annotations={RECORD: json.dumps(record)} if name == LEGACY else {},
        template={"containers": [{"image": "i", "env": environment}]},
        terminal_condition=Condition(type_="Ready", state=Condition.State.CONDITION_SUCCEEDED),
        update_time={"seconds": entered_at},
        **fields,
    )


def _canary(service: str, b: str, a: str, newest: int, number: Number) -> list[Raw]:
    ends = [newest - 60 * i for i in range(MINUTES)]
    window = set(ends[:WINDOW])

    def responses(revision: str, name: str, inside: int, before: int, last: int) -> Raw:
        one = Raw(RUN + "request_count", service, revision, {"response_code_class": name})
        counts = {at: inside if at in window else before for at in ends} | {newest: last}
        one.points = {at: number(count) for at, count in counts.items() if count}
        return one

    def each(metric: str, revision: str, value: Value, **labels: str) -> Raw:
        return Raw(metric, service, revision, labels, dict.fromkeys(ends, value))

    cpu, memory = RUN + "container/cpu/utilizations", RUN + "container/memory/utilizations"
    instances = RUN + "container/instance_count"
    return [
        responses(a, "2xx", 95, 100, 95),
        responses(a, "3xx", 2, 0, 2),
        responses(a, "4xx", 2, 0, 2),
        responses(a, "5xx", 1, 0, 1),
        responses(b, "2xx", 45, 50, 40),
        responses(b, "4xx", 4, 0, 4),
        responses(b, "5xx", 1, 0, 6),
        each(RUN + "request_latencies", a, spread(100, [0, 60, 30, 0, 0, 10], 120.0)),
        each(RUN + "request_latencies", b, spread(100, [0, 0, 50], 150.0)),
        each(CONFIDENCE, a, spread(0.1, [0, 0, 0, 0, 0, 0, 0, 0, 100], 0.8)),
        each(CONFIDENCE, b, spread(0.1, [0, 0, 0, 0, 0, 0, 0, 50], 0.65)),
        each(cpu, a, spread(0.1, [0, 0, 0, 0, 0, 60], 0.5)),
        each(cpu, b, spread(0.1, [0, 0, 30], 0.2)),
        each(memory, a, spread(0.1, [0, 0, 0, 0, 0, 0, 60], 0.6)),
        each(memory, b, spread(0.1, [0, 0, 0, 0, 0, 0, 30], 0.6)),
        each(instances, a, real(3.0), state="active"),
        each(instances, b, real(1.0), state="active"),
        each(instances, a, real(1.0), state="idle"),
    ]


def _legacy(service: str, revision: str, newest: int, number: Number) -> list[Raw]:
    ends = [newest - 60 * i for i in range(MINUTES)]

    def each(metric: str, value: Value, **labels: str) -> Raw:
        return Raw(RUN + metric, service, revision, labels, dict.fromkeys(ends, value))

    confidence = each("", spread(0.1, [0, 0, 0, 0, 0, 0, 0, 1000], 0.7))
    confidence.metric = CONFIDENCE
    return [
        each("request_count", number(900), response_code_class="2xx"),
        each("request_count", number(50), response_code_class="4xx"),
        each("request_count", number(50), response_code_class="5xx"),
        each("request_latencies", spread(100, [0, 0, 0, 1000], 250.0)),
        confidence,
        each("container/cpu/utilizations", spread(0.1, [0, 0, 0, 480], 0.3)),
        each("container/memory/utilizations", spread(0.1, [0, 0, 0, 0, 0, 480], 0.5)),
        each("container/instance_count", real(8.0), state="active"),
    ]
