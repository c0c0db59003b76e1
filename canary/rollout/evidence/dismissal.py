"""A person's word that a proof is to be let go of: kept in the journal, so that others see it."""

from __future__ import annotations

import msgspec

from canary.rollout.evidence.metric_evidence import Metric


class Dismissal(msgspec.Struct, frozen=True):
    """Who has dismissed the proofs of which metrics, when (cloud time) and why.

    It ends what was proven up to then; the tests begin anew, and may prove it again.
    """

    at: float
    by: str
    metrics: tuple[Metric, ...]
    reason: str = ""
