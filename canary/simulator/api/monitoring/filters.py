"""Monitoring filters: text → a tree of restrictions that can be asked about one time series.

The grammar is the one of https://cloud.google.com/monitoring/api/v3/filters as far as the
selection of time series and metric descriptors goes: comparisons, `one_of`, `starts_with`,
`ends_with`, `has_substring`, `monitoring.regex.full_match`, AND, OR, NOT and parentheses.
Metadata, group and project selectors are refused by name rather than ignored: a selector that
is silently dropped would widen an answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from canary.simulator.wire.errors import ApiError, invalid_field

_TOKEN = re.compile(
    r"""\s*(?:
        (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')
      | (?P<number>-?\d+(?:\.\d+)?)
      | (?P<name>[A-Za-z_][\w.\-/]*)
      | (?P<op>!=|>=|<=|=|:|>|<|\(|\)|,)
    )""",
    re.VERBOSE,
)
_LABEL = re.compile(r"(resource|metric)\.labels?\.([A-Za-z_]\w*)")
_WHOLE_FIELDS = frozenset({"metric.type", "resource.type"})
_COMPARISONS = frozenset({"=", "!=", ":"})


@dataclass(frozen=True, slots=True)
class Restriction:
    """One comparison, e.g. `resource.labels.service_name = one_of("a","b")`.

    `field` is spelled in the plural (`resource.labels.x`) whatever the filter said; `test` is
    one of equals, one_of, starts_with, ends_with, has_substring, full_match. An absent label
    compares as the empty string.
    """

    field: str
    test: str
    operands: tuple[str, ...]
    negated: bool = False

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Tell whether the series with these fields is selected."""
        found = _TESTS[self.test](fields.get(self.field, ""), self.operands)
        return found is not self.negated

    def restrictions(self) -> Iterator[Restriction]:
        """Yield itself."""
        yield self


@dataclass(frozen=True, slots=True)
class Junction:
    """Several parts joined by AND (`every`) or OR, or one part under NOT."""

    parts: tuple[Restriction | Junction, ...]
    every: bool
    negated: bool = False

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Tell whether the series with these fields is selected."""
        joined = all if self.every else any
        return joined(part.matches(fields) for part in self.parts) is not self.negated

    def restrictions(self) -> Iterator[Restriction]:
        """Yield every comparison below, in the order of the text."""
        for part in self.parts:
            yield from part.restrictions()


_TESTS: dict[str, Callable[[str, tuple[str, ...]], bool]] = {
    "equals": lambda value, operands: value == operands[0],
    "one_of": lambda value, operands: value in operands,
    "starts_with": lambda value, operands: value.startswith(operands[0]),
    "ends_with": lambda value, operands: value.endswith(operands[0]),
    "has_substring": lambda value, operands: operands[0] in value,
    "full_match": lambda value, operands: re.fullmatch(operands[0], value) is not None,
}
_FUNCTIONS = {
    "one_of": "one_of",
    "starts_with": "starts_with",
    "ends_with": "ends_with",
    "has_substring": "has_substring",
    "monitoring.regex.full_match": "full_match",
}


@dataclass(frozen=True, slots=True)
class MonitoringFilter:
    """A parsed filter. The empty text selects everything."""

    text: str
    tree: Restriction | Junction | None

    def matches(self, fields: Mapping[str, str]) -> bool:
        """Tell whether a series or descriptor with these fields is selected.

        `fields` holds `metric.type`, `resource.type`, `resource.labels.X`, `metric.labels.X`.
        """
        return self.tree is None or self.tree.matches(fields)

    def admits(self, field: str, value: str) -> bool:
        """Tell whether a series with this one field could be selected, the others unknown.

        False is certain; True is not. It saves computing a service that nobody asked for.
        """
        return all(
            part.matches({field: value})
            for part in self._required()
            if isinstance(part, Restriction) and part.field == field
        )

    def metric_type(self) -> str:
        """Return the one metric type that the filter names.

        Raises ApiError INVALID_ARGUMENT when it names none, or could select several: the real
        ListTimeSeries answers for one type only.
        """
        named = [] if self.tree is None else list(self.tree.restrictions())
        named = [part for part in named if part.field == "metric.type"]
        required = self._required()
        if len(named) != 1 or named[0] not in required or named[0].negated:
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

    def _required(self) -> tuple[Restriction | Junction, ...]:
        if isinstance(self.tree, Junction) and self.tree.every and not self.tree.negated:
            return self.tree.parts
        return () if self.tree is None else (self.tree,)


def series_field(word: str) -> str | None:
    """Return how a field of time series is spelled here; None for one they do not have."""
    if word in _WHOLE_FIELDS:
        return word
    label = _LABEL.fullmatch(word)
    return f"{label.group(1)}.labels.{label.group(2)}" if label is not None else None


def parse_filter(text: str, known: Callable[[str], str | None] = series_field) -> MonitoringFilter:
    """Parse a Monitoring filter; `known` says how the fields are spelled that it may name.

    Raises ApiError INVALID_ARGUMENT with the place and the reason when the text is not a filter.
    """
    if not text.strip():
        return MonitoringFilter(text, None)
    parser = _Parser(text, known)
    tree = parser.read_any()
    parser.expect_end()
    return MonitoringFilter(text, tree)


class _Parser:
    """Recursive descent over the tokens of one filter; AND binds tighter than OR."""

    def __init__(self, text: str, known: Callable[[str], str | None]) -> None:
        self._text = text
        self._known = known
        self._tokens = list(self._split())
        self._next = 0

    def _split(self) -> Iterator[tuple[str, str]]:
        at, end = 0, len(self._text.rstrip())
        while at < end:
            found = _TOKEN.match(self._text, at)
            if found is None:
                raise self._refuse(f"unexpected text at offset {at}")
            yield found.lastgroup or "", found.group(found.lastgroup or 0)
            at = found.end()

    def _refuse(self, why: str) -> ApiError:
        return invalid_field("filter", self._text, f'Could not parse filter "{self._text}"; {why}.')

    def _peek(self) -> tuple[str, str]:
        return self._tokens[self._next] if self._next < len(self._tokens) else ("end", "")

    def _take(self) -> tuple[str, str]:
        token = self._peek()
        self._next += 1
        return token

    def _expect(self, op: str) -> None:
        kind, word = self._take()
        if (kind, word) != ("op", op):
            raise self._refuse(f'expected "{op}", found "{word}"')

    def expect_end(self) -> None:
        """Refuse what is left over."""
        if self._peek()[0] != "end":
            raise self._refuse(f'unexpected "{self._peek()[1]}"')

    def read_any(self) -> Restriction | Junction:
        """Read terms joined by OR."""
        parts = [self._read_all()]
        while self._peek() == ("name", "OR"):
            self._take()
            parts.append(self._read_all())
        return parts[0] if len(parts) == 1 else Junction(tuple(parts), every=False)

    def _read_all(self) -> Restriction | Junction:
        parts = [self._read_term()]
        # Two comparisons side by side are joined by AND, as in the real grammar.
        while self._peek() not in (("name", "OR"), ("op", ")"), ("end", "")):
            if self._peek() == ("name", "AND"):
                self._take()
            parts.append(self._read_term())
        flat: list[Restriction | Junction] = []
        for part in parts:
            plain = isinstance(part, Junction) and part.every and not part.negated
            flat.extend(part.parts if isinstance(part, Junction) and plain else [part])
        return flat[0] if len(flat) == 1 else Junction(tuple(flat), every=True)

    def _read_term(self) -> Restriction | Junction:
        if self._peek() == ("name", "NOT"):
            self._take()
            return Junction((self._read_term(),), every=True, negated=True)
        if self._peek() == ("op", "("):
            self._take()
            inner = self.read_any()
            self._expect(")")
            return inner
        return self._read_comparison()

    def _read_comparison(self) -> Restriction:
        kind, word = self._take()
        if kind != "name":
            raise self._refuse(f'expected a field name, found "{word}"')
        field = self._field(word)
        _, op = self._take()
        if op not in _COMPARISONS:
            raise self._refuse(f'the operator "{op}" is not supported for "{word}"')
        test, operands = self._read_operand()
        if op == ":":
            test = "has_substring"
        return Restriction(field, test, operands, negated=op == "!=")

    def _field(self, word: str) -> str:
        field = self._known(word)
        if field is None:
            raise self._refuse(f'the field "{word}" is not supported')
        return field

    def _read_operand(self) -> tuple[str, tuple[str, ...]]:
        kind, word = self._take()
        if kind in ("string", "number"):
            return "equals", (_literal(kind, word),)
        if word not in _FUNCTIONS:
            raise self._refuse(f'expected a quoted value or a function, found "{word}"')
        self._expect("(")
        operands = [self._read_literal()]
        while self._peek() == ("op", ","):
            self._take()
            operands.append(self._read_literal())
        self._expect(")")
        test = _FUNCTIONS[word]
        if test != "one_of" and len(operands) != 1:
            raise self._refuse(f"{word} takes one value")
        if test == "full_match":
            self._check_pattern(operands[0])
        return test, tuple(operands)

    def _read_literal(self) -> str:
        kind, word = self._take()
        if kind not in ("string", "number"):
            raise self._refuse(f'expected a quoted value, found "{word}"')
        return _literal(kind, word)

    def _check_pattern(self, pattern: str) -> None:
        try:
            re.compile(pattern)
        except re.error as exc:
            raise self._refuse(f"bad regular expression: {exc}") from exc


def _literal(kind: str, word: str) -> str:
    return re.sub(r"\\(.)", r"\1", word[1:-1]) if kind == "string" else word
