"""Which rollout comes first, which are shown, and in which groups. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Literal, get_args

from canary.rollout.fleet.rows import FleetRow
from canary.rollout.snapshot.state_words import WORDS, StateId

SortKey = Literal["need", "name", "percent", "errors", "p95", "age", "changed"]
SORT_KEYS: Final[tuple[SortKey, ...]] = get_args(SortKey)
"""What `S` goes through; the first is the order of the list unless somebody asks for another."""

_STALE: Final[frozenset[StateId]] = frozenset({"cannot_see", "silent", "stale", "thin"})
_ORDER: Final = {word: place for place, word in enumerate(WORDS)}

BAD: Final[frozenset[StateId]] = frozenset(
    {
        "roll_back_all",
        "roll_back_stage",
        "rollback_not_possible",
        "unknown_outcome",
        "failed",
        "proven_worse",
    }
)
"""What somebody must look at at once."""


def need_of(row: FleetRow) -> tuple[int, int, bool]:
    """How much a row needs a person; the smaller, the more. Worst first, then those that wait for a
    person, then those of which too little is known, then the rest. Of two that are as bad the one
    first that nobody else acts on.
    """
    if row.state is None:
        return 2, 0, False
    id_, is_others = row.state.id, not row.waits_for_person
    if id_ in BAD:
        return 0, _ORDER[id_], is_others
    if row.waits_for_person:
        # What is ready waits for nothing else; what is healthy has other gates open too.
        return 1, (len(_ORDER) if id_ == "healthy" else _ORDER[id_]), is_others
    return (2 if id_ in _STALE else 3), _ORDER[id_], is_others


def sort_rows(rows: Iterable[FleetRow], by: SortKey = "need") -> tuple[FleetRow, ...]:
    """The rows in order; equal ones by name and place. What is not known comes last."""

    def key(row: FleetRow) -> tuple[object, ...]:
        match by:
            case "need":
                return need_of(row)
            case "name":
                return ()
            case "percent":
                return _descending(row.percent)
            case "errors":
                return _descending(row.canary.error_ratio)
            case "p95":
                return _descending(row.canary.p95_ms)
            case "age":
                return _descending(row.data_age_s)
            case "changed":
                return _descending(row.changed_at)

    return tuple(sorted(rows, key=lambda row: (*key(row), *row.key)))


def _descending(value: float | None) -> tuple[bool, float]:
    return value is None, 0.0 if value is None else -value


def filter_rows(rows: Iterable[FleetRow], typed: str) -> tuple[FleetRow, ...]:
    """Those that have all that was typed: a text of theirs, or with "-l team=x" a label.

    `-l team` asks for the label alone. An empty text, and a `-l` that nothing follows yet, leave
    all.
    """
    words = typed.split()
    kept = list(rows)
    while words:
        word = words.pop(0)
        if word.startswith("-l"):
            label = word[2:] or (words.pop(0) if words else "")
            kept = [row for row in kept if not label or _has_label(row, label)]
        else:
            sought = word.casefold()
            kept = [row for row in kept if sought in _text_of(row)]
    return tuple(kept)


def _has_label(row: FleetRow, asked: str) -> bool:
    name, has_value, value = asked.partition("=")
    return name in row.labels and (not has_value or row.labels[name] == value)


def _text_of(row: FleetRow) -> str:
    texts = (row.name, row.where, row.word, row.changed_by, row.wait, row.hold, *row.others)
    return " ".join(texts).casefold()


def part_lost(
    rows: Sequence[FleetRow],
) -> tuple[tuple[FleetRow, ...], Mapping[str, tuple[FleetRow, ...]], tuple[FleetRow, ...]]:
    """Rows in the order of need in three parts: those that need a person; the projects of which
    nothing at all can be seen, where that is more than a row; the rest.
    """
    of: dict[str, list[FleetRow]] = {}
    for row in rows:
        of.setdefault(row.project, []).append(row)
    lost = {
        project: tuple(found)
        for project, found in of.items()
        if project and len(found) > 1 and all(map(_is_unseen, found))
    }
    first = tuple(row for row in rows if need_of(row)[0] < 2 and row.project not in lost)
    rest = tuple(row for row in rows if need_of(row)[0] >= 2 and row.project not in lost)
    return first, lost, rest


def _is_unseen(row: FleetRow) -> bool:
    return row.state is None or row.state.id == "cannot_see"


def tell_apart(rows: Iterable[FleetRow]) -> Mapping[tuple[str, str, str], str]:
    """What each row is called: its name, and where several have that, what it differs in:
    "ion-api-canary @europe-west1". By their keys.
    """
    named: dict[str, list[FleetRow]] = {}
    for row in rows:
        named.setdefault(row.name, []).append(row)
    return {row.key: _called(row, same) for same in named.values() for row in same}


def _called(row: FleetRow, same: Sequence[FleetRow]) -> str:
    if len(same) == 1:
        return row.name
    ways: tuple[Callable[[FleetRow], str], ...] = (
        lambda one: one.project,
        lambda one: one.region,
        lambda one: one.where,
        lambda one: one.plan.rpartition("/")[0].rpartition("/")[2],
    )
    for way in ways:
        if sum(way(one) == way(row) for one in same) == 1 and way(row):
            return f"{row.name} @{way(row)}"
    return f"{row.name} @{row.where} {row.plan}".rstrip()


def group_names(rows: Iterable[FleetRow]) -> tuple[str, ...]:
    """What rows can be grouped by: region, project, and each label that one of them has, but for
    one that is called so too.
    """
    places = ("region", "project")
    return (*places, *sorted({name for row in rows for name in row.labels}.difference(places)))


def group_rows(rows: Sequence[FleetRow], by: str) -> tuple[tuple[str, tuple[FleetRow, ...]], ...]:
    """Groups by "region", "project" or a label's name; the worst row of a group decides its place.

    Rows without that label are a group without a name; within a group the order stays.
    """
    groups: dict[str, list[FleetRow]] = {}
    for row in rows:
        match by:
            case "region":
                name = row.region
            case "project":
                name = row.project
            case _:
                name = row.labels.get(by, "")
        groups.setdefault(name, []).append(row)
    ordered = sorted(groups.items(), key=lambda pair: (min(map(need_of, pair[1])), pair[0]))
    return tuple((name, tuple(found)) for name, found in ordered)
