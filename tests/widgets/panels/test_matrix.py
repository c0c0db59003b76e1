"""The matrix as text frames: each metric once, with both sides, limit and gate, at every width."""

from __future__ import annotations

import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.gates import Gate
from canary.rollout.measure.samples import Responses, Window
from canary.rollout.plan.plan import Alerts, Thresholds
from canary.rollout.snapshot.snapshot import Snapshot, TrafficView
from canary.rollout.text import AtLeast
from tests.widgets import scenes
from tests.widgets.evidence_scenes import VIEW, with_evidence
from tests.widgets.scenes import NOW, PLAN, snapshot
from tests.widgets.stage import frame
from themes import PALETTES
from widgets.panels.matrix import MatrixPanel
from widgets.panels.matrix_cells import (
    compared,
    is_beyond,
    limit_share,
    pair,
    percent_of_limit,
    times,
)
from widgets.panels.matrix_layout import lay_out

AT_80, AT_120, AT_200 = (78, 6), (68, 6), (106, 9)
"""The room inside the frame, or where there is none, in terminals of that many columns."""


async def matrix(shown: Snapshot, size: tuple[int, int] = AT_80, **values: object) -> list[str]:
    return (await frame(MatrixPanel(), size, snapshot=shown, **values)).split("\n")


def doubtful(state: str, side: str = "canary") -> Snapshot:
    base = snapshot()
    return msgspec.structs.replace(
        base, **{side: msgspec.structs.replace(getattr(base, side), data=state)}
    )


def window(requests: int = 1_000, failed: int = 0, **values: object) -> Window:
    """Five minutes with that many responses, and more values."""
    found = Responses(requests - failed, 0, 0, failed)
    base = Window(NOW - 300, NOW, requests, found.error_ratio, found.success_ratio)
    return msgspec.structs.replace(base, responses=found, latency_count=requests, **values)


async def test_five_rows_fit_a_terminal_of_80_columns() -> None:
    assert await matrix(snapshot()) == [
        "in 5 m      canary   legacy   ratio of alarm limit       gate 1 h   last 1 h",
        "  errors    0.37 %   0.29 %    ×1.3 ▋░░░░░░░░┃    7 %    ✓ ≤1.5 %   ▃▃▃▃▃▃▃▃▃▄",
        "  p95       402 ms   387 ms    ×1.0 ▏░░░░░░░░┃    1 %    ✓ ≤18 s    ▄▄▅▆▆▇▆▆▅▄",
        "  success   98.9 %   98.7 % +0.2 pt ▌░░░░░░░░┃    6 %    ✓ ≥93 %    ▄▄▄▄▄▄▄▄▄▄",
        "  score       0.88     0.85   +0.03                      ✓ ≥0.73    ▄▄▄▄▄▄▄▄▄▄",
        "  traffic    4.5/s   40.4/s         10.1 % of 13 493 measured, 10 % set",
    ]


async def test_every_column_has_room_in_the_frame_of_120_columns() -> None:
    rows = await matrix(snapshot(), AT_120)
    heading = "in 5 m canary legacy ratio of alarm limit gate 1 h 1 h"
    assert " ".join(rows[0].split()) == heading
    assert rows[5].endswith("10.1 % of 13 493, 10 % set")
    assert "…" not in "".join(rows)


async def test_a_wide_matrix_adds_what_the_gates_see_the_requests_and_the_ages() -> None:
    rows = await matrix(snapshot(), AT_200)
    assert "✓  0.28 % ≤1.5 %" in rows[1]
    assert "✓  640 ms ≤18 s" in rows[2]
    assert rows[6].split()[:5] == ["requests", "1", "361", "12", "132"]
    assert rows[6].endswith("data canary 60 s, legacy 60 s old")
    assert len(rows[1]) > 95


@pytest.mark.parametrize("theme", PALETTES)
async def test_a_theme_changes_no_character(theme: str) -> None:
    assert await matrix(scenes.spiking(), theme=theme) == await matrix(scenes.spiking())


async def test_a_passed_limit_has_a_glyph_and_a_full_bar() -> None:
    rows = await matrix(scenes.spiking())
    assert rows[1].startswith("✗ errors    8.23 %")
    assert "×29 █████████┃  165 %" in rows[1]
    assert rows[2].startswith("  p95       1.78 s   0.39 s    ×4.6")


async def test_a_passed_warning_has_a_glyph_of_its_own() -> None:
    watching = snapshot(canary=scenes.side("c", scenes.history(180, 276, errors=0.03)))
    rows = await matrix(watching)
    assert rows[1].startswith("◐ errors")
    assert "59 %" in rows[1]


