"""The evidence for programs and in lines: what is proven, on what, and what is not known yet."""

import msgspec
import pytest

from canary.rollout.evidence.onset import Stretch
from canary.rollout.export.evidence_document import evidence_document, metric_line
from canary.rollout.text import format_iso_time
from tests.widgets.evidence_scenes import (
    ADVICE,
    INCONCLUSIVE,
    PASSED,
    PROVEN,
    UNDECIDED,
    UNKNOWN,
    VIEW,
    with_evidence,
)
from tests.widgets.scenes import NOW


def test_a_proof_has_its_moment_and_what_it_rests_on():
    document = evidence_document(with_evidence(VIEW, ADVICE))
    assert document["verdict"] == "rollback"
    assert document["advice"]["action"] == "advise"
    errors = document["metrics"][0]
    assert errors["detected_at"] == format_iso_time(NOW - 300)
    assert errors["proven_on"]["since"] == format_iso_time(NOW - 600)
    assert errors["proven_on"]["canary"] == {"value": 12 / 398, "count": 398}


def test_without_a_view_it_is_inconclusive_and_empty():
    document = evidence_document(with_evidence(None))
    assert (document["verdict"], document["metrics"]) == ("inconclusive", [])


def test_while_the_past_is_judged_again_it_says_how_far_and_nothing_else():
    view = msgspec.structs.replace(VIEW, metrics=(), rebuilding=0.43)
    document = evidence_document(with_evidence(view))
    assert (document["verdict"], document["rebuilding"]) == ("undecided", 0.43)
    assert document["metrics"] == []


@pytest.mark.parametrize(
    ("metric", "line"),
    [
        (
            PROVEN,
            "5xx: proven worse at 14:18:00Z, 3.02 % against Legacy's 0.49 %"
            " from 14:13:00Z on (398 Canary requests)",
        ),
        (
            UNDECIDED,
            "slow requests: still open (Canary 5.20 %, Legacy 4.80 %; 1 204 Canary requests):"
            " about 2 400 more Canary requests, 9 m at today's rate",
        ),
        (PASSED, "confidence: no worse, proven (Canary 0.86, Legacy 0.85; 1 204 Canary requests)"),
        (UNKNOWN, "confidence: still open: no scores of both sides are known yet"),
    ],
)
def test_a_line_says_the_verdict_and_its_figures(metric, line):
    assert metric_line(metric) == line


def test_an_inconclusive_line_says_why():
    assert metric_line(INCONCLUSIVE).startswith("slow requests: inconclusive: session affinity")


def test_a_score_is_proven_over_all_since_the_change():
    worse = msgspec.structs.replace(PASSED, verdict="rollback", detected_at=NOW - 60)
    assert metric_line(worse).endswith("0.86 against Legacy's 0.85 since the change")


def test_a_stretch_without_requests_has_no_ratio():
    empty = Stretch(0.0, 5.0, 0, 0, 0, 0)
    assert (empty.legacy_ratio, empty.canary_ratio) == (None, None)
