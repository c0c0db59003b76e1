"""What is wrong in a plan, each in one sentence: unknown and missing keys, types, ranges, texts.

Reads decoded TOML beside a type, as `msgspec.convert` does, and goes on where that stops: at the
first mistake, whose key it names less well. So it is only asked about a plan that does not convert.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import msgspec
from msgspec import inspect

from canary.rollout.text import sanitize


class Mistake(msgspec.Struct, frozen=True):
    """One mistake: the key's path as written (`stages[2].percent`), what is wrong, what is due."""

    path: str
    wrong: str
    expected: str

    def __str__(self) -> str:
        # The path counts from 0, as TOML's tools do; people count stages from 1.
        index = _STAGE_PATH.match(self.path)
        stage = f" (stage {int(index[1]) + 1})" if index else ""
        return f"{self.path}{stage} {self.wrong}; expected {self.expected}"


Found = Iterator[Mistake]

_STAGE_PATH: Final = re.compile(r"stages\[(\d+)\]")
_NUMBERS: Final = (inspect.IntType, inspect.FloatType)
_KINDS: Final[dict[type[inspect.Type], str]] = {
    inspect.StrType: "text in quotes",
    inspect.BoolType: "true or false",
    inspect.IntType: "a whole number",
    inspect.FloatType: "a finite number",
    inspect.StructType: "a table",
    inspect.VarTupleType: "a list of tables",
}


def read_value(data: Any, kind: Any) -> tuple[Any, list[Mistake]]:
    """`data` as `kind`, and every mistake in it.

    Where keys or types are wrong there is no value (None), and only these mistakes are told: what
    a wrong thing's range is helps nobody. Else the value is made, ranges broken or not, so that
    rules can look at it too.
    """
    reading = _Reading()
    value = reading.read(data, inspect.type_info(kind), "")
    return (None, reading.shape) if reading.shape else (value, reading.ranges)


def nearest(wrong: str, known: Sequence[str]) -> str:
    """What was likely meant, with all there is: `"theme" (known: …)`, or `one of …`."""
    # difflib only where somebody mistyped: it costs more than reading the plan.
    from difflib import get_close_matches

    close = get_close_matches(wrong, known, n=1, cutoff=0.5)
    choices = ", ".join(known)
    return f'"{close[0]}" (known: {choices})' if close else f"one of {choices}"


def check_range(path: str, value: float, low: float, high: float) -> Found:
    """A mistake when a number lies outside limits that depend on another value."""
    if not low <= value <= high:
        yield Mistake(path, f"is {_figure(value)}", f"{low:g} to {high:g}")


