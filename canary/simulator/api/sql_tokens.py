"""GoogleSQL's tokens, as far as an aggregate query over one table has them."""

from __future__ import annotations

import re
from typing import NamedTuple

from canary.simulator.wire.errors import RestError

_TOKEN = re.compile(
    r"""(?P<space>\s+|--[^\n]*|\#[^\n]*|/\*.*?\*/)
      | (?P<quoted>`[^`\n]+`)
      | (?P<text>'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*")
      | (?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?)
      | (?P<parameter>@[A-Za-z_]\w*)
      | (?P<word>[A-Za-z_]\w*)
      | (?P<sign>>=|<=|!=|<>|[-+*/(),.\[\]=<>;])
    """,
    re.VERBOSE | re.DOTALL,
)


class Token(NamedTuple):
    """`kind`: quoted, text, number, parameter, word, sign, end. `text` is without its quotes."""

    kind: str
    text: str
    line: int
    column: int

    @property
    def upper(self) -> str:
        """A word in capitals; other tokens' text as it is, quotes left out of account."""
        return self.text.upper() if self.kind == "word" else self.text


def invalid_query(message: str, token: Token | None = None) -> RestError:
    """Return BigQuery's refusal of a query, with the place in it."""
    place = f" at [{token.line}:{token.column}]" if token is not None else ""
    return RestError(400, "invalidQuery", f"{message}{place}", "INVALID_ARGUMENT")


def tokenize(sql: str) -> list[Token]:
    """Return the tokens, the last of kind `end`. RestError for what is none."""
    tokens, position, line, start = [], 0, 1, 0
    while position < len(sql):
        found = _TOKEN.match(sql, position)
        column = position - start + 1
        if found is None:
            here = Token("sign", sql[position], line, column)
            raise invalid_query(f'Syntax error: Illegal input character "{sql[position]}"', here)
        kind, text = str(found.lastgroup), found.group()
        if kind in ("quoted", "text"):
            tokens.append(Token(kind, re.sub(r"\\(.)", r"\1", text[1:-1]), line, column))
        elif kind != "space":
            tokens.append(Token(kind, text.removeprefix("@"), line, column))
        if "\n" in text:
            line, start = line + text.count("\n"), position + text.rindex("\n") + 1
        position = found.end()
    return [*tokens, Token("end", "end of script", line, len(sql) - start + 1)]
