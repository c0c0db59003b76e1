"""What the table [evidence] must obey."""

from __future__ import annotations

from canary.rollout.plan_evidence import Evidence
from canary.rollout.plan_mistakes import Found, Mistake, check_range


def find_evidence_mistakes(evidence: Evidence) -> Found:
    """Every rule that the table breaks."""
    for name in ("alpha", "pass_alpha"):
        value = getattr(evidence, name)
        if not 0 < value < 1:
            expected = "above 0 and below 1, as 0.01"
            yield Mistake(f"evidence.{name}", f"is {value:g}", expected)
    yield from check_range("evidence.warm_up_minutes", evidence.warm_up_minutes, 0, 1440)
    effect = evidence.smallest_score_effect
    if not 0 < effect <= 1:
        expected = "above 0 and at most 1, a difference of confidence"
        yield Mistake("evidence.smallest_score_effect", f"is {effect:g}", expected)
