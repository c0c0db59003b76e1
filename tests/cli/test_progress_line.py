"""The progress line: in place at a terminal, rarely in a log."""

from __future__ import annotations

import io

from canary.cli.output import CLEAR, ProgressLine


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


class Log(io.StringIO):
    encoding = "ascii"


class Hand:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_at_a_terminal_it_is_rewritten_and_cleared_in_the_end() -> None:
    stream, hand = Terminal(), Hand()
    with ProgressLine(stream, hand) as line:
        line.show("one")
        hand.now = 1.0
        line.show("two")
    assert stream.getvalue() == f"{CLEAR}one{CLEAR}two{CLEAR}"


def test_news_in_quick_succession_wait_unless_told_at_once() -> None:
    stream, hand = Terminal(), Hand()
    with ProgressLine(stream, hand) as line:
        line.show("one")
        line.show("two")
        line.show("three", at_once=True)
    assert stream.getvalue() == f"{CLEAR}one{CLEAR}three{CLEAR}"


def test_a_long_text_is_one_line_with_a_mark() -> None:
    stream = Terminal()
    with ProgressLine(stream, Hand()) as line:
        line.show("x" * 500)
    shown = stream.getvalue().removeprefix(CLEAR).removesuffix(CLEAR)
    assert len(shown) < 500
    assert shown.endswith("…")


def test_a_log_gets_a_line_a_minute_without_control_characters() -> None:
    stream, hand = Log(), Hand()
    with ProgressLine(stream, hand) as line:
        for now in range(0, 121, 1):
            hand.now = float(now)
            line.show(f"{now} é", at_once=True)
    assert stream.getvalue() == "0 _\n60 _\n120 _\n"
