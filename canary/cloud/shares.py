"""Sharing out a whole in whole parts, by largest remainder. Pure."""

from __future__ import annotations

from collections.abc import Sequence


def share_out(whole: int, weights: Sequence[int]) -> tuple[int, ...]:
    """Parts of `whole` in proportion to `weights`; they sum to it, or are all 0 as the weights are.

    What is left by rounding down goes to the largest remainders, of equal ones to the first.
    """
    total = sum(weights)
    if total <= 0:
        return (0,) * len(weights)
    parts = [whole * weight // total for weight in weights]
    by_remainder = sorted(range(len(weights)), key=lambda i: (-(whole * weights[i] % total), i))
    for index in by_remainder[: whole - sum(parts)]:
        parts[index] += 1
    return tuple(parts)
