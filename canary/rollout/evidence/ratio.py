"""Bad events of Canary against Legacy: a stratified e-process that may be looked at continuously.

In a window with n_legacy and n_canary requests, of which some are bad, let the total of bad events
be given. Under "Canary's ratio is ψ₀ times Legacy's" each bad event is Canary's with chance
θ = ψ₀·n_canary ∕ (ψ₀·n_canary + n_legacy). The likelihood ratio against an alternative ψ is

    (ψ∕ψ₀)^bad_canary · ((ψ₀·n_canary + n_legacy) ∕ (ψ·n_canary + n_legacy))^bad

and its product over windows, mixed over a few ψ, is a martingale under ψ₀: by Ville's inequality
the chance that it ever reaches 1∕α without a difference is at most α, however often one looks.
Each window is its own stratum: a change of share or a busy hour moves n, not the chance, and
cannot fake a difference; what happened before does not enter.

*Late onset.* A test that has watched hours of health has lost that much: it would need as long to
turn. So tests are started anew every epoch j = 1, 2, … and mixed with weights 1∕(j(j+1)); what is
not yet started keeps its mass 1∕(J+1). Since the sum over windows of one ψ from epoch j to now is
the difference of two running sums, the mixture needs two numbers for each ψ, not a replay and not
one number for each epoch.

Sources: Lindon & Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022; Lindon,
Sanden & Shirikian, Rapid Regression Detection in Software Deployments through Sequential Testing,
KDD 2022; Ville, Étude critique de la notion de collectif, 1939.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence

import msgspec

WORSE_RATIOS = (1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0)
"""How many times worse Canary may be, for "regression proven" (null: 1)."""

NOT_WORSE_RATIOS = (0.25, 0.5, 0.75, 1.0, 1.25)
"""How Canary may compare, for "no worse than 2×" (null: 2 or more)."""

EPOCH_S = 300.0
"""A new start is mixed in every five minutes."""


class Counts(msgspec.Struct, frozen=True):
    """One window of both sides: requests, and the bad ones among them. (start, end], seconds."""

    start: float
    end: float
    legacy: int
    canary: int
    bad_legacy: int
    bad_canary: int


class RatioTest(msgspec.Struct, frozen=True):
    """The state of one test; `update` gives the next. Two numbers for each alternative.

    `log_sums[i]` is the running log likelihood ratio C of alternative i; `log_starts[i]` is
    log Σ_j exp(−C at the start of epoch j) ∕ (j(j+1)). `epochs` have begun, the newest at
    `epoch_start`. `log_peak` is the highest the mixture has been: what is proven stays proven.
    The totals are of all windows that counted. Epochs share the mass `log_mass`;
    `log_reserve` is set aside for later ones (see `reserve`).
    """

    null: float
    alternatives: tuple[float, ...]
    log_sums: tuple[float, ...]
    log_starts: tuple[float, ...]
    epochs: int = 0
    epoch_start: float = -math.inf
    log_value: float = 0.0
    log_peak: float = 0.0
    peak_at: float | None = None
    legacy: int = 0
    canary: int = 0
    bad_legacy: int = 0
    bad_canary: int = 0
    windows: int = 0
    log_mass: float = 0.0
    log_reserve: float = -math.inf


def start_test(null: float, alternatives: Sequence[float]) -> RatioTest:
    """A test that has seen nothing: its value is 1."""
    size = len(alternatives)
    return RatioTest(null, tuple(alternatives), (0.0,) * size, (-math.inf,) * size)


def regression_test(smallest_ratio: float = 1.0) -> RatioTest:
    """Null: Canary at most `smallest_ratio` times as bad. Rises when it is worse."""
    return start_test(smallest_ratio, [psi * smallest_ratio for psi in WORSE_RATIOS])


def no_worse_test() -> RatioTest:
    """Null: Canary at least twice as bad. Rises when it is not."""
    return start_test(2.0, NOT_WORSE_RATIOS)


def doubt_test() -> RatioTest:
    """Null: Canary at most √2 times as bad. Rises when a "no worse than 2×" has ceased to be so.

    With Legacy's own ratio as the null it would withdraw the pass of a Canary that is 1.25 times as
    bad, and a third of those of an equal one.
    """
    return start_test(math.sqrt(2.0), (2.0, 2.5, 3.0, 4.0, 6.0, 8.0, 12.0, 20.0))


def log_ratio_of(window: Counts, null: float, psi: float) -> float:
    """The log likelihood ratio of `psi` against `null` in one window; 0 without a side."""
    if window.legacy <= 0 or window.canary <= 0:
        return 0.0
    bad = window.bad_canary + window.bad_legacy
    shares = math.log(
        (null * window.canary + window.legacy) / (psi * window.canary + window.legacy)
    )
    return window.bad_canary * math.log(psi / null) + bad * shares


def update(test: RatioTest, window: Counts, *, late_onset: bool = True) -> RatioTest:
    """The test after one window; a window in which either side had no request changes nothing.

    With `late_onset` False only the start at the first window counts (the plain e-process).
    """
    if window.legacy <= 0 or window.canary <= 0:
        return test
    begun = _begin_epoch(test, window.start, late_onset)
    bad = window.bad_canary + window.bad_legacy
    sums, value = begun.log_sums, test.log_value
    if bad:
        sums = _add_log_ratios(begun, window, bad)
    if bad or begun is not test:
        # Without a bad event and a new epoch nothing has moved: more than half of all windows
        # at a few requests a second.
        value = _log_mixture(begun, sums, late_onset)
    rose = value > test.log_peak
    return RatioTest(
        test.null,
        test.alternatives,
        sums,
        begun.log_starts,
        begun.epochs,
        begun.epoch_start,
        value,
        value if rose else test.log_peak,
        window.end if rose else test.peak_at,
        test.legacy + window.legacy,
        test.canary + window.canary,
        test.bad_legacy + window.bad_legacy,
        test.bad_canary + window.bad_canary,
        test.windows + 1,
        test.log_mass,
        test.log_reserve,
    )


def reserve(test: RatioTest) -> RatioTest:
    """Set half of the idle mass aside for after a past that is about to be read in one go.

    Any spending of the mass that is settled before looking is as good a martingale. After J epochs
    of the past the next one would get 1∕(J(J + 1)) of the mass; with this and `rebase` it gets a
    quarter: at 24 hours 10 nats less to make up, for 0.7 more in the past.

    Epochs that have begun keep theirs; only what none has is halved, so that the mass stays 1.
    """
    half = _log_idle(test) - math.log(2)
    return msgspec.structs.replace(
        test, log_mass=half + math.log(test.epochs + 1), log_reserve=half
    )


def rebase(test: RatioTest) -> RatioTest:
    """Count epochs anew from the next window on, with what was set aside or is not yet started."""
    return msgspec.structs.replace(
        test, epochs=0, epoch_start=-math.inf, log_mass=_log_idle(test), log_reserve=-math.inf
    )


def _log_idle(test: RatioTest) -> float:
    """The mass that no epoch has."""
    left = test.log_mass - math.log(test.epochs + 1)
    return left if test.log_reserve == -math.inf else _log_add(left, test.log_reserve)


def _add_log_ratios(test: RatioTest, window: Counts, bad: int) -> tuple[float, ...]:
    """The running sums after the window. Written for speed: it runs for every window of days."""
    legacy, canary, bad_canary = window.legacy, window.canary, window.bad_canary
    common = bad * math.log(test.null * canary + legacy)
    log = math.log
    return tuple(
        [
            c + bad_canary * weight + common - bad * log(psi * canary + legacy)
            for c, psi, weight in zip(
                test.log_sums,
                test.alternatives,
                _log_weights(test.null, test.alternatives),
                strict=True,
            )
        ]
    )


@functools.lru_cache(maxsize=16)
def _log_weights(null: float, alternatives: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(math.log(psi / null) for psi in alternatives)


def _begin_epoch(test: RatioTest, at: float, late_onset: bool) -> RatioTest:
    if test.epochs and (not late_onset or at < test.epoch_start + EPOCH_S):
        return test
    epoch = test.epochs + 1
    log_weight = test.log_mass - math.log(epoch * (epoch + 1)) if late_onset else 0.0
    starts = tuple(
        _log_add(s, log_weight - c) for s, c in zip(test.log_starts, test.log_sums, strict=True)
    )
    return msgspec.structs.replace(test, epochs=epoch, epoch_start=at, log_starts=starts)


def _log_mixture(test: RatioTest, sums: tuple[float, ...], late_onset: bool) -> float:
    """log of Σ_ψ w Σ_j exp(C_now − C_j)·weight_j, plus the mass not yet started."""
    terms = [c + s for c, s in zip(sums, test.log_starts, strict=True)]
    top, exp = max(terms), math.exp
    value = top + math.log(sum([exp(t - top) for t in terms]) / len(terms))
    if not late_onset:
        return value
    return _log_add(value, _log_idle(test))


def _log_add(a: float, b: float) -> float:
    high, low = (a, b) if a >= b else (b, a)
    return high if low == -math.inf else high + math.log1p(math.exp(low - high))


def is_proven(test: RatioTest, alpha: float) -> bool:
    """Whether the mixture has ever reached 1∕α."""
    return test.log_peak >= -math.log(alpha)


def strength(test: RatioTest, alpha: float) -> float:
    """How far the proof has come, 0…1 on the log scale; it may fall again until it is complete."""
    if is_proven(test, alpha):
        return 1.0
    return min(1.0, max(0.0, test.log_value / -math.log(alpha)))


def requests_needed(
    test: RatioTest, alpha: float, ratio: float, legacy_ratio: float
) -> float | None:
    """How many more Canary requests until the proof, if things go on as assumed.

    `ratio` is Canary's bad ratio over Legacy's, `legacy_ratio` Legacy's bad ratio. The expected
    growth of the best alternative a Canary request is taken; None when it does not grow.
    """
    if is_proven(test, alpha):
        return 0.0
    if not test.canary or legacy_ratio <= 0:
        return None
    legacy_per_canary = test.legacy / test.canary
    growth = max(
        ratio * legacy_ratio * math.log(psi / test.null)
        + (ratio + legacy_per_canary)
        * legacy_ratio
        * math.log((test.null + legacy_per_canary) / (psi + legacy_per_canary))
        for psi in test.alternatives
    )
    missing = -math.log(alpha) - test.log_value
    return missing / growth if growth > 0 else None
