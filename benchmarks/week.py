"""Seven days at 60 s of both sides: load from the record and make the first snapshot.

Run as a process of its own so that its memory can be told: prints seconds and MB as JSON.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from pathlib import Path

from canary.rollout.measure.samples import Distribution, Responses, Sample
from canary.store.history import History

MINUTES = 7 * 24 * 60
LATENCY_BOUNDS = tuple(1.4**i for i in range(40))
SCORE_BOUNDS = tuple(i / 20 for i in range(21))


def make_sample(rng: random.Random, end: float, requests: int) -> Sample:
    """A minute with plausible counts; content does not matter, sizes do."""
    latency = tuple(rng.randrange(requests // 8) for _ in range(26))
    score = tuple(rng.randrange(requests // 8) for _ in range(20))
    return Sample(
        end - 60,
        end,
        Responses(ok_2xx=requests, server_5xx=rng.randrange(9) * requests // 2400),
        Distribution(LATENCY_BOUNDS, latency, sum(latency), 400.0, 1e6),
        Distribution(SCORE_BOUNDS, score, sum(score), 0.8, 30.0),
        *(rng.random() for _ in range(4)),
    )


def fill(path: Path, now: float) -> None:
    """Write the week into a history at `path`."""
    rng = random.Random(7)
    start = now // 60 * 60 - MINUTES * 60
    with History(path) as history:
        for side, requests in (("legacy", 2400), ("canary", 260)):
            samples = [make_sample(rng, start + 60 * (i + 1), requests) for i in range(MINUTES)]
            history.add(side, samples)  # type: ignore[arg-type]


def resident_mb() -> float:
    """Resident memory of this process, MB."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


async def measure(config: Path) -> dict[str, float]:
    """Open the session on `config`, whose state directory holds the week, and snapshot it."""
    from canary.engine.session import Session
    from canary.rollout.plan.file import load_plan

    session = await Session.open(load_plan(config), config)
    before = resident_mb()
    started = time.perf_counter()
    session.observer.load_history()
    loaded = time.perf_counter()
    snapshot = session.observer.judge()
    drawn = time.perf_counter()
    samples = len(snapshot.legacy.samples) + len(snapshot.canary.samples)
    await session.close()
    return {
        "load_s": loaded - started,
        "snapshot_s": drawn - loaded,
        "more_mb": resident_mb() - before,
        "samples": samples,
    }


if __name__ == "__main__":
    os.environ.setdefault("CANARY_STATE_DIR", sys.argv[2])
    print(json.dumps(asyncio.run(measure(Path(sys.argv[1])))))
