"""How many times as bad Canary is as Legacy: an estimate with an interval that holds at any look.

Given the bad requests of a window, each is Canary's with the chance ψ·n_c ∕ (ψ·n_c + n_l), where ψ
is Canary's ratio over Legacy's. The likelihood of ψ is summed up over windows at fixed values of ψ.
Its mean over all of them divided by that at the true ψ is a martingale, so by Ville's inequality
the set {ψ : mean ∕ likelihood(ψ) < 1∕α} ever misses the true ψ with a chance of at most α, however
often one looks (a confidence sequence). It takes bad requests for independent, as `ratio` does.

Source: Lindon & Malek, Anytime-Valid Inference for Multinomial Count Data, NeurIPS 2022.
"""

from __future__ import annotations

import math
from typing import Final

import msgspec

from canary.rollout.evidence.ratio import Counts

RATIOS: Final[tuple[float, ...]] = tuple(2.0 ** (step / 4) for step in range(-24, 25))
"""From 1∕64 to 64, each 19 % above the last."""

_STEP: Final[float] = math.log(2.0) / 4
_LOGS: Final[tuple[float, ...]] = tuple(math.log(psi) for psi in RATIOS)


class RatioInterval(msgspec.Struct, frozen=True):
    """Canary's bad ratio over Legacy's: estimate and bounds. `high` None: no upper bound yet."""

    estimate: float
    low: float
    high: float | None


class Likelihood(msgspec.Struct, frozen=True):
    """The running log likelihood at each of RATIOS; `add` gives the next. `bad`: requests in it."""

    logs: tuple[float, ...] = (0.0,) * len(RATIOS)
    bad: int = 0

    def add(self, window: Counts) -> Likelihood:
        """After one more window; one without bad requests, or without a side, changes nothing."""
        bad = window.bad_canary + window.bad_legacy
        if not bad or window.legacy <= 0 or window.canary <= 0:
            return self
        legacy, canary, of_canary, log = window.legacy, window.canary, window.bad_canary, math.log
        logs = tuple(
            [
                value + of_canary * log_psi - bad * log(psi * canary + legacy)
                for value, psi, log_psi in zip(self.logs, RATIOS, _LOGS, strict=True)
            ]
        )
        return Likelihood(logs, self.bad + bad)


def estimate_ratio(since: Likelihood, alpha: float) -> RatioInterval | None:
    """The most likely ratio and the interval at 1 − α; None before any request was bad.

    An end that lies beyond RATIOS is 0 below and open above.
    """
    if not since.bad:
        return None
    top = max(since.logs)
    mean = top + math.log(sum(math.exp(v - top) for v in since.logs) / len(since.logs))
    limit = mean + math.log(alpha)
    inside = [i for i, value in enumerate(since.logs) if value > limit]
    first, last = inside[0], inside[-1]
    return RatioInterval(
        estimate=_peak(since.logs),
        low=_crossing(since.logs, first, -1, limit) if first else 0.0,
        high=_crossing(since.logs, last, 1, limit) if last < len(RATIOS) - 1 else None,
    )


def format_interval(interval: RatioInterval) -> str:
    """How many times as bad Canary is, with the interval: "×4.2 (2.1 to 8.0)"; "?" no bound yet."""
    low, high = _figures(interval.low), "?"
    if interval.high is not None:
        high = _figures(interval.high)
    return f"×{_figures(interval.estimate)} ({low} to {high})"


def _figures(ratio: float) -> str:
    """Two figures: "0.09", "4.2", "38"; "0" is only what is none at all."""
    if ratio >= 9.95:
        return f"{ratio:.0f}"
    if ratio >= 0.995 or ratio == 0:
        return f"{ratio:.1f}" if ratio else "0"
    return f"{ratio:.2f}" if ratio >= 0.005 else "<0.01"


def _crossing(logs: tuple[float, ...], inside: int, step: int, limit: float) -> float:
    """Where the likelihood meets `limit` between a point inside and its neighbour outside."""
    here, there = logs[inside], logs[inside + step]
    share = (here - limit) / (here - there) if here > there else 1.0
    return math.exp(_LOGS[inside] + share * (_LOGS[inside + step] - _LOGS[inside]))


def _peak(logs: tuple[float, ...]) -> float:
    """The top of the parabola through the highest point and its neighbours."""
    i = max(range(len(logs)), key=logs.__getitem__)
    if i in (0, len(logs) - 1):
        return RATIOS[i]
    left, middle, right = logs[i - 1], logs[i], logs[i + 1]
    bend = left - 2 * middle + right
    shift = 0.5 * (left - right) / bend if bend else 0.0
    return math.exp(_LOGS[i] + shift * _STEP)
