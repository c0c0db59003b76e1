"""The thread that reads keys: it sleeps until there is one, and knows an Esc from a sequence."""

from __future__ import annotations

import asyncio
import os
import select
import threading
from collections.abc import Iterator
from queue import Queue
from types import SimpleNamespace

import pytest
from textual.app import App
from textual.events import Key
from textual.message import Message

from tui.terminal.driver import ConsoleDriver


class Heard(ConsoleDriver):
    """Keys go into a queue; what is typed comes from a pipe."""

    def __init__(self, typed: int) -> None:
        super().__init__(App(), debug=False, mouse=False, size=(80, 24))
        self.fileno = typed
        self.keys: Queue[str] = Queue()

    def process_message(self, message: Message) -> None:
        if isinstance(message, Key):
            self.keys.put(message.key)


class Reading:
    """A running reader, and the seconds for which it has asked to wait."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.waits: Queue[float | None] = Queue()
        watched = SimpleNamespace(select=self._select, poll=select.poll)
        monkeypatch.setattr("tui.terminal.driver.select", watched)
        self.typed, self._typing = os.pipe()
        self.driver = asyncio.run(self._make())
        self.driver._key_thread = threading.Thread(target=self.driver.run_input_thread)
        self.driver._key_thread.start()

    async def _make(self) -> Heard:
        """A driver wants a running loop when it is made."""
        return Heard(self.typed)

    def _select(
        self, read: list[int], write: list[int], other: list[int], wait_s: float | None
    ) -> tuple[list[int], list[int], list[int]]:
        self.waits.put(wait_s)
        return select.select(read, write, other, wait_s)

    def type(self, data: bytes) -> None:
        os.write(self._typing, data)

    def end(self) -> bool:
        """Whether it has ended when it was told to."""
        self.driver.disable_input()
        assert self.driver._key_thread is not None
        return not self.driver._key_thread.is_alive()


@pytest.fixture
def reading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Reading]:
    reader = Reading(monkeypatch)
    yield reader
    if not reader.driver.exit_event.is_set():
        reader.end()


def test_nothing_wakes_it_but_a_key_and_it_ends_at_once(reading: Reading) -> None:
    assert reading.waits.get(timeout=5) is None
    assert reading.end()
    assert reading.waits.empty()


def test_a_lone_esc_is_a_key_though_nothing_follows(reading: Reading) -> None:
    reading.type(b"\x1b")
    assert reading.driver.keys.get(timeout=5) == "escape"


def test_a_sequence_is_one_key(reading: Reading) -> None:
    reading.type(b"\x1b[A")
    assert reading.driver.keys.get(timeout=5) == "up"


def test_a_character_in_two_pieces_is_one_and_bytes_that_are_none_are_no_end(
    reading: Reading,
) -> None:
    reading.type("ü".encode()[:1])
    reading.type("ü".encode()[1:] + b"\xffq")
    heard = [reading.driver.keys.get(timeout=5)]
    while heard[-1] != "q":
        heard.append(reading.driver.keys.get(timeout=5))
    assert heard[0] == "ü"