async def test_a_silent_side_is_hatched_and_said_in_words_and_nothing_is_green() -> None:
    rows = await matrix(scenes.silent())
    assert "canary?" in rows[0]
    assert all(row.startswith("?") for row in rows[1:])
    assert rows[1].split()[2:4] == ["no", "data"]
    assert "╱╱╱╱╱╱╱╱╱┃ ? no data ? ≤1.5 %" in rows[1]
    assert rows[5].endswith("? not measured, 10 % set")
    assert "✓" not in "".join(rows)
    assert " 0 %" not in "".join(rows)


@pytest.mark.parametrize(
    ("state", "glyph", "word"),
    [
        ("thin", "?", "? too few"),
        ("stale", "?", "? stale"),
        ("missing", "?", "? no data"),
        ("masked", "◌", "◌ settles"),
    ],
)
@pytest.mark.parametrize("size", [AT_80, AT_120, AT_200])
async def test_data_that_may_not_be_judged_has_its_glyph_its_word_and_no_share(
    state: str, glyph: str, word: str, size: tuple[int, int]
) -> None:
    rows = await matrix(doubtful(state), size)
    for row in rows[1:4]:
        assert row.startswith(glyph)
        assert word in row
        assert "╱" in row
        assert "░" not in row
        assert "█" not in row.split("┃")[0]


@pytest.mark.parametrize("state", ["stale", "missing"])
async def test_no_gate_is_met_on_data_that_is_too_old(state: str) -> None:
    assert "✓" not in "".join(await matrix(doubtful(state)))


async def test_data_grows_old_while_no_newer_snapshot_comes() -> None:
    rows = await matrix(snapshot(), now=NOW + 3_600)
    assert "canary?" in rows[0]
    assert "? stale" in rows[1]
    assert "✓" not in "".join(rows)


async def test_a_doubtful_legacy_is_not_compared_with() -> None:
    rows = await matrix(doubtful("stale", "legacy"))
    assert "legacy?" in rows[0]
    assert "canary?" not in rows[0]
    assert rows[1].split()[5] == "?"
    assert "7 %" in rows[1]


async def test_all_on_legacy_is_no_outage() -> None:
    off = msgspec.structs.replace(
        scenes.silent(), gates=(), traffic=TrafficView(0), canary=scenes.side("c", ())
    )
    text = "\n".join(await matrix(off))
    assert "╱" not in text
    assert "?" not in text
    assert "no data" not in text
    assert "all traffic is on Legacy" in text
    assert "errors         –   0.29 %" in text


async def test_few_requests_are_counted_and_not_made_a_percentage() -> None:
    few = snapshot(canary=scenes.side("c", scenes.history(180, 3, errors=0.34)))
    rows = await matrix(few)
    assert "5 of 15" in rows[1]
    assert "15 only" in rows[2]
    assert "? too few" in rows[2]


async def test_what_is_set_and_does_not_serve_is_said() -> None:
    unserved = snapshot(traffic=TrafficView(10, served_percent=5))
    assert "10 % set, 5 % served" in (await matrix(unserved))[5]


async def test_a_split_that_does_not_fit_is_a_mismatch() -> None:
    split = msgspec.structs.replace(VIEW.split, is_mismatch=True)
    view = msgspec.structs.replace(VIEW, split=split)
    assert "✗ mismatch: 10.1 %" in (await matrix(with_evidence(view), AT_200))[5]


async def test_a_gate_open_by_time_alone_is_no_failure() -> None:
    gate = Gate("error_ratio", "error ratio", None, "≤", 0.015, "no_data", "masked", waits=True)
    assert "◌ ≤1.5 %" in (await matrix(snapshot(gates=(gate,))))[1]


async def test_what_was_refused_is_counted_where_there_is_room() -> None:
    base = snapshot()
    refused = msgspec.structs.replace(
        base.canary.window, responses=Responses(1_000, 0, 0, 0, 0, refused=12)
    )
    shown = snapshot(canary=msgspec.structs.replace(base.canary, window=refused))
    assert "◐ canary: 12 refused, no instance free" in (await matrix(shown, AT_200))[7]


@pytest.mark.parametrize("width", range(1, 130))
async def test_columns_lie_side_by_side_and_within_the_width(width: int) -> None:
    found = lay_out(width)
    end = 18
    for name in ("legacy", "ratio", "bar", "percent", "gate", "spark"):
        x, size = getattr(found, name)
        if size:
            assert x >= end
            end = x + size
    assert end <= max(width, 18)
    assert found.is_cut == (not found.ratio[1])


def test_a_wider_matrix_never_shows_less() -> None:
    for width in range(18, 200):
        less, more = lay_out(width), lay_out(width + 1)
        for name in ("legacy", "ratio", "bar", "percent", "gate"):
            assert getattr(more, name)[1] >= getattr(less, name)[1]
        assert bool(more.spark[1]) >= bool(less.spark[1])


