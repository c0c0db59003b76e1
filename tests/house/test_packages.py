"""What is imported is installed: by the package for product code, by `.[test]` for the tests.

An engineer's environment has more in it than a fresh one, so a missing name in pyproject.toml is
seen nowhere but here and on other people's machines.
"""

import ast
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.house.sources import PRODUCT, ROOT, find_sources, read_imports

OURS = {"canary", "tui", "widgets", "themes", "tests", "benchmarks", "scripts"}


def asked_for(*extras: str) -> Iterator[Requirement]:
    """What pyproject.toml asks for by itself and in these extras.

    Read from the file: what is installed may have been made from an older one.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for line in project["dependencies"]:
        yield Requirement(line)
    for extra in extras:
        for line in project["optional-dependencies"][extra]:
            requirement = Requirement(line)
            if requirement.name == "canary-console":
                yield from asked_for(*requirement.extras)
            else:
                yield requirement


def installed_by(*extras: str) -> set[str]:
    """The names of all distributions that come with these extras, those that they need included."""
    found: set[tuple[str, frozenset[str]]] = set()
    todo = list(asked_for(*extras))
    while todo:
        asked = todo.pop()
        name, wanted = canonicalize_name(asked.name), frozenset(asked.extras)
        if (name, wanted) in found:
            continue
        found.add((name, wanted))
        try:
            lines = requires(name) or []
        except PackageNotFoundError:  # an extra that is not installed here asks for nothing more
            lines = []
        todo += [
            needed
            for needed in map(Requirement, lines)
            if needed.marker is None
            or any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted))
        ]
    return {name for name, _ in found}


def imported_by(*folders: str) -> dict[str, Path]:
    """The foreign top-level modules that Python files in these folders import, each with one file.

    Standard library, our own packages and imports relative to a file are left out.
    """
    found: dict[str, Path] = {}
    for path in find_sources(*folders):
        for node in read_imports(path):
            match node:
                case ast.Import():
                    names = [alias.name for alias in node.names]
                case ast.ImportFrom(module=str(module), level=0):
                    names = [module]
                case _:
                    names = []
            for name in names:
                found.setdefault(name.partition(".")[0], path.relative_to(ROOT))
    return {
        name: path
        for name, path in found.items()
        if name not in sys.stdlib_module_names and name not in OURS
    }


@pytest.mark.parametrize(
    ("folders", "extras"),
    [
        (PRODUCT, ("loadtest", "report")),
        (("tests",), ("test",)),
        (("benchmarks",), ("benchmarks",)),
    ],
    ids=["the product", "its tests", "its benchmarks"],
)
def test_what_is_imported_is_installed(folders: tuple[str, ...], extras: tuple[str, ...]) -> None:
    comes_with = installed_by(*extras)
    provided_by = packages_distributions()
    missing = {
        name: str(path)
        for name, path in imported_by(*folders).items()
        if not {canonicalize_name(of) for of in provided_by.get(name, [name])} & comes_with
    }
    assert missing == {}
