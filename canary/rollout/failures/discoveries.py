"""Which of many groups fail beyond chance: e-BH over their e-values. Pure.

With m groups looked at, some look bad by chance. Of the e-values in descending order the first k
with e₍ₖ₎ ≥ m∕(α·k), for the greatest such k, are marked: of what is marked, the expected share that
is marked wrongly is at most α, at whatever time one looks, however the groups depend on each other.

Source: Wang & Ramdas, False discovery rate control with e-values, JRSS B 2022.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

RATE: Final = 0.05
"""Of the groups that are marked, the share that may be so by chance."""


def find_discoveries(log_e_values: Sequence[float], rate: float = RATE) -> frozenset[int]:
    """The places of those that are beyond chance; none of an empty sequence. e-values in logs."""
    order = sorted(range(len(log_e_values)), key=lambda i: -log_e_values[i])
    whole = math.log(len(order)) - math.log(rate) if order else 0.0
    marked = 0
    for k, place in enumerate(order, 1):
        if log_e_values[place] >= whole - math.log(k) - 1e-12:
            marked = k
    return frozenset(order[:marked])
