"""Nothing is ever run through a shell: names from outside stay arguments."""

import ast
import os
import re
import subprocess
from pathlib import Path

import pytest

from canary.store.stage_file import commit_file
from tests.house.sources import PRODUCT, ROOT, find_sources

SHELLS = {"system", "popen", "create_subprocess_shell", "getoutput", "getstatusoutput"}
MAY_ASK = re.compile("|".join(["shell", *SHELLS]))
"""What stands in every file that has such a call: no other need be parsed."""


def runs_a_shell(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else ""
    told = {k.arg: k.value for k in call.keywords}
    return name in SHELLS or ("shell" in told and ast.unparse(told["shell"]) != "False")


def test_no_call_of_the_project_asks_for_a_shell():
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in find_sources(*PRODUCT)
        if MAY_ASK.search(text := path.read_text())
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and runs_a_shell(node)
    ]
    assert found == []


@pytest.mark.parametrize("name", ["$(touch pwned).toml", "--help", "; touch pwned #", "`id`"])
def test_git_takes_names_and_messages_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    for variable in [n for n in os.environ if n.startswith("GIT_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    for who in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{who}_NAME", "On Call")
        monkeypatch.setenv(f"GIT_{who}_EMAIL", "oncall@example.com")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    file = tmp_path / name
    file.write_text("stage = 2\n")
    message = "feat: $(touch pwned) `touch pwned`; touch pwned"
    assert commit_file(file, message).commit
    logged = subprocess.run(
        ["git", "log", "-1", "--format=%s"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert logged.stdout.strip() == message
    assert {p.name for p in tmp_path.iterdir()} == {".git", name}
