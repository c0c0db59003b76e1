"""Leases."""

import asyncio

from canary.simulator.control.leases import Leases

NEVER_S = 3600.0


async def test_without_a_first_lease_the_cloud_ends():
    ended = asyncio.Event()
    Leases(ended.set, first_s=0.0, grace_s=NEVER_S).start()
    await ended.wait()


async def test_the_last_lease_that_closes_ends_the_cloud():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=NEVER_S, grace_s=0.0)
    leases.start()
    with leases.hold():
        assert leases.held == 1
    await ended.wait()


async def test_a_cloud_with_a_lease_left_does_not_end():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=0.0, grace_s=0.0)
    leases.start()
    with leases.hold():
        with leases.hold():
            pass
        await _turns()
        assert not ended.is_set()


async def test_a_lease_within_the_grace_keeps_the_cloud():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=NEVER_S, grace_s=0.0)
    with leases.hold():
        pass
    with leases.hold():
        await _turns()
        assert not ended.is_set()


async def test_stopped_leases_end_nothing_any_more():
    ended = asyncio.Event()
    leases = Leases(ended.set, first_s=0.0, grace_s=0.0)
    leases.start()
    leases.stop()
    await _turns()
    assert not ended.is_set()


async def _turns():
    """Let everything run that is due."""
    for _ in range(5):
        await asyncio.sleep(0)
