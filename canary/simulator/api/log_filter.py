"""Cloud Logging's query language, as far as selecting request log entries goes.

Comparisons of one field (`=`, `!=`, `:`, `>`, `>=`, `<`, `<=`) with a value or with a group of
values (`("a" OR "b")`), `sample(insertId, FRACTION)`, AND, OR, NOT, `-` and parentheses; parts side
by side are joined by AND. As in the real grammar OR binds tighter than AND.
Source: https://cloud.google.com/logging/docs/view/logging-query-language
"""

from __future__ import annotations

import operator
import re
import zlib
from collections.abc import Callable, Mapping

from canary.simulator.wire.errors import ApiError, invalid

Fields = Mapping[str, str]
Test = Callable[[Fields], bool]

FIELDS = frozenset(
    {
        "logName",
        "resource.type",
        "resource.labels.project_id",
        "resource.labels.location",
        "resource.labels.service_name",
        "resource.labels.revision_name",
        "resource.labels.configuration_name",
        "httpRequest.status",
        "httpRequest.requestMethod",
        "severity",
    }
)
INSERT_ID = "insertId"

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<op>!=|>=|<=|=~|!~|=|:|>|<|\(|\)|,|-(?=[A-Za-z(]))
      | (?P<word>[\w./%-]+)
    )""",
    re.VERBOSE,
)
_ORDERS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}


def parse_log_filter(text: str) -> Test:
    """Return what tells whether an entry with these fields is selected.

    `fields` has those of FIELDS and `insertId`. Raises ApiError INVALID_ARGUMENT with the reason.
    """
    parser = _Parser(text)
    return parser.read_all(end="") if text.strip() else lambda _: True


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = self._split()
        self._at = 0

    def _split(self) -> list[tuple[str, str]]:
        tokens, at, end = [], 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._refuse(f"unexpected text at offset {at}")
            kind = found.lastgroup or ""
            value = found.group(kind)
            if kind == "string":
                value = re.sub(r"\\(.)", r"\1", value[1:-1])
            tokens.append((kind, value))
            at = found.end()
        return tokens

    def _refuse(self, why: str) -> ApiError:
        return invalid(f'Unparseable filter "{self._text}": {why}.')

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._at] if self._at < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._at += 1
        return token

    def _expect(self, op: str) -> None:
        kind, value = self._take()
        if (kind, value) != ("op", op):
            raise self._refuse(f'expected "{op}", found "{value}"')

    def read_all(self, end: str) -> Test:
        """Read parts joined by AND (or by nothing) up to `end`."""
        parts = [self._read_any()]
        while self._peek() not in (("op", end), ("end", "")):
            if self._peek() == ("word", "AND"):
                self._take()
            parts.append(self._read_any())
        if end == "" and self._peek()[0] != "end":
            raise self._refuse(f'unexpected "{self._peek()[1]}"')
        return parts[0] if len(parts) == 1 else lambda f: all(part(f) for part in parts)

    def _read_any(self) -> Test:
        parts = [self._read_one()]
        while self._peek() == ("word", "OR"):
            self._take()
            parts.append(self._read_one())
        return parts[0] if len(parts) == 1 else lambda f: any(part(f) for part in parts)

    def _read_one(self) -> Test:
        kind, value = self._take()
        if (kind, value) in (("word", "NOT"), ("op", "-")):
            inner = self._read_one()
            return lambda f: not inner(f)
        if (kind, value) == ("op", "("):
            inner = self.read_all(end=")")
            self._expect(")")
            return inner
        if kind != "word":
            raise self._refuse(f'expected a field, found "{value}"')
        return self._read_sample() if value == "sample" else self._read_comparison(value)

    def _read_sample(self) -> Test:
        self._expect("(")
        _, field = self._take()
        self._expect(",")
        _, text = self._take()
        self._expect(")")
        fraction = _number(text)
        if field != INSERT_ID or fraction is None or not 0 <= fraction <= 1:
            raise self._refuse("sample takes insertId and a fraction of 0 to 1")
        # A hash, as the real one: the same entries are in every sample of the same fraction.
        limit = fraction * 2**32
        return lambda f: zlib.crc32(f[INSERT_ID].encode()) < limit

    def _read_comparison(self, field: str) -> Test:
        if field not in FIELDS:
            raise self._refuse(f'the field "{field}" is not one of a request log entry')
        _, op = self._take()
        values = self._read_values()
        if op in _ORDERS:
            return self._order(field, op, values)
        if op in ("=", "!="):
            wanted = frozenset(values)
            return lambda f: (f[field] in wanted) is (op == "=")
        if op == ":":
            return lambda f: any(value in f[field] for value in values)
        raise self._refuse(f'the operator "{op}" is not supported')

    def _order(self, field: str, op: str, values: list[str]) -> Test:
        limit = _number(values[0]) if len(values) == 1 else None
        if limit is None:
            raise self._refuse(f'"{op}" takes one number')
        compare = _ORDERS[op]
        return lambda f: compare(_number(f[field]) or 0.0, limit)

    def _read_values(self) -> list[str]:
        kind, value = self._take()
        if kind in ("string", "word"):
            return [value]
        if (kind, value) != ("op", "("):
            raise self._refuse(f'expected a value, found "{value}"')
        values = self._read_values()
        while self._peek() == ("word", "OR"):
            self._take()
            values += self._read_values()
        self._expect(")")
        return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
