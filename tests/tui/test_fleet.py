"""The list of rollouts on the screen: what is seen at each size, and what the keys do."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any

import msgspec
import pytest

from canary.rollout.decision.guard import GuardView
from canary.rollout.fleet.rows import FleetReading, FleetRow, SideNumbers
from canary.rollout.plan.plan import Console
from canary.rollout.snapshot.state_words import Actor, RolloutState, StateId
from tests.tui import scenes
from tests.tui.scripted import staged
from tui.fleet import FleetApp
from tui.terminal.app import LIST

NOW = 1_760_000_000.0
SIZES = [(40, 10), (80, 24), (120, 40), (200, 60)]


def row(name: str, id_: StateId | None, next_: str = "", plan: str = "", **more: Any) -> FleetRow:
    kind = "you" if id_ in ("roll_back_all", "ready") else "nobody"
    state = None if id_ is None else RolloutState(id_, "cause", next_, Actor(kind, "promote"))
    return FleetRow(
        name, **{"where": "shop-prod/us-central1", "state": state, "plan": plan, **more}
    )


ROWS = (
    row("checkout-canary", "roll_back_all", "roll back all", "checkout.toml", percent=25,
        canary=SideNumbers(0.0823, 640.0), legacy=SideNumbers(0.008, 1200.0), labels={"team": "x"}),
    row("search-canary", "ready", "promote to 25 %", "search.toml", percent=10),
    row("mail-canary", "stale", "nothing is judged", percent=5),
    row("(the project)", None, trouble="PERMISSION_DENIED", where="other/-"),
    *(row(f"quiet-{n:02d}-canary", "healthy", "soak 3 h of 24 h", "q.toml", percent=50)
      for n in range(30)),
)  # fmt: skip


class Rows:
    """A list that is read when it is told to."""

    def __init__(self, rows: tuple[FleetRow, ...] = ROWS) -> None:
        self.rows, self.asked = rows, 0

    def listen(self, show: Callable[[FleetReading], None], report: Callable[[str], None]) -> None:
        self.show, self.report = show, report
        show(FleetReading(self.rows, NOW, 0.0))

    def refresh_now(self) -> None:
        self.asked += 1


@contextlib.asynccontextmanager
async def listed(
    size: tuple[int, int], rows: Rows | None = None
) -> AsyncIterator[tuple[FleetApp, Any]]:
    app = FleetApp(rows or Rows(), Console(), monotonic=lambda: 0.0)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield app, pilot


def frame(app: FleetApp) -> str:
    width, height = app.size
    lines = app.screen._compositor.render_strips()
    return "\n".join("".join(seg.text for seg in strip)[:width] for strip in lines[:height])


@pytest.mark.parametrize("size", SIZES)
async def test_state_name_share_and_wait_are_there_at_any_size(size: tuple[int, int]) -> None:
    async with listed(size) as (app, _):
        first = next(line for line in frame(app).splitlines() if "ROLL BACK ALL" in line[:30])
        assert "▸" in first
        assert "25 %" in first
        assert "chec" in first
        assert "roll" in first.split("25 %")[1]


async def test_it_begins_with_what_all_of_it_comes_to() -> None:
    async with listed((120, 40)) as (app, _):
        assert frame(app).splitlines()[0].strip().startswith("✗ 2 of 34 need you: checkout-canary")


async def test_a_wider_screen_shows_more() -> None:
    seen = []
    for size in SIZES[1:]:
        async with listed(size) as (app, _):
            seen.append(frame(app))
    assert "8.23 %" not in seen[0] or "8.23 %" in seen[1]
    assert "640 ms" in seen[1]
    assert "shop-prod/us-central1" in seen[2]


async def test_what_is_below_is_counted() -> None:
    async with listed((80, 24)) as (app, _):
        assert "more below" in frame(app)


async def test_a_project_that_denies_says_so_in_its_row() -> None:
    async with listed((120, 40)) as (app, _):
        [line] = [x for x in frame(app).splitlines() if "(the project)" in x]
        assert "? CANNOT SEE" in line
        assert "PERMISSION_DENIED" in line


async def test_enter_opens_the_chosen_rollout() -> None:
    async with listed((80, 24)) as (app, pilot):
        await pilot.press("j", "enter")
        assert app.opened is not None
        assert app.opened.plan == "search.toml"


async def test_what_no_plan_names_is_not_opened() -> None:
    async with listed((120, 40)) as (app, pilot):
        await pilot.press("j", "j", "enter")
        await pilot.pause()
        assert app.opened is None
        assert "for looking only" in frame(app)


async def test_a_filter_leaves_what_fits_and_escape_leaves_the_prompt() -> None:
    async with listed((120, 40)) as (app, pilot):
        await pilot.press("slash", *"-l team=x", "enter")
        await pilot.pause()
        assert [each.name for each in app.list.rows] == ["checkout-canary"]
        await pilot.press("slash", "q", "escape")
        assert app.is_running
        assert [each.name for each in app.list.rows] == ["checkout-canary"]


async def test_the_chosen_rollout_stays_chosen_when_the_order_changes() -> None:
    async with listed((120, 40)) as (app, pilot):
        await pilot.press("j")
        await pilot.press("S")
        await pilot.pause()
        chosen = app.list.chosen_row
        assert chosen is not None
        assert chosen.name == "search-canary"
        assert "by name" in frame(app)


async def test_r_reads_now_and_a_trouble_is_said() -> None:
    rows = Rows()
    async with listed((120, 40), rows) as (app, pilot):
        await pilot.press("r")
        assert rows.asked == 1
        rows.report("The list cannot be read.")
        await pilot.pause()
        assert "The list cannot be read." in frame(app)


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_it_is_left_without_opening_anything(key: str) -> None:
    async with listed((80, 24)) as (app, pilot):
        await pilot.press(key)
        assert app.opened is None
        assert app.return_code == 0


async def test_f_in_a_console_leaves_it_for_the_list() -> None:
    async with staged((80, 24), scenes.snapshot()) as stage:
        await stage.press("F")
        assert stage.app.return_code == LIST


async def test_f_stays_while_automatic_rollback_is_armed_here() -> None:
    armed = GuardView(armed=True, countdown_s=30.0, by="me")
    async with staged((80, 24), msgspec.structs.replace(scenes.snapshot(), guard=armed)) as stage:
        await stage.press("F")
        assert stage.app.is_running
        assert "Automatic rollback is armed here" in stage.frame()
