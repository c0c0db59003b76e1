"""What in a query does not depend on rows: parameters, times, and the conditions of WHERE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from canary.simulator.api.sql_query import Call, Column, Literal, Node, Parameter
from canary.simulator.api.sql_tokens import Token, invalid_query

Constant = str | float | bool | datetime | None

_SECONDS = {"SECOND": 1.0, "MINUTE": 60.0, "HOUR": 3600.0, "DAY": 86_400.0}
_LEAST_S = 1e-6
"""BigQuery's timestamps are whole microseconds: the next one after a time."""
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "=": "=", "!=": "!=", "<>": "<>"}


@dataclass(frozen=True, slots=True)
class Where:
    """Rows with since ≤ timestamp < until, of the groups in `groups` (None: of all)."""

    since: float = 0.0
    until: float = float("inf")
    groups: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    def admits(self, group: str) -> bool:
        """Whether rows of a group are wanted."""
        return group not in self.but and (self.groups is None or group in self.groups)


class Constants:
    """The values of one query: `parameters` by name as (type, text), and its time."""

    def __init__(self, parameters: Mapping[str, tuple[str, str | None]], now: float) -> None:
        self._parameters = parameters
        self._now = now

    def where(self, conditions: tuple[Node, ...]) -> Where:
        """Return what the conditions say; RestError for one on another column."""
        where = Where()
        for condition in conditions:
            where = self._restrict(where, condition)
        return where

    def _restrict(self, where: Where, condition: Node) -> Where:
        if not isinstance(condition, Call):
            raise invalid_query("Expected a comparison", condition.token)
        operator, arguments = condition.name, condition.arguments
        if not isinstance(arguments[0], Column) and operator in _MIRRORED:
            operator, arguments = _MIRRORED[operator], (arguments[1], arguments[0])
        column, values = arguments[0], arguments[1:]
        if isinstance(column, Column) and column.name.lower() == "timestamp":
            return self._in_time(where, operator, values, condition.token)
        if isinstance(column, Column) and column.name.lower() == "group":
            return self._in_groups(where, operator, values, condition.token)
        raise invalid_query(
            "The embedded cloud restricts by timestamp and group only", condition.token
        )

    def _in_time(
        self, where: Where, operator: str, values: tuple[Node, ...], token: Token
    ) -> Where:
        times = [self.time(value) for value in values]
        if operator in (">=", ">"):
            since = times[0] if operator == ">=" else times[0] + _LEAST_S
            return replace(where, since=max(where.since, since))
        if operator in ("<", "<="):
            until = times[0] if operator == "<" else times[0] + _LEAST_S
            return replace(where, until=min(where.until, until))
        if operator == "BETWEEN":
            since, until = max(where.since, times[0]), min(where.until, times[1] + _LEAST_S)
            return replace(where, since=since, until=until)
        raise invalid_query(f"{operator} is not supported for timestamp", token)

    def _in_groups(
        self, where: Where, operator: str, values: tuple[Node, ...], token: Token
    ) -> Where:
        names = frozenset(str(self.value(value)) for value in values)
        if operator in ("=", "IN"):
            return replace(where, groups=names if where.groups is None else where.groups & names)
        if operator in ("!=", "<>"):
            return replace(where, but=where.but | names)
        raise invalid_query(f"{operator} is not supported for group", token)

    def value(self, node: Node) -> Constant:
        """Return the value of a literal, a parameter or a function of time."""
        if isinstance(node, Literal):
            return node.value
        if isinstance(node, Parameter):
            return self._parameter(node)
        if isinstance(node, Call) and node.name in ("CURRENT_TIMESTAMP", "TIMESTAMP"):
            return self._named_time(node)
        if isinstance(node, Call) and node.name in ("TIMESTAMP_SUB", "TIMESTAMP_ADD"):
            return self._moved_time(node)
        if isinstance(node, Column):
            raise invalid_query(f"Unrecognized name: {node.name}", node.token)
        raise invalid_query(f"Function not found: {node.name}", node.token)

    def time(self, node: Node) -> float:
        """Return unix seconds; a text that is written in the query is read as a time."""
        value = self.value(node)
        if isinstance(node, Literal) and isinstance(value, str):
            value = _read_time(value, node.token)
        if not isinstance(value, datetime):
            kind = {bool: "BOOL", str: "STRING"}.get(type(value), "INT64")
            raise invalid_query(
                f"No matching signature for argument types: TIMESTAMP, {kind}", node.token
            )
        return value.timestamp()

    def _named_time(self, node: Call) -> datetime:
        if node.name == "CURRENT_TIMESTAMP" and not node.arguments:
            return datetime.fromtimestamp(self._now, UTC)
        if node.name == "TIMESTAMP" and len(node.arguments) == 1:
            return _read_time(str(self.value(node.arguments[0])), node.token)
        raise invalid_query(f"No matching signature for function {node.name}", node.token)

    def _moved_time(self, node: Call) -> datetime:
        interval = node.arguments[-1]
        if len(node.arguments) != 2 or not (
            isinstance(interval, Call) and interval.name == "INTERVAL"
        ):
            raise invalid_query(f"No matching signature for function {node.name}", node.token)
        count, unit = self.value(interval.arguments[0]), self.value(interval.arguments[1])
        if isinstance(count, bool) or not isinstance(count, int | float):
            raise invalid_query("Interval value must be coercible to INT64 type", interval.token)
        if unit not in _SECONDS:
            raise invalid_query(f"{node.name} does not support the {unit} date part", node.token)
        sign = -1.0 if node.name == "TIMESTAMP_SUB" else 1.0
        moved = self.time(node.arguments[0]) + sign * count * _SECONDS[str(unit)]
        return datetime.fromtimestamp(moved, UTC)

    def _parameter(self, node: Parameter) -> Constant:
        # Names of parameters are the same whatever their case, as in BigQuery.
        found = {name.lower(): value for name, value in self._parameters.items()}
        if node.name.lower() not in found:
            raise invalid_query(f"Query parameter '{node.name}' not found", node.token)
        kind, text = found[node.name.lower()]
        if text is None:
            return None
        try:
            if kind == "TIMESTAMP":
                return _read_time(text, node.token)
            if kind in ("INT64", "INTEGER"):
                return int(text)
            if kind in ("FLOAT64", "FLOAT", "NUMERIC"):
                return float(text)
        except ValueError as exc:
            raise invalid_query(f"Invalid value for parameter '{node.name}'", node.token) from exc
        return text.lower() == "true" if kind in ("BOOL", "BOOLEAN") else text


def _read_time(text: str, token: Token) -> datetime:
    try:
        read = datetime.fromisoformat(text.replace(" UTC", "+00:00"))
    except ValueError as exc:
        raise invalid_query(f"Invalid timestamp: '{text}'", token) from exc
    return read if read.tzinfo else read.replace(tzinfo=UTC)
