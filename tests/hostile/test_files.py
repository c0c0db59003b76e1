"""Files as nobody wrote them: each is read, or refused in one clear sentence; nothing else."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from canary.rollout.change.stage_record import StageRecord, decode_record, encode_record
from canary.rollout.errors import CanaryError, Malformed, PlanError, RecordError
from canary.rollout.export.monitor_document import monitor_document
from canary.rollout.plan.file import load_plan
from canary.store.ab_results import read_ab_results
from canary.store.monitor_files import read_monitor_file
from canary.store.monitoring import read_state
from canary.store.results import read_results
from canary.store.stage_file import read_stage_file, write_stage_file
from tests.hostile.text import HOSTILE, is_harmless
from tests.rollout.build import PLAN
from tests.tui import scenes

ROOT = Path(__file__).resolve().parents[2]
FAST = settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

PLAN_TEXT = (ROOT / "canary.toml").read_text()
RECORD = StageRecord(2, 10, 1_760_000_000.0, "oncall", "bastion", "c1", "promote", "because")
VALUES = st.sampled_from(
    [
        "nan",
        "-inf",
        "1e400",
        "-1",
        "99999999999999999999999999",
        "true",
        '""',
        '"\\u0000"',
        '"\\u001b[31m"',
        "[]",
        "{}",
        "[[[[]]]]",
        "1979-05-27T07:32:00Z",
        "'''\n'''",
        '"../../etc/passwd"',
        '"http://evil.example"',
    ]
)


@st.composite
def mutated(draw: st.DrawFn, text: str) -> bytes:
    """A good file with lines lost, doubled, moved, values replaced, bytes flipped or cut off."""
    lines = text.splitlines(keepends=True)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, max(0, len(lines) - 1)))
        match draw(st.sampled_from(["lose", "double", "move", "value", "text"])):
            case "lose":
                del lines[at : at + 1]
            case "double":
                lines[at:at] = lines[at : at + 1]
            case "move":
                lines.append(lines.pop(at) if lines else "")
            case "value":
                lines[at : at + 1] = [
                    _with_value(line, draw(VALUES)) for line in lines[at : at + 1]
                ]
            case "text":
                lines.insert(at, draw(st.text(max_size=20)))
    body = "".join(lines).encode("utf-8", "surrogatepass")
    cut = draw(st.one_of(st.none(), st.integers(0, len(body))))
    return body if cut is None else body[:cut]


def _with_value(line: str, value: str) -> str:
    return re.sub(r"([=:]\s*)[^,\n#]+", lambda m: m[1] + value, line, count=1)


def check(read: Callable[[], Any], *kinds: type[CanaryError]) -> None:
    """It is read, or one of these errors says why in one line that a terminal can show."""
    said = "."
    try:
        read()
    except kinds as error:
        said = error.message
    assert said.strip()
    assert "\n" not in said
    assert len(said) < 2000


_KEPT = tempfile.TemporaryDirectory(prefix="hostile")


def directory_of_this_run() -> Path:
    """An empty directory; all of them go with the process."""
    return Path(tempfile.mkdtemp(dir=_KEPT.name))


def written(body: bytes) -> Path:
    directory = directory_of_this_run()
    path = directory / "file"
    path.write_bytes(body)
    return path


@FAST
@given(mutated(PLAN_TEXT))
@example(b"\xff\xfe")
@example(b"a = " + b"[" * 5000)
@example(b"\x00" * 100)
def test_a_plan(body: bytes):
    check(lambda: load_plan(written(body)), PlanError)


@FAST
@given(st.binary(max_size=300))
def test_a_plan_of_any_bytes(body: bytes):
    check(lambda: load_plan(written(body)), PlanError)


@FAST
@given(st.data())
def test_a_stage_file(data: st.DataObject):
    directory = directory_of_this_run()
    good = directory / "rollout.toml"
    write_stage_file(good, "ion-api → ion-api-canary", RECORD)
    body = data.draw(mutated(good.read_text()))
    check(lambda: read_stage_file(written(body)), RecordError)


@FAST
@given(mutated(encode_record(RECORD).replace(",", ",\n")))
@example(b"[" * 100_000)
@example(b'{"stage": 1e400}')
@example(b"null")
def test_a_stage_annotation(body: bytes):
    check(lambda: decode_record(body.decode("utf-8", "replace")), Malformed)


@FAST
@given(
    mutated(
        msgspec.json.format(msgspec.json.encode(monitor_document(scenes.snapshot(), PLAN))).decode()
    )
)
@example(b"[" * 100_000)
@example(b'{"canary": {"error_rate": 1e999}}')
@example(b'{"canary": null}')
def test_a_monitor_file(body: bytes):
    check(lambda: read_monitor_file(written(body)), RecordError)


RESULTS = {
    "load_test_summary.json": '{"status": "PASSED",\n "finished_at": 1760000000.0,\n'
    ' "legacy": {},\n "summary": "x"}',
    "ab_test_analysis.json": '{"finished_at": "2026-01-01T00:00:00Z",\n'
    ' "legacy": {"response_time_ms": 450.0},\n "canary": {"response_time_ms": 220.0},\n'
    ' "improvement": 0.51}',
}


@FAST
@given(st.data(), st.sampled_from(sorted(RESULTS)))
def test_results_are_never_raised_for(data: st.DataObject, name: str):
    directory = directory_of_this_run()
    (directory / name).write_bytes(data.draw(mutated(RESULTS[name])))
    found = read_results(directory)
    assert all(is_harmless(problem) and "\n" not in problem for problem in found.problems)


@FAST
@given(
    mutated(
        "group,response_time_ms,confidence_score,success\nlegacy,450,0.7,true\ncanary,220,0.8,1\n"
    )
)
def test_the_results_of_an_ab_test(body: bytes):
    path = written(body).with_suffix(".csv")
    path.write_bytes(body)
    check(lambda: read_ab_results(path, "legacy", "canary"), RecordError)


@FAST
@given(st.binary(max_size=200))
def test_the_state_of_a_loop_that_cannot_be_read_is_none(body: bytes):
    path = written(body).with_name("monitoring.json")
    path.write_bytes(body)
    read_state(path.parent)


@pytest.mark.parametrize("name", ["ion\x1b[31m", "a/b", "A B", "", "x" * 100, "$(id)", "[red]"])
@pytest.mark.parametrize("key", ["legacy", "canary"])
def test_service_names_that_cannot_be_are_refused_and_shown_plain(
    tmp_path: Path, key: str, name: str
):
    path = tmp_path / "canary.toml"
    quoted = msgspec.json.encode(name).decode()
    path.write_text(re.sub(rf"(?m)^{key} = .*$", lambda _: f"{key} = {quoted}", PLAN_TEXT))
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert is_harmless(str(caught.value))


def test_text_in_an_error_of_the_plan_is_plain(tmp_path: Path):
    path = tmp_path / "canary.toml"
    key = HOSTILE.encode("utf-8", "replace").decode()
    path.write_text(f"{msgspec.json.encode(key).decode()} = 1\n{PLAN_TEXT}")
    with pytest.raises(PlanError) as caught:
        load_plan(path)
    assert is_harmless(str(caught.value))
