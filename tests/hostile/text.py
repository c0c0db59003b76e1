"""Text as an enemy would write it, put wherever text from outside can come in."""

from __future__ import annotations

import typing
import unicodedata
from typing import Any, TypeVar

import msgspec

HOSTILE = (
    "[bold red]x[/] [link=http://evil]y[/link] \x1b[2J\x1b[31m \x1b]0;owned\x07"
    " \x1b]52;c;ZXZpbA==\x07 \x9b31m \r\nsecond line \x00 \u202eesrever\u202c \u200b\ufeff"
    " \U000e0041 \ud800 `rm -rf` $(id)"
)
"""Rich markup, CSI, title, clipboard, C1, line breaks, NUL, bidi, zero width, tag, surrogate."""

_ALLOWED = {"\n"}
_Value = TypeVar("_Value")


def is_harmless(shown: str) -> bool:
    """Whether a terminal would act on nothing in it."""
    return all(
        c in _ALLOWED or unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn")
        for c in shown
    )


def poison(value: _Value, text: str = HOSTILE) -> _Value:
    """The value with every free text in it replaced; words of a fixed set stay what they are."""
    return _poison(value, type(value), text)


def _poison(value: Any, kind: Any, text: str) -> Any:
    if isinstance(value, msgspec.Struct):
        hints = typing.get_type_hints(type(value))
        names = value.__struct_fields__
        return msgspec.structs.replace(
            value, **{n: _poison(getattr(value, n), hints[n], text) for n in names}
        )
    if isinstance(value, tuple):
        return tuple(_poison(each, _element(kind), text) for each in value)
    if isinstance(value, str) and _is_free(kind):
        return text
    return value


def _element(kind: Any) -> Any:
    arguments = typing.get_args(kind)
    return arguments[0] if arguments else str


def _is_free(kind: Any) -> bool:
    """Whether a type takes any text: `str`, also within an optional; no Literal."""
    return kind is str or str in typing.get_args(kind)
