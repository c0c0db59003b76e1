"""How commands speak: plain lines for people, JSON for programs. Colour is left to neither."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any

import click

from canary.rollout.words import printable


def say(line: str = "") -> None:
    """A line, or a text of several, on standard output; nothing in it acts on a terminal.

    Encodings without the glyphs get "?" instead of an error.
    """
    line = "\n".join(map(printable, line.split("\n")))
    click.echo(line.encode(_encoding(), "replace").decode(_encoding()))


def say_json(document: Any) -> None:
    """A document on standard output, indented, in the order of its keys."""
    ascii_only = _encoding().lower().replace("-", "") != "utf8"
    text = json.dumps(document, indent=2, ensure_ascii=ascii_only, allow_nan=False)
    click.echo(text if ascii_only else "\n".join(map(_escape, text.split("\n"))))


def say_table(rows: Sequence[Sequence[str]], indent: str = "") -> None:
    """Rows with their columns aligned; empty rows make nothing."""
    if not rows:
        return
    widths = [max(len(row[i]) for row in rows if i < len(row)) for i in range(max(map(len, rows)))]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        say(f"{indent}{'  '.join(cells)}".rstrip())


def _escape(line: str) -> str:
    """A line of JSON, with what a terminal would act on written as JSON writes it: \\u009b."""
    if line.isprintable():
        return line
    return "".join(c if printable(c) else json.dumps(c)[1:-1] for c in line)


def _encoding() -> str:
    return sys.stdout.encoding or "utf-8"
