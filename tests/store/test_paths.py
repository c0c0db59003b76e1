"""Where the files are: one directory for each rollout, for its owner alone."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from canary.rollout.errors import RecordError
from canary.store.paths import KEPT_DRILLS, forget_old_drills, rollout_slug, state_dir


def test_the_directory_is_made_for_its_owner_alone(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "state"))
    before = os.umask(0)
    try:
        path = state_dir(plan)
    finally:
        os.umask(before)
    assert path.parent == tmp_path / "state"
    assert [stat.S_IMODE(p.stat().st_mode) for p in (path, path.parent)] == [0o700, 0o700]
    assert state_dir(plan) == path


def test_plans_of_different_rollouts_never_share_a_directory(plan):
    def with_target(**fields):
        return msgspec.structs.replace(plan, target=msgspec.structs.replace(plan.target, **fields))

    plans = [
        plan,
        msgspec.structs.replace(plan, provider="gcp"),
        with_target(project="other-project"),
        with_target(region="europe-west1"),
        with_target(legacy="x"),
        with_target(canary="x"),
    ]
    assert len({rollout_slug(p) for p in plans}) == len(plans)


def test_a_hostile_name_stays_inside_the_directory(plan):
    target = msgspec.structs.replace(plan.target, project="../../etc", legacy="a/b\x00\x1b[31m")
    slug = rollout_slug(msgspec.structs.replace(plan, target=target))
    assert "/" not in slug
    assert slug.isprintable()
    assert not slug.startswith(".")


def test_a_directory_that_cannot_be_made_says_so(plan, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "file"))
    with pytest.raises(RecordError, match="cannot be created"):
        state_dir(plan)


def routed(plan, **router):
    target = msgspec.structs.replace(
        plan.target, router=msgspec.structs.replace(plan.target.router, **router)
    )
    return msgspec.structs.replace(plan, target=target)


MAP = {"kind": "url-map", "url_map": "m", "legacy_backend": "a", "canary_backend": "b"}
OTHERWISE = [
    ({"kind": "env"}, {"variable": "OTHER_SHARE"}),
    ({"kind": "revisions"}, {"candidate": "next"}),
    (MAP, {"url_map": "n"}),
    (MAP, {"canary_backend": "c"}),
    (MAP, {"legacy_backend": "c"}),
    ({"kind": "command", "set": ("a", "{percent}")}, {"set": ("b", "{percent}")}),
]


@pytest.mark.parametrize(("router", "other"), OTHERWISE)
def test_plans_that_route_otherwise_never_share_a_directory(
    plan, tmp_path, monkeypatch, router, other
):
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "state"))
    first = routed(plan, **router)
    second = routed(first, **other)
    assert state_dir(first) != state_dir(second)
    assert state_dir(first) == state_dir(first)
    assert state_dir(second) == state_dir(second)


def test_another_annotation_is_another_directory_and_other_stages_are_not(
    plan, tmp_path, monkeypatch
):
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "state"))
    record = msgspec.structs.replace(plan.record, annotation="other/stage")
    assert state_dir(plan) != state_dir(msgspec.structs.replace(plan, record=record))
    assert state_dir(plan) == state_dir(msgspec.structs.replace(plan, stages=plan.stages[1:]))


def test_a_directory_of_an_older_version_is_the_first_plans(plan, tmp_path, monkeypatch):
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "state"))
    old = tmp_path / "state" / rollout_slug(plan)
    old.mkdir(parents=True)
    assert state_dir(plan) == old
    assert state_dir(routed(plan, variable="OTHER_SHARE")) != old


def test_the_files_of_old_drills_go_and_the_figures_of_all_stay(tmp_path: Path) -> None:
    figures, linked, elsewhere = (tmp_path / n for n in ("history.jsonl", "0T0Z", "elsewhere"))
    figures.write_text("{}")
    elsewhere.mkdir()
    linked.symlink_to(elsewhere)
    for day in range(10, 35):
        place = tmp_path / f"202611{day}T120000Z"
        place.mkdir()
        (place / "recording.db").write_text("x")
    forget_old_drills(tmp_path)
    left = sorted(path.name for path in tmp_path.glob("2026*"))
    assert left == [f"202611{day}T120000Z" for day in range(35 - KEPT_DRILLS, 35)]
    assert figures.exists()
    assert elsewhere.exists()
