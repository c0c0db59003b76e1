"""One row for each rollout, in the order in which they need a person. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, get_args

import msgspec

from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import WORDS, RolloutState, StateId
from canary.rollout.text import (
    NO_DATA,
    format_age,
    format_duration,
    format_percent,
    format_value,
    sanitize,
)

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


class SideNumbers(msgspec.Struct, frozen=True):
    """One side's newest window; None: no data."""

    error_ratio: float | None = None
    p95_ms: float | None = None


class FleetRow(msgspec.Struct, frozen=True):
    """One rollout. `where` is project/region. `trouble` is why nothing is known of it ("" for
    nothing), and the rest is then empty. `looks_only`: no plan on this host names it, so that it
    may only be looked at; `plan` is the file otherwise.

    `changed_at`, cloud time, is the last change of the split and `changed_by` whose it was;
    `others` are who else is here; `labels` are those of the service that carries the split.
    """

    name: str
    where: str
    state: RolloutState | None = None
    trouble: str = ""
    stage: int | None = None
    stages: int | None = None
    percent: int | None = None
    legacy: SideNumbers = SideNumbers()
    canary: SideNumbers = SideNumbers()
    soaked_hours: float | None = None
    soak_hours: float | None = None
    data_age_s: float | None = None
    changed_at: float | None = None
    changed_by: str = ""
    others: tuple[str, ...] = ()
    labels: Mapping[str, str] = {}
    plan: str = ""
    looks_only: bool = False

    @property
    def waits_for_person(self) -> bool:
        """Whether a person has to act next. A rollout that is off has all the time there is."""
        state = self.state
        return state is not None and state.actor.kind == "you" and state.id != "off"

    @property
    def word(self) -> str:
        """The state's word; what stands there for one of which nothing is known."""
        return "CANNOT SEE" if self.state is None else self.state.word

    @property
    def glyph(self) -> str:
        """The state's glyph."""
        return "?" if self.state is None else self.state.glyph

    @property
    def wait(self) -> str:
        """What it waits for, in words."""
        if self.state is None:
            return sanitize(self.trouble, 200)
        return sanitize(self.state.next or self.state.cause, 200)


def row_of(
    snapshot: Snapshot, plan: Plan, labels: Mapping[str, str], path: str, *, looks_only: bool
) -> FleetRow:
    """The row of a rollout that was looked at."""
    record, stage = snapshot.traffic.record, snapshot.stage
    whole = None if looks_only else len(plan.stages)
    by = "" if record is None else "@".join(filter(None, [record.by, record.host]))
    return FleetRow(
        name=plan.target.legacy if plan.target.shares_one_service else plan.target.canary,
        where=f"{snapshot.project}/{snapshot.region}",
        state=find_state(snapshot, plan),
        stage=stage.index,
        stages=whole,
        percent=snapshot.traffic.canary_percent,
        legacy=_numbers(snapshot.legacy.window.error_ratio, snapshot.legacy.window.p95_ms),
        canary=_numbers(snapshot.canary.window.error_ratio, snapshot.canary.window.p95_ms),
        soaked_hours=stage.soaked_hours,
        soak_hours=stage.soak_hours,
        data_age_s=snapshot.data_age_s,
        changed_at=None if record is None else record.written_at,
        changed_by=sanitize(by, 80),
        others=tuple(sanitize(each.user, 40) for each in snapshot.presence.others),
        labels=dict(labels),
        plan=path,
        looks_only=looks_only,
    )


def _numbers(error_ratio: float | None, p95_ms: float | None) -> SideNumbers:
    return SideNumbers(error_ratio, p95_ms)


def need_of(row: FleetRow) -> tuple[int, int]:
    """How much a row needs a person; the smaller, the more. Worst first, then those that wait for a
    person, then those of which too little is known, then the rest.
    """
    if row.state is None:
        return 2, 0
    id_ = row.state.id
    if id_ in BAD:
        return 0, _ORDER[id_]
    if row.waits_for_person:
        return 1, _ORDER[id_]
    return (2 if id_ in _STALE else 3), _ORDER[id_]


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

    return tuple(sorted(rows, key=lambda row: (*key(row), row.name, row.where)))


