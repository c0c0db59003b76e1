"""The record of the evidence: windows come back as they were; a checkpoint goes on where it was."""

import random
import sqlite3
from pathlib import Path

import msgspec
import pytest

from canary.rollout.errors import RecordError
from canary.rollout.evidence.state import advance, start_evidence
from canary.rollout.evidence.window import LATENCY_BOUNDS_MS, EvidenceWindow, SideWindow
from canary.rollout.measure.samples import Distribution
from canary.rollout.plan.tables import EvidenceSettings
from canary.simulator.world.traffic.sampling import poisson
from canary.store.evidence import Checkpoint, EvidenceRecord
from tests.rollout.evidence.windows import BEGAN, window


@pytest.fixture
def record(tmp_path: Path):
    opened = EvidenceRecord(tmp_path / "evidence.db")
    yield opened
    opened.close()


def test_windows_come_back_as_they_were_oldest_first(record):
    windows = [window(5 * i, slow=(i, 1), unfit="cut" if i == 2 else "") for i in range(5)]
    record.keep(windows[::-1], None)
    assert list(record.load(0.0)) == windows


def test_a_sampled_window_stays_sampled_so_that_its_counts_still_stand_for_more(record):
    sampled = msgspec.structs.replace(window(0), sampled=0.25)
    record.keep([sampled], None)
    assert record.load(0.0) == (sampled,)


def test_only_what_ends_after_the_time_is_loaded(record):
    record.keep([window(0), window(5)], None)
    assert [w.start for w in record.load(BEGAN + 5)] == [BEGAN + 5]


def test_the_same_window_twice_is_one(record):
    record.keep([window(0)], None)
    record.keep([window(0)], None)
    assert len(record.load(0.0)) == 1


def test_unfit_windows_cover_nothing(record):
    record.keep([window(0), window(5, unfit="cut"), window(10)], None)
    assert record.covered(0.0) == ((BEGAN, BEGAN + 5), (BEGAN + 10, BEGAN + 15))


def test_a_checkpoint_comes_back_as_it_was(record):
    state = advance(start_evidence(BEGAN, 0.05), window(60, slow=(3, 1)), EvidenceSettings())
    kept = Checkpoint(state, BEGAN + 65, BEGAN)
    record.keep([], kept)
    assert record.checkpoint() == kept


def test_without_a_checkpoint_there_is_none(record):
    assert record.checkpoint() is None


def test_a_checkpoint_of_another_version_counts_as_none(record, tmp_path):
    record.keep([], Checkpoint(start_evidence(BEGAN, 0.05)))
    with sqlite3.connect(tmp_path / "evidence.db") as db:
        db.execute("UPDATE checkpoint SET body = ?", (msgspec.msgpack.encode({"state": 1}),))
    db.close()
    assert record.checkpoint() is None


def test_a_row_that_cannot_be_read_is_said(record, tmp_path):
    record.keep([window(0)], None)
    with sqlite3.connect(tmp_path / "evidence.db") as db:
        db.execute("UPDATE windows SET body = x'00'")
    db.close()
    with pytest.raises(RecordError, match="cannot be read"):
        record.load(0.0)


def test_what_is_pruned_is_gone(record):
    record.keep([window(0), window(5)], None)
    record.prune(BEGAN + 5)
    assert [w.start for w in record.load(0.0)] == [BEGAN + 5]


def test_names_of_revisions_are_kept_once_whoever_writes(record, tmp_path):
    other = EvidenceRecord(tmp_path / "evidence.db")
    written = [window(5.0 * i, revision=f"can-{i % 3}") for i in range(9)]
    for each, one in zip((record, other) * 4, written, strict=False):
        each.keep([one], None)
    other.close()
    assert list(record.load(0.0)) == written[:8]
    kept = (tmp_path / "evidence.db").read_bytes() + (tmp_path / "evidence.db-wal").read_bytes()
    record.keep([window(100.0, revision="can-1")], None)
    now = (tmp_path / "evidence.db").read_bytes() + (tmp_path / "evidence.db-wal").read_bytes()
    assert now.count(b"can-1") == kept.count(b"can-1")


def test_three_days_of_windows_stay_within_20_mb(record, tmp_path):
    """As many requests as are read of the log, of all latencies, of services with long names."""
    rng, buckets = random.Random(7), 60
    name = "a-service-with-quite-a-long-name-of-some-team"

    def side(requests: int, revision: str) -> SideWindow:
        counts = [0] * 10 + [poisson(rng, requests / buckets) for _ in range(buckets)]
        latency = Distribution(LATENCY_BOUNDS_MS, tuple(counts), sum(counts), 0.1, rng.random())
        return SideWindow(sum(counts), 3, latency, (f"{name}-{revision}",))

    drawn = [(side(3500, "00041-abc"), side(1500, "canary-00042-def")) for _ in range(200)]
    three_days = 72 * 720
    record.keep(
        [
            EvidenceWindow(BEGAN + 5.0 * i, BEGAN + 5.0 * (i + 1), "tail", *drawn[i % 200])
            for i in range(three_days)
        ],
        None,
    )
    record.close()
    size = sum(p.stat().st_size for p in tmp_path.iterdir())
    assert size < 20e6
