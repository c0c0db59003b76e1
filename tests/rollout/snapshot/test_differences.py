"""Differences: in the order of why.md, by digest, names only; one line for the strip."""

from __future__ import annotations

import pytest

from canary.rollout.snapshot.differences import (
    GROUPS,
    Deployed,
    Fact,
    Group,
    compare,
    label_of,
    parse_image,
    summarize,
)

NAME = "us-docker.pkg.dev/p/r/ion-api"
A, B = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def side(*facts: Fact, revision: str = "r-1", by: str = "ann") -> Deployed:
    return Deployed("ion-api", revision, 1_772_300_000.0, by, facts)


def row(group: Group, field: str, one: Fact | None, other: Fact | None):
    found = compare(side(*filter(None, [one])), side(*filter(None, [other])))
    return next(r for r in found.rows if (r.group, r.field) == (group, field))


def image(text: str) -> Fact:
    return Fact("image", "image", text)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        (f"{NAME}:v2@{A}", (NAME, "v2", A)),
        (f"{NAME}@{A}", (NAME, "", A)),
        ("host:5000/ion-api", ("host:5000/ion-api", "", "")),
        ("host:5000/ion-api:v1", ("host:5000/ion-api", "v1", "")),
        ("", ("", "", "")),
    ],
)
def test_an_image_is_taken_apart(text: str, parts: tuple[str, str, str]) -> None:
    found = parse_image(text)
    assert (found.repository, found.tag, found.digest) == parts


def test_images_are_compared_by_digest_and_the_tag_is_shown_where_that_is_the_same() -> None:
    moved = row("image", "image", image(f"{NAME}:v1@{A}"), image(f"{NAME}:v2@{A}"))
    assert (moved.differs, moved.legacy, moved.canary) == (False, "v1", "v2")
    other = row("image", "image", image(f"{NAME}:v2@{A}"), image(f"{NAME}:v2@{B}"))
    assert other.differs
    assert other.canary == "ion-api:v2 sha256:bbbbbbbbbbbb"
    tagged = row("image", "image", image(f"{NAME}:v1"), image(f"{NAME}:v2"))
    assert (tagged.differs, tagged.canary) == (True, "ion-api:v2 (by tag)")
    elsewhere = row("image", "image", image(f"{NAME}:v1"), image("mirror.dev/x/ion-api:v1"))
    assert (elsewhere.differs, elsewhere.legacy) == (True, f"{NAME}:v1")


def test_a_hidden_value_is_set_or_changed_and_never_shown() -> None:
    one, other = Fact("env", "MODEL", "", "t-1"), Fact("env", "MODEL", "", "t-2")
    changed = row("env", "MODEL", one, other)
    assert (changed.legacy, changed.canary, changed.differs) == ("set", "changed", True)
    assert not row("env", "MODEL", one, one).differs
    added = row("env", "MODEL", None, other)
    assert (added.legacy, added.canary, added.differs) == ("–", "set", True)
    removed = row("env", "MODEL", one, None)
    assert (removed.legacy, removed.canary) == ("set", "–")


def test_a_secret_says_its_name_and_version() -> None:
    one, other = (Fact("secrets", "DB", f"ion-db, version {v}") for v in (6, 7))
    found = row("secrets", "DB", one, other)
    assert (found.legacy, found.canary) == ("ion-db, version 6", "ion-db, version 7")
    assert label_of(found) == "secret DB"


def test_rows_come_in_the_order_of_the_rules_and_only_what_differs_is_told_apart() -> None:
    facts = tuple(Fact(group, f"{group} field", "same") for group in reversed(GROUPS))
    found = compare(side(*facts), side(*facts, revision="r-2"), "not known")
    groups = [r.group for r in found.rows]
    assert groups == sorted(groups, key=GROUPS.index)
    assert [r.field for r in found.differing] == ["revision"]
    assert found.unknown == "not known"


def test_one_line_counts_by_group() -> None:
    assert summarize(None) == "differences not known"
    assert summarize(compare(side(), side(revision="r-2"))) == "differs in nothing but the revision"
    mine = (image("a:1"), Fact("env", "A", "", "1"), Fact("env", "B", "", "1"))
    theirs = (image("a:2"), Fact("env", "C", "", "1"), Fact("resources", "memory", "2Gi"))
    line = summarize(compare(side(*mine), side(*theirs)))
    assert line == "differs: image, 3 env, resources"
    many = tuple(Fact(group, "f", "x") for group in GROUPS if group not in ("revision", "image"))
    assert summarize(compare(side(), side(*many))) == (
        "differs: commit, 1 env, secrets, resources and 5 more"
    )
