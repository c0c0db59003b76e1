"""Keys as data: defaults, rebinding, and what cannot be rebound."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.errors import PlanError
from canary.rollout.plan.plan import Console, Plan
from tests.tui import scenes
from tests.tui.scripted import ScriptedEngine, greyed, staged
from tui.app import CanaryApp
from tui.keys import ACTIONS, CONFIRM, bind, is_possible_at_first


def plan_with(**keys: str) -> Plan:
    return scenes.plan(console=Console(keys=keys))


def test_no_two_actions_share_a_key_by_default() -> None:
    keys = [key for action in ACTIONS for key in action.keys]
    assert len(keys) == len(set(keys))


def test_no_change_is_confirmed_by_the_key_that_asks_for_it() -> None:
    assert not [a for a in ACTIONS if a.group == "change" and CONFIRM in a.keys]


def test_the_keys_of_the_procedure_are_the_defaults() -> None:
    keymap = bind(scenes.plan())
    assert [keymap.action(key) for key in "prRsvgewz?:/yq"] == [
        "promote",
        "step_back",
        "rollback_all",
        "scale",
        "verify",
        "gates",
        "events",
        "window",
        "zoom",
        "help",
        "palette",
        "filter",
        "copy",
        "quit",
    ]


@pytest.mark.parametrize(
    ("key", "name"), [("1", "stage_1"), ("5", "stage_5"), ("6", None), ("0", None)]
)
def test_the_digits_of_the_plans_stages_go_to_them(key: str, name: str | None) -> None:
    assert bind(scenes.plan()).action(key) == name


def test_a_rebound_key_takes_the_place_of_the_default() -> None:
    keymap = bind(plan_with(promote="P"))
    assert keymap.action("P") == "promote"
    assert keymap.action("p") is None


def test_a_digit_that_was_rebound_is_no_stage_any_more() -> None:
    keymap = bind(plan_with(zoom="3"))
    assert keymap.action("3") == "zoom"
    assert keymap.stage_keys == "1 2 4 5"


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"promot": "p"}, "console.keys.promot: there is no such action."),
        ({"promote": "r"}, "console.keys.promote: 'r' is already the key of step_back."),
        ({"promote": ""}, "console.keys.promote: '' is not a key."),
        ({"promote": "pp"}, "console.keys.promote: 'pp' is not a key."),
        ({"promote": " "}, "console.keys.promote: ' ' is not a key."),
        ({"promote": "\x1b"}, "console.keys.promote: '\\x1b' is not a key."),
        ({"promote": "ctrl+1"}, "console.keys.promote: 'ctrl+1' is not a key."),
        ({"zoom": "escape"}, "console.keys.zoom: 'escape' cannot be rebound."),
        ({"zoom": "ctrl+c"}, "console.keys.zoom: 'ctrl+c' cannot be rebound."),
        ({"copy": "c", "rollback_all": "y"}, "console.keys.rollback_all: 'y' answers the question"),
        ({"promote": "n"}, "console.keys.promote: 'n' answers the question"),
    ],
)
def test_a_rebinding_that_cannot_be_is_named(keys: dict[str, str], said: str) -> None:
    with pytest.raises(PlanError) as refused:
        bind(plan_with(**keys))
    assert str(refused.value).startswith(said)


def test_two_actions_can_swap_their_keys() -> None:
    keymap = bind(plan_with(promote="r", step_back="p"))
    assert (keymap.action("r"), keymap.action("p")) == ("promote", "step_back")


async def test_bar_help_and_dispatch_follow_the_rebinding() -> None:
    plan = plan_with(rollback_all="Y", help="f1")
    async with staged((120, 40), plan=plan) as stage:
        assert "Y roll back all" in stage.frame()
        await stage.press("f1")
        assert "Y             Roll back all now." in stage.frame()
        await stage.press("space")
        await stage.press("Y", "y")
        assert [c.kind for c in stage.engine.sent] == ["rollback_all"]


def test_every_action_says_what_it_does() -> None:
    assert all(a.doc.endswith(".") and a.doc[0].isupper() for a in ACTIONS)
    assert msgspec.structs.asdict(ACTIONS[0])["group"] == "change"


def test_a_plan_of_an_earlier_version_may_name_readiness_way_back() -> None:
    assert bind(plan_with(way_back="B")).key("readiness") == "B"
    assert bind(plan_with(readiness="B")).key("readiness") == "B"
    assert bind(plan_with(way_back="B", readiness="K")).key("readiness") == "K"


@pytest.mark.parametrize("read_only", [False, True])
async def test_the_key_bar_of_the_first_frame_greys_what_the_commands_do(read_only: bool) -> None:
    """It is drawn before the commands are read; nothing may change when they are."""
    app = CanaryApp(scenes.plan(), ScriptedEngine, monotonic=lambda: 0.0, read_only=read_only)
    async with app.run_test(size=(120, 40)):
        assert app.main.snapshot is None
        assert greyed(app)
        for action in (a for a in ACTIONS if a.label):
            possible = app.commands.why_not(action.name) is None
            assert is_possible_at_first(action) is possible, action.name
