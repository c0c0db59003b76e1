"""Bad events of Canary against Legacy: a test that bursts in Canary alone cannot fool.

The e-process of `ratio` takes single events for independent. Where they come in bursts (a crash
loop, a client that retries, one instance among many) it "proves" a difference that is none in
34–99 % of runs. This one asks less. Time is cut into blocks of 60 s (and, side by side, of 300 s)
aligned to the clock, and of a block only this must hold when there is no difference:

    E[bad of Canary | everything before the block] ≤ requests of Canary · p,
    p = max((l + 1) ∕ n_l, (L + 1) ∕ N)

with l of n_l requests of Legacy bad in the block itself and L of N before it. How the bad requests
of a block are spread inside it is free. With X = min(6, c ∕ (n_c·p)) each factor 1 + λ(X − 1) then
has an expectation of at most 1, the product over blocks is a supermartingale, and by Ville's
inequality the chance that it ever reaches 1∕α without a difference is at most α, however often one
looks. The cap says that less than three blocks prove nothing, whatever happens in them.

Starts are mixed as in `ratio`: start j has the weight 1∕(j(j + 1)), a new one begins every five
blocks, and what is not yet started keeps 1∕(J + 1). Looked at inside a block, X counts only with
the share of the block that is over: it can rise to its value, never above it for having looked.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from canary.rollout.evidence.ratio import Counts

BLOCKS_S: Final = (60.0, 300.0)
"""Lengths of a block; a proof holds for bursts up to the length of its blocks."""

BETS: Final = (0.15, 0.4, 0.8)
WEIGHTS: Final = (0.2, 0.3, 0.5)
"""λ and the share of the mass that bets it."""

MOST_X: Final = 6.0
EPOCH_BLOCKS: Final = 5
PAST_S: Final = 3600.0
"""So much of Legacy before the start counts for p."""

_PAST_STEP_S: Final = 300.0
_LOG_WEIGHTS: Final = tuple(math.log(v) for v in WEIGHTS)


class Block(msgspec.Struct, frozen=True):
    """The block that runs: where it began, how far it is known, and what it has seen."""

    start: float
    end: float
    legacy: int = 0
    canary: int = 0
    bad_legacy: int = 0
    bad_canary: int = 0


class LegacyPast(msgspec.Struct, frozen=True):
    """Legacy's last hour in steps of five minutes, oldest first: (begin, requests, bad)."""

    steps: tuple[tuple[float, int, int], ...] = ()

    @property
    def requests(self) -> int:
        """All of Legacy's requests in the hour."""
        return sum(step[1] for step in self.steps)

    @property
    def bad(self) -> int:
        """The bad ones among them."""
        return sum(step[2] for step in self.steps)

    def add(self, at: float, requests: int, bad: int) -> LegacyPast:
        """With what was seen at `at`; what is older than an hour before it goes."""
        begin = math.floor(at / _PAST_STEP_S) * _PAST_STEP_S
        kept = [step for step in self.steps if step[0] > at - PAST_S]
        if kept and kept[-1][0] == begin:
            requests, bad = requests + kept[-1][1], bad + kept[-1][2]
            kept.pop()
        return LegacyPast((*kept, (begin, requests, bad)))


class BurstTest(msgspec.Struct, frozen=True):
    """The state of one test; `update` gives the next.

    `log_products[i]` is the sum over the closed blocks of log factor(λᵢ), `log_starts[i]` is
    log Σ_j w_j·exp(−that sum at start j). `starts` have begun, the newest `blocks_since_start`
    blocks ago. `past_*` are Legacy's closed blocks and the hour before the first; `block` runs.
    `log_value` is the mixture now, `log_peak` the highest it has been.
    """

    block_s: float
    smallest_ratio: float = 1.0
    log_products: tuple[float, ...] = (0.0,) * len(BETS)
    log_starts: tuple[float, ...] = (-math.inf,) * len(BETS)
    starts: int = 0
    blocks_since_start: int = 0
    past_requests: int = 0
    past_bad: int = 0
    block: Block | None = None
    log_value: float = 0.0
    log_peak: float = 0.0


