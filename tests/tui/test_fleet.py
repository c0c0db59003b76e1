"""The list of rollouts on the screen: what is seen at each size, and what the keys do."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from canary.rollout.errors import PlanError
from canary.rollout.fleet.rows import FleetReading, FleetRow, SideNumbers
from canary.rollout.plan.plan import Console
from canary.rollout.snapshot.state_words import Actor, RolloutState, StateId
from tui.fleet import FleetApp, ListPlace, run_fleet
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


@pytest.fixture(scope="module", autouse=True)
def _only_what_is_new_is_garbage() -> None:
    """The list looks for garbage at each return: not through all that other tests left here."""
    gc.collect()
    gc.freeze()


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
    size: tuple[int, int],
    rows: Rows | None = None,
    place: ListPlace = ListPlace(),  # noqa: B008 - a frozen value
    *,
    later_s: float = 0.0,
) -> AsyncIterator[tuple[FleetApp, Any]]:
    app = FleetApp(rows or Rows(), Console(), place, monotonic=lambda: later_s)
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


async def test_names_that_begin_and_end_alike_are_told_apart_on_a_narrow_screen() -> None:
    rows = tuple(row(f"ion-api-{n:03d}-canary", "healthy", "soak") for n in range(3))
    async with listed((40, 10), Rows(rows)) as (app, _):
        assert all(f"-{n:03d} " in frame(app) for n in range(3))


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


@pytest.mark.parametrize("key", ["R", "p", "y"])
async def test_a_key_that_changes_elsewhere_says_that_nothing_is_changed_here(key: str) -> None:
    async with listed((80, 24)) as (app, pilot):
        await pilot.press(key)
        await pilot.pause()
        assert app.is_running
        assert app.opened is None
        assert f"{key} is no key here: nothing is changed from the list." in frame(app)


async def test_keys_that_have_no_room_leave_a_mark() -> None:
    async with listed((40, 10)) as (app, _):
        last = frame(app).splitlines()[-1]
        assert "Enter open" in last
        assert "q quit" in last
        assert "…" in last


async def test_a_label_called_as_a_place_does_not_stop_the_grouping() -> None:
    rows = (row("a", "healthy", "soak", labels={"region": "x", "team": "y"}),)
    async with listed((80, 24), Rows(rows)) as (app, pilot):
        seen = []
        for _ in range(4):
            await pilot.press("g")
            seen.append(app.place.group)
    assert seen == ["region", "project", "team", ""]


@pytest.mark.parametrize("key", ["q", "escape"])
async def test_it_is_left_without_opening_anything(key: str) -> None:
    async with listed((80, 24)) as (app, pilot):
        await pilot.press(key)
        assert app.opened is None
        assert app.return_code == 0


async def test_groups_are_on_the_screen_and_the_worst_decides_their_place() -> None:
    rows = (
        row("calm-canary", "healthy", "soak", where="p/europe-west1", labels={"team": "mail"}),
        row("bad-canary", "roll_back_all", "roll back all", where="p/us-central1"),
        row("next-canary", "healthy", "soak", where="p/us-central1", labels={"team": "mail"}),
    )
    async with listed((80, 24), Rows(rows)) as (app, pilot):
        await pilot.press("g")
        await pilot.pause()
        seen = [line.strip() for line in frame(app).splitlines()]
        heads = [at for at, line in enumerate(seen) if line.startswith("region ")]
        assert [seen[at].split()[1] for at in heads] == ["us-central1", "europe-west1"]
        assert "1 to act on, 1 needing nobody" in seen[heads[0]]
        await pilot.press("g", "g")
        await pilot.pause()
        assert "grouped by team" in frame(app)
        assert "team (none)  1 to act on" in frame(app)
        await pilot.press("j", "enter")
        assert app.place.group == "team"


async def test_a_project_that_cannot_be_seen_is_one_marked_group() -> None:
    def unseen(name: str, where: str) -> FleetRow:
        state = RolloutState("cannot_see", "refused access", "asked again", Actor("nobody"))
        return row(name, None, where=where, state=state)

    rows = (
        ROWS[0],
        *(unseen(f"{name}-canary", f"{project}/r") for name in "abc" for project in ("p", "q")),
        row("fine-canary", "healthy", "soak"),
    )
    async with listed((80, 24), Rows(rows)) as (app, pilot):
        seen = frame(app).splitlines()
        assert "checkout-canary" in seen[3]
        assert seen[4].startswith(" project p: 3 cannot be seen: refused access")
        assert seen[8].startswith(" project q: 3 cannot be seen: refused access")
        assert "fine-canary" in seen[12]
        await pilot.press(*["j"] * 4, "enter")
        assert app.list.chosen_row == app.list.rows[4]


@pytest.mark.parametrize("size", [(80, 24), (120, 40), (200, 60)])
async def test_who_is_there_and_what_is_held_is_in_the_row(size: tuple[int, int]) -> None:
    held = row(
        "held-canary",
        "watch",
        "look",
        hold="held by eve@bastion-2 until 09:00Z because the database moves",
        others=("eve", "bob"),
        guards=("bob",),
    )
    async with listed(size, Rows((held, *ROWS))) as (app, _):
        [line] = [x for x in frame(app).splitlines() if "held-canary" in x]
        assert "held, eve" in line
        assert "held by eve" in line


async def test_a_filter_says_what_it_hides_that_needs_a_person() -> None:
    async with listed((120, 40), place=ListPlace(typed="quiet")) as (app, _):
        assert "filter quiet hides 2 in need" in frame(app)


async def test_a_filter_that_nothing_fits_says_so() -> None:
    async with listed((120, 40), place=ListPlace(typed="no-such")) as (app, _):
        assert "none of 34 rollouts fits the filter" in frame(app)


async def test_no_rollouts_are_said_to_be_none() -> None:
    async with listed((80, 24), Rows(())) as (app, pilot):
        assert "no rollouts" in frame(app)
        await pilot.press("j", "g", "S", "enter")
        assert app.opened is None


async def test_two_of_one_name_are_told_apart() -> None:
    rows = tuple(row("api", "healthy", "soak", where=f"p/{region}") for region in ("a1", "b2"))
    async with listed((80, 24), Rows(rows)) as (app, _):
        assert "api @a1" in frame(app)
        assert "api @b2" in frame(app)


async def test_a_list_that_is_not_read_any_more_says_that_it_is_old() -> None:
    async with listed((80, 24), later_s=20.0) as (app, _):
        assert "20 s old" in frame(app)
        assert "stale" not in frame(app).splitlines()[1]
    async with listed((80, 24), later_s=240.0) as (app, _):
        assert "stale, 240 s old" in frame(app)


async def test_it_rings_once_when_one_gets_worse(monkeypatch: pytest.MonkeyPatch) -> None:
    rung: list[bool] = []
    monkeypatch.setattr(FleetApp, "bell", lambda _: rung.append(True))
    rows = Rows(ROWS[1:])
    async with listed((80, 24), rows) as (_, pilot):
        for each in (ROWS[1:], ROWS, ROWS):
            rows.show(FleetReading(each, NOW, 0.0))
            await pilot.pause()
    assert rung == [True]


@pytest.mark.parametrize("size", SIZES)
async def test_who_comes_back_finds_the_list_as_it_was(size: tuple[int, int]) -> None:
    order = ListPlace(sort=1, group="region")
    async with listed(size, place=order) as (app, pilot):
        await pilot.press(*["j"] * 25)
        await pilot.pause()
        left, seen, chosen = app.place, frame(app), app.list.chosen_row
    async with listed(size, place=left) as (app, _):
        assert app.list.chosen_row == chosen
        assert frame(app) == seen


async def test_an_esc_too_many_does_not_leave_the_list_that_it_has_come_back_to() -> None:
    now = [0.0]
    back = ListPlace(chosen=ROWS[3].key)
    app = FleetApp(Rows(), Console(), back, monotonic=lambda: now[0])
    async with app.run_test(size=(80, 24)) as pilot:
        await pilot.press("escape", "escape")
        assert app.is_running
        now[0] = 2.0
        await pilot.press("escape")
        assert app.return_code == 0


async def test_a_row_that_is_gone_leaves_its_place_to_the_next() -> None:
    rows = Rows()
    async with listed((120, 40), rows) as (app, pilot):
        await pilot.press(*["j"] * 10)
        gone = app.list.chosen_row
        rows.show(FleetReading(tuple(r for r in ROWS if r != gone), NOW, 0.0))
        await pilot.pause()
        assert app.list.chosen == 10


async def test_what_is_chosen_stays_in_sight_when_the_terminal_shrinks() -> None:
    async with listed((120, 40)) as (app, pilot):
        await pilot.press("end")
        await pilot.resize_terminal(80, 12)
        await pilot.pause()
        assert "▸" in frame(app)


def comes_back(
    monkeypatch: pytest.MonkeyPatch, open_row: Callable[[FleetRow], int]
) -> tuple[int, list[ListPlace]]:
    """What the list ends with, and how it was shown each time; it opens one row, then is left."""
    shown: list[ListPlace] = []

    def run(app: FleetApp, **_: Any) -> None:
        shown.append(app._place)
        app.opened = ROWS[1] if len(shown) == 1 else None

    monkeypatch.setattr(FleetApp, "run", run)
    return run_fleet(Rows(), Console(), open_row, ListPlace(typed="x")), shown


@pytest.mark.parametrize("code", [0, LIST])
def test_a_console_that_was_left_comes_back_to_the_list(
    monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    ended, shown = comes_back(monkeypatch, lambda _: code)
    assert (ended, [place.typed for place in shown]) == (0, ["x", "x"])


@pytest.mark.parametrize("code", [1, 129, 143])
def test_a_console_that_was_ended_ends_the_list(monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    ended, shown = comes_back(monkeypatch, lambda _: code)
    assert (ended, len(shown)) == (code, 1)


def test_a_plan_that_cannot_be_opened_is_said_in_the_list(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(_: FleetRow) -> int:
        raise PlanError("canary.toml: no stages")

    ended, shown = comes_back(monkeypatch, refuse)
    assert ended == 0
    assert "no stages" in shown[1].trouble
