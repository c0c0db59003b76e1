"""Results of an A/B test from files: figures, exports, and what is wrong with a broken one."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from canary.rollout.errors import RecordError, UsageError
from canary.rollout.trials.ab_test import AbSource, GroupFigures, Mean, ab_document, analyse
from canary.store.ab_results import read_ab_results
from canary.store.results import AB_TEST_FILE, read_results

CSV = """group,response_time_ms,confidence_score,success,timestamp
legacy,400,0.7,true,2026-01-01
legacy,500,,false,2026-01-01
canary,200,0.9,1,2026-01-01
canary,,0.8,0,2026-01-01
other,9000,0.1,true,2026-01-01
"""
LEGACY = GroupFigures(
    2,
    Mean(450.0, math.sqrt(5000), 2),
    500.0,
    Mean(0.7, None, 1),
    Mean(0.5, pytest.approx(math.sqrt(0.5)), 2),
)


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def read(path: Path):
    return read_ab_results(path, "legacy", "canary")


def test_an_export_as_csv_is_added_up(tmp_path):
    found = read(write(tmp_path / "rows.csv", CSV))
    assert found.legacy == LEGACY
    assert (found.canary.requests, found.canary.response_ms) == (2, Mean(200.0, None, 1))


def test_an_export_as_lines_of_json_is_the_same(tmp_path):
    rows = [
        {"group": "legacy", "response_time_ms": 400, "confidence_score": 0.7, "success": True},
        {"group": "legacy", "response_time_ms": "500", "confidence_score": None, "success": False},
        {"group": "other", "response_time_ms": 9, "confidence_score": 0.7, "success": True},
    ]
    text = "\n".join(json.dumps(row) for row in rows) + "\n\n"
    found = read(write(tmp_path / "rows.jsonl", text))
    assert (found.legacy, found.canary) == (LEGACY, None)


def test_what_was_written_is_read_again_whole(tmp_path):
    groups = [
        GroupFigures(n, Mean(m, 30.0, n), 2 * m, Mean(0.7, 0.1, n), Mean(0.5, 0.5, n))
        for n, m in ((1000, 450.0), (900, 220.0))
    ]
    document = ab_document(analyse(*groups), AbSource("table", 100.0))
    found = read(write(tmp_path / "analysis.json", json.dumps(document)))
    assert [found.legacy, found.canary] == groups
    assert found.finished_at == 100.0


def test_an_old_analysis_without_deviations_is_read(tmp_path):
    group = {"requests": 150_000, "avg_response_time_ms": 450, "success_rate": 0.988}
    found = read(write(tmp_path / "old.json", json.dumps({"legacy": group, "canary": None})))
    assert found.legacy.response_ms == Mean(450.0, None, 150_000)
    assert found.canary is None


def test_the_p95_of_an_export_is_a_value_of_it(tmp_path):
    lines = "".join(f"legacy,{i},,\n" for i in range(1, 101))
    head = "group,response_time_ms,confidence_score,success\n"
    assert read(write(tmp_path / "a.csv", head + lines)).legacy.p95_ms == 95.0


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("a.json", '{"legacy": {"requests": 1', "truncated"),
        ("a.json", "", "cannot be used"),
        ("a.json", "[]", "neither `legacy` nor `canary`"),
        ("a.json", "{}", "neither `legacy` nor `canary`"),
        ("a.json", '{"legacy": 3}', "`legacy` is not an object"),
        ("a.json", '{"legacy": {"requests": "x"}}', "`legacy.requests`"),
        ("a.json", '{"legacy": {"requests": 1e999}}', "out of range"),
        ("a.json", '{"legacy": {"success_rate": 98}}', "expected 0 to 1"),
        ("a.csv", "", "its heading lacks group"),
        ("a.csv", "group,success\nlegacy,1\n", "lacks response_time_ms, confidence_score"),
        ("a.csv", CSV + "legacy,4", "line 7 is cut short"),
        ("a.csv", CSV.replace("400", "fast"), '"fast", expected a number'),
        ("a.csv", CSV.replace("true", "maybe"), 'line 2: `success` is "maybe"'),
        ("a.jsonl", '{"group": "legacy"}\n{"group', "line 2"),
        ("a.jsonl", "3\n", "line 1 is no object"),
    ],
)
def test_a_broken_file_is_named_with_what_is_wrong(tmp_path, name, text, said):
    with pytest.raises(RecordError) as caught:
        read(write(tmp_path / name, text))
    assert said in str(caught.value)
    assert name in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(UsageError, match="There is no "):
        read(tmp_path / "none.json")


def test_bytes_that_are_no_text_are_refused(tmp_path):
    path = tmp_path / "a.csv"
    path.write_bytes(b"group,\xff\xfe")
    with pytest.raises(RecordError, match="not UTF-8"):
        read(path)


def test_an_analysis_without_data_does_not_open_the_gate(tmp_path):
    thin = [GroupFigures(3, Mean(ms, 1.0, 3)) for ms in (450.0, 220.0)]
    document = ab_document(analyse(*thin, min_requests=100), AbSource("table", 100.0))
    write(tmp_path / AB_TEST_FILE, json.dumps(document))
    results = read_results(tmp_path)
    assert results.evidence.ab_test is None
    assert "3 response times" in results.problems[0]
