"""Each scenario with a cause: what the page of failures shows of it, from the request log and the
application's lines as they come over the real protocols.
"""

from __future__ import annotations

import msgspec
import pytest

from canary.cloud.logging.past import read_lines
from canary.rollout.failures.lines import LinesView
from tests.engine.observe.test_failures_feed import gather, world
from tests.tui import scenes
from tests.tui.scripted import staged

CAUSES = [
    (
        "route-fails",
        0.06,
        "POST /api/v2/recommend/personalized 500",
        "KeyError: 'tier' (5 lines)",
    ),
    (
        "instance-fails",
        0.2,
        "are on one of about 4 instances",
        "No space left on device",
    ),
    (
        "dependency-timeout",
        0.06,
        "NEW POST /chat 504",
        "vector-store.internal:6333: deadline of 10 s exceeded",
    ),
    (
        "new-exception",
        0.06,
        "GET /users/{id}/orders 500",
        "java.lang.IllegalStateException: currency is missing in order",
    ),
]


@pytest.mark.parametrize(("scenario", "ratio", "listed", "written"), CAUSES)
async def test_the_cause_stands_on_the_page_at_80_columns(scenario, ratio, listed, written) -> None:
    async with world(scenario, ratio=ratio) as cloud:
        view = await gather(cloud, 60.0)
        snapshot = scenes.snapshot(scenes.plan(), now=cloud.now)
        window = msgspec.structs.replace(snapshot.canary.window, instances=4.0)
        canary = msgspec.structs.replace(snapshot.canary, window=window)
        shown = msgspec.structs.replace(snapshot, failures=view, canary=canary)
        async with staged((80, 24), shown) as stage:
            await stage.press("f")
            assert listed in " ".join(stage.frame().replace("│", " ").split())
            await stage.press("enter")
            (asked,) = [one for one in stage.engine.asked if one[0] == "read lines"]
            lines = await read_lines(cloud.connection, cloud.plan, asked[1])
            stage.engine.procedure.on_lines(LinesView(asked[1], lines=lines))
            await stage.settle()
            assert written in " ".join(stage.frame().replace("│", " ").split())