async def test_a_column_without_room_leaves_a_mark() -> None:
    rows = await matrix(snapshot(), (40, 6))
    assert rows[0].endswith("…")
    assert "7 %" in rows[1]


@pytest.mark.parametrize(
    ("metric", "ours", "theirs", "texts"),
    [
        ("error_ratio", window(1_000, 83), window(20_000, 60), ("8.30 %", "0.30 %")),
        ("error_ratio", window(1_000, 120), window(20_000, 60), ("12.0 %", "0.3 %")),
        ("error_ratio", window(1_000, 120), window(20_000, 4), ("12.00 %", "0.02 %")),
        ("error_ratio", window(1_000), window(100_000, 1), ("0.00 %", "<0.01 %")),
        ("success_ratio", window(1_000), window(100_000, 1), ("100.0 %", ">99.9 %")),
        ("p95_ms", window(p95_ms=342.0), window(p95_ms=1_220.0), ("0.34 s", "1.22 s")),
        ("p95_ms", window(p95_ms=31_000.0), window(p95_ms=1_220.0), ("31.0 s", "1.2 s")),
        ("p95_ms", window(p95_ms=AtLeast(10_000.0)), window(p95_ms=900.0), ("≥10.0 s", "0.9 s")),
        ("p95_ms", window(p95_ms=4.2), window(p95_ms=1_220.0), ("4.2 ms", "1.22 s")),
        ("p95_ms", window(12, p95_ms=342.0), window(p95_ms=900.0), ("12 only", "900 ms")),
        ("error_ratio", window(12, 3), window(1_000), ("3 of 12", "0.00 %")),
        ("error_ratio", Window(0, 300), window(1_000), ("no data", "0.00 %")),
    ],
)
def test_both_values_of_a_row_have_one_unit(
    metric: str, ours: Window, theirs: Window, texts: tuple[str, str]
) -> None:
    assert pair(metric, ours, theirs) == texts  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("metric", "ours", "theirs", "said"),
    [
        ("error_ratio", window(1_000, 10), window(1_000, 20), "×0.5"),
        ("error_ratio", window(1_000, 10), window(1_000), "×∞"),
        ("error_ratio", window(1_000), window(1_000), "same"),
        ("error_ratio", window(0), window(1_000), ""),
        ("success_ratio", window(1_000, 400), window(1_000), "−40 pt"),
        ("p95_ms", window(p95_ms=AtLeast(1e4)), window(p95_ms=1.0), ""),
    ],
)
def test_a_comparison_has_a_unit_or_says_how_many_times(
    metric: str, ours: Window, theirs: Window, said: str
) -> None:
    assert compared(metric, ours, theirs) == said  # type: ignore[arg-type]


ratios = st.integers(20, 10**7).flatmap(
    lambda n: st.tuples(st.just(n), st.one_of(st.integers(0, n), st.integers(0, min(n, 5))))
)


@given(ratios, ratios)
def test_a_percentage_is_zero_or_everything_only_where_the_count_is(
    ours: tuple[int, int], theirs: tuple[int, int]
) -> None:
    windows = window(*ours), window(*theirs)
    texts = pair("error_ratio", *windows), pair("success_ratio", *windows)
    for (requests, failed), errors, good in zip((ours, theirs), *texts, strict=True):
        reads_none = errors.strip("0.% ") == ""
        assert reads_none == (failed == 0)
        assert (good.startswith("100")) == (failed == 0)
        assert (errors.startswith("100")) == (failed == requests)
        assert max(len(errors), len(good)) <= 8


@given(st.floats(0, 1), st.floats(0, 1))
def test_one_hundred_percent_of_the_limit_is_said_at_the_limit_alone(
    value: float, limit: float
) -> None:
    alerts = Alerts(warning=Thresholds(), critical=Thresholds(error_ratio=limit))
    plan = msgspec.structs.replace(PLAN, alerts=alerts)
    found = limit_share("error_ratio", window(error_ratio=value), plan)
    assert found is not None
    said = percent_of_limit(found)
    if is_beyond("error_ratio", value, alerts.critical):
        assert found.passed == "critical"
    elif said == "100 %":
        assert math.isclose(value, limit, rel_tol=1e-9)
    if value > 0:
        assert said != "0 %"


def test_without_a_limit_there_is_no_share() -> None:
    alerts = Alerts(warning=Thresholds(), critical=Thresholds())
    plan = msgspec.structs.replace(PLAN, alerts=alerts)
    assert limit_share("error_ratio", window(1_000, 10), plan) is None


@pytest.mark.parametrize(
    ("factor", "said"),
    [(0.049, "×0.05"), (0.5, "×0.5"), (9.94, "×9.9"), (12.4, "×12"), (1e6, ">×999")],
)
def test_times_have_two_figures(factor: float, said: str) -> None:
    assert times(factor) == said
