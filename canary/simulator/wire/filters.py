"""The filter languages of Cloud Monitoring and Cloud Logging: text → a tree that selects.

Monitoring's (https://cloud.google.com/monitoring/api/v3/filters) as far as the selection of time
series, descriptors and policies goes: comparisons, `one_of`, `starts_with`, `ends_with`,
`has_substring`, `monitoring.regex.full_match`. Metadata, group and project selectors are refused by
name rather than ignored: a selector that is silently dropped would widen an answer.

Logging's (https://cloud.google.com/logging/docs/view/logging-query-language) as far as request log
entries go: comparisons of one field with a value or a group of values (`("a" OR "b")`, `=`, `!=`,
`:`, `>`, `>=`, `<`, `<=`; times and severities in their order), `sample(insertId, FRACTION)`, and
`-` for NOT.

Both have AND, OR, NOT and parentheses; parts side by side are joined by AND. AND binds tighter in
Monitoring, OR in Logging.
"""

from __future__ import annotations

import operator
import re
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime

from canary.simulator.wire.calls import ApiError, invalid, invalid_field

Fields = Mapping[str, str]
Operands = tuple[str, ...]

INSERT_ID = "insertId"
LOG_FIELDS = frozenset(
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
        "timestamp",
        "trace",
        "labels.instanceId",
    }
)
TIMESTAMP = "timestamp"
SEVERITY = "severity"
SEVERITIES = ("DEFAULT", "DEBUG", "INFO", "NOTICE", "WARNING", "ERROR", "CRITICAL", "ALERT")
"""In their order: `severity>=WARNING` compares by it."""

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<op>!=|>=|<=|=~|!~|=|:|>|<|\(|\)|,|-(?=[A-Za-z(]))
      | (?P<word>[\w./%-]+)
    )""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"-?\d+(\.\d+)?")
_LABEL = re.compile(r"(resource|metric)\.labels?\.([A-Za-z_]\w*)")


def _ordered(compare: Callable[[float, float], bool]) -> Callable[[str, Operands], bool]:
    return lambda value, operands: compare(_number(value) or 0.0, float(operands[0]))


_TESTS: dict[str, Callable[[str, Operands], bool]] = {
    "equals": lambda value, operands: value == operands[0],
    "one_of": lambda value, operands: value in operands,
    "starts_with": lambda value, operands: value.startswith(operands[0]),
    "ends_with": lambda value, operands: value.endswith(operands[0]),
    "has_substring": lambda value, operands: any(one in value for one in operands),
    "monitoring.regex.full_match": lambda value, operands: bool(re.fullmatch(operands[0], value)),
    ">": _ordered(operator.gt),
    ">=": _ordered(operator.ge),
    "<": _ordered(operator.lt),
    "<=": _ordered(operator.le),
    # A hash, as the real one: the same entries are in every sample of the same fraction.
    "sample": lambda value, operands: zlib.crc32(value.encode()) < float(operands[0]) * 2**32,
}
_FUNCTIONS = frozenset(name for name in _TESTS if "_" in name)
"""Of Monitoring; all but one_of take one value."""


