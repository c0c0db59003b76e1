"""Locales without UTF-8: glyphs in ASCII, and never "?", which means "no data"."""

from __future__ import annotations

import pytest

from canary.cli.output import fit_encoding
from canary.rollout.decision.gates import format_verdict
from canary.rollout.text import AtLeast, format_milliseconds


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp437"])
def test_what_cannot_be_encoded_is_ascii_and_never_a_question(encoding: str) -> None:
    said = f"{format_verdict('continue')} → {format_milliseconds(AtLeast(10_000.0))} … 日"
    shown = fit_encoding(said, encoding)
    shown.encode(encoding)
    assert "?" not in shown
    assert "HEALTHY" in shown


def test_ascii_has_a_sign_for_each_verdict() -> None:
    verdicts = ("continue", "watch", "rollback_stage", "rollback_all", "no_data")
    signs = [fit_encoding(format_verdict(v), "ascii").split()[0] for v in verdicts]
    assert signs == ["+", "~", "v", "x", "?"]


def test_utf_8_loses_nothing() -> None:
    assert fit_encoding("✓ ≥ 日", "utf-8") == "✓ ≥ 日"
