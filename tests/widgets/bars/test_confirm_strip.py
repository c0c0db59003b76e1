"""The strip asks; only a key typed after it was seen answers, and only once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from textual.app import ComposeResult
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from tests import quiescence
from tests.widgets.stage import Stage, screen_text, shown
from widgets.bars.confirm_strip import ConfirmStrip, Proposal

quiescence.install()

PROPOSAL = Proposal(
    "c1",
    "Promote to stage 3",
    ("canary 10 % → 25 %",),
    "ion-api-canary-00042-abc",
    "on data 74 s old",
    ("soak", "load test"),
    "gcloud run services update ion-api",
)
GRAVE = Proposal("c2", "Delete ion-api", typed_name="ion-api")


class Listening(Screen[None]):
    """Keeps what the strip said and the keys it let through."""

    CSS = "Listening > ConfirmStrip { height: 4; }"
    AUTO_FOCUS = None

    def __init__(self, strip: ConfirmStrip) -> None:
        super().__init__()
        self.strip = strip
        self.said: list[tuple[str, str]] = []
        self.keys: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.strip

    def on_confirm_strip_accepted(self, message: ConfirmStrip.Accepted) -> None:
        self.said.append(("accepted", message.proposal.change_id))

    def on_confirm_strip_left(self, message: ConfirmStrip.Left) -> None:
        self.said.append(("left", message.reason))

    def on_key(self, event: Key) -> None:
        self.keys.append(event.key)


class Desk(Stage):
    """The strip on a listening screen."""

    def get_default_screen(self) -> Screen[None]:
        assert isinstance(self.widget, ConfirmStrip)
        return Listening(self.widget)


def listening(pilot: Pilot[Any]) -> Listening:
    screen = pilot.app.screen
    assert isinstance(screen, Listening)
    return screen


def desk() -> tuple[ConfirmStrip, Desk]:
    strip = ConfirmStrip()
    return strip, Desk(strip)


async def painted(pilot: Pilot[Any]) -> None:
    """The first pause paints; what waits for the painting is done in the second."""
    for _ in range(2):
        await pilot.pause()


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("y", [("accepted", "c1")]),
        ("n", [("left", "")]),
        ("escape", [("left", "")]),
        ("p", []),
        ("enter", []),
        ("Y", []),
    ],
)
async def test_y_accepts_n_and_escape_leave_and_nothing_else_answers(
    key: str, said: list[tuple[str, str]]
) -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(PROPOSAL)
        await painted(pilot)
        await pilot.press(key)
        assert listening(pilot).said == said
        assert listening(pilot).keys == []


async def test_a_second_y_is_not_a_second_change() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(PROPOSAL)
        await painted(pilot)
        await pilot.press("y", "y", "y")
        assert listening(pilot).said == [("accepted", "c1")]


async def test_a_key_typed_before_the_strip_was_seen_does_not_count() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        early = Key("y", "y")
        strip.open(PROPOSAL)
        await painted(pilot)
        app.post_message(early)
        await pilot.pause()
        assert listening(pilot).said == []


async def test_a_strip_that_is_not_painted_yet_hears_nothing() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)):
        strip.open(PROPOSAL)
        assert not strip.is_armed


async def test_a_dead_strip_says_why_and_accepts_nothing() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(PROPOSAL)
        await painted(pilot)
        strip.die("The split was changed by somebody else.")
        await pilot.press("y")
        assert listening(pilot).said == []
        assert "changed by somebody else" in screen_text(pilot)
        assert "Nothing was sent." in screen_text(pilot)
        await pilot.press("escape")
        assert listening(pilot).said == [("left", "The split was changed by somebody else.")]


async def test_a_name_must_be_typed_exactly_and_sent_off() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(GRAVE)
        await pilot.pause()
        await pilot.press("y", "enter")
        assert listening(pilot).said == []
        await pilot.press("ctrl+u", *"ion-api", "enter")
        assert listening(pilot).said == [("accepted", "c2")]


async def test_an_n_in_a_typed_name_does_not_leave() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(GRAVE)
        await pilot.pause()
        await pilot.press("n", "backspace")
        assert listening(pilot).said == []
        assert strip.typed == ""


async def test_a_closed_strip_is_blank_and_lets_keys_through() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(PROPOSAL)
        await painted(pilot)
        strip.close()
        await pilot.press("y")
        assert screen_text(pilot).strip() == ""
        assert listening(pilot).keys == ["y"]


async def test_the_strip_says_what_on_what_how_old_what_fails_and_the_command() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(PROPOSAL)
        await painted(pilot)
        assert screen_text(pilot).rstrip().split("\n") == [
            " Promote to stage 3  canary 10 % → 25 %  ion-api-canary-00042-abc  on data 74 s old",
            " ✗ not met: soak, load test",
            " $ gcloud run services update ion-api",
            " y confirm   n or Esc cancels",
        ]


@pytest.mark.parametrize("rows", [1, 2, 3])
async def test_the_answer_is_kept_however_few_rows_there_are(rows: int) -> None:
    strip, app = desk()
    async with app.run_test(size=(80, 6)) as pilot:
        strip.styles.height = rows
        await pilot.pause()
        strip.open(PROPOSAL)
        await painted(pilot)
        assert "y confirm" in screen_text(pilot)
        assert "Promote to stage 3" in screen_text(pilot)


async def test_opening_it_costs_at_most_500_bytes() -> None:
    strip = ConfirmStrip()
    async with shown(strip, (120, 4)) as pilot:
        stage = pilot.app
        assert isinstance(stage, Stage)
        stage.sent.clear()
        command = (
            "gcloud run services update ion-api --region us-central1 "
            "--update-env-vars CANARY_TRAFFIC_PERCENTAGE=25"
        )
        strip.open(msgspec.structs.replace(PROPOSAL, unmet=("soak",), command=command))
        await pilot.pause()
        assert stage.sent
        assert len("".join(stage.sent).encode()) <= 500
