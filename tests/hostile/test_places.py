"""What a plan names is written below its own directory, through no link, over nobody's file."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from canary.cli.commands import run
from canary.engine.jobs.ab_test import AB_TEST_FILE
from canary.engine.jobs.verification import write_verification
from canary.rollout.errors import RecordError
from canary.rollout.plan.plan import Plan
from canary.store.journal import Journal
from canary.store.outputs import output_path
from canary.store.stage_file import stage_file_path
from tests.embedded import DEFAULT_PLAN, Embedded
from tests.engine.carried import ask, carry

MINE = "mine, and nobody else's\n"


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config"
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(path))
    return path


@pytest.fixture
def base(tmp_path: Path, config: Path) -> Path:
    """The plan's directory, beside which lies what is to stay as it is."""
    path = tmp_path / "plan"
    path.mkdir()
    (path / "canary.toml").write_text("[target]\n")
    (tmp_path / "mine").write_text(MINE)
    (tmp_path / "elsewhere").mkdir()
    return path


def with_record(file: str) -> Plan:
    record = msgspec.structs.replace(DEFAULT_PLAN.record, file=file)
    return msgspec.structs.replace(DEFAULT_PLAN, record=record)


def link_to_mine(base: Path) -> str:
    (base / "rollout.toml").symlink_to(base.parent / "mine")
    return "rollout.toml"


def link_on_the_way(base: Path) -> str:
    (base / "records").symlink_to(base.parent / "elsewhere")
    return "records/rollout.toml"


def somebody_elses_content(base: Path) -> str:
    (base / "pyproject.toml").write_text('[project]\nname = "x"\n')
    return "pyproject.toml"


def the_plan(_: Path) -> str:
    return "canary.toml"


def above(_: Path) -> str:
    return "../rollout.toml"


def absolute(base: Path) -> str:
    return str(base.parent / "elsewhere" / "rollout.toml")


def a_pipe(base: Path) -> str:
    os.mkfifo(base / "rollout.toml")
    return "rollout.toml"


ATTACKS = (
    link_to_mine,
    link_on_the_way,
    somebody_elses_content,
    the_plan,
    above,
    absolute,
    a_pipe,
)


def content(directory: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(directory)): path.read_bytes()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("attack", ATTACKS)
async def test_the_stage_file_goes_nowhere_else_and_hinders_no_rollback(
    embedded: Embedded, base: Path, attack: Callable[[Path], str]
):
    plan = with_record(attack(base))
    embedded.plan = msgspec.structs.replace(embedded.plan, record=plan.record)
    before = content(base.parent)
    with Journal(base.parent / "journal.db") as journal:
        change = await ask(embedded, "rollback_all")
        path = stage_file_path(base / "canary.toml", plan.record.file)
        outcome = await carry(embedded, journal, change, stage_file=path)
    assert outcome.state == "done"
    assert "is not written: it " in outcome.message
    after = content(base.parent)
    assert {name: after[name] for name in before} == before
    assert not (base.parent / "elsewhere" / "rollout.toml").exists()
    assert not (base.parent / "rollout.toml").exists()


async def test_where_it_belongs_it_is_written_and_replaced(embedded: Embedded, base: Path):
    path = stage_file_path(base / "canary.toml", "rollout.toml")
    with Journal(base.parent / "journal.db") as journal:
        for name, move in (("c1", "step_back"), ("c2", "rollback_all")):
            change = await ask(embedded, move, name)
            outcome = await carry(embedded, journal, change, stage_file=path)
            assert "is not written" not in outcome.message
            assert f'change = "{name}"' in path.read_text()


def test_an_absolute_place_is_the_persons_to_allow(base: Path, config: Path):
    elsewhere = base.parent / "elsewhere"
    with pytest.raises(RecordError, match="canary trust directory"):
        output_path(base, str(elsewhere), AB_TEST_FILE)
    assert run(("trust", "directory", str(elsewhere))) == 0
    assert output_path(base, str(elsewhere), AB_TEST_FILE) == elsewhere / AB_TEST_FILE
    assert run(("trust", "plan", str(base / "none.toml"))) == 2
    assert run(("trust", "remove", str(elsewhere))) == 0
    with pytest.raises(RecordError):
        output_path(base, str(elsewhere), AB_TEST_FILE)


@pytest.mark.parametrize("outputs", ["..", "../elsewhere", "linked", "linked/deeper", "/"])
def test_results_go_nowhere_else(base: Path, outputs: str):
    (base / "linked").symlink_to(base.parent / "elsewhere")
    with pytest.raises(RecordError, match="is not written"):
        output_path(base, outputs, AB_TEST_FILE)


def test_a_result_is_written_over_results_only(base: Path):
    place = base / "outputs"
    place.mkdir()
    for body, is_ours in ((MINE, False), ('{"a": 1}', True), ("", True), ('{"cut', True)):
        (place / AB_TEST_FILE).write_text(body)
        if is_ours:
            assert output_path(base, "outputs", AB_TEST_FILE).name == AB_TEST_FILE
        else:
            with pytest.raises(RecordError, match="nothing that canary writes"):
                output_path(base, "outputs", AB_TEST_FILE)


@pytest.mark.skipif(os.geteuid() != 0, reason="a second user needs root")
def test_a_file_of_somebody_else_is_left_alone(base: Path):
    place = base / "outputs"
    place.mkdir()
    (place / AB_TEST_FILE).write_text("{}")
    os.chown(place / AB_TEST_FILE, 65534, 65534)
    with pytest.raises(RecordError, match="belongs to"):
        output_path(base, "outputs", AB_TEST_FILE)


def test_init_writes_through_no_link_and_over_nothing_but_a_plan(
    base: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(base)
    (base / "notes.txt").write_text(MINE)
    (base / "link.toml").symlink_to(base.parent / "mine")
    (base / "away").symlink_to(base.parent / "elsewhere")
    for name in ("notes.txt", "link.toml", "away/canary.toml"):
        assert run(("init", name, "--yes", "--force")) == 2, name
    assert (base / "notes.txt").read_text() == (base.parent / "mine").read_text() == MINE
    assert list((base.parent / "elsewhere").iterdir()) == []
    assert run(("init", "canary.toml", "--yes", "--force")) == 0
    assert "provider" in (base / "canary.toml").read_text()


def test_a_verification_says_what_it_may_not_write(base: Path):
    record = msgspec.structs.replace(DEFAULT_PLAN.record, outputs="../elsewhere")
    plan = msgspec.structs.replace(DEFAULT_PLAN, record=record)
    with pytest.raises(RecordError, match="is not written"):
        write_verification(plan, base, msgspec.defstruct("V", [("stage", int)])(2))
