"""Textual's private parts: used in one folder, of the one minor version they were read in.

When Textual moves to another minor version this fails. Then read its changes, look at what
`PRIVATE` lists, run tests/tui and the benchmarks of bytes and starts, and only then raise the pin
in pyproject.toml and TESTED here:

- `App._display`, `textual._compositor` (ChopsUpdate, LayoutUpdate): tui/terminal/wire.py turns both
  kinds of update into cells; a third kind would be written whole, and the bytes would show it.
- `App._fatal_error`, `_exception`, `_exit_renderables`, `_close_messages_no_wait`,
  `_handle_exception`: a crash ends with 1, with a traceback without locals.
- `App._driver`, `LinuxDriver._run_input_thread`, `_get_terminal_size`, `_size`, `_app`: the end of
  the input, and sizes that lie. `run_input_thread` is written anew around `feed` and `tick` of
  `XTermParser`, so as to sleep between two keys; what is set to end it is `exit_event`.
- `App._capture_stdout`, `_capture_stderr` and what they call (`_print`, `_flush`), and that Textual
  remembers by `functools.lru_cache`: what keeps an application in memory that was left.
- `Screen._compositor.visible_widgets`, `Widget._styles_cache.set_dirty`, `App._batch_count`:
  tui/terminal/drawing.py writes the changed cells of a widget itself, and marks them as old there.
- `Stylesheet._parse_cache`: tui/terminal/stylesheet.py keeps for the process what was read, and
  gives it to the next; `set_variables` empties the one that is there.
- Not private, but relied on: messages go to `_on_x` or `on_x` of each class, `Reactive` hands out
  itself at the class, `CommandPalette` gathers in workers whose node it is.
"""

from __future__ import annotations

import ast
import inspect
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import textual
from textual._xterm_parser import XTermParser
from textual.app import App
from textual.command import CommandPalette
from textual.css.stylesheet import Stylesheet
from textual.drivers.linux_driver import LinuxDriver
from textual.screen import Screen
from textual.widget import Widget
from textual.widgets import Input, Static

from tests.house.sources import PRODUCT, ROOT, find_sources

TESTED = "8.2"
MAY = ROOT / "tui" / "terminal"
PRIVATE = {
    App: (
        "_display",
        "_fatal_error",
        "_close_messages_no_wait",
        "_handle_exception",
    ),
    LinuxDriver: ("_run_input_thread", "_get_terminal_size", "run_input_thread", "disable_input"),
    XTermParser: ("feed", "tick"),
    Stylesheet: ("set_variables",),
}
SOURCES = find_sources(*PRODUCT)
WIDGETS = ("CellWidget", "Screen", "Page", "CommandPalette", "TerminalApp", "ConfirmStrip")
TEXTUALS = (App, CommandPalette, Screen, Widget, Input, Static, LinuxDriver)


@cache
def names_of_textual() -> frozenset[str]:
    """Private names of its classes, methods and what their methods set on `self`."""
    found: set[str] = set()
    for cls in TEXTUALS:
        for base in cls.__mro__:
            if base.__module__.startswith("textual"):
                found |= set(vars(base))
                found |= attributes_set(base.__module__)
    return frozenset(n for n in found if n.startswith("_") and not n.startswith("__"))


@cache
def attributes_set(module: str) -> frozenset[str]:
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return frozenset(n.attr for n in ast.walk(tree) if is_set_here(n))  # type: ignore[attr-defined]


def uses(path: Path, private: frozenset[str]) -> Iterator[str]:
    """Imports of private modules, private attributes, and methods that override private ones."""
    text = path.read_text()
    if "textual" not in text:
        return
    tree = ast.parse(text)
    if not any("textual" in ast.dump(n) for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)):
        return
    own = {n.attr for n in ast.walk(tree) if is_set_here(n)}
    own |= {n.target.id for n in ast.walk(tree) if is_declared_here(n)}  # type: ignore[attr-defined]
    methods = {n.name for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            if "._" in (node.module or ""):
                yield f"from {node.module}"
            yield from (a.name for a in node.names if a.name.startswith("_"))
        elif isinstance(node, ast.Attribute) and node.attr in private - own - methods:
            yield node.attr
    yield from methods & private


def is_set_here(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store)


def is_declared_here(node: ast.AST) -> bool:
    return isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)


def test_the_installed_textual_is_the_one_that_was_tested() -> None:
    assert textual.__version__.startswith(f"{TESTED}."), __doc__


def test_the_pin_allows_that_minor_version_alone() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "textual>=8.2,<8.3" in project["dependencies"]


@pytest.mark.parametrize(
    ("cls", "name"), [(cls, name) for cls, names in PRIVATE.items() for name in names]
)
def test_what_is_overridden_or_called_is_there(cls: type, name: str) -> None:
    assert callable(getattr(cls, name, None)), __doc__


def test_private_parts_are_touched_in_one_folder_alone() -> None:
    private = names_of_textual()
    found = {
        str(path.relative_to(ROOT)): sorted(set(uses(path, private)))
        for path in SOURCES
        if not path.is_relative_to(MAY)
    }
    assert {path: names for path, names in found.items() if names} == {}


def test_the_search_finds_them_where_they_may_be() -> None:
    private = names_of_textual()
    assert "_display" in set(uses(MAY / "app.py", private))
    assert "from textual._compositor" in set(uses(MAY / "wire.py", private))


def test_nothing_of_ours_has_a_name_that_textual_sets_for_itself() -> None:
    """Setting such a name on a widget would break Textual, silently."""
    private = names_of_textual()
    clashes = {}
    for path in SOURCES:
        if path.is_relative_to(MAY) or path.parts[-3:-1] == ("tui", "terminal"):
            continue
        text = path.read_text()
        if not any(name in text for name in WIDGETS):
            continue
        tree = ast.parse(text)
        for cls in (n for n in ast.walk(tree) if isinstance(n, ast.ClassDef)):
            if any(is_widget(base) for base in cls.bases):
                set_here = {n.attr for n in ast.walk(cls) if is_set_here(n)}  # type: ignore[attr-defined]
                if set_here & private:
                    clashes[f"{path.name}:{cls.name}"] = set_here & private
    assert clashes == {}


def is_widget(base: ast.expr) -> bool:
    name = base.id if isinstance(base, ast.Name) else ""
    return name in WIDGETS
