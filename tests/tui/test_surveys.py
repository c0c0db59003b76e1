"""What is looked up on request, and what may follow: Legacy's retirement, the alert policies."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.change.change import DeleteImages
from canary.rollout.change.text import format_step
from canary.rollout.export.alert_policies import plan_actions, wanted_policies
from canary.rollout.measure.samples import Sample
from canary.rollout.snapshot.snapshot import SideView, Snapshot
from canary.rollout.trials.jobs import AlertsView, RetirementView
from canary.rollout.trials.retirement import Candidate
from tests.tui import proceedings as given
from tests.tui import scenes
from tests.tui.scripted import staged
from tests.tui.test_procedure import SIZES, asked, choose, production


def retirable() -> Snapshot:
    """Production on day 40, with a Legacy that reports and takes nothing."""
    at = production(days=40)
    return msgspec.structs.replace(at, legacy=idle(at.legacy))


def idle(side: SideView) -> SideView:
    """Reported all through the criteria's window, without a request."""
    window = side.criteria_window
    quiet = tuple(
        Sample(window.start + i * 60, window.start + (i + 1) * 60, instances=1.0)
        for i in range(int((window.end - window.start) // 60))
    )
    none = msgspec.structs.replace(window, requests=0)
    return msgspec.structs.replace(side, samples=quiet, criteria_window=none)


CANDIDATE = Candidate("ion-api", "etag-1", ("registry.example.com/ion-api@sha256:ab",))


@pytest.mark.parametrize("size", SIZES)
async def test_from_day_31_legacy_is_retired_from_here_by_its_name(size: tuple[int, int]) -> None:
    async with staged(size, retirable()) as stage:
        await choose(stage, "retire")
        assert "was not looked up yet" in stage.frame()
        await choose(stage, "retirement")
        assert asked(stage) == [("look at retirement",)]
        await stage.tell(given.of(retirement=RetirementView(candidate=CANDIDATE)))
        assert "registry.example.com/ion-api@sha256:ab" in stage.frame()
        await choose(stage, "retire")
        assert "type ion-api:" in stage.frame()
        assert "Delete ion-api  " in stage.frame()
        await stage.press(*"ion-api", "enter")
        (change,) = stage.engine.sent
        assert [type(step).__name__ for step in change.steps][-2:] == [
            "DeleteService",
            "DeleteImages",
        ]


@pytest.mark.parametrize(("images", "said"), [(("a",), "1 image"), (("a", "b"), "2 images")])
def test_a_deletion_counts_its_images(images: tuple[str, ...], said: str) -> None:
    assert format_step(DeleteImages("ion-api", images)) == f"{said} of ion-api deleted"


async def test_before_day_31_nothing_is_retired_from_here() -> None:
    async with staged((120, 40), production()) as stage:
        await stage.tell(given.of(retirement=RetirementView(candidate=CANDIDATE)))
        await choose(stage, "retire")
        assert "It is day 5; Legacy may be deleted from day 31 on." in stage.frame()
        assert "type ion-api:" not in stage.frame()


@pytest.mark.parametrize("size", SIZES)
async def test_alert_policies_are_compared_shown_and_written_after_a_confirmation(
    size: tuple[int, int],
) -> None:
    async with staged(size) as stage:
        await choose(stage, "alerts")
        assert asked(stage) == [("look at alerts",)]
        actions = plan_actions(wanted_policies(scenes.plan()), ())
        await stage.tell(given.of(alerts=AlertsView(actions=actions)))
        assert f"0 of {len(actions)} policies are as the plan says" in stage.frame()
        await choose(stage, "apply_alerts")
        assert f"Write the alert policies  create {len(actions)}" in stage.frame()
        await stage.press("y")
        assert asked(stage)[-1] == ("apply alerts",)
