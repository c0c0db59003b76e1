"""What the pages tell a person to type, press and follow is there: commands, keys, links."""

import re
import shlex
import tomllib
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from canary.cli.commands import COMMANDS, canary
from canary.cli.opening import SCENARIOS
from tui.keys import ACTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
NAMES = [page.name for page in PAGES]
FENCE = re.compile(r"```[a-z]*\n(.*?)```", re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


def prose_of(page: Path) -> str:
    return FENCE.sub("", page.read_text())


def find_links(page: Path) -> Iterator[str]:
    """The targets within the repository."""
    for target in re.findall(r"\]\(([^)\s]+)\)", prose_of(page)):
        if not target.startswith("https://"):
            yield target


def find_anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path):
    for target in find_links(page):
        name, _, anchor = target.partition("#")
        linked = (page.parent / name).resolve() if name else page
        assert linked.exists(), target
        assert not anchor or anchor in find_anchors(linked), target


def find_commands(page: Path) -> Iterator[list[str]]:
    """The words behind `canary` wherever a page says what to type."""
    text = page.read_text()
    typed = [line for block in FENCE.findall(text) for line in block.splitlines()]
    typed += SPAN.findall(FENCE.sub("", text))
    for line in typed:
        found = re.match(r"(?:\S*/)?canary ([a-z-].*)", line.strip().removeprefix("$ "))
        if found is None:
            continue
        said = re.split(r"\s#|[…\[\]()]|\\\||&&", found[1])[0]
        try:
            yield shlex.split(said)
        except ValueError:
            yield said.split()


def find_wrong(words: list[str]) -> str:
    """What of a command is not there; "" if all is."""
    name, *rest = words
    if name not in COMMANDS:
        return f"no command {name}"
    command = canary.get_command(click.Context(canary), name)
    assert command is not None
    if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        for inner in rest[0].split("|"):
            if inner not in command.commands:
                return f"{name} has no {inner}"
        command = command.commands[rest[0].split("|")[0]]
    known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help", "-h"}
    options = [o for word in rest for o in word.split("|") if re.match(r"--?[a-z]", o)]
    return next((f"{name} has no {o}" for o in options if o.split("=")[0] not in known), "")


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_and_option_is_there(page: Path):
    assert [wrong for words in find_commands(page) if (wrong := find_wrong(words))] == []


def test_a_command_or_option_that_is_not_there_is_found():
    assert find_wrong(["rollback", "--now"]) == "rollback has no --now"
    assert find_wrong(["alerts", "drop"]) == "alerts has no drop"
    assert find_wrong(["step-back"]) == "no command step-back"


def test_the_pages_name_every_command():
    named = {words[0] for page in PAGES for words in find_commands(page)}
    assert set(COMMANDS) - named == set()


def test_the_scenarios_of_the_pages_are_there():
    said = {words[i + 1] for page in PAGES for words in find_commands(page)
            for i, word in enumerate(words[:-1]) if word == "--scenario"}  # fmt: skip
    assert said
    assert said <= set(SCENARIOS)


def test_the_readme_has_every_key():
    table = (ROOT / "README.md").read_text().split("## Keys")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]+) \|", table, re.MULTILINE)
    keys = {key.lower() for row in rows for key in SPAN.findall(row)}
    keys |= {key for row in rows for key in SPAN.findall(row)}
    assert [a.name for a in ACTIONS if a.keys and keys.isdisjoint(a.keys)] == []


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_module_that_is_run_is_there(page: Path):
    for module in re.findall(r"python -m ([\w.]+)", page.read_text()):
        assert find_spec(module) is not None, module


def test_contributing_has_the_rooms_in_their_order():
    """As import-linter holds them, from the top down; the page lists the lowest first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("order of its rooms")[2]
    for contract in settings["contracts"]:
        for container in contract.get("containers", ()):
            row = re.search(rf"^\| `{container.replace('.', '/')}` \| (.+) \|$", text, re.MULTILINE)
            assert row is not None, container
            said = [{part.strip() for part in step.split(",")} for step in row[1].split("·")]
            held = [{part.strip() for part in re.split(r"[|:]", layer)}
                    for layer in reversed(contract["layers"])]  # fmt: skip
            assert said == held, container
