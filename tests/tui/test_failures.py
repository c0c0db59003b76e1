"""The page of failures: what fails, one group, the application's lines, at all sizes."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.evidence.interval import RatioInterval
from canary.rollout.failures.lines import LinesView, LogLine
from canary.rollout.failures.requests import FailedRequest, GroupKey
from canary.rollout.failures.view import FailureGroup, FailuresView
from canary.rollout.snapshot.snapshot import Snapshot
from tests.tui import scenes
from tests.tui.scripted import staged
from tests.widgets.scenes import NOW

BROKEN = GroupKey("POST", "/api/v2/recommend/personalized", "500")
TRACE = "7e51cf68801c905c1c01475feb7b060f"


def requests(count: int) -> tuple[FailedRequest, ...]:
    return tuple(
        FailedRequest(
            "canary",
            NOW - i,
            BROKEN.method,
            BROKEN.route,
            500,
            120.0,
            "ion-api-canary-00007-abc",
            "0007e26d3f2a91bc",
            TRACE,
        )
        for i in range(count)
    )


VIEW = FailuresView(
    (
        FailureGroup(
            BROKEN, 0, 34, 34.0, 7.6, True, "new", RatioInterval(30, 8, None), NOW, requests(12)
        ),
        FailureGroup(
            GroupKey("GET", "/img/logo.png", "404"),
            80,
            9,
            1.2,
            0.3,
            interval=RatioInterval(1.2, 0.5, 2.9),
        ),
        FailureGroup(GroupKey("GET", "/users/{id}/orders", "503"), 0, 1, 1.0, 1.0, mark="once"),
    ),
    20_000,
    1_842,
    NOW - 1_500,
    NOW,
    seen_s=3_600.0,
    tested=3,
)


def failing(view: FailuresView | None = VIEW) -> Snapshot:
    whole = scenes.snapshot(scenes.plan(), now=NOW)
    return msgspec.structs.replace(whole, failures=view)


@pytest.mark.parametrize("size", [(200, 60), (120, 40), (80, 24), (40, 10)])
async def test_the_key_shows_what_is_new_first(size: tuple[int, int]) -> None:
    async with staged(size, failing()) as stage:
        await stage.press("f")
        text = stage.frame()
        assert "1 of 3 groups beyond chance" in text
        assert "▶ ✗ NEW POST /api/v2/recommend/perso" in text
        await stage.press("f")
        assert "NEW POST" not in stage.frame()


async def test_one_failure_is_no_pattern_and_what_may_be_chance_says_its_interval() -> None:
    async with staged((120, 40), failing()) as stage:
        await stage.press("f")
        text = stage.frame()
        assert "seen once in Canary only GET /users/{id}/orders 503" in text
        assert "one failure is no pattern" in text
        assert "may be chance: ×1.2 (0.50 to 2.9)" in text
        assert "34 more than Legacy   beyond chance, e = 1 998" in text


@pytest.mark.parametrize("size", [(120, 40), (80, 24)])
async def test_enter_opens_a_group_and_asks_for_the_lines(size: tuple[int, int]) -> None:
    async with staged(size, failing()) as stage:
        await stage.press("f", "enter")
        text = stage.frame()
        assert "12 of the newest 12 on one of about" in text
        assert "trace 7e51cf68801c905c" in text
        asked = [one for one in stage.engine.asked if one[0] == "read lines"]
        assert asked == [("read lines", VIEW.groups[0].requests[0])]
        on_lines = stage.engine.procedure.on_lines
        trace = "Traceback (most recent call last):\n  File \"a.py\", line 1\nKeyError: 'tier'"
        lines = (LogLine(NOW, 500, trace), LogLine(NOW - 1, 200, "\x1b[2Jhello"))
        on_lines(LinesView(VIEW.groups[0].requests[0], lines=lines))
        await stage.settle()
        text = stage.frame()
        assert "ERROR   14:23:00Z  KeyError: 'tier' (3 lines)" in text
        assert "INFO    14:22:59Z  hello" in text
        await stage.press("escape")
        assert "1 of 3 groups beyond chance" in stage.frame()
        assert ("leave lines",) in stage.engine.asked
        await stage.press("escape")
        assert "of 3 groups" not in stage.frame()


async def test_lines_of_another_request_are_not_shown_beside_it() -> None:
    async with staged((120, 40), failing()) as stage:
        await stage.press("f", "enter", "down")
        on_lines = stage.engine.procedure.on_lines
        on_lines(LinesView(VIEW.groups[0].requests[0], lines=(LogLine(NOW, 500, "first"),)))
        await stage.settle()
        assert "first" not in stage.frame()
        assert "Enter asks for the application's lines about it" in stage.frame()


async def test_a_refusal_of_the_lines_is_said() -> None:
    async with staged((80, 24), failing()) as stage:
        await stage.press("f", "enter")
        said = "Cloud Logging did not answer within 5 s (reading log entries)."
        stage.engine.procedure.on_lines(LinesView(VIEW.groups[0].requests[0], trouble=said))
        await stage.settle()
        assert "did not answer within 5 s" in stage.frame()


async def test_the_cursor_goes_down_and_up_and_the_group_at_it_is_opened() -> None:
    async with staged((80, 24), failing()) as stage:
        await stage.press("f", "down")
        assert "▶ · GET /img/logo.png 404" in stage.frame()
        await stage.press("enter")
        assert "its single requests are not known" in stage.frame()


@pytest.mark.parametrize("size", [(120, 40), (80, 24), (40, 10)])
async def test_without_the_log_it_says_what_is_missing(size: tuple[int, int]) -> None:
    view = FailuresView(
        (FailureGroup(GroupKey("", "", "5xx"), 100, 60, 50.0, 9.0, True),),
        20_000,
        1_842,
        source="monitoring",
        missing="no routes, single requests, instances, traces and log lines: denied",
        tested=1,
    )
    async with staged(size, failing(view)) as stage:
        await stage.press("f")
        assert "From Cloud Monitoring, by" in stage.frame()
        assert size == (40, 10) or "no routes" in stage.frame()


async def test_before_anything_is_known_nothing_is_green() -> None:
    async with staged((80, 24), failing(None)) as stage:
        await stage.press("f")
        assert "? what fails is not known" in stage.frame()
        assert "✓ no request" not in stage.frame()
