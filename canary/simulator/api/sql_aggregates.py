"""The aggregates of a query over the rows of one group."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from typing import TypeGuard

from canary.simulator.api.sql_constants import Constants
from canary.simulator.api.sql_query import Call, Column, Literal, Node, Parameter
from canary.simulator.api.sql_tokens import invalid_query
from canary.simulator.world.traffic.ab_table import COLUMNS, Rows

Cell = str | float | int | bool | None
Vector = Sequence[Cell]

_MEAN_LIKE = frozenset(["AVG", "STDDEV", "STDDEV_SAMP", "STDDEV_POP", "VARIANCE", "VAR_SAMP"])
_AGGREGATES = _MEAN_LIKE | {"COUNT", "COUNT(*)", "COUNTIF", "SUM", "MIN", "MAX"}
_CASTS: dict[str, Callable[[float], Cell]] = {
    "INT64": int,
    "FLOAT64": float,
    "NUMERIC": float,
    "BOOL": bool,
}
_TYPES = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "NUMERIC": "NUMERIC", "BOOL": "BOOLEAN"}


def type_of(node: Node) -> str:
    """Return the type that BigQuery names for a column of the answer."""
    if isinstance(node, Column):
        return COLUMNS.get(node.name.lower(), "STRING")
    if not isinstance(node, Call):
        return "STRING" if isinstance(node, Literal) and isinstance(node.value, str) else "FLOAT"
    if node.name.startswith("COUNT"):
        return "INTEGER"
    if node.name in ("CAST", "SAFE_CAST"):
        return _TYPES.get(_text(node.arguments[1]), "STRING")
    if node.name in ("MIN", "MAX", "SUM", "APPROX_QUANTILES", "[OFFSET]", "[SAFE_OFFSET]"):
        return type_of(node.arguments[0]) if node.arguments else "FLOAT"
    return "FLOAT"


def columns_of(node: Node) -> set[str]:
    """Return the table's columns that an expression reads; RestError for one that is not there."""
    if isinstance(node, Column):
        if node.name.lower() not in COLUMNS:
            raise invalid_query(f"Unrecognized name: {node.name}", node.token)
        return {node.name.lower()}
    if isinstance(node, Call):
        return {name for argument in node.arguments for name in columns_of(argument)}
    return set()