def _descending(value: float | None) -> tuple[bool, float]:
    return value is None, 0.0 if value is None else -value


def filter_rows(rows: Iterable[FleetRow], typed: str) -> tuple[FleetRow, ...]:
    """Those that have all that was typed: a text of theirs, or with "-l team=x" a label.

    `-l team` asks for the label alone. An empty text leaves all.
    """
    words = typed.split()
    kept = list(rows)
    while words:
        word = words.pop(0)
        if word == "-l" and words:
            name, has_value, value = words.pop(0).partition("=")
            kept = [
                row
                for row in kept
                if name in row.labels and (not has_value or row.labels[name] == value)
            ]
        else:
            sought = word.casefold()
            kept = [row for row in kept if sought in _text_of(row)]
    return tuple(kept)


def _text_of(row: FleetRow) -> str:
    return " ".join((row.name, row.where, row.word, row.changed_by, row.wait)).casefold()


def group_rows(rows: Sequence[FleetRow], by: str) -> tuple[tuple[str, tuple[FleetRow, ...]], ...]:
    """Groups by "region", or by a label's name; the worst row of a group decides its place.

    Rows without that label are a group without a name.
    """
    groups: dict[str, list[FleetRow]] = {}
    for row in rows:
        name = row.where.rpartition("/")[2] if by == "region" else row.labels.get(by, "")
        groups.setdefault(name, []).append(row)
    ordered = sorted(groups.items(), key=lambda pair: (min(map(need_of, pair[1])), pair[0]))
    return tuple((name, tuple(found)) for name, found in ordered)


def summary_line(rows: Sequence[FleetRow]) -> str:
    """One line for a status bar: "✗ 2 of 200 need you: ion-api ROLL BACK ALL, …; 10 unknown"."""
    if not rows:
        return "– no rollouts"
    ordered = sort_rows(rows)
    acting = [row for row in ordered if need_of(row)[0] < 2]
    unknown = sum(1 for row in ordered if need_of(row)[0] == 2)
    rest = f"; {unknown} unknown" if unknown else ""
    if not acting:
        glyph = "?" if unknown else "✓"
        return f"{glyph} {len(rows)} rollouts, none needs you{rest}"
    named = ", ".join(f"{row.name} {row.word}" for row in acting[:3])
    more = f", {len(acting) - 3} more" if len(acting) > 3 else ""
    return f"{acting[0].glyph} {len(acting)} of {len(rows)} need you: {named}{more}{rest}"


HEADINGS: Final = (
    "state", "rollout", "stage", "share", "errors", "legacy", "p95", "legacy", "soak",
    "data", "waits for", "last change", "where",
)  # fmt: skip


def cells_of(row: FleetRow, now: float) -> tuple[str, ...]:
    """A row's texts, one for each of HEADINGS."""
    stage = "–" if row.stage is None else str(row.stage)
    if row.stage is not None and row.stages is not None:
        stage = f"{row.stage}/{row.stages}"
    soak = NO_DATA if row.soaked_hours is None else format_duration(row.soaked_hours * 3600)
    if row.soak_hours is not None and row.soaked_hours is not None:
        soak = f"{row.soaked_hours:.0f}/{row.soak_hours:.0f} h"
    changed = ""
    if row.changed_at is not None:
        changed = f"{format_age(max(0.0, now - row.changed_at))} ago {row.changed_by}".strip()
    known = row.state is not None
    return (
        f"{row.glyph} {row.word}",
        sanitize(row.name, 63) + (" (look only)" if row.looks_only and known else ""),
        stage if known else "–",
        format_percent(row.percent) if known else "–",
        format_value("error_ratio", row.canary.error_ratio),
        format_value("error_ratio", row.legacy.error_ratio),
        format_value("p95_ms", row.canary.p95_ms),
        format_value("p95_ms", row.legacy.p95_ms),
        soak,
        format_age(row.data_age_s),
        row.wait,
        changed,
        sanitize(row.where, 80),
    )
