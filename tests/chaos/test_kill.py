"""kill -9 at every single instant of a change: at most one effect, and always an outcome."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from canary.rollout.change.change import Kind
from tests.chaos.rollout import Rollout


class Story(NamedTuple):
    """One change and what goes wrong with it besides; `told` goes to the fault table."""

    kind: Kind
    router: str = "env"
    stage: int = 2
    told: dict[str, Any] | None = None
    backup: bool = False


STORIES = {
    "a promotion": Story("promote"),
    "a promotion between revisions": Story("promote", router="revisions"),
    "a promotion by a program": Story("promote", router="command"),
    "the final approval, in two steps": Story("promote", stage=4),
    "an approval that was half-way": Story("promote", stage=5),
    "roll back all by a URL map, Legacy scaled up first": Story(
        "rollback_all", router="url-map", stage=5, backup=True
    ),
    "a step back": Story("step_back"),
    "a scale": Story("scale"),
    "roll back all, Legacy scaled up first": Story("rollback_all", stage=5, backup=True),
    "a rollback whose answer is lost": Story(
        "rollback_all",
        told={"method": "UpdateService", "code": "UNAVAILABLE", "after_apply": True, "times": 1},
    ),
    "a rollback that is lost on the way": Story(
        "rollback_all", told={"method": "UpdateService", "code": "UNAVAILABLE", "times": 1}
    ),
    "a rollback that waits for Cloud Run": Story(
        "rollback_all", told={"method": "GetService", "code": "UNAVAILABLE", "times": 9}
    ),
    "a rollback that fails": Story(
        "rollback_all", told={"method": "UpdateService", "fails": True, "times": 1}
    ),
    "a promotion that ends late": Story(
        "promote", told={"method": "UpdateService", "late_s": 120.0, "times": 1}
    ),
}


async def tell(story: Story, instants: int | None) -> int:
    """Play it with an executor that is killed after so many instants; how many it lived."""
    rollout = await Rollout.open(story.router, blind=True, stage=story.stage)
    try:
        host = rollout.hosts[0]
        if story.backup:
            await rollout.put_legacy_in_backup()
        await rollout.look(host)
        host.life.left = instants
        life = host.life
        if story.told is not None:
            rollout.cloud.break_method(**story.told)
        asked = await rollout.ask(host, story.kind, forced=story.kind == "promote")
        assert asked is not None
        for _ in range(4):
            await rollout.pass_time(10.0)
            rollout.check()
        await rollout.recover()
        await rollout.check_recovered()
        await rollout.check_way_back()
        return life.passed
    finally:
        await rollout.close()


def choose(unharmed: int, name: str, *, is_long: bool) -> list[int]:
    """The instants to be killed at: all; in the suite the last and each fifth, of every story
    others, so that all stories together have been killed in every phase.
    """
    first = 1 if is_long else 1 + list(STORIES).index(name) % 5
    return sorted({*range(first, unharmed + 1, 1 if is_long else 5), unharmed})


@pytest.mark.parametrize("name", STORIES)
async def test_killed_at_any_instant_it_has_one_effect_at_most_and_an_outcome(
    name: str, is_long: bool
):
    story = STORIES[name]
    unharmed = await tell(story, None)
    assert unharmed >= 8
    for instants in choose(unharmed, name, is_long=is_long):
        await tell(story, instants)
