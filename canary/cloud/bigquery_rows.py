"""BigQuery's rows: cells of text with a schema beside them → values under their columns' names.

Source: BigQuery REST reference, QueryResponse, TableSchema, TableRow. Every value is a string in
JSON, NULL is null; timestamps are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canary.rollout.errors import Malformed
from canary.rollout.words import plain

Schema = tuple[tuple[str, str], ...]
"""Columns in order: (name, type)."""

_WHOLE = frozenset({"INTEGER", "INT64"})
_REAL = frozenset({"FLOAT", "FLOAT64", "NUMERIC", "BIGNUMERIC", "TIMESTAMP"})
_TRUTH = frozenset({"BOOLEAN", "BOOL"})


def read_schema(answer: Mapping[str, Any]) -> Schema:
    """The columns of an answer. Raises Malformed: none, or of a kind that is not asked for here."""
    schema = answer.get("schema")
    fields = schema.get("fields") if isinstance(schema, Mapping) else None
    if not isinstance(fields, list) or not fields:
        raise _malformed("it has no columns")
    columns = []
    for field in fields:
        name = field.get("name") if isinstance(field, Mapping) else None
        kind = field.get("type") if isinstance(field, Mapping) else None
        if not isinstance(name, str) or not isinstance(kind, str):
            raise _malformed("a column has no name or no type")
        if field.get("mode") == "REPEATED" or kind in ("RECORD", "STRUCT"):
            raise _malformed(f'the column "{plain(name, 60)}" is not a single value')
        columns.append((name, kind))
    return tuple(columns)


def read_rows(answer: Mapping[str, Any], schema: Schema) -> list[dict[str, Any]]:
    """The rows of one page; an answer without the key `rows` has none. Raises Malformed."""
    rows = answer.get("rows", [])
    if not isinstance(rows, list):
        raise _malformed("its rows are no list")
    return [_read_row(row, schema) for row in rows]


def _read_row(row: object, schema: Schema) -> dict[str, Any]:
    cells = row.get("f") if isinstance(row, Mapping) else None
    if not isinstance(cells, list) or len(cells) != len(schema):
        raise _malformed("a row has not as many cells as there are columns")
    return {
        name: _read_cell(cell, name, kind) for cell, (name, kind) in zip(cells, schema, strict=True)
    }


def _read_cell(cell: object, name: str, kind: str) -> object:
    if not isinstance(cell, Mapping) or "v" not in cell:
        raise _malformed(f'a cell of "{plain(name, 60)}" has no value')
    value = cell["v"]
    if value is None:
        return None
    try:
        return _convert(value, kind)
    except (KeyError, TypeError, ValueError) as exc:
        said = f'"{plain(value, 40)}" in the column "{plain(name, 60)}" is no {kind}'
        raise _malformed(said) from exc


def _convert(value: Any, kind: str) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError("not the text of a value")
    if kind in _WHOLE:
        return int(value)
    if kind in _REAL:
        return float(value)
    if kind in _TRUTH:
        return {"true": True, "false": False}[str(value).lower()]
    return str(value)


def _malformed(why: str) -> Malformed:
    return Malformed(f"BigQuery gave an answer that cannot be read: {why}.", source="BigQuery")