def start_test(
    block_s: float, past: LegacyPast | None = None, smallest_ratio: float = 1.0
) -> BurstTest:
    """A test that has seen nothing but Legacy's past (None: nothing is known of it).

    Its null: Canary at most `smallest_ratio` times as bad as Legacy.
    """
    past = past or LegacyPast()
    return BurstTest(block_s, smallest_ratio, past_requests=past.requests, past_bad=past.bad)


def update(test: BurstTest, window: Counts) -> BurstTest:
    """The test after one more judged window, oldest first.

    A window belongs to the block in which it begins. One that is longer than a block (a minute of
    Cloud Monitoring's beside blocks of a minute is not) is a block of its own.
    """
    start = math.floor(window.start / test.block_s) * test.block_s
    if test.block is None or start > test.block.start:
        test = _open(_close(test), start)
    block = test.block
    if block is None:
        return test
    grown = Block(
        block.start,
        max(block.end, window.end),
        block.legacy + window.legacy,
        block.canary + window.canary,
        block.bad_legacy + window.bad_legacy,
        block.bad_canary + window.bad_canary,
    )
    value = _mixture(test, _log_factors(test, grown))
    return msgspec.structs.replace(
        test, block=grown, log_value=value, log_peak=max(test.log_peak, value)
    )


def is_proven(test: BurstTest, alpha: float) -> bool:
    """Whether the mixture has ever reached 1∕α."""
    return test.log_peak >= -math.log(alpha)


def strength(test: BurstTest, alpha: float) -> float:
    """How far the proof has come, 0…1 on the log scale; it may fall again until it is complete."""
    if is_proven(test, alpha):
        return 1.0
    return min(1.0, max(0.0, test.log_value / -math.log(alpha)))


def _open(test: BurstTest, start: float) -> BurstTest:
    """Begin the next block, and with every fifth a new start of the mixture."""
    block = Block(start, start)
    if test.starts and test.blocks_since_start < EPOCH_BLOCKS:
        return msgspec.structs.replace(
            test, block=block, blocks_since_start=test.blocks_since_start + 1
        )
    number = test.starts + 1
    weight = -math.log(number * (number + 1))
    begun = tuple(
        _log_add(sum_, weight - product)
        for sum_, product in zip(test.log_starts, test.log_products, strict=True)
    )
    return msgspec.structs.replace(
        test, block=block, log_starts=begun, starts=number, blocks_since_start=1
    )


def _close(test: BurstTest) -> BurstTest:
    """Take the block that runs as whole: its factors, and its Legacy into the past."""
    block = test.block
    if block is None:
        return test
    factors = _log_factors(test, msgspec.structs.replace(block, end=block.start + test.block_s))
    products = tuple(p + f for p, f in zip(test.log_products, factors, strict=True))
    closed = msgspec.structs.replace(
        test,
        log_products=products,
        past_requests=test.past_requests + block.legacy,
        past_bad=test.past_bad + block.bad_legacy,
        block=None,
    )
    value = _mixture(closed, (0.0,) * len(BETS))
    return msgspec.structs.replace(closed, log_value=value, log_peak=max(closed.log_peak, value))


def _log_factors(test: BurstTest, block: Block) -> tuple[float, ...]:
    """log(1 + λ(X − 1)) of a block for each λ; 0 where a side has no requests."""
    if not block.legacy or not block.canary:
        return (0.0,) * len(BETS)
    p = (block.bad_legacy + 1) / block.legacy
    if test.past_requests:
        p = max(p, (test.past_bad + 1) / test.past_requests)
    done = min(1.0, (block.end - block.start) / test.block_s)
    x = min(MOST_X, done * block.bad_canary / (block.canary * p * test.smallest_ratio))
    return tuple(math.log1p(bet * (x - 1.0)) for bet in BETS)


def _mixture(test: BurstTest, factors: tuple[float, ...]) -> float:
    """log of Σ_λ v Σ_j w_j·Π factors, plus the mass that is not yet started."""
    idle = -math.log(test.starts + 1)
    terms = [
        weight + product + start + factor
        for weight, product, start, factor in zip(
            _LOG_WEIGHTS, test.log_products, test.log_starts, factors, strict=True
        )
    ]
    terms.append(idle)
    top = max(terms)
    return top + math.log(sum(math.exp(t - top) for t in terms))


def _log_add(a: float, b: float) -> float:
    high, low = (a, b) if a >= b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))
