"""Rooms and the arrows between them: no circle, no crowded folder, a door that says what it is."""

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.house.sources import PRODUCT, ROOT, read_imports

PACKAGES = (
    "canary.cli",
    "canary.cloud",
    "canary.engine",
    "canary.host",
    "canary.loadtest",
    "canary.paint",
    "canary.rollout",
    "canary.simulator",
    "canary.store",
    "themes",
    "tui",
    "widgets",
)
MOST_FILES = 25

Arrows = Mapping[str, set[str]]


def find_modules(root: Path, *packages: str) -> dict[str, Path]:
    """Dotted name → file, of all modules of `packages` under `root`; a package is its __init__."""
    found = {}
    for package in packages:
        for path in sorted((root / package).rglob("*.py")):
            dotted = path.relative_to(root).with_suffix("").as_posix().replace("/", ".")
            found[dotted.removesuffix(".__init__")] = path
    return found


def find_targets(module: str, path: Path, modules: Mapping[str, Path]) -> Iterator[str]:
    """Yield what `module` imports of `modules`: at the top, in a function, or for types alone."""
    for node in read_imports(path):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name in modules)
        else:
            base = node.module or ""
            if node.level:
                here = module.split(".") if path.stem == "__init__" else module.split(".")[:-1]
                base = ".".join([*here[: len(here) - node.level + 1], *filter(None, [base])])
            for name in node.names:
                inside = f"{base}.{name.name}"
                if (target := inside if inside in modules else base) in modules:
                    yield target


def draw_arrows(root: Path, *packages: str) -> Arrows:
    """Module → the modules of `packages` that it imports."""
    modules = find_modules(root, *packages)
    return {m: set(find_targets(m, path, modules)) - {m} for m, path in modules.items()}


def find_circle(arrows: Arrows) -> list[str]:
    """One circle, each name importing the next; empty when there is none."""
    try:
        TopologicalSorter(arrows).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def join_rooms(arrows: Arrows, package: str) -> Arrows:
    """Room → rooms. A room is what stands directly in `package`: a folder, or a file of its own."""

    def name_room(module: str) -> str:
        return module.removeprefix(package).lstrip(".").split(".")[0]

    joined: dict[str, set[str]] = {}
    for module, targets in arrows.items():
        if room := name_room(module):
            others = {r for t in targets if (r := name_room(t)) and r != room}
            joined.setdefault(room, set()).update(others)
    return joined


def build(folder: Path, files: Mapping[str, str]) -> None:
    """Write a package named house: name of a file without .py → its text."""
    for name, text in files.items():
        path = (folder / "house" / name).with_suffix(".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@cache
def draw_inside(package: str) -> Arrows:
    """The arrows between the modules of one package of the product."""
    arrows = draw_product()
    inside = {m for m in arrows if f"{m}.".startswith(f"{package}.")}
    return {m: arrows[m] & inside for m in inside}


@cache
def draw_product() -> Arrows:
    """The arrows of the whole product."""
    return draw_arrows(ROOT, *PRODUCT)


def test_no_packages_import_each_other_in_a_circle() -> None:
    assert find_circle(draw_product()) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_files_import_each_other_in_a_circle(package: str) -> None:
    arrows = draw_inside(package)
    assert arrows
    assert find_circle(arrows) == []


@pytest.mark.parametrize("package", PACKAGES)
def test_no_rooms_import_each_other_in_a_circle(package: str) -> None:
    assert find_circle(join_rooms(draw_inside(package), package)) == []


@pytest.mark.parametrize(
    "back",
    [
        "from house.cellar.stove import heat\n",
        "import house.cellar.stove\n",
        "from ..cellar.stove import heat\n",
        "def warm():\n    from house.cellar import stove\n",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.cellar import stove\n",
    ],
)
def test_a_circle_that_was_planted_is_found(tmp_path: Path, back: str) -> None:
    for room, text in {"cellar": "from house.hall.lamp import light\n", "hall": back}.items():
        (tmp_path / "house" / room).mkdir(parents=True)
        (tmp_path / "house" / room / "__init__.py").touch()
        (tmp_path / "house" / room / ("stove.py" if room == "cellar" else "lamp.py")).write_text(
            text
        )
    arrows = draw_arrows(tmp_path, "house")
    assert set(find_circle(arrows)) == {"house.cellar.stove", "house.hall.lamp"}
    assert set(find_circle(join_rooms(arrows, "house"))) == {"cellar", "hall"}


def test_rooms_may_form_a_circle_where_files_do_not(tmp_path: Path) -> None:
    files = {"a/one": "import house.b.two\n", "b/two": "", "b/three": "import house.a.four\n"}
    build(tmp_path, {**files, "a/four": "", "a/__init__": "", "b/__init__": ""})
    arrows = draw_arrows(tmp_path, "house")
    assert find_circle(arrows) == []
    assert set(find_circle(join_rooms(arrows, "house"))) == {"a", "b"}


@pytest.mark.parametrize("package", PRODUCT)
def test_no_folder_is_crowded(package: str) -> None:
    folders = {p.parent for p in (ROOT / package).rglob("*.py")}
    crowded = {str(f.relative_to(ROOT)): len(list(f.glob("*.py"))) for f in folders}
    assert {f: n for f, n in crowded.items() if n > MOST_FILES} == {}


DOORS = sorted(str(p.relative_to(ROOT)) for d in PRODUCT for p in (ROOT / d).rglob("__init__.py"))


@pytest.mark.parametrize("door", DOORS)
def test_a_room_says_at_its_door_what_it_is_for(door: str) -> None:
    said = ast.get_docstring(ast.parse((ROOT / door).read_text())) or ""
    assert len([line for line in said.splitlines() if line.strip()]) >= 2
