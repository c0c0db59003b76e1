"""The source files that the rules of the house are held against, and what they import."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PRODUCT = ("canary", "tui", "widgets", "themes")


def find_sources(*folders: str) -> list[Path]:
    """All Python files below these folders of the repository, in order."""
    return [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def read_imports(path: Path) -> tuple[ast.Import | ast.ImportFrom, ...]:
    """What a file imports anywhere: at the top, in a function, or for types alone."""
    statements = walk_statements(ast.parse(path.read_text()).body)
    return tuple(s for s in statements if isinstance(s, ast.Import | ast.ImportFrom))


def walk_statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """All statements, those within others too; a tenth of what `ast.walk` takes."""
    for statement in body:
        yield statement
        for field in ("body", "orelse", "finalbody"):
            yield from walk_statements(getattr(statement, field, []))
        for field in ("handlers", "cases"):
            for part in getattr(statement, field, []):
                yield from walk_statements(part.body)
