"""Files as PowerShell, Excel and Python write them: read, or a reason why not."""

from __future__ import annotations

import codecs
import json
import math
import os
from pathlib import Path
from typing import Any

import pytest

from canary.rollout.decision.gates import NO_EVIDENCE
from canary.rollout.errors import RecordError
from canary.store.ab_results import read_ab_results
from canary.store.monitor_files import read_monitor_file
from canary.store.results import AB_TEST_FILE, LOAD_TEST_FILE, read_results, read_verification

AT = 1_764_134_154.0
"""2025-11-26 05:15:54Z."""
DOTNET = "/Date(1764134154000)/"
MONITOR = {"canary": {"error_rate": 0.003, "success_rate": 0.991, "p95_response_time_ms": 610.0}}
ENCODINGS = {
    "Out-File of Windows PowerShell": lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
    "UTF-16 the other way round": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    "UTF-8 with a mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "CRLF": lambda text: text.replace("\n", "\r\n").encode(),
}


def dump(path: Path, document: Any, encoding: str = "CRLF", written_at: float = AT) -> Path:
    path.write_bytes(ENCODINGS[encoding](json.dumps(document, indent=4)))
    os.utime(path, (written_at, written_at))
    return path


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_each_kind_of_file_is_read_in_each_encoding(tmp_path: Path, encoding: str) -> None:
    monitor = dump(tmp_path / "monitor_a.json", MONITOR | {"timestamp": DOTNET}, encoding)
    assert read_monitor_file(monitor).at == AT
    assert read_monitor_file(monitor).window.error_ratio == 0.003
    dump(tmp_path / LOAD_TEST_FILE, {"status": "PASSED", "finished_at": DOTNET}, encoding)
    dump(tmp_path / AB_TEST_FILE, {"improvement": 0.2, "finished_at": DOTNET}, encoding)
    found = read_results(tmp_path)
    assert found.problems == ()
    assert found.evidence.load_test is not None
    assert found.evidence.ab_test is not None
    assert found.evidence.load_test.finished_at == found.evidence.ab_test.finished_at == AT
    groups = {name: {"requests": 900, "avg_response_time_ms": 200} for name in ("legacy", "canary")}
    assert read_ab_results(dump(tmp_path / "ab.json", groups, encoding), "l", "c").canary


@pytest.mark.parametrize("encoding", list(ENCODINGS))
def test_an_export_is_read_as_excel_writes_it(tmp_path: Path, encoding: str) -> None:
    rows = [
        "group;response_time_ms;confidence_score;success",
        "l;450,5;0,8;WAHR",
        "c;220;0,9;FALSCH",
    ]
    for text in ("\n".join(rows), "sep=;\n" + "\n".join(rows), "\n".join(rows).replace(";", "\t")):
        path = tmp_path / "export.csv"
        path.write_bytes(ENCODINGS[encoding](text + "\n"))
        found = read_ab_results(path, "l", "c")
        assert found.legacy is not None
        assert found.canary is not None
        assert found.legacy.response_ms is not None
        assert found.legacy.response_ms.mean == 450.5
        assert (found.legacy.success.mean, found.canary.success.mean) == (1.0, 0.0)  # type: ignore[union-attr]


def test_a_number_with_points_between_thousands_is_no_number(tmp_path: Path) -> None:
    path = tmp_path / "export.csv"
    path.write_text("group;response_time_ms;confidence_score;success\nl;1.450,5;0,8;WAHR\n")
    with pytest.raises(RecordError, match="line 2"):
        read_ab_results(path, "l", "c")


def test_nan_is_no_data_for_its_own_criterion_only(tmp_path: Path) -> None:
    """Python's json writes NaN and Infinity, which JSON does not have (docs: json, "Infinite and
    NaN Number Values").
    """
    canary = {**MONITOR["canary"], "p95_response_time_ms": math.nan, "request_count": 1000.0}
    stage = {"index": 2.0, "soaked_hours": 3}
    path = dump(tmp_path / "monitor_a.json", {"canary": canary, "stage": stage})
    file = read_monitor_file(path)
    assert (file.window.p95_ms, file.window.error_ratio, file.window.requests) == (
        None,
        0.003,
        1000,
    )
    assert (file.stage, file.soaked_hours) == (2, 3.0)
    figures = {"requests": 900, "avg_response_time_ms": 200, "avg_confidence_score": math.nan}
    found = read_ab_results(dump(tmp_path / "a.json", {"canary": figures}), "l", "c").canary
    assert found is not None
    assert found.confidence is None
    assert found.response_ms is not None


def test_nan_in_a_row_is_a_cell_without_a_value(tmp_path: Path) -> None:
    path = tmp_path / "export.jsonl"
    row = {"group": "c", "response_time_ms": 200, "confidence_score": math.nan, "success": 1.0}
    path.write_text(json.dumps(row) + "\n")
    found = read_ab_results(path, "l", "c").canary
    assert found is not None
    assert found.confidence is None
    assert found.success is not None


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ((AT - 30 * 86_400) * 1000, "milliseconds"),
        ("2025-11-26T14:15:54", "no zone"),
        ("26/11/2025 14:15", "no zone"),
    ],
)
def test_a_time_that_is_not_believed_is_no_result_and_says_why(
    tmp_path: Path, said: Any, why: str
) -> None:
    """A 30-day-old load test in milliseconds once opened the gate; so did local time of Tokyo."""
    dump(tmp_path / LOAD_TEST_FILE, {"status": "PASSED", "finished_at": said})
    dump(tmp_path / AB_TEST_FILE, {"improvement": 0.5, "timestamp": said})
    found = read_results(tmp_path)
    assert found.evidence == NO_EVIDENCE
    assert all(why in problem for problem in found.problems)
    assert len(found.problems) == 2
    with pytest.raises(RecordError, match=why):
        read_monitor_file(dump(tmp_path / "monitor_a.json", MONITOR | {"timestamp": said}))


def test_a_time_in_a_name_counts_with_its_z_or_where_it_agrees(tmp_path: Path) -> None:
    there = dump(tmp_path / "monitor_20251126_051554.json", MONITOR)
    assert read_monitor_file(there).at == AT
    local = dump(tmp_path / "monitor_20251126_141554.json", MONITOR)
    with pytest.raises(RecordError, match="no zone"):
        read_monitor_file(local)
    ours = dump(tmp_path / "monitor_20251126T051554Z.json", MONITOR, written_at=AT + 1e6)
    assert read_monitor_file(ours).at == AT


def test_a_verification_with_a_time_without_a_zone_is_none(tmp_path: Path) -> None:
    document = {"timestamp": "2025-11-26T14:15:54", "verdict": "passed", "checks": []}
    dump(tmp_path / "compare_stage2.json", document)
    assert read_verification(tmp_path, 2) is None
    dump(tmp_path / "compare_stage2.json", document | {"timestamp": "2025-11-26T05:15:54Z"})
    assert read_verification(tmp_path, 2) is not None