class _Reading:
    """One walk through the data. `shape`: keys and types, in the file's order; `ranges`: the rest
    that a type says. A table's missing keys come after the others.
    """

    def __init__(self) -> None:
        self.shape: list[Mistake] = []
        self.ranges: list[Mistake] = []

    def read(self, value: Any, expected: inspect.Type, path: str) -> Any:
        match expected:
            case inspect.Metadata(type=inner, extra_json_schema=about):
                return self._read_plain(value, inner, path, (about or {}).get("description", ""))
            case inspect.StructType():
                return self._read_table(value, expected, path)
            case inspect.UnionType():
                (present,) = (t for t in expected.types if not isinstance(t, inspect.NoneType))
                return self.read(value, present, path)
            case inspect.VarTupleType(item_type=item):
                return self._read_list(value, item, path)
            case inspect.DictType(value_type=held):
                if not self._is_table(value, path):
                    return None
                return {key: self.read(v, held, _join(path, key)) for key, v in value.items()}
            case inspect.LiteralType(values=values):
                if not isinstance(value, str) or value not in values:
                    typed = value if isinstance(value, str) else ""
                    hint = nearest(typed, [str(each) for each in values])
                    self.shape.append(Mistake(path, f"is {_describe(value)}", hint))
                return value
        return self._read_plain(value, expected, path, "")

    def _is_table(self, value: Any, path: str) -> bool:
        if not isinstance(value, dict):
            self.shape.append(Mistake(path, f"is {_describe(value)}", f"a table, [{path}]"))
        return isinstance(value, dict)

    def _read_table(self, value: Any, expected: inspect.StructType, path: str) -> Any:
        if not self._is_table(value, path):
            return None
        fields = {field.encode_name: field for field in expected.fields}
        given = {}
        for key, inner in value.items():
            where = _join(path, key)
            if key in fields:
                given[fields[key].name] = self.read(inner, fields[key].type, where)
            else:
                hint = nearest(key, tuple(fields))
                self.shape.append(Mistake(where, "is not a key of the plan", hint))
        missing = [f for name, f in fields.items() if f.required and name not in value]
        for field in missing:
            kind = _KINDS.get(type(_bare(field.type)), "a value")
            self.shape.append(Mistake(_join(path, field.encode_name), "is missing", kind))
        return None if missing else expected.cls(**given)

    def _read_list(self, value: Any, item: inspect.Type, path: str) -> Any:
        if not isinstance(value, list):
            expected = f"a list of tables, [[{path}]]"
            if isinstance(item, inspect.LiteralType):
                expected = f"a list of {', '.join(map(str, item.values))}"
            if isinstance(item, inspect.StrType):
                expected = 'a list of texts, as ["program", "argument"]'
            self.shape.append(Mistake(path, f"is {_describe(value)}", expected))
            return None
        return tuple(self.read(each, item, f"{path}[{at}]") for at, each in enumerate(value))

    def _read_plain(self, value: Any, expected: inspect.Type, path: str, due: str) -> Any:
        if not _is_of(value, expected):
            kind = _KINDS.get(type(expected), "a value")
            self.shape.append(Mistake(path, f"is {_describe(value)}", kind))
        elif isinstance(expected, inspect.StrType):
            if expected.pattern is not None and not re.search(expected.pattern, value):
                said = f'is "{sanitize(value, 60)}"' if value.strip() else "is empty"
                self.ranges.append(Mistake(path, said, due))
        elif isinstance(expected, _NUMBERS) and not _is_inside(value, expected):
            due = due or _describe_range(value, expected)
            self.ranges.append(Mistake(path, f"is {_figure(value)}", due))
        return value


def _bare(expected: inspect.Type) -> inspect.Type:
    return expected.type if isinstance(expected, inspect.Metadata) else expected


def _is_of(value: Any, expected: inspect.Type) -> bool:
    if isinstance(expected, inspect.StrType):
        return isinstance(value, str)
    if isinstance(expected, inspect.BoolType):
        return isinstance(value, bool)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    if isinstance(expected, inspect.IntType):
        return isinstance(value, int)
    return abs(value) <= sys.float_info.max


def _is_inside(value: float, expected: inspect.IntType | inspect.FloatType) -> bool:
    return (
        (expected.ge is None or value >= expected.ge)
        and (expected.le is None or value <= expected.le)
        and (expected.gt is None or value > expected.gt)
        and (expected.lt is None or value < expected.lt)
    )


def _describe_range(value: float, expected: inspect.IntType | inspect.FloatType) -> str:
    low, high = cast("float", expected.ge), cast("float", expected.le)
    said = f"{low:g} to {high:g}"
    if (low, high) == (0, 1) and 1 < value <= 100:
        # 5 where 0.05 was meant is the commonest slip.
        return f"{said}: a ratio, so {value:g} % is {value / 100:g}"
    return said


def _figure(value: float) -> str:
    return f"{value:g}" if abs(value) < 1e300 else "far too large"


def _describe(value: Any) -> str:
    """A value of the file as a person would name it: `"abc" (text)`, `true`, `a table`."""
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            shown = value if abs(value) < 10**40 else _figure(value)
            return f"{shown} (a whole number)"
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
