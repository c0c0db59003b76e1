"""The strip asks; only a key typed after it was seen answers, and only once."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from textual._compositor import CompositorUpdate
from textual.app import ComposeResult
from textual.events import Key
from textual.pilot import Pilot
from textual.screen import Screen

from tests import quiescence
from tests.widgets.stage import Stage, screen_text, shown
from widgets.bars.confirm_strip import ConfirmStrip
from widgets.bars.proposal import Proposal

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
        self.reasons: list[str] = []

    def compose(self) -> ComposeResult:
        yield self.strip

    def on_confirm_strip_accepted(self, message: ConfirmStrip.Accepted) -> None:
        self.said.append(("accepted", message.proposal.change_id))
        self.reasons.append(message.reason)

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


async def test_a_key_that_comes_right_behind_the_question_counts() -> None:
    strip = ConfirmStrip()

    class Quick(Desk):
        """Where a `y` is typed in the moment in which the question has come over the line."""

        def shorten(self, update: CompositorUpdate) -> CompositorUpdate:
            shortened = super().shorten(update)
            if PROPOSAL.title in self.sent[-1]:
                strip.post_message(Key("y", "y"))
            return shortened

    async with Quick(strip).run_test(size=(100, 6)) as pilot:
        await painted(pilot)
        strip.open(PROPOSAL)
        await painted(pilot)
        assert listening(pilot).said == [("accepted", "c1")]


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


LONG = msgspec.structs.replace(
    PROPOSAL, command="gcloud run services update ion-api --region=us-central1 " + "--flag=x " * 30
)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
async def test_a_command_longer_than_the_line_is_whole_over_several_rows(width: int) -> None:
    strip, app = desk()
    async with app.run_test(size=(width, 24)) as pilot:
        strip.styles.height = 24
        strip.open(LONG)
        await painted(pilot)
        shown_ = " ".join(screen_text(pilot).split())
        assert LONG.command.strip() in shown_
        assert "…" not in shown_


async def test_where_the_rows_are_too_few_the_question_scrolls_and_says_so() -> None:
    strip, app = desk()
    async with app.run_test(size=(60, 6)) as pilot:
        strip.open(msgspec.structs.replace(LONG, command=LONG.command + "--end"))
        await painted(pilot)
        assert "more rows" in screen_text(pilot)
        assert "y confirm" in screen_text(pilot)
        assert "--end" not in screen_text(pilot)
        await pilot.press(*["pagedown"] * 9)
        assert "--end" in screen_text(pilot)
        await pilot.press(*["up"] * 3, *["pageup"] * 9)
        assert "Promote to stage 3" in screen_text(pilot)
        assert listening(pilot).said == []


REASONED = msgspec.structs.replace(PROPOSAL, takes_reason=True)


@pytest.mark.parametrize("key", ["i", "tab"])
async def test_a_reason_is_typed_and_comes_with_the_answer(key: str) -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(REASONED)
        await painted(pilot)
        await pilot.press(key, *"yes, no", "space", *"日R")
        await painted(pilot)
        assert "reason: yes, no 日R▏" in screen_text(pilot)
        await pilot.press("enter")
        await painted(pilot)
        assert "i a reason" in screen_text(pilot)
        assert listening(pilot).said == []
        await pilot.press("y")
        assert listening(pilot).reasons == ["yes, no 日R"]


async def test_escape_leaves_the_field_first_and_then_the_question() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(REASONED)
        await painted(pilot)
        await pilot.press("i", "n", "escape")
        assert listening(pilot).said == []
        await pilot.press("escape")
        assert listening(pilot).said == [("left", "")]


async def test_without_the_reason_that_is_needed_nothing_is_confirmed() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(msgspec.structs.replace(REASONED, needs_reason="It was rolled back."))
        await painted(pilot)
        assert "It was rolled back." in screen_text(pilot)
        await pilot.press("y")
        assert listening(pilot).said == []
        await pilot.press(*"mended", "enter", "y")
        assert listening(pilot).said == [("accepted", "c1")]


async def test_a_wrong_name_is_said_to_be_wrong() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(GRAVE)
        await painted(pilot)
        await pilot.press(*"ion")
        assert "not that name" not in screen_text(pilot)
        await pilot.press("x", "enter")
        assert "✗ not that name" in screen_text(pilot)
        assert listening(pilot).said == []


async def test_beside_a_typed_name_tab_goes_to_the_reason_and_i_is_a_letter() -> None:
    strip, app = desk()
    async with app.run_test(size=(100, 6)) as pilot:
        strip.open(msgspec.structs.replace(GRAVE, takes_reason=True))
        await painted(pilot)
        await pilot.press("i", "tab", *"why", "tab", *"on-api", "enter")
        assert (strip.typed, strip.reason) == ("ion-api", "why")
        assert listening(pilot).said == [("accepted", "c2")]
