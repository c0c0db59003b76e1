"""Verifications as they were written to `outputs/compare_stageN.json`, read back."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from canary.rollout.trials.verification import output_name

_LONGEST = 4_000_000


class CheckSeen(msgspec.Struct, frozen=True):
    """One check of a verification: its state ("passed", …) and what was said."""

    state: str
    said: str


class VerificationSeen(msgspec.Struct, frozen=True):
    """A verification of a stage: when (unix seconds, cloud time), of which change, its checks."""

    at: float
    verdict: str
    change: str
    checks: dict[str, CheckSeen]


def read_verification(outputs: Path, stage: int) -> VerificationSeen | None:
    """The newest verification of a stage; None without one, or when the file is none."""
    try:
        path = outputs / output_name(stage)
        if path.stat().st_size > _LONGEST:
            return None
        return _take(msgspec.json.decode(path.read_bytes()))
    except (OSError, msgspec.DecodeError, RecursionError, ValueError, KeyError, TypeError):
        # Written by another version, or by hand: it is no evidence then.
        return None


def _take(document: dict[str, Any]) -> VerificationSeen:
    checks = {c["id"]: CheckSeen(str(c["state"]), str(c["said"])) for c in document["checks"]}
    at = datetime.fromisoformat(document["timestamp"]).timestamp()
    return VerificationSeen(at, str(document["verdict"]), str(document.get("change") or ""), checks)
