"""Canary's share in the traffic[] of a Service message."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.cloud.router.revisions import (
    find_stable,
    read_served,
    read_share,
    split_shares,
    write_traffic,
)
from canary.cloud.run.services import Target, find_candidate
from canary.rollout.errors import NotFound
from tests.cloud.messages import split_service

BY_TAG, BY_NAME = "canary", "ion-api-00002-can"
LEGACY, CANARY = "ion-api-00001-leg", "ion-api-00002-can"


def share(candidate: str, message: Any) -> int | None:
    return read_share(candidate, message, message.traffic)


def shares_of(message: Any) -> list[tuple[str, int, str]]:
    return [(t.revision, t.percent, t.tag) for t in message.traffic]


def test_the_share_of_the_tagged_revision_is_read() -> None:
    assert share(BY_TAG, split_service((LEGACY, 90, ""), (CANARY, 10, "canary"))) == 10


def test_all_entries_of_the_candidate_count() -> None:
    message = split_service((LEGACY, 60, ""), (CANARY, 0, "canary"), (CANARY, 40, ""))
    assert share(BY_TAG, message) == 40


def test_latest_counts_as_the_revision_that_it_is() -> None:
    message = split_service((LEGACY, 70, ""), ("", 30, ""), latest=CANARY)
    assert share(BY_NAME, message) == 30


def test_a_tag_that_points_nowhere_is_not_known() -> None:
    message = split_service((LEGACY, 100, ""))
    assert find_candidate(BY_TAG, message) is None
    assert share(BY_TAG, message) is None
    with pytest.raises(NotFound):
        write_traffic(BY_TAG, message, 5)


def test_a_candidate_by_name_without_an_entry_has_no_share() -> None:
    assert share(BY_NAME, split_service((LEGACY, 100, ""))) == 0


def test_a_split_that_does_not_sum_to_100_is_not_known() -> None:
    assert share(BY_TAG, split_service((LEGACY, 80, ""), (CANARY, 10, "canary"))) is None


def test_no_traffic_at_all_means_all_to_latest() -> None:
    assert share(BY_NAME, split_service(latest=CANARY)) == 100


def test_what_is_served_is_read_apart_from_what_is_set() -> None:
    message = split_service((LEGACY, 90, ""), (CANARY, 10, "canary"))
    assert read_served(BY_TAG, message) is None
    message.traffic_statuses.add(type_=2, revision=LEGACY, percent=95)
    message.traffic_statuses.add(type_=2, revision=CANARY, percent=5, tag="canary")
    assert (share(BY_TAG, message), read_served(BY_TAG, message)) == (10, 5)


def test_other_peoples_tags_stay() -> None:
    message = split_service((LEGACY, 90, "stable"), (CANARY, 10, "canary"), (LEGACY, 0, "pr-7"))
    write_traffic(BY_TAG, message, 100)
    assert shares_of(message) == [
        (LEGACY, 0, "stable"),
        (CANARY, 100, "canary"),
        (LEGACY, 0, "pr-7"),
    ]


def test_latest_stays_latest_for_the_stable_side() -> None:
    message = split_service(("", 90, ""), (CANARY, 10, "canary"))
    write_traffic(BY_TAG, message, 25)
    assert [(t.type_, t.revision, t.percent) for t in message.traffic] == [
        (1, "", 75),
        (2, CANARY, 25),
    ]


def test_latest_that_is_the_candidate_is_pinned_by_name() -> None:
    message = split_service((LEGACY, 90, ""), ("", 10, "canary"), latest=CANARY)
    write_traffic(BY_TAG, message, 25)
    assert [(t.type_, t.revision, t.percent) for t in message.traffic] == [
        (2, LEGACY, 75),
        (2, CANARY, 25),
    ]


def test_back_from_100_percent_goes_to_the_revision_that_was_remembered() -> None:
    message = split_service((CANARY, 100, "canary"), ("ion-api-00009-pr", 0, "pr-9"))
    assert not find_stable(BY_TAG, message)
    ready = ["ion-api-00009-pr", CANARY, "ion-api-00001-old", LEGACY]
    write_traffic(BY_TAG, message, 0, ready, LEGACY)
    assert (LEGACY, 100, "") in shares_of(message)
    assert ("ion-api-00009-pr", 0, "pr-9") in shares_of(message)


@pytest.mark.parametrize("remembered", ["", "ion-api-00000-deleted", CANARY])
def test_back_from_100_percent_goes_else_to_the_newest_before_the_candidate(
    remembered: str,
) -> None:
    message = split_service((CANARY, 100, "canary"))
    write_traffic(BY_TAG, message, 5, ["ion-api-00009-pr", CANARY, LEGACY], remembered)
    assert shares_of(message) == [(CANARY, 5, "canary"), (LEGACY, 95, "")]


def test_back_from_100_percent_to_nobody_is_refused() -> None:
    message = split_service((CANARY, 100, "canary"))
    with pytest.raises(NotFound):
        write_traffic(BY_TAG, message, 0, ["ion-api-00009-pr", CANARY])


def test_the_stable_revision_is_the_one_with_the_most_beside_the_candidate() -> None:
    message = split_service((LEGACY, 30, ""), ("ion-api-00003-x", 50, ""), (CANARY, 20, "canary"))
    assert find_stable(BY_TAG, message) == "ion-api-00003-x"


@st.composite
def splits(draw: st.DrawFn) -> Sequence[Target]:
    """A split that sums to 100, in which a revision beside the candidate has a share."""
    count = draw(st.integers(1, 5))
    cuts = sorted(draw(st.lists(st.integers(0, 99), min_size=count, max_size=count)))
    edges = [0, *cuts, 100]
    parts = [b - a for a, b in pairwise(edges)]
    tags = draw(st.lists(st.sampled_from(["", "a", "b"]), min_size=count, max_size=count))
    others = [
        Target(f"ion-api-{i}", part, tag, False)
        for i, (part, tag) in enumerate(zip(parts[1:], tags, strict=True))
    ]
    return [*others[:1], Target(CANARY, parts[0], "canary", False), *others[1:]]


@given(splits(), st.integers(0, 100))
def test_a_split_always_sums_to_100_and_gives_canary_its_share(
    targets: Sequence[Target], percent: int
) -> None:
    shares = split_shares(targets, CANARY, percent)
    assert sum(shares) == 100
    assert all(share >= 0 for share in shares)
    assert shares[[t.revision for t in targets].index(CANARY)] == percent


@given(splits(), st.integers(0, 100))
def test_setting_the_same_share_twice_is_setting_it_once(
    targets: Sequence[Target], percent: int
) -> None:
    message = split_service(*[(t.revision, t.percent, t.tag) for t in targets])
    revisions = [CANARY, "ion-api-0"]
    write_traffic(BY_TAG, message, percent, revisions)
    once = message.SerializeToString(deterministic=True)
    assert share(BY_TAG, message) == percent
    if percent < 100:
        write_traffic(BY_TAG, message, percent, revisions)
        assert message.SerializeToString(deterministic=True) == once
