"""What is kept of what the console shows, and when."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from canary.paint.keeper import EVERY_S, SeenKeeper, keeping
from canary.paint.last_seen import DIRECTORY, LastSeen, read_last_seen
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from tests.paint.scenes import SUBJECT
from tests.tui import scenes

PLAN = scenes.plan()


class Console:
    """A keeper on a clock that is moved by hand, and what a next one would read."""

    def __init__(self, directory: Path) -> None:
        self.at = 1_000.0
        self._directory = directory
        self.keeper = SeenKeeper(
            SUBJECT, PLAN, wall=lambda: scenes.NOW + self.at, monotonic=lambda: self.at
        )

    def show(self, snapshot: Snapshot, after_s: float = 1.0) -> LastSeen | None:
        self.at += after_s
        self.keeper.keep(snapshot, find_state(snapshot, PLAN))
        if self.keeper._thread is not None:
            self.keeper._thread.join()
        return self.kept()

    def kept(self) -> LastSeen | None:
        return read_last_seen(SUBJECT, str(self._directory))


@pytest.fixture
def console(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Console:
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path))
    return Console(tmp_path / DIRECTORY)


def test_the_first_snapshot_is_kept_at_once(console: Console) -> None:
    assert console.keeper.last is None
    seen = console.show(scenes.snapshot(PLAN))
    assert seen is not None
    assert (seen.names, seen.where) == (PLAN.name, "naeda-genesis/us-central1")
    assert (seen.state, seen.split) == ("HEALTHY", "stage 2 of 5, 10 % canary")
    assert seen.soak.startswith("soak ")
    assert seen.soak.endswith(" / 24 h")
    assert seen.is_local
    assert seen.seen_at == scenes.NOW + console.at


def test_the_same_again_is_kept_every_so_often_and_another_state_at_once(console: Console) -> None:
    first = console.show(scenes.snapshot(PLAN))
    assert console.show(scenes.snapshot(PLAN)) == first
    again = console.show(scenes.snapshot(PLAN), after_s=EVERY_S)
    assert again is not None
    assert again != first
    worse = console.show(scenes.snapshot(PLAN, error_ratio=0.083))
    assert worse is not None
    assert worse.state == "ROLL BACK ALL"


def test_what_was_shown_last_is_kept_at_the_end(console: Console) -> None:
    console.show(scenes.snapshot(PLAN))
    console.show(scenes.snapshot(PLAN, now=scenes.NOW + 1))
    console.keeper.close()
    seen = console.kept()
    assert seen is not None
    assert seen.as_of == scenes.NOW + 1


def test_a_cloud_that_does_not_answer_leaves_what_was_seen_before(console: Console) -> None:
    before = console.show(scenes.snapshot(PLAN))
    snapshot = scenes.snapshot(PLAN)
    traffic = msgspec.structs.replace(snapshot.traffic, canary_percent=None)
    blind = msgspec.structs.replace(snapshot, traffic=traffic, standing=None)
    assert console.show(blind, after_s=EVERY_S) == before
    console.keeper.close()
    seen = console.kept()
    assert seen is not None
    assert seen.split == "stage 2 of 5, 10 % canary"


def test_a_world_that_starts_over_has_no_past(console: Console) -> None:
    console.show(scenes.snapshot(PLAN))
    assert SeenKeeper(SUBJECT, PLAN).last is not None
    assert SeenKeeper(SUBJECT, PLAN, starts_over=True).last is None


def test_where_nothing_can_be_kept_nothing_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CANARY_STATE_DIR", str(tmp_path / "file"))
    console = Console(tmp_path / "file" / DIRECTORY)
    assert console.show(scenes.snapshot(PLAN)) is None
    console.keeper.close()


def test_what_is_looked_at_without_a_screen_is_kept_as_a_console_shows_it(console: Console) -> None:
    shown = console.show(scenes.snapshot(PLAN, error_ratio=0.083))
    assert shown is not None
    with keeping(SUBJECT, PLAN) as keep:
        keep(scenes.snapshot(PLAN))
        keep(scenes.snapshot(PLAN, error_ratio=0.083))
    kept = console.kept()
    assert kept is not None
    assert kept._replace(seen_at=shown.seen_at) == shown


def test_nothing_is_kept_for_nobody_knows_which_plan(console: Console, tmp_path: Path) -> None:
    with keeping(None, PLAN) as keep:
        keep(scenes.snapshot(PLAN))
    assert list(tmp_path.iterdir()) == []
