"""GoogleSQL → a tree: SELECT … FROM one table WHERE … GROUP BY … ORDER BY …

Whatever is not understood is refused with its place, never skipped: an aggregate that was silently
left out would be a wrong figure under a right name.
"""

from __future__ import annotations

from dataclasses import dataclass

from canary.simulator.api.sql_tokens import Token, invalid_query, tokenize

_RESERVED = frozenset(["FROM", "WHERE", "GROUP", "ORDER", "BY", "LIMIT", "AND", "AS", "IN", "END"])


@dataclass(frozen=True, slots=True)
class Literal:
    """A value that is written in the query."""

    value: str | float | bool | None
    token: Token


@dataclass(frozen=True, slots=True)
class Parameter:
    """A named parameter, without its `@`."""

    name: str
    token: Token


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the table, or an alias of the select list."""

    name: str
    token: Token


@dataclass(frozen=True, slots=True)
class Call:
    """A function or operator; CAST's type and INTERVAL's unit are the last argument's text."""

    name: str
    arguments: tuple[Node, ...]
    token: Token


Node = Literal | Parameter | Column | Call


@dataclass(frozen=True, slots=True)
class Item:
    """One entry of the select list; `name` is its alias, or what BigQuery calls it without one."""

    node: Node
    name: str


@dataclass(frozen=True, slots=True)
class Query:
    """A whole query. `order` holds (node, descending)."""

    items: tuple[Item, ...]
    table: str
    where: tuple[Node, ...]
    group: tuple[Node, ...]
    order: tuple[tuple[Node, bool], ...]


def parse_query(sql: str) -> Query:
    """Return the tree of a query; RestError `invalidQuery` for anything else."""
    return _Parser(tokenize(sql)).query()


class _Parser:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def _next(self) -> Token:
        return self._tokens[self._at]

    def _take(self, *texts: str) -> Token | None:
        token = self._next
        if token.kind in ("word", "sign") and token.upper in texts:
            self._at += 1
            return token
        return None

    def _need(self, text: str) -> Token:
        token = self._take(text)
        if token is None:
            raise self._unexpected(f"Expected {text}")
        return token

    def _unexpected(self, expected: str) -> Exception:
        token = self._next
        got = token.text if token.kind == "end" else f'"{token.text}"'
        return invalid_query(f"Syntax error: {expected} but got {got}", token)

    def query(self) -> Query:
        self._need("SELECT")
        items = [self._item(0)]
        while self._take(","):
            items.append(self._item(len(items)))
        self._need("FROM")
        table = self._table()
        where = self._conditions() if self._take("WHERE") else ()
        group = tuple(node for node, _ in self._keys("GROUP"))
        order = self._keys("ORDER")
        self._take(";")
        if self._next.kind != "end":
            raise self._unexpected("Expected end of input")
        return Query(tuple(items), table, where, group, order)

    def _item(self, index: int) -> Item:
        node = self._sum()
        if self._take("AS"):
            return Item(node, self._name())
        if self._next.kind == "word" and self._next.upper not in _RESERVED:
            return Item(node, self._name())
        return Item(node, node.name if isinstance(node, Column) else f"f{index}_")

    def _name(self) -> str:
        if self._next.kind not in ("word", "quoted"):
            raise self._unexpected("Expected an identifier")
        self._at += 1
        return self._tokens[self._at - 1].text

    def _table(self) -> str:
        parts = [self._name()]
        while self._take(".", "-") is not None:
            parts += [self._tokens[self._at - 1].text, self._name()]
        return "".join(parts)

    def _conditions(self) -> tuple[Node, ...]:
        found = [self._condition()]
        while self._take("AND"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Node:
        left = self._sum()
        token = self._take("IN", "=", "!=", "<>", "<", "<=", ">", ">=", "BETWEEN")
        if token is None:
            raise self._unexpected("Expected a comparison")
        if token.upper == "IN":
            self._need("(")
            return Call("IN", (left, *self._arguments()), token)
        right = self._sum()
        if token.upper == "BETWEEN":
            self._need("AND")
            return Call("BETWEEN", (left, right, self._sum()), token)
        return Call(token.text, (left, right), token)

    def _keys(self, word: str) -> tuple[tuple[Node, bool], ...]:
        keys: list[tuple[Node, bool]] = []
        if self._take(word) is None:
            return ()
        self._need("BY")
        while not keys or self._take(","):
            node = self._sum()
            descending = self._take("ASC", "DESC")
            keys.append((node, descending is not None and descending.upper == "DESC"))
        return tuple(keys)

    def _sum(self) -> Node:
        node = self._product()
        while (token := self._take("+", "-")) is not None:
            node = Call(token.text, (node, self._product()), token)
        return node

    def _product(self) -> Node:
        node = self._postfix()
        while (token := self._take("*", "/")) is not None:
            node = Call(token.text, (node, self._postfix()), token)
        return node

    def _postfix(self) -> Node:
        node = self._primary()
        while (token := self._take("[")) is not None:
            place = self._name().upper()
            self._need("(")
            node = Call(f"[{place}]", (node, *self._arguments()), token)
            self._need("]")
        return node

    def _primary(self) -> Node:
        token = self._next
        if self._take("("):
            node = self._sum()
            self._need(")")
            return node
        if self._take("-"):
            return Call("-", (Literal(0.0, token), self._primary()), token)
        self._at += 1
        if token.kind == "number":
            return Literal(float(token.text), token)
        if token.kind == "text":
            return Literal(token.text, token)
        if token.kind == "parameter":
            return Parameter(token.text, token)
        if token.kind == "quoted":
            return Column(token.text, token)
        if token.kind == "word" and token.upper not in _RESERVED:
            return self._word(token)
        self._at -= 1
        raise self._unexpected("Expected an expression")

    def _word(self, token: Token) -> Node:
        name = token.upper
        if name in ("TRUE", "FALSE", "NULL"):
            return Literal({"TRUE": True, "FALSE": False}.get(name), token)
        if name == "CASE":
            return self._case(token)
        if name == "INTERVAL":
            return Call(name, (self._primary(), Literal(self._name().upper(), token)), token)
        if not self._take("("):
            return Column(token.text, token)
        if name in ("CAST", "SAFE_CAST"):
            node = self._sum()
            self._need("AS")
            kind = Literal(self._name().upper(), token)
            self._need(")")
            return Call(name, (node, kind), token)
        if self._take("*"):
            self._need(")")
            return Call(f"{name}(*)", (), token)
        if self._next.upper == "DISTINCT":
            raise invalid_query("DISTINCT is not supported by the embedded cloud", self._next)
        return Call(name, self._arguments(), token)

    def _case(self, token: Token) -> Node:
        """CASE WHEN a THEN b ELSE c END, as IF(a, b, c)."""
        self._need("WHEN")
        when = self._sum()
        self._need("THEN")
        then = self._sum()
        otherwise: Node = Literal(None, token)
        if self._take("ELSE"):
            otherwise = self._sum()
        self._need("END")
        return Call("IF", (when, then, otherwise), token)

    def _arguments(self) -> tuple[Node, ...]:
        """Return what is up to the closing parenthesis, and take that too."""
        found: list[Node] = []
        if self._take(")"):
            return ()
        while not found or self._take(","):
            found.append(self._sum())
        self._need(")")
        return tuple(found)
