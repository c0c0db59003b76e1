"""The plan's table [evidence]: how Canary is compared with Legacy, and what a proof leads to."""

from __future__ import annotations

from typing import Literal

import msgspec

OnRegression = Literal["ignore", "advise", "rollback"]


class Evidence(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`on_regression`: what a proven regression leads to, apart from the thresholds.

    `alpha` bounds the chance of ever alarming without a difference, `pass_alpha` that of ever
    saying "no worse than twice" of a Canary that is. `tail`: read Cloud Run's request log, which
    is seconds old (off: only Cloud Monitoring's minutes). `warm_up_minutes` are left out after
    every new revision. `smallest_score_effect` is the least difference of confidence that matters.
    """

    on_regression: OnRegression = "advise"
    alpha: float = 0.01
    pass_alpha: float = 0.05
    tail: bool = True
    warm_up_minutes: float = 3.0
    smallest_score_effect: float = 0.05
