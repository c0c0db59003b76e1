"""The shape of a plan file: which keys there are and what each may hold. Finds every mistake.

Walks the decoded TOML beside the types of `plan`. Only asked when a plan does not decode, because
the decoder itself stops at the first mistake and names keys less well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from msgspec import inspect

from canary.rollout.plan.mistakes import Mistake, nearest
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize


def find_shape_mistakes(data: dict[str, Any]) -> list[Mistake]:
    """Unknown keys, wrong types, missing keys: in the file's order, a table's missing ones last."""
    return list(_walk(data, inspect.type_info(Plan), ""))


def _walk(value: Any, expected: inspect.Type, path: str) -> Iterator[Mistake]:
    match expected:
        case inspect.StructType():
            yield from _walk_table(value, expected, path)
        case inspect.VarTupleType(item_type=item):
            yield from _walk_list(value, item, path)
        case inspect.UnionType(types=types):
            (present,) = (t for t in types if not isinstance(t, inspect.NoneType))
            yield from _walk(value, present, path)
        case inspect.DictType(value_type=held):
            yield from _walk_dict(value, held, path)
        case inspect.LiteralType(values=values):
            yield from _check_choice(value, values, path)
        case _:
            yield from _check_plain(value, expected, path)


def _walk_table(value: Any, expected: inspect.StructType, path: str) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake(path, f"is {describe(value)}", f"a table, [{path}]")
        return
    fields = {f.encode_name: f for f in expected.fields}
    for key, inner in value.items():
        where = _join(path, key)
        if key in fields:
            yield from _walk(inner, fields[key].type, where)
        else:
            yield Mistake(where, "is not a key of the plan", nearest(key, tuple(fields)))
    for name, field in fields.items():
        if field.required and name not in value:
            yield Mistake(_join(path, name), "is missing", _kind(field.type))


def _walk_list(value: Any, item: inspect.Type, path: str) -> Iterator[Mistake]:
    if not isinstance(value, list):
        expected = f"a list of tables, [[{path}]]"
        if isinstance(item, inspect.StrType):
            expected = 'a list of texts, as ["program", "argument"]'
        yield Mistake(path, f"is {describe(value)}", expected)
        return
    for index, inner in enumerate(value):
        yield from _walk(inner, item, f"{path}[{index}]")


def _walk_dict(value: Any, held: inspect.Type, path: str) -> Iterator[Mistake]:
    if not isinstance(value, dict):
        yield Mistake(path, f"is {describe(value)}", f"a table, [{path}]")
        return
    for key, inner in value.items():
        yield from _walk(inner, held, _join(path, key))


def _check_choice(value: Any, values: tuple[Any, ...], path: str) -> Iterator[Mistake]:
    if isinstance(value, str) and value in values:
        return
    hint = nearest(value if isinstance(value, str) else "", tuple(str(v) for v in values))
    yield Mistake(path, f"is {describe(value)}", hint)


def _check_plain(value: Any, expected: inspect.Type, path: str) -> Iterator[Mistake]:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    right = {
        inspect.StrType: isinstance(value, str),
        inspect.BoolType: isinstance(value, bool),
        inspect.IntType: is_number and isinstance(value, int),
        inspect.FloatType: is_number and math.isfinite(value),
    }[type(expected)]
    if not right:
        yield Mistake(path, f"is {describe(value)}", _kind(expected))


def _kind(expected: inspect.Type) -> str:
    if isinstance(expected, inspect.UnionType):
        (expected,) = (t for t in expected.types if not isinstance(t, inspect.NoneType))
    return {
        inspect.StrType: "text in quotes",
        inspect.BoolType: "true or false",
        inspect.IntType: "a whole number",
        inspect.FloatType: "a finite number",
        inspect.StructType: "a table",
        inspect.VarTupleType: "a list of tables",
    }.get(type(expected), "a value")


def describe(value: Any) -> str:
    """A value of the file as a person would name it: `"abc" (text)`, `true`, `a table`."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return f"{value} (a whole number)"
        case float():
            return f"{value} (a number)"
        case str():
            return f'"{sanitize(value, 60)}" (text)'
        case dict():
            return "a table"
        case list():
            return "a list"
    return f"{sanitize(value, 40)} (a date or time)"


def _join(path: str, key: str) -> str:
    bare = key.replace("_", "a").replace("-", "a").isalnum() and key.isascii()
    shown = key if bare else f'"{sanitize(key, 60)}"'
    return f"{path}.{shown}" if path else shown
