"""Results of tests: read from files, and no result when in doubt."""

import json
from pathlib import Path

import pytest

from canary.rollout.decision.gates import NO_EVIDENCE
from canary.store.results import AB_TEST_FILE, LOAD_TEST_FILE, read_load_test, read_results


def write(directory: Path, name: str, document: object) -> None:
    text = document if isinstance(document, str) else json.dumps(document)
    (directory / name).write_text(text)


def test_a_missing_directory_has_no_results(tmp_path):
    results = read_results(tmp_path / "outputs")
    assert (results.evidence, results.problems) == (NO_EVIDENCE, ())


@pytest.mark.parametrize("status", ["PASSED", "FAILED"])
def test_the_load_tests_status_is_read(tmp_path, status):
    write(tmp_path, LOAD_TEST_FILE, {"status": status, "finished_at": "1970-01-01T00:01:40Z"})
    result = read_results(tmp_path).evidence.load_test
    assert (result.status, result.finished_at) == (status, 100.0)


def test_the_improvement_is_computed_from_the_means(tmp_path):
    groups = {"legacy": {"avg_response_time_ms": 450}, "canary": {"mean_response_time_ms": 220}}
    write(tmp_path, AB_TEST_FILE, groups | {"improvement": 0.9, "timestamp": 7})
    result = read_results(tmp_path).evidence.ab_test
    assert result.improvement == pytest.approx(0.5111, abs=1e-4)
    assert result.finished_at == 7.0


def test_without_means_the_improvement_is_taken_as_it_stands(tmp_path):
    write(tmp_path, AB_TEST_FILE, {"improvement": 0.2})
    assert read_results(tmp_path).evidence.ab_test.improvement == 0.2


def test_without_a_time_the_files_own_time_counts(tmp_path):
    write(tmp_path, LOAD_TEST_FILE, {"status": "PASSED"})
    at = (tmp_path / LOAD_TEST_FILE).stat().st_mtime
    assert read_results(tmp_path).evidence.load_test.finished_at == at


@pytest.mark.parametrize(
    ("name", "document"),
    [
        (LOAD_TEST_FILE, '{"status": "PASS'),
        (LOAD_TEST_FILE, ""),
        (LOAD_TEST_FILE, []),
        (LOAD_TEST_FILE, {"status": "passed"}),
        (LOAD_TEST_FILE, {"status": ["PASSED"]}),
        (LOAD_TEST_FILE, {}),
        (LOAD_TEST_FILE, {"status": "PASSED", "timestamp": "yesterday"}),
        (LOAD_TEST_FILE, "[" * 100_000),
        (AB_TEST_FILE, {}),
        (AB_TEST_FILE, {"improvement": "0.2"}),
        (AB_TEST_FILE, {"improvement": True}),
        (AB_TEST_FILE, '{"improvement": 1e999}'),
        (AB_TEST_FILE, {"legacy": {"avg_response_time_ms": 0}, "canary": {}}),
    ],
)
def test_a_broken_file_is_no_result_and_is_named(tmp_path, name, document):
    write(tmp_path, name, document)
    results = read_results(tmp_path)
    assert results.evidence == NO_EVIDENCE
    (problem,) = results.problems
    assert name in problem
    assert "\n" not in problem


def test_how_large_and_long_a_load_test_was_is_read(tmp_path: Path) -> None:
    path = tmp_path / LOAD_TEST_FILE
    path.write_text('{"status": "PASSED", "users": 10, "duration_s": 3600, "elapsed_s": 299.8}')
    found = read_load_test(path)
    assert found is not None
    assert (found.users, found.lasted_s) == (10, 299.8)
