"""Which rollout comes first, which are shown, and what the whole list comes to."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.fleet.order import SORT_KEYS, filter_rows, group_rows, need_of, sort_rows
from canary.rollout.fleet.rows import FleetRow, SideNumbers, row_of
from canary.rollout.fleet.words import HEADINGS, cells_of, summary_line
from canary.rollout.snapshot.state_words import WORDS, Actor, RolloutState, StateId
from tests.rollout.build import NOW, PLAN, snapshot, window

YOU, NOBODY = Actor("you", "promote"), Actor("nobody")


def row(name: str, id_: StateId | None = "healthy", actor: Actor = NOBODY, **more: Any) -> FleetRow:
    state = None if id_ is None else RolloutState(id_, "cause", "next", actor)
    return FleetRow(name, **{"where": "p/us-central1", "state": state, **more})


def names(rows: tuple[FleetRow, ...]) -> list[str]:
    return [each.name for each in rows]


def test_worst_first_then_waiting_for_a_person_then_unknown_then_the_rest() -> None:
    rows = [
        row("healthy"),
        row("stale", "stale"),
        row("off", "off", YOU),
        row("ready", "ready", YOU),
        row("denied", None, trouble="denied"),
        row("all", "roll_back_all", YOU),
        row("one", "roll_back_stage", YOU),
    ]
    ordered = names(sort_rows(rows))
    assert ordered[:3] == ["all", "one", "ready"]
    assert set(ordered[3:5]) == {"stale", "denied"}
    assert ordered[5:] == ["off", "healthy"]


@given(st.permutations(list(WORDS)))
def test_the_order_does_not_depend_on_how_they_came(ids: list[StateId]) -> None:
    came = [row(id_, id_) for id_ in ids]
    assert names(sort_rows(came)) == names(sort_rows(reversed(came)))


@pytest.mark.parametrize("key", SORT_KEYS)
def test_what_is_not_known_comes_last_whatever_is_sorted_by(key: Any) -> None:
    known = row("known", percent=5, data_age_s=1.0, changed_at=1.0, canary=SideNumbers(0.1, 9.0))
    unknown = row("unknown", None, trouble="away")
    ordered = names(sort_rows([unknown, known], key))
    assert ordered == (["unknown", "known"] if key == "need" else ["known", "unknown"])


def test_a_filter_takes_text_and_labels() -> None:
    rows = (
        row("shop", labels={"team": "x"}),
        row("shop-api", labels={"team": "y"}),
        row("mail", labels={"team": "x"}),
    )
    assert names(filter_rows(rows, "SHOP")) == ["shop", "shop-api"]
    assert names(filter_rows(rows, "-l team=x")) == ["shop", "mail"]
    assert names(filter_rows(rows, "shop -l team=x")) == ["shop"]
    assert names(filter_rows(rows, "-l owner")) == []
    assert filter_rows(rows, "  ") == rows


def test_the_worst_of_a_group_decides_its_place() -> None:
    rows = (
        row("a", where="p/europe-west1"),
        row("b", "roll_back_all", YOU, where="p/us-central1"),
        row("c", where="p/us-central1"),
    )
    assert [name for name, _ in group_rows(rows, "region")] == ["us-central1", "europe-west1"]
    assert group_rows(rows, "team") == (("", rows),)


def test_one_line_names_those_that_need_a_person() -> None:
    rows = [row(f"r{i}", "roll_back_all", YOU) for i in range(5)] + [row("fine"), row("q", None)]
    assert summary_line(rows) == (
        "✗ 5 of 7 need you: r0 ROLL BACK ALL, r1 ROLL BACK ALL, r2 ROLL BACK ALL, 2 more; 1 unknown"
    )
    assert summary_line([row("fine")]) == "✓ 1 rollout, none needs you"
    assert summary_line([]) == "– no rollouts"


def test_an_unknown_rollout_makes_no_green_line() -> None:
    assert summary_line([row("fine"), row("q", None)]).startswith("?")


def test_a_row_says_what_the_console_says() -> None:
    bad = snapshot(window(error_ratio=0.08))
    found = row_of(bad, PLAN, {"team": "x"}, "canary.toml", looks_only=False)
    cells = dict(zip(HEADINGS, cells_of(found, NOW), strict=False))
    assert found.word == "ROLL BACK ALL"
    assert found.waits_for_person
    assert cells["stage"] == f"2/{len(PLAN.stages)}"
    assert cells["share"] == "10 %"
    assert need_of(found)[0] == 0


def test_a_row_of_nothing_known_has_no_zero() -> None:
    cells = cells_of(row("x", None, trouble="PERMISSION_DENIED"), NOW)
    assert cells[0] == "? CANNOT SEE"
    assert "0" not in "".join(cells[2:10])
    assert "PERMISSION_DENIED" in cells


def test_texts_from_outside_cannot_move_the_cursor() -> None:
    evil = msgspec.structs.replace(row("a\x1b[2Jb", None), trouble="c\x1b]0;x\x07d")
    assert not any("\x1b" in cell for cell in cells_of(evil, NOW))


def test_the_age_of_a_change_is_by_the_time_of_its_own_cloud() -> None:
    """Embedded clouds beside each other run at speeds of their own."""
    days_ahead = row("a", as_of=NOW + 90_000.0, changed_at=NOW + 89_400.0, changed_by="eve")
    at = HEADINGS.index("last change")
    assert cells_of(days_ahead, NOW)[at] == "10 m ago eve"
    assert cells_of(days_ahead, NOW, 60.0)[at] == "11 m ago eve"
