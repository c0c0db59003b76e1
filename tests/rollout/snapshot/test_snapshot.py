"""A snapshot's own answers."""

from __future__ import annotations

import msgspec
import pytest

from canary.rollout.snapshot.snapshot import Snapshot
from tests.rollout.build import snapshot


def aged(legacy_s: float | None, canary_s: float | None, share: int | None) -> Snapshot:
    """Both sides of that age, and Canary's share."""
    shown = snapshot()
    replace = msgspec.structs.replace
    return replace(
        shown,
        legacy=replace(shown.legacy, data_age_s=legacy_s),
        canary=replace(shown.canary, data_age_s=canary_s),
        traffic=replace(shown.traffic, canary_percent=share),
    )


@pytest.mark.parametrize(
    ("legacy_s", "canary_s", "share", "age_s"),
    [
        (74.0, 1260.0, 10, 1260.0),
        (74.0, None, 10, None),
        (74.0, None, None, None),
        (1260.0, 74.0, 100, 74.0),
        (74.0, 1260.0, 0, 74.0),
    ],
)
def test_a_canary_that_fell_silent_is_not_as_fresh_as_legacy(
    legacy_s: float | None, canary_s: float | None, share: int | None, age_s: float | None
) -> None:
    assert aged(legacy_s, canary_s, share).data_age_s == age_s