class GroupAnswer:
    """Evaluates expressions of the select list over one group's rows."""

    def __init__(self, group: str | None, rows: Rows, constants: Constants) -> None:
        self._group = group
        self._rows = rows
        self._constants = constants

    def value(self, node: Node) -> Cell:
        """Return one value for the group; RestError for what is no aggregate."""
        if isinstance(node, Column):
            return self._grouped(node)
        if isinstance(node, Literal | Parameter):
            constant = self._constants.value(node)
            return constant if isinstance(constant, str | float | int | bool) else None
        if node.name in _AGGREGATES:
            return self._aggregate(node)
        if node.name in ("[OFFSET]", "[SAFE_OFFSET]", "[ORDINAL]"):
            return self._quantile(node)
        if node.name in ("CAST", "SAFE_CAST"):
            return _cast_all([self.value(node.arguments[0])], node)[0]
        return self._combine(node, [self.value(one) for one in node.arguments])

    def _grouped(self, node: Column) -> Cell:
        if node.name.lower() != "group" or self._group is None:
            columns_of(node)
            raise invalid_query(
                f"SELECT list expression references column {node.name} which is neither grouped "
                "nor aggregated",
                node.token,
            )
        return self._group

    def _aggregate(self, node: Call) -> Cell:
        if node.name == "COUNT(*)":
            return len(self._rows)
        if len(node.arguments) != 1:
            raise invalid_query(f"No matching signature for {node.name}", node.token)
        argument = node.arguments[0]
        if node.name == "COUNT":
            return len(self._held(argument))
        kind = type_of(argument)
        if (node.name == "COUNTIF") is not (kind == "BOOLEAN") or kind == "STRING":
            raise invalid_query(f"No matching signature for {node.name}({kind})", node.token)
        if node.name == "COUNTIF":
            return sum(map(bool, self._held(argument)))
        numbers = self._numbers(argument)
        if not numbers:
            return None
        if node.name in ("MIN", "MAX"):
            return min(numbers) if node.name == "MIN" else max(numbers)
        if node.name == "SUM":
            total = math.fsum(numbers)
            return int(total) if type_of(node) == "INTEGER" else total
        return _moment(node.name, numbers)

    def _quantile(self, node: Call) -> Cell:
        quantiles, place = node.arguments
        if not (isinstance(quantiles, Call) and quantiles.name == "APPROX_QUANTILES"):
            raise invalid_query("Only APPROX_QUANTILES(…) can be indexed", node.token)
        if len(quantiles.arguments) != 2:
            raise invalid_query("No matching signature for APPROX_QUANTILES", node.token)
        parts, index = self._whole(quantiles.arguments[1]), self._whole(place)
        index -= 1 if node.name == "[ORDINAL]" else 0
        if parts < 1 or not 0 <= index <= parts:
            if node.name == "[SAFE_OFFSET]":
                return None
            raise invalid_query(f"Array index {index} is out of bounds", node.token)
        source = quantiles.arguments[0]
        if type_of(source) in ("STRING", "BOOLEAN"):
            raise invalid_query(f"No quantiles of {type_of(source)} here", node.token)
        ordered = sorted(self._numbers(source))
        if not ordered:
            return None
        return ordered[min(len(ordered) - 1, round(index / parts * (len(ordered) - 1)))]

    def _whole(self, node: Node) -> int:
        value = self._constants.value(node)
        if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
            raise invalid_query("Expected a whole number", node.token)
        return int(value)

    def _held(self, node: Node) -> Vector:
        """Return the values that are not NULL."""
        if isinstance(node, Column) and node.name.lower() == "confidence_score":
            return self._rows.confidence_score
        vector = self._vector(node)
        return vector if isinstance(vector, array) else [one for one in vector if one is not None]

    def _numbers(self, node: Node) -> Sequence[float]:
        held = self._held(node)
        return held if isinstance(held, array) else [one for one in held if _is_number(one)]

    def _vector(self, node: Node) -> Vector:
        """Return the value of an expression in each row."""
        if isinstance(node, Column):
            columns_of(node)
            return self._column(node.name.lower())
        if isinstance(node, Literal | Parameter):
            return [self.value(node)] * len(self._rows)
        if node.name in ("CAST", "SAFE_CAST"):
            return _cast_all(self._vector(node.arguments[0]), node)
        if node.name in _AGGREGATES:
            raise invalid_query("Aggregations of aggregations are not allowed", node.token)
        vectors = [self._vector(one) for one in node.arguments]
        if node.name == "IF" and len(vectors) == 3:
            return [b if a else c for a, b, c in zip(*vectors, strict=True)]
        return [self._combine(node, row) for row in zip(*vectors, strict=True)]

    def _column(self, name: str) -> Vector:
        if name == "group":
            return [self._group] * len(self._rows)
        if name == "success":
            return [bool(one) for one in self._rows.success]
        if name == "confidence_score":
            scores = iter(self._rows.confidence_score)
            return [next(scores) if one else None for one in self._rows.success]
        return self._rows.response_time_ms if name != "timestamp" else self._rows.timestamp

    def _combine(self, node: Call, values: Sequence[Cell]) -> Cell:
        """Return the value of a function or operator of single values; NULL in, NULL out."""
        if node.name == "IF" and len(values) == 3:
            return values[1] if values[0] else values[2]
        if node.name not in _FUNCTIONS or not 1 <= len(values) <= 2:
            raise invalid_query(f"Function not found: {node.name}", node.token)
        if any(one is None for one in values):
            return None
        if any(isinstance(one, str | bool) for one in values):
            raise invalid_query(f"No matching signature for {node.name}", node.token)
        numbers = [float(one) for one in values if one is not None]
        try:
            return _FUNCTIONS[node.name](*numbers)
        except ZeroDivisionError as exc:
            raise invalid_query("division by zero", node.token) from exc
        except TypeError as exc:
            raise invalid_query(f"No matching signature for {node.name}", node.token) from exc


_FUNCTIONS: dict[str, Callable[..., float | None]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    "SAFE_DIVIDE": lambda a, b: a / b if b else None,
    "ROUND": lambda a, digits=0.0: round(a, int(digits)),
    "SQRT": math.sqrt,
    "ABS": abs,
}


def _moment(name: str, numbers: Sequence[float]) -> float | None:
    mean = math.fsum(numbers) / len(numbers)
    if name == "AVG":
        return mean
    least = 1 if name.endswith("_POP") else 2
    if len(numbers) < least:
        return None
    squares = math.fsum((one - mean) ** 2 for one in numbers)
    variance = squares / (len(numbers) - least + 1)
    return variance if name.startswith("VAR") else math.sqrt(variance)


def _cast_all(values: Vector, node: Call) -> list[Cell]:
    kind = _text(node.arguments[1])
    if kind not in _CASTS:
        raise invalid_query(f"Invalid cast to {kind}", node.token)
    cast = _CASTS[kind]
    return [None if one is None or isinstance(one, str) else cast(one) for one in values]


def _is_number(value: Cell) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _text(node: Node) -> str:
    return str(node.value) if isinstance(node, Literal) else ""
