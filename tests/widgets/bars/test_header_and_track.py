"""The first lines: whose cloud, how old, which stage, what share, how long."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from canary.rollout.plan.plan import Endpoints
from canary.rollout.snapshot.snapshot import Drift, Snapshot, StageView, TrafficView
from tests.embedded import DEFAULT_PLAN, with_endpoints
from tests.widgets import scenes
from tests.widgets.scenes import NOW, snapshot
from tests.widgets.stage import frame
from widgets.bars.header import Header
from widgets.bars.stage_track import StageTrack


async def test_the_header_names_the_cloud_and_the_posture_in_words() -> None:
    text = await frame(Header(), (120, 1), snapshot=snapshot(), read_only=True)
    assert text == (
        "ion-api → ion-api-canary   naeda-genesis/us-central1   [LOCAL CLOUD ×60] healthy"
        "   READ-ONLY    14:23:00Z  data 60 s old"
    )


@pytest.mark.parametrize("width", [60, 80, 120, 200])
async def test_the_header_never_drops_the_age_the_cloud_or_the_posture(width: int) -> None:
    text = await frame(Header(), (width, 1), snapshot=snapshot(), read_only=True)
    assert "LOCAL CLOUD ×60" in text
    assert "READ-ONLY" in text
    assert text.removesuffix(", 5 m allowed").endswith("60 s old")


@pytest.mark.parametrize(
    ("width", "said"), [(120, "READ-ONLY: no right to change"), (60, "READ-ONLY")]
)
async def test_without_the_right_to_change_the_header_says_so(width: int, said: str) -> None:
    bare = snapshot(missing_rights=("run.services.update on ion-api",))
    text = await frame(Header(), (width, 1), snapshot=bare)
    assert said in text
    assert text.endswith("60 s old")


@pytest.mark.parametrize(
    ("width", "said"), [(140, "LOOK-ONLY: the plan belongs to bob"), (60, "LOOK-ONLY")]
)
async def test_a_plan_of_somebody_else_is_said_in_the_header(width: int, said: str) -> None:
    shown = {"snapshot": snapshot(), "read_only": True, "distrust": "the plan belongs to bob"}
    text = await frame(Header(), (width, 1), **shown)
    assert said in text
    assert "READ-ONLY" not in text
    assert text.endswith("60 s old")


async def test_a_host_beside_googles_that_gets_credentials_is_named_in_the_header() -> None:
    foreign = with_endpoints(DEFAULT_PLAN, Endpoints(run="https://run.example.internal"))
    text = await frame(Header(), (120, 1), snapshot=snapshot(), plan=foreign)
    assert "CREDENTIALS TO run.example.internal" in text
    private = with_endpoints(DEFAULT_PLAN, Endpoints(run="https://run-x.p.googleapis.com"))
    assert "CREDENTIALS" not in await frame(Header(), (120, 1), snapshot=snapshot(), plan=private)


async def test_old_data_is_called_stale_in_the_header() -> None:
    text = await frame(Header(), (100, 1), snapshot=snapshot(), now=NOW + 600)
    assert text.endswith("data STALE 11 m old")


async def test_no_data_is_said_in_the_header() -> None:
    nothing = snapshot(legacy=scenes.side("l", ()), canary=scenes.side("c", ()))
    assert (await frame(Header(), (100, 1), snapshot=nothing)).endswith("no data")


async def test_the_track_shows_stage_share_and_soak() -> None:
    assert await frame(StageTrack(), (100, 1), snapshot=snapshot()) == (
        "1 ━━━[2]━━─ 3 ─── 4 ─── 5   10 % canary   soak ███████▏░░ 17 h 12 m / 24 h"
    )


def stood(stage: StageView, traffic: TrafficView) -> Snapshot:
    return snapshot(stage=stage, traffic=traffic)


@pytest.mark.parametrize(
    ("stage", "traffic", "said"),
    [
        (StageView(0, "", 0), TrafficView(0), "0 % canary  all traffic is on Legacy"),
        (StageView(None, "", None), TrafficView(None), "share not known"),
        (StageView(5, "", 100), TrafficView(100), "production, until changed"),
        (StageView(2, "", 10, None, 24.0), TrafficView(10), "soak no data / 24 h"),
        (
            StageView(2, "", 5),
            TrafficView(5, drift=Drift(10, 5, "eve")),
            "≠ DRIFT by eve, recorded 10 %",
        ),
        (
            StageView(2, "", 10),
            TrafficView(10, reconciling=True, served_percent=5),
            "◌ still rolling out, serving 5 %",
        ),
        (StageView(2, "", 10), TrafficView(10, record_error="bad"), "? record unreadable"),
        (StageView(0, "", 0), TrafficView(0, ready=False), "✗ SET, MAY NOT BE SERVED"),
        (StageView(2, "", 10), TrafficView(10, affinity=True), "! session affinity: no comparison"),
        (
            StageView(2, "", 10, 1_760_000_000.0, 24.0, redeployed="ion-api-canary-00009-ci"),
            TrafficView(10),
            "! deployed anew 08:53:20Z",
        ),
    ],
)
async def test_the_track_says_where_the_rollout_stands(
    stage: StageView, traffic: TrafficView, said: str
) -> None:
    assert said in await frame(StageTrack(), (120, 1), snapshot=stood(stage, traffic))


@pytest.mark.parametrize("traffic", [TrafficView(0, ready=False), TrafficView(0, reconciling=True)])
async def test_nobody_is_said_to_be_off_while_what_is_set_may_not_be_served(
    traffic: TrafficView,
) -> None:
    unsettled = stood(StageView(0, "", 0), traffic)
    assert "all traffic is on Legacy" not in await frame(StageTrack(), (120, 1), snapshot=unsettled)


LONG = "ion-" + "x" * 55 + "-end"
"""63 characters, the most that Cloud Run takes."""


@pytest.mark.parametrize("width", [60, 80, 100, 120, 200])
async def test_project_region_and_both_services_are_never_pushed_off(width: int) -> None:
    long = snapshot(rollout=f"{LONG} → {LONG.replace('end', 'can')}", project="naeda-genesis")
    for shown_ in (long, snapshot()):
        first, second = (await frame(Header(), (width, 2), snapshot=shown_)).split("\n")
        assert "naeda-genesis/us-central1" in second
        assert "ion-" in first
        assert " → ion-" in first
        assert "60 s old, 5 m allowed" in first
    assert LONG.endswith("-end")
    first = (await frame(Header(), (width, 2), snapshot=long)).split("\n")[0]
    assert "d → " in first  # the end of a name tells it from its likes, and is kept
    assert "…" in first or width == 200


async def test_names_in_wide_letters_keep_to_their_cells() -> None:
    wide = snapshot(rollout="결제-서비스 → 決済サービス-カナリア", project="プロジェクト")
    for width in (56, 80):
        rows = (await frame(Header(), (width, 2), snapshot=wide)).split("\n")
        assert all(cell_len(row) <= width for row in rows)
        assert "決済" in rows[0]
        assert "プロジェクト/us-central1" in rows[1]
