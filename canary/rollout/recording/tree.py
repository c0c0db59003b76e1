"""Frozen structs as plain trees, what differs between two trees, and back. Pure.

A tree is of dicts, lists, texts, numbers, true, false and None: what msgpack has. A field is kept
by its name, so that a later version reads what an earlier one wrote: what it does not know is left
out, what it misses is the field's default. Empty fields (None, "", ()) are left out where that is
their default.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, TypeVar

import msgspec

from canary.rollout.text import AtLeast

Tree = Any
Delta = Any
"""None: the same. Otherwise a list that begins with its kind."""

T = TypeVar("T")

AT_LEAST: Final = "≥"
"""A key beside a struct's fields: the names of those that are `AtLeast`."""

REPLACE, PATCH, ITEMS, SPLICE = range(4)


@cache
def fields_of(kind: type[msgspec.Struct]) -> tuple[tuple[str, bool], ...]:
    """Each field, and whether it may be left out when it is empty."""
    found = msgspec.structs.fields(kind)
    return tuple((f.name, f.default is None or f.default in ("", ())) for f in found)


def to_tree(value: Any) -> Tree:
    """A struct, or what is in one, as a tree."""
    if isinstance(value, msgspec.Struct):
        return _struct_to_tree(value)
    if isinstance(value, (tuple, list)):
        return [to_tree(part) for part in value]
    if isinstance(value, dict):
        return {str(key): to_tree(part) for key, part in value.items()}
    return float(value) if isinstance(value, AtLeast) else value


def _struct_to_tree(value: msgspec.Struct) -> Tree:
    kind, tree, bounded = type(value), {}, []
    if kind.__struct_config__.array_like:
        return [to_tree(getattr(value, name)) for name, _ in fields_of(kind)]
    for name, may_be_empty in fields_of(kind):
        part = getattr(value, name)
        if part is msgspec.UNSET or (may_be_empty and (part is None or part in ("", ()))):
            continue
        if isinstance(part, AtLeast):
            bounded.append(name)
        tree[name] = to_tree(part)
    config = kind.__struct_config__
    if config.tag is not None and config.tag_field is not None:
        tree[config.tag_field] = config.tag
    if bounded:
        tree[AT_LEAST] = bounded
    return tree


def from_tree(tree: Tree, kind: type[T]) -> T:
    """The struct of a tree. Raises ValueError (msgspec's too) when it is none of that kind."""
    value = msgspec.convert(tree, kind)
    mended: T = _mend(tree, value)
    return mended


def _mend(tree: Tree, value: Any) -> Any:
    """`value` with its bounded numbers as such; the same object where there are none."""
    if isinstance(tree, dict) and isinstance(value, msgspec.Struct):
        bounded = tree.get(AT_LEAST, ())
        changed: dict[str, Any] = {}
        for name, part in tree.items():
            if not isinstance(part, (dict, list)) or name == AT_LEAST or not hasattr(value, name):
                continue
            before = getattr(value, name)
            after = _mend(part, before)
            if after is not before:
                changed[name] = after
        for name in bounded:
            if isinstance(getattr(value, str(name), None), float):
                changed[str(name)] = AtLeast(getattr(value, str(name)))
        return msgspec.structs.replace(value, **changed) if changed else value
    if isinstance(tree, list) and isinstance(value, tuple) and len(tree) == len(value):
        mended = [_mend(part, before) for part, before in zip(tree, value, strict=True)]
        same = all(a is b for a, b in zip(mended, value, strict=True))
        return value if same else tuple(mended)
    return value


def diff(before: Tree, after: Tree) -> Delta:
    """What makes `after` of `before`; None when they are the same."""
    if before is after or (type(before) is type(after) and before == after):
        return None
    if isinstance(before, dict) and isinstance(after, dict):
        return _diff_dicts(before, after)
    if isinstance(before, list) and isinstance(after, list) and before and after:
        return _diff_lists(before, after)
    return [REPLACE, after]


def _diff_dicts(before: dict[str, Tree], after: dict[str, Tree]) -> Delta:
    changed = {}
    for key, part in after.items():
        if key not in before:
            changed[key] = [REPLACE, part]
        elif (delta := diff(before[key], part)) is not None:
            changed[key] = delta
    gone = [key for key in before if key not in after]
    return [PATCH, changed, gone]


def _diff_lists(before: list[Tree], after: list[Tree]) -> Delta:
    if len(before) == len(after) and isinstance(after[0], (dict, list)):
        deltas = enumerate(map(diff, before, after))
        return [ITEMS, {index: delta for index, delta in deltas if delta is not None}]
    if before[0] in after:  # something came in front, as events do
        begin = after.index(before[0])
        length = _run(before, 0, after, begin)
        return [SPLICE, after[:begin], 0, length, after[begin + length :]]
    if after[0] in before:
        begin = before.index(after[0])
        length = _run(before, begin, after, 0)
        return [SPLICE, [], begin, length, after[length:]]
    return [REPLACE, after]


def _run(a: Sequence[Tree], i: int, b: Sequence[Tree], j: int) -> int:
    """How many elements are the same from `a[i]` and `b[j]` on."""
    length = 0
    while i + length < len(a) and j + length < len(b) and a[i + length] == b[j + length]:
        length += 1
    return length


def patch(before: Tree, delta: Delta) -> Tree:
    """What `diff` told apart, put together; `before` stays as it is.

    Raises ValueError, TypeError or LookupError when they do not belong together.
    """
    if delta is None:
        return before
    kind = delta[0]
    if kind == REPLACE:
        return delta[1]
    if kind == PATCH:
        gone = set(delta[2])
        tree = {key: part for key, part in before.items() if key not in gone}
        for key, part in delta[1].items():
            tree[key] = part[1] if part[0] == REPLACE else patch(before[key], part)
        return tree
    if kind == ITEMS:
        items = list(before)
        for index, part in delta[1].items():
            items[index] = patch(items[index], part)
        return items
    if kind == SPLICE:
        _, head, begin, length, tail = delta
        return [*head, *before[begin : begin + length], *tail]
    raise ValueError(f"no such kind of change: {kind!r}")
