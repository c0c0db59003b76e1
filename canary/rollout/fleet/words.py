"""A row of the list as texts, and what all of it comes to in one line. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from canary.rollout.fleet.order import need_of, part_lost, sort_rows, tell_apart
from canary.rollout.fleet.rows import FleetRow
from canary.rollout.snapshot.state_words import format_actor
from canary.rollout.text import (
    NO_DATA,
    format_age,
    format_duration,
    format_percent,
    format_value,
    sanitize,
)


def wait_text(row: FleetRow) -> str:
    """Who acts, and what it waits for: "YOU: roll back all (error ratio 8 % > 5 %)", "soak 3 h of
    24 h"; a hold stands before it.
    """
    state = row.state
    if state is None:
        return row.wait
    who = ""
    if row.waits_for_person or state.actor.kind in ("auto", "running"):
        who = f"{format_actor(state.actor, {})}: "
    text, need = row.wait, need_of(row)[0]
    if need < 3 and state.next and state.cause:
        cause = sanitize(state.cause, 160)
        text = f"{cause}; {text}" if need == 2 else f"{text} ({cause})"
    return "; ".join(filter(None, (row.hold, f"{who}{text}")))


def here_text(row: FleetRow) -> str:
    """Who is there, and whether nobody promotes: "held, eve, bob (guards)"; "" for nothing."""
    people = (f"{name} (guards)" if name in row.guards else name for name in row.others)
    return ", ".join((*(("held",) if row.hold else ()), *people))


def head_line(rows: Sequence[FleetRow]) -> str:
    """Who needs a person first, and why: "✗ 2 of 42 need you: ion-api ROLL BACK ALL: error ratio
    8 % > 5 %, since 03:02Z". Where nobody does, as `summary_line`.
    """
    first = sort_rows(rows)[0] if rows else None
    if first is None or need_of(first)[0] > 2:
        return summary_line(rows)
    if first.state is None or need_of(first)[0] == 2:
        whys = Counter(_why_unknown(row) for row in rows if need_of(row)[0] == 2)
        return f"{summary_line(rows)} ({whys.most_common(1)[0][0]})"
    names, state = tell_apart(rows), first.state
    is_fine = state.id in ("healthy", "ready")
    why = first.wait if is_fine else sanitize(state.cause or state.next, 160)
    name = sanitize(names[first.key], 100)
    return f"{_head_count(rows, first)}: {name} {first.word}{f': {why}' if why else ''}"


def _why_unknown(row: FleetRow) -> str:
    return sanitize(row.trouble if row.state is None else row.state.cause, 160)


def _head_count(rows: Sequence[FleetRow], first: FleetRow) -> str:
    """How many there are, and as what: those in trouble need somebody, the others wait."""
    count = sum(1 for row in rows if need_of(row)[0] < 2)
    if need_of(first)[0] == 0:
        return f"{first.glyph} {count} of {len(rows)} need you"
    return f"{first.glyph} {count} of {len(rows)} wait for a person"


_COUNTED: Final = ("to act on", "waiting for a person", "unknown", "needing nobody")


def counts_line(rows: Iterable[FleetRow]) -> str:
    """How many need what, the worst first: "1 to act on, 2 waiting for a person, 10 unknown (9
    STALE, 1 CANNOT SEE), 27 needing nobody".
    """
    rows = tuple(rows)
    found = Counter(need_of(row)[0] for row in rows)
    unknown = Counter(row.word for row in sort_rows(rows) if need_of(row)[0] == 2)
    kinds = ", ".join(f"{count} {word}" for word, count in unknown.most_common())
    parts = []
    for need, words in enumerate(_COUNTED):
        if found[need]:
            more = f" ({kinds})" if need == 2 and len(unknown) > 1 else ""
            words = next(iter(unknown)) if need == 2 and len(unknown) == 1 else words
            parts.append(f"{found[need]} {words}{more}")
    return ", ".join(parts)


def sections_of(rows: Sequence[FleetRow]) -> tuple[tuple[str, tuple[FleetRow, ...]], ...]:
    """Rows in the order of need, each part with its heading: a project that denies or fails is one
    marked group, behind those that need a person.
    """
    first, lost, rest = part_lost(rows)
    marked = []
    for project, found in lost.items():
        why = _why_unknown(found[0])
        heading = f"project {sanitize(project, 63)}: {len(found)} cannot be seen: {why}"
        marked.append((heading, found))
    return tuple(part for part in (("", first), *marked, ("", rest)) if part[1])


def group_line(by: str, name: str, rows: Sequence[FleetRow]) -> str:
    """The heading of a group: what it is, and the states in it."""
    return f"{sanitize(by, 63)} {sanitize(name, 63) or '(none)'}  {counts_line(rows)}"


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
        counted = "1 rollout" if len(rows) == 1 else f"{len(rows)} rollouts"
        none = "none is known to need you" if unknown else "none needs you"
        return f"{glyph} {counted}, {none}{rest}"
    names = tell_apart(rows)
    named = ", ".join(f"{sanitize(names[row.key], 100)} {row.word}" for row in acting[:3])
    more = f", {len(acting) - 3} more" if len(acting) > 3 else ""
    return f"{_head_count(rows, acting[0])}: {named}{more}{rest}"


HEADINGS: Final = (
    "state", "rollout", "stage", "share", "errors", "legacy", "p95", "legacy", "soak",
    "data", "waits for", "last change", "where", "here",
)  # fmt: skip


HERE: Final = HEADINGS.index("here")
"""The column that is left out where there is nothing to say."""


def cells_of(
    row: FleetRow, now: float, older_s: float = 0.0, name: str | None = None
) -> tuple[str, ...]:
    """A row's texts, one for each of HEADINGS. `older_s`: it was read so long ago; `name`: what it
    is called among others.
    """
    stage = "–" if row.stage is None else str(row.stage)
    if row.stage is not None and row.stages is not None:
        stage = f"{row.stage}/{row.stages}"
    soak = NO_DATA if row.soaked_hours is None else format_duration(row.soaked_hours * 3600)
    if row.soak_hours is not None and row.soaked_hours is not None:
        soak = f"{row.soaked_hours:.0f}/{row.soak_hours:.0f} h"
    changed = ""
    if row.changed_at is not None:
        now = now if row.as_of is None else row.as_of + older_s
        changed = f"{format_age(max(0.0, now - row.changed_at))} ago {row.changed_by}".strip()
    known = row.state is not None
    return (
        f"{row.glyph} {row.word}",
        sanitize(row.name if name is None else name, 100)
        + (" (look only)" if row.looks_only and known else ""),
        stage if known else "–",
        format_percent(row.percent) if known else "–",
        format_value("error_ratio", row.canary.error_ratio),
        format_value("error_ratio", row.legacy.error_ratio),
        format_value("p95_ms", row.canary.p95_ms),
        format_value("p95_ms", row.legacy.p95_ms),
        soak,
        format_age(None if row.data_age_s is None else row.data_age_s + older_s),
        wait_text(row),
        changed,
        sanitize(row.where, 80),
        here_text(row),
    )
