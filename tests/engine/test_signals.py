"""Signals: an orderly end while they are handled, and as before afterwards."""

from __future__ import annotations

import asyncio
import os
import signal

import pytest

from canary.engine.signals import HangUp, ended_by_signal

NUMBERS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


async def _ended(number: signal.Signals, hang_up: HangUp) -> bool:
    asked = asyncio.Event()
    with ended_by_signal(asked.set, hang_up=hang_up):
        os.kill(os.getpid(), number)
        for _ in range(500):  # the loop's own wake-up, then the handler; on a busy machine later
            if asked.is_set():
                break
            await asyncio.sleep(0)
    return asked.is_set()


@pytest.mark.parametrize("number", NUMBERS)
async def test_each_signal_asks_to_end(number: signal.Signals) -> None:
    assert await _ended(number, "ends")


async def test_a_hang_up_can_be_ignored() -> None:
    assert not await _ended(signal.SIGHUP, "ignored")
    assert await _ended(signal.SIGTERM, "ignored")


async def test_what_nohup_ignores_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        assert not await _ended(signal.SIGHUP, "ends")
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


async def test_afterwards_all_is_as_before() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    with ended_by_signal(lambda: None):
        assert [signal.getsignal(number) for number in NUMBERS] != before
    assert [signal.getsignal(number) for number in NUMBERS] == before


def test_without_a_loop_the_handler_itself_ends_it() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]
    heard: list[bool] = []
    with ended_by_signal(lambda: heard.append(True)):
        os.kill(os.getpid(), signal.SIGTERM)
    assert heard == [True]
    assert [signal.getsignal(number) for number in NUMBERS] == before


async def test_outside_the_main_thread_nothing_is_handled() -> None:
    before = [signal.getsignal(number) for number in NUMBERS]

    def work() -> None:
        with ended_by_signal(lambda: None):
            assert [signal.getsignal(number) for number in NUMBERS] == before

    await asyncio.to_thread(work)
