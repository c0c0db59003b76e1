"""The state row: whole at every width, reversed where one must act, never green beside red."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.style import Style

from canary.rollout.snapshot.state import find_state
from canary.rollout.trials.jobs import JobsView, VerificationView
from canary.rollout.trials.verification import Check, Verification
from tests.rollout.build import PLAN
from tests.rollout.snapshot.test_state import SCENES
from tests.widgets.stage import frame, shown
from themes import PALETTES
from widgets.bars.state_row import StateRow, find_failed, state_parts, wrap_runs

PLAIN = Style.null()
WIDTHS = (20, 40, 80, 120, 200)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", list(SCENES))
def test_nothing_of_any_state_is_cut_at_any_width(name: str, width: int) -> None:
    state = find_state(SCENES[name], PLAN)  # type: ignore[index]
    rows = wrap_runs(state_parts(state, PALETTES["dark"], "YOU: R y"), width)
    assert all(sum(cell_len(text) for text, _ in row) <= width for row in rows)
    said = "".join("".join(text for text, _ in row) for row in rows).replace(" ", "")
    whole = f"{state.glyph}{state.word}{state.cause}NEXT{state.next}YOU:Ry"
    assert said == whole.replace(" ", "")


@given(st.lists(st.text(max_size=60), min_size=1, max_size=4), st.integers(4, 60))
def test_whatever_is_wrapped_is_whole_and_fits(texts: list[str], width: int) -> None:
    rows = wrap_runs([[(text, PLAIN)] for text in texts], width)
    joined = "".join("".join(text for text, _ in row) for row in rows)
    assert joined.replace(" ", "") == "".join(texts).replace(" ", "").replace("\xa0", "")
    assert all(sum(cell_len(text) for text, _ in row) <= width for row in rows)


def test_a_number_stays_with_its_unit_and_its_sign() -> None:
    rows = wrap_runs([[("errors 8.30 % > 5 % since 14 h", PLAIN)]], 14)
    lines = ["".join(text for text, _ in row).strip() for row in rows]
    assert lines == ["errors 8.30 %", "> 5 % since", "14 h"]


async def test_what_must_be_acted_on_is_reversed_from_edge_to_edge() -> None:
    row = StateRow()
    async with shown(row, (90, 2), snapshot=SCENES["roll_back_all"], plan=PLAN):
        canvas = row._paint(90, 2)
        assert all(style.reverse for line in canvas.styles for style in line)


@pytest.mark.parametrize("theme", list(PALETTES))
@pytest.mark.parametrize("name", list(SCENES))
async def test_no_state_is_green_beside_red(name: str, theme: str) -> None:
    """Green is on the glyph of HEALTHY and READY alone; red in the rows of what to act on alone."""
    palette = PALETTES[theme]
    state = find_state(SCENES[name], PLAN)  # type: ignore[index]
    styles = [style for part in state_parts(state, palette, "YOU") for _, style in part]
    green = [style for style in styles if style is palette.ok]
    assert bool(green) == (state.id in ("healthy", "ready"))
    assert len(green) <= 1
    assert (palette.roll_back in styles) == (state.tone == "act")


async def test_the_keys_and_the_live_countdown_are_in_it() -> None:
    keys = {"rollback_all": "R", "cancel_guard": "c"}
    text = await frame(StateRow(), (160, 1), snapshot=SCENES["roll_back_all"], plan=PLAN, keys=keys)
    assert text.strip().endswith("NEXT roll back all   YOU: R y")


async def test_without_the_right_to_change_somebody_else_acts() -> None:
    barred = msgspec.structs.replace(
        SCENES["roll_back_all"], missing_rights=("run.services.update",)
    )
    text = await frame(StateRow(), (160, 1), snapshot=barred, plan=PLAN)
    assert text.strip().endswith("OTHER: not from here, no right to change")


async def test_where_a_terminal_has_not_the_rows_the_cut_has_a_mark() -> None:
    text = await frame(StateRow(), (20, 2), snapshot=SCENES["roll_back_all"], plan=PLAN)
    assert text.split("\n")[1].endswith("…")


async def test_it_takes_as_many_rows_as_it_needs_and_gives_them_back() -> None:
    row = StateRow()
    async with shown(row, (40, 12), snapshot=SCENES["roll_back_all"], plan=PLAN) as pilot:
        row.styles.height = "auto"
        await pilot.pause()
        tall = row.size.height
        row.snapshot = SCENES["off"]
        await pilot.pause()
        assert tall > row.size.height >= 1


def test_a_verification_that_was_not_passed_is_told_until_it_is_dismissed() -> None:
    checks = (Check("split", "split", "not_passed", "it is 30 %."),)
    result = Verification(0.0, "not_passed", checks)
    view = JobsView(verification=VerificationView(result=result))
    assert find_failed(view) == "verification not passed: split: it is 30 %"
    assert find_failed(JobsView()) == ""
