"""Without the right to change, the console is read-only and says why; it is noticed by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from canary.engine.observe.readiness import RIGHTS_EVERY_S, ReadinessFeed
from canary.rollout.permit.permit import why_not
from tests.embedded import Embed, Embedded
from tests.engine.carried import ask, carry
from tests.engine.watching import Watching

KINDS = ("promote", "step_back", "rollback_all", "scale")


def watch(cloud: Embedded, directory: Path | None = None) -> Watching:
    readiness = ReadinessFeed(cloud.plan, cloud.run.run, cloud.clock)
    return Watching(cloud, directory, readiness=readiness)


@pytest.mark.parametrize("kind", KINDS)
async def test_without_the_right_every_change_is_greyed_and_says_which_right(
    embedded: Embedded, kind: str
):
    watching = watch(embedded)
    embedded.set_scenario("denied")
    await watching.observer.read_readiness()
    reason = why_not(kind, await watching.observer.refresh(), read_only=False)
    assert reason is not None
    assert "Read-only: this identity lacks run.services.update on ion-api" in reason
    assert "canary doctor" in reason


async def test_with_the_right_nothing_is_said(embedded: Embedded):
    watching = watch(embedded)
    await watching.observer.read_readiness()
    snapshot = await watching.observer.refresh()
    assert snapshot.missing_rights == ()
    assert why_not("rollback_all", snapshot, read_only=False) is None


async def test_not_knowing_is_not_lacking(embedded: Embedded):
    watching = watch(embedded)
    embedded.break_method("TestIamPermissions", code="PERMISSION_DENIED")
    await watching.observer.read_readiness()
    snapshot = await watching.observer.refresh()
    assert why_not("rollback_all", snapshot, read_only=False) is None


async def test_a_denied_change_has_the_rights_asked_anew(embedded: Embedded, tmp_path: Path):
    watching = watch(embedded, tmp_path)
    assert watching.journal is not None
    await watching.observer.read_readiness()
    change = await ask(embedded, "rollback_all")
    embedded.set_scenario("denied")
    outcome = await carry(embedded, watching.journal, change)
    assert outcome.state == "failed"
    watching.observer.read_journal()
    await watching.observer.read_readiness()
    assert (await watching.observer.refresh()).missing_rights
    watching.close()


async def test_a_right_that_is_granted_is_noticed(embedded: Embedded):
    watching = watch(embedded)
    embedded.set_scenario("denied")
    await watching.observer.read_readiness()
    embedded.set_scenario("healthy")
    embedded.advance(400.0)
    await watching.observer.read_readiness()
    assert (await watching.observer.refresh()).missing_rights == ()


async def test_on_a_fast_clock_the_rights_are_asked_by_the_clouds_minutes(embed: Embed) -> None:
    async with embed(speed=30.0) as cloud:
        rights = ReadinessFeed(cloud.plan, cloud.run.run, cloud.clock)
        await rights.read()
        assert rights.missing_rights == ()
        cloud.set_scenario("denied")
        cloud.advance(RIGHTS_EVERY_S + 1)
        await rights.read()
        assert rights.missing_rights