@dataclass(frozen=True, slots=True)
class Restriction:
    """One comparison. `test` is a key of _TESTS; an absent field compares as the empty text."""

    field: str
    test: str
    operands: Operands
    negated: bool = False

    def matches(self, fields: Fields) -> bool:
        """Tell whether what has these fields is selected."""
        return _TESTS[self.test](fields.get(self.field, ""), self.operands) is not self.negated

    def restrictions(self) -> Iterator[Restriction]:
        """Yield itself."""
        yield self

    def required(self) -> Iterator[Restriction]:
        """Yield itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Junction:
    """Several parts joined by AND (`every`) or OR, or one part under NOT."""

    parts: tuple[Restriction | Junction, ...]
    every: bool
    negated: bool = False

    def matches(self, fields: Fields) -> bool:
        """Tell whether what has these fields is selected."""
        joined = all if self.every else any
        return joined(part.matches(fields) for part in self.parts) is not self.negated

    def restrictions(self) -> Iterator[Restriction]:
        """Yield every comparison below, in the order of the text."""
        for part in self.parts:
            yield from part.restrictions()

    def required(self) -> Iterator[Restriction]:
        """Yield the comparisons that hold for everything that is selected."""
        if self.every and not self.negated:
            for part in self.parts:
                yield from part.required()


Node = Restriction | Junction
_ALL = Junction((), every=True)


@dataclass(frozen=True, slots=True)
class MonitoringFilter:
    """A parsed filter. The empty text selects everything."""

    text: str
    tree: Node

    def matches(self, fields: Fields) -> bool:
        """Tell whether a series or descriptor with these fields is selected.

        `fields` holds `metric.type`, `resource.type`, `resource.labels.X`, `metric.labels.X`.
        """
        return self.tree.matches(fields)

    def admits(self, field: str, value: str) -> bool:
        """Tell whether a series with this one field could be selected, the others unknown.

        False is certain; True is not. It saves computing a service that nobody asked for.
        """
        return all(
            part.matches({field: value}) for part in self.tree.required() if part.field == field
        )

    def metric_type(self) -> str:
        """Return the one metric type that the filter names.

        Raises ApiError INVALID_ARGUMENT when it names none, or could select several: the real
        ListTimeSeries answers for one type only.
        """
        named = [part for part in self.tree.restrictions() if part.field == "metric.type"]
        if len(named) != 1 or named[0] not in self.tree.required() or named[0].negated:
            raise invalid_field(
                "filter",
                self.text,
                'must specify a restriction on "metric.type" in the filter, exactly one and by '
                'equality; see "https://cloud.google.com/monitoring/api/resources" for a list '
                "of available metric types.",
            )
        if named[0].test != "equals":
            raise invalid_field(
                "filter", self.text, 'the restriction on "metric.type" must name one type by "=".'
            )
        return named[0].operands[0]


def series_field(word: str) -> str | None:
    """Return how a field of time series is spelled here; None for one they do not have."""
    if word in ("metric.type", "resource.type"):
        return word
    label = _LABEL.fullmatch(word)
    return f"{label.group(1)}.labels.{label.group(2)}" if label is not None else None


def parse_filter(text: str, known: Callable[[str], str | None] = series_field) -> MonitoringFilter:
    """Parse a Monitoring filter; `known` says how the fields are spelled that it may name.

    Raises ApiError INVALID_ARGUMENT with the place and the reason when the text is not a filter.
    """
    return MonitoringFilter(text, _MonitoringParser(text, known).read())


@dataclass(frozen=True, slots=True)
class LogFilter:
    """A parsed filter of log entries. The empty text selects everything.

    An entry's fields are those of LOG_FIELDS and `insertId`; `timestamp` is unix seconds there.
    """

    tree: Node

    def matches(self, fields: Fields) -> bool:
        """Tell whether an entry with these fields is selected."""
        return self.tree.matches(fields)

    def admits(self, field: str, value: str) -> bool:
        """Tell whether an entry with this one field could be selected, the others unknown."""
        return all(
            part.matches({field: value}) for part in self.tree.required() if part.field == field
        )

    def value_of(self, field: str) -> str | None:
        """Return the one value that everything selected has of a field; None: there is none."""
        for part in self.tree.required():
            if part.field == field and not part.negated and len(part.operands) == 1:
                return part.operands[0]
        return None

    def span(self) -> tuple[float, float]:
        """Return from when to when everything selected is, unix seconds."""
        since, until = float("-inf"), float("inf")
        for part in self.tree.required():
            if part.field == TIMESTAMP and part.test in (">", ">="):
                since = max(since, float(part.operands[0]))
            elif part.field == TIMESTAMP and part.test in ("<", "<="):
                until = min(until, float(part.operands[0]))
        return since, until


def parse_log_filter(text: str) -> LogFilter:
    """Parse a filter of log entries. Raises ApiError INVALID_ARGUMENT with the reason."""
    return LogFilter(_LogParser(text).read())


class _Parser:
    """Recursive descent over the tokens of one filter; `joints` are loosest first."""

    joints = ("OR", "AND")

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = list(self._split())
        self._next = 0

    def read(self) -> Node:
        """Read the whole text; an empty one selects everything."""
        if not self._tokens:
            return _ALL
        tree = self._read_joined(0)
        if self._peek()[0] != "end":
            raise self._refuse(f'unexpected "{self._peek()[1]}"')
        return tree

    def _split(self) -> Iterator[tuple[str, str]]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._refuse(f"unexpected text at offset {at}")
            kind = found.lastgroup or ""
            value = found.group(kind)
            yield kind, re.sub(r"\\(.)", r"\1", value[1:-1]) if kind == "string" else value
            at = found.end()

    def _refuse(self, why: str) -> ApiError:
        return invalid_field("filter", self._text, f'Could not parse filter "{self._text}"; {why}.')

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._next += 1
        return token

    def _takes(self, kind: str, value: str) -> bool:
        """Take the next token if it is this one."""
        found = self._peek() == (kind, value)
        self._next += found
        return found

    def _expect(self, op: str) -> None:
        if not self._takes("op", op):
            raise self._refuse(f'expected "{op}", found "{self._peek()[1]}"')

    def _read_joined(self, level: int) -> Node:
        if level == len(self.joints):
            return self._read_term()
        word = self.joints[level]
        parts = [self._read_joined(level + 1)]
        while self._goes_on(word):
            parts.append(self._read_joined(level + 1))
        return parts[0] if len(parts) == 1 else Junction(tuple(parts), every=word == "AND")

    def _goes_on(self, word: str) -> bool:
        if self._takes("word", word):
            return True
        ends = (("word", "OR"), ("op", ")"), ("end", ""))
        return word == "AND" and self._peek() not in ends

    def _read_term(self) -> Node:
        if self._takes("word", "NOT"):
            return Junction((self._read_term(),), every=True, negated=True)
        if self._takes("op", "("):
            inner = self._read_joined(0)
            self._expect(")")
            return inner
        kind, word = self._take()
        if kind != "word":
            raise self._refuse(f'expected a field name, found "{word}"')
        return self._read_comparison(word)

    def _read_comparison(self, word: str) -> Node:
        raise NotImplementedError


class _MonitoringParser(_Parser):
    def __init__(self, text: str, known: Callable[[str], str | None]) -> None:
        super().__init__(text)
        self._known = known

    def _read_comparison(self, word: str) -> Node:
        field = self._known(word)
        if field is None:
            raise self._refuse(f'the field "{word}" is not supported')
        _, op = self._take()
        if op not in ("=", "!=", ":"):
            raise self._refuse(f'the operator "{op}" is not supported for "{word}"')
        test, operands = self._read_operand()
        return Restriction(field, "has_substring" if op == ":" else test, operands, op == "!=")

    def _read_operand(self) -> tuple[str, Operands]:
        kind, name = self._peek()
        if kind != "word" or name not in _FUNCTIONS:
            return "equals", (self._read_literal(),)
        self._take()
        self._expect("(")
        operands = [self._read_literal()]
        while self._takes("op", ","):
            operands.append(self._read_literal())
        self._expect(")")
        if name != "one_of" and len(operands) != 1:
            raise self._refuse(f"{name} takes one value")
        if name == "monitoring.regex.full_match":
            try:
                re.compile(operands[0])
            except re.error as exc:
                raise self._refuse(f"bad regular expression: {exc}") from exc
        return name, tuple(operands)

    def _read_literal(self) -> str:
        kind, word = self._take()
        if kind != "string" and not (kind == "word" and _NUMBER.fullmatch(word)):
            raise self._refuse(f'expected a quoted value or a function, found "{word}"')
        return word


class _LogParser(_Parser):
    joints = ("AND", "OR")

    def _refuse(self, why: str) -> ApiError:
        return invalid(f'Unparseable filter "{self._text}": {why}.')

    def _read_term(self) -> Node:
        if self._takes("op", "-"):
            return Junction((self._read_term(),), every=True, negated=True)
        return super()._read_term()

    def _read_comparison(self, word: str) -> Node:
        if word == "sample":
            return self._read_sample()
        if word not in LOG_FIELDS:
            raise self._refuse(f'the field "{word}" is not one of a request log entry')
        _, op = self._take()
        values = tuple(self._read_values())
        if op in ("=", "!="):
            return Restriction(word, "one_of", values, negated=op == "!=")
        if op == ":":
            return Restriction(word, "has_substring", values)
        if op not in _TESTS:
            raise self._refuse(f'the operator "{op}" is not supported')
        if word == SEVERITY and len(values) == 1:
            return self._read_severity(op, values[0])
        if word == TIMESTAMP and len(values) == 1:
            return Restriction(word, op, (self._read_time(values[0]),))
        if len(values) != 1 or _number(values[0]) is None:
            raise self._refuse(f'"{op}" takes one number')
        return Restriction(word, op, values)

    def _read_severity(self, op: str, value: str) -> Node:
        if value not in SEVERITIES:
            raise self._refuse(f'there is no severity "{value}"')
        compare = {">": operator.gt, ">=": operator.ge, "<": operator.lt, "<=": operator.le}[op]
        at = SEVERITIES.index(value)
        chosen = (one for place, one in enumerate(SEVERITIES) if compare(place, at))
        return Restriction(SEVERITY, "one_of", tuple(chosen))

    def _read_time(self, value: str) -> str:
        try:
            return repr(datetime.fromisoformat(value).timestamp())
        except ValueError as exc:
            raise self._refuse(f'"{value}" is not a time') from exc

    def _read_sample(self) -> Node:
        self._expect("(")
        _, field = self._take()
        self._expect(",")
        _, text = self._take()
        self._expect(")")
        fraction = _number(text)
        if field != INSERT_ID or fraction is None or not 0 <= fraction <= 1:
            raise self._refuse("sample takes insertId and a fraction of 0 to 1")
        return Restriction(INSERT_ID, "sample", (text,))

    def _read_values(self) -> list[str]:
        kind, value = self._take()
        if kind in ("string", "word"):
            return [value]
        if (kind, value) != ("op", "("):
            raise self._refuse(f'expected a value, found "{value}"')
        values = self._read_values()
        while self._takes("word", "OR"):
            values += self._read_values()
        self._expect(")")
        return values


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
