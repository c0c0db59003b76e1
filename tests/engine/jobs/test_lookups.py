"""Looks on request, through the console's engine: a retirement's candidate, the alert policies."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from canary.rollout.errors import ReadOnly
from canary.rollout.plan.plan import Plan
from tests.embedded import Embed, Embedded
from tests.engine.console.test_background_jobs import Desk, live, texts
from tests.engine.console.test_console import has_numbers

pytestmark = pytest.mark.usefixtures("state_dir")


def reaching(cloud: Embedded) -> Plan:
    """The cloud's plan with its registry of images."""
    endpoints = msgspec.structs.replace(
        cloud.plan.target.endpoints, artifact_registry=cloud.control_url
    )
    target = msgspec.structs.replace(cloud.plan.target, endpoints=endpoints)
    return msgspec.structs.replace(cloud.plan, target=target)


async def test_what_a_retirement_would_delete_and_how_the_policies_stand_is_looked_up_and_written(
    embed: Embed, tmp_path: Path
) -> None:
    async with live(embed) as cloud:
        async with Desk(reaching(cloud), tmp_path) as desk:
            await desk.screen.until(has_numbers)
            work = desk.engine.procedure
            work.look_at_retirement()
            found = await desk.until(lambda p: p.retirement.candidate is not None)
            assert found.retirement.candidate is not None
            assert found.retirement.candidate.service == "ion-api"
            assert len(found.retirement.candidate.images) == 1

            work.look_at_alerts()
            compared = await desk.until(lambda p: p.alerts.actions is not None)
            assert {one.kind for one in compared.alerts.changes} == {"create"}
            work.apply_alerts()
            await desk.until(lambda p: not p.alerts.running and not p.alerts.changes)
            said = [text for text in texts(desk) if text.startswith("alert policy: ")]
            assert len(said) == len(compared.alerts.changes)

        async with Desk(reaching(cloud), tmp_path) as desk:
            await desk.screen.until(has_numbers)
            (before,) = [text for text in texts(desk) if text.startswith("alert policies: ")]
            assert before == "alert policies: 6 of 6 written."


async def test_a_read_only_engine_writes_no_policies(embed: Embed, tmp_path: Path) -> None:
    async with live(embed) as cloud, Desk(cloud.plan, tmp_path, read_only=True) as desk:
        with pytest.raises(ReadOnly, match="Alert policies"):
            desk.engine.procedure.apply_alerts()
