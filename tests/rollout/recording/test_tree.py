"""Trees of frozen structs: whole again, and together again from what differs."""

import types
import typing
from collections.abc import Mapping
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canary.rollout.decision.tree import Node
from canary.rollout.measure.samples import Window
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.tree import diff, from_tree, patch, to_tree
from canary.rollout.snapshot.snapshot import Event, Snapshot
from canary.rollout.text import AtLeast
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from tests.rollout.build import NOW, PLAN, snapshot

LEAVES = st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=3)
TREES = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from("abcde"), inner, max_size=4)
    ),
    max_leaves=25,
)


@given(TREES, TREES)
def test_what_differs_makes_the_second_of_the_first(before: Any, after: Any) -> None:
    delta = msgspec.msgpack.decode(msgspec.msgpack.encode(diff(before, after)))
    assert patch(before, delta) == after


@given(st.lists(st.integers(0, 3), max_size=8), st.lists(st.integers(0, 3), max_size=8))
def test_lists_of_few_values_too(before: list[int], after: list[int]) -> None:
    assert patch(before, diff(before, after)) == after


def test_one_more_event_in_front_is_all_that_is_kept() -> None:
    delta = diff(list(range(500)), [500, *range(499)])
    assert len(msgspec.msgpack.encode(delta)) < 12


@pytest.mark.parametrize(
    ("value", "kind"), [(snapshot(), Snapshot), (PLAN, Plan), (NOTHING_RUN, JobsView)]
)
def test_a_struct_comes_back_whole(value: Any, kind: type[Any]) -> None:
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(to_tree(value)))
    assert from_tree(kept, kind) == value


def test_a_bound_stays_a_bound() -> None:
    node = Node("p95", "p95 > 30 s?", AtLeast(10_000.0), 30_000.0, "no_data")
    back = from_tree(to_tree((node, node))[0], Node)
    assert isinstance(back.observed, AtLeast)
    assert not isinstance(back.limit, AtLeast)
    window = Window(NOW - 60, NOW, p95_ms=AtLeast(5.0))
    assert isinstance(from_tree(to_tree(window), Window).p95_ms, AtLeast)


def test_a_later_version_may_have_added_a_field() -> None:
    tree = to_tree(Event(NOW, "info", "promoted", "oncall")) | {"colour": "blue"}
    assert from_tree(tree, Event) == Event(NOW, "info", "promoted", "oncall")


def test_an_earlier_version_may_lack_one() -> None:
    assert from_tree({"at": NOW, "severity": "info", "text": "x"}, Event).by == ""


@pytest.mark.parametrize("tree", [None, [], {"at": "noon", "severity": "info", "text": "x"}])
def test_what_is_no_such_struct_is_refused(tree: Any) -> None:
    with pytest.raises(ValueError):
        from_tree(tree, Event)


def fill(kind: Any, depth: int = 0) -> Any:
    """A value of a type in which nothing is left out: every optional part is there."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is typing.Annotated:
        usual = fill(arguments[0], depth)
        return next(v for v in (usual, "/x", "US", "a.b", 0.5, 1) if holds(v, kind))
    if origin is typing.Literal:
        return arguments[-1]
    if origin in (typing.Union, types.UnionType):
        present = [a for a in arguments if a not in (type(None), msgspec.UnsetType)]
        return fill(present[0], depth)
    if origin is tuple:
        many = len(arguments) == 2 and arguments[1] is Ellipsis
        parts = arguments[:1] * 2 if many else arguments
        return tuple(fill(a, depth + 1) for a in parts) if depth < 12 else ()
    if origin in (dict, Mapping):
        return {fill(arguments[0], depth): fill(arguments[1], depth + 1)}
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return fill_struct(kind, depth)
    if isinstance(kind, type) and issubclass(kind, tuple):  # a NamedTuple
        hints = typing.get_type_hints(kind)
        return kind(*(fill(hint, depth + 1) for hint in hints.values()))
    return {int: 7, float: 7.5, str: "x", bool: True}[kind]


def holds(value: Any, kind: Any) -> bool:
    """Whether a value is within the bounds of an annotated type."""
    try:
        msgspec.convert(msgspec.to_builtins(value), kind)
    except msgspec.ValidationError:
        return False
    return True


def fill_struct(kind: type[msgspec.Struct], depth: int) -> Any:
    hints = typing.get_type_hints(kind, include_extras=True)
    values = {name: fill(hints[name], depth + 1) for name in kind.__struct_fields__}
    return kind(**values)


@pytest.mark.parametrize("kind", [Snapshot, JobsView, Event])
def test_nothing_that_a_screen_may_show_is_lost(kind: type[msgspec.Struct]) -> None:
    """Also what somebody adds to a Snapshot tomorrow."""
    whole = fill_struct(kind, 0)
    kept = msgspec.msgpack.decode(msgspec.msgpack.encode(to_tree(whole)))
    assert from_tree(kept, kind) == whole
