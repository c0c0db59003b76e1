"""Which command lines open the console, and on which plan."""

import pytest

from canary.cli.commands import COMMANDS
from canary.paint.typed import Typed, read_typed


@pytest.mark.parametrize(
    ("arguments", "typed"),
    [
        ("", Typed(None)),
        ("--read-only", Typed(None)),
        ("-c a.toml", Typed("a.toml")),
        ("-ca.toml", Typed("a.toml")),
        ("--config a.toml --read-only", Typed("a.toml")),
        ("--config=a.toml", Typed("a.toml")),
        ("demo", Typed(None, is_demo=True)),
        ("-c a.toml demo", Typed("a.toml", is_demo=True)),
        ("-c a.toml demo -c b.toml", Typed("b.toml", is_demo=True)),
        ("demo --scenario error-spike --speed=60", Typed(None, is_demo=True)),
        ("demo --fresh", Typed(None, is_demo=True, starts_over=True)),
        ("demo --seed 3", Typed(None, is_demo=True, starts_over=True)),
        ("demo --stage=0", Typed(None, is_demo=True, starts_over=True)),
    ],
)
def test_what_opens_the_console_is_understood_as_click_does(arguments: str, typed: Typed) -> None:
    assert read_typed(arguments.split()) == typed


@pytest.mark.parametrize(
    "arguments",
    [
        *(name for name in COMMANDS if name != "demo"),
        "-h",
        "--help",
        "--version",
        "-c",
        "demo --config",
        "demo --help",
        "demo demo",
        "demo --read-only",
        "--fresh",
        "--scenario x",
        "no-such-command",
        "--",
        "-",
    ],
)
def test_nothing_is_painted_for_what_is_not_the_console(arguments: str) -> None:
    assert read_typed(arguments.split()) is None
