"""Windows for the tests of the evidence."""

import functools

from canary.rollout.evidence.window import LATENCY_BOUNDS_MS, EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Distribution
from canary.simulator.world.traffic.sampling import poisson

BEGAN = 1_760_000_000.0


@functools.lru_cache(maxsize=4096)
def latencies(fast: int, slow: int = 0, slow_ms: float = 5_000.0) -> Distribution:
    """`fast` requests of 100 ms and `slow` ones."""
    counts = [0] * (len(LATENCY_BOUNDS_MS) + 1)
    counts[next(i for i, b in enumerate(LATENCY_BOUNDS_MS) if b > 100.0)] += fast
    counts[next(i for i, b in enumerate(LATENCY_BOUNDS_MS) if b > slow_ms)] += slow
    return Distribution(LATENCY_BOUNDS_MS, tuple(counts), fast + slow)


def window(
    at: float,
    legacy: tuple[int, int] = (475, 2),
    canary: tuple[int, int] = (25, 0),
    *,
    length: float = 5.0,
    revision: str = "can-1",
    slow: tuple[int, int] = (0, 0),
    **fields: object,
) -> EvidenceWindow:
    """A window that begins `at` seconds after BEGAN: (requests, bad) of both sides."""
    sides = [
        SideWindow(n, bad, latencies(n - late, late), (name,))
        for (n, bad), late, name in zip((legacy, canary), slow, ("leg-1", revision), strict=True)
    ]
    return EvidenceWindow(
        BEGAN + at, BEGAN + at + length, fields.pop("source", "tail"), *sides, **fields
    )


def drawn(rng, at: float, requests_per_s: float, legacy: float, canary: float, share=0.05):
    """A window of 5 s of Poisson requests, drawn."""
    sides = []
    for portion, ratio in ((1 - share, legacy), (share, canary)):
        expected = requests_per_s * portion * 5
        bad = poisson(rng, expected * ratio)
        sides.append((poisson(rng, expected * (1 - ratio)) + bad, bad))
    return window(at, *sides)
