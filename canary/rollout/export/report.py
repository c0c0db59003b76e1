"""The report of a stage for the record: blocks of plain text, here written as Markdown.

`report_content` and `report_statistics` fill it, `report_html` writes it as HTML. Every text in it
is data: both writers escape all of it, so nothing from outside can become markup.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.decision.gates import Gate
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.measure.samples import Sample
from canary.rollout.snapshot.snapshot import ChangeView, Event
from canary.rollout.snapshot.state_words import RolloutState, Tone
from canary.rollout.text import NO_DATA, format_ratio, sanitize


class StageSpan(msgspec.Struct, frozen=True):
    """One visit of a stage, cloud time. `ended_at` None: it lasts still.

    `begin_known` False: nothing tells when it began; `began_at` is then where the data begins.
    """

    stage: int
    began_at: float
    ended_at: float | None = None
    begin_known: bool = True


class ReportFacts(msgspec.Struct, frozen=True):
    """What a report is written from.

    `written_at` is cloud time. `changes` and `events` may be of any time and order; `samples` are
    oldest first. `evidence` is of this visit, None: nothing could be compared. `gates` are empty
    for a visit that is over: they are asked only of the present, as `state` is. `recorded` is what
    this host's recording tells of the visit, oldest first: (cloud time, what, who, on what).
    """

    span: StageSpan
    percent: int | None
    written_at: float
    place: str
    legacy_name: str
    canary_name: str
    history: tuple[HistoryEntry, ...] = ()
    changes: tuple[ChangeView, ...] = ()
    events: tuple[Event, ...] = ()
    legacy: tuple[Sample, ...] = ()
    canary: tuple[Sample, ...] = ()
    evidence: EvidenceView | None = None
    gates: tuple[Gate, ...] = ()
    state: RolloutState | None = None
    recorded: tuple[tuple[float, str, str, str], ...] = ()

    @property
    def until(self) -> float:
        """Where the report ends: the visit's end, else when it was written."""
        return self.span.ended_at if self.span.ended_at is not None else self.written_at


class Paragraph(msgspec.Struct, frozen=True, tag=True):
    """A sentence or a few."""

    text: str


class Verdict(msgspec.Struct, frozen=True, tag=True):
    """What the report comes to: the word with its glyph, then why, each in a sentence."""

    tone: Tone
    glyph: str
    word: str
    lines: tuple[str, ...]


class Table(msgspec.Struct, frozen=True, tag=True):
    """Rows below a head, all of the same length."""

    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Bar(msgspec.Struct, frozen=True):
    """One bucket: shares of all values of a side, 0…1. None: the side has no values."""

    label: str
    legacy: float | None
    canary: float | None


class Bars(msgspec.Struct, frozen=True, tag=True):
    """A distribution of both sides, bucket by bucket, ascending."""

    title: str
    bars: tuple[Bar, ...]


Block = Paragraph | Verdict | Table | Bars


class Section(msgspec.Struct, frozen=True):
    """A title and what is below it."""

    title: str
    blocks: tuple[Block, ...]


class Report(msgspec.Struct, frozen=True):
    """The whole of it, ready to be written."""

    title: str
    sections: tuple[Section, ...]


def find_span(stage: int, history: tuple[HistoryEntry, ...], now: float) -> StageSpan | None:
    """The last visit of `stage` that the moves tell of; None when they tell of none.

    Where only the move out of it is told, the visit begins at 0 and its begin is not known.
    `history` in any order. Moves that stay in the stage (an adoption, a revert) do not end it.
    """
    moves = sorted((d for d in history if d.at <= now), key=lambda d: d.at)
    last = next((i for i in range(len(moves) - 1, -1, -1) if moves[i].stage == stage), None)
    if last is None:
        left = next((d for d in moves if d.from_stage == stage), None)
        return None if left is None else StageSpan(stage, 0.0, left.at, begin_known=False)
    first = last
    while first and moves[first - 1].stage == stage:
        first -= 1
    ended_at = moves[last + 1].at if last + 1 < len(moves) else None
    return StageSpan(stage, moves[first].at, ended_at)


def merge_history(*sources: tuple[HistoryEntry, ...]) -> tuple[HistoryEntry, ...]:
    """Moves of several sources, oldest first; one that two of them tell of counts once."""
    merged: dict[str, HistoryEntry] = {}
    for entry in (d for source in sources for d in source):
        merged.setdefault(entry.change or f"at {entry.at}", entry)
    return tuple(sorted(merged.values(), key=lambda d: d.at))


# A report as Markdown (GitHub's flavour, for its tables). All text is escaped.

_BAR: Final = 24
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def to_markdown(report: Report) -> str:
    """The document, ending in a line break."""
    lines = [f"# {escape_markdown(report.title)}", ""]
    for section in report.sections:
        lines += [f"## {escape_markdown(section.title)}", ""]
        for block in section.blocks:
            lines += [*_block_lines(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def escape_markdown(text: str) -> str:
    """Text as text: nothing in it is markup, a link, an autolink or a cell's end."""
    return _SPECIAL.sub(r"\\\1", sanitize(text, 1000))


def _block_lines(block: Block) -> list[str]:
    if isinstance(block, Paragraph):
        return [escape_markdown(block.text)]
    if isinstance(block, Verdict):
        word = escape_markdown(f"{block.glyph} {block.word}")
        return [f"**{word}**", *(f"\n{escape_markdown(line)}" for line in block.lines)]
    if isinstance(block, Table):
        return [
            _table_row(block.head),
            _table_row(("---",) * len(block.head), is_rule=True),
            *map(_table_row, block.rows),
        ]
    return _bar_lines(block)


def _table_row(cells: tuple[str, ...], *, is_rule: bool = False) -> str:
    return "| " + " | ".join(c if is_rule else escape_markdown(c) for c in cells) + " |"


def _bar_lines(block: Bars) -> list[str]:
    """A fenced block: labels are numbers of ours, and the longest share fills the width."""
    if not block.bars:
        return [escape_markdown(NO_DATA)]
    most = max(share for bar in block.bars for share in _bar_shares(bar))
    wide = max(len(bar.label) for bar in block.bars)
    lines = [f"**{escape_markdown(block.title)}**", ""] if block.title else []
    lines.append("```text")
    for bar in block.bars:
        label = bar.label
        for name, share in (("L", bar.legacy), ("C", bar.canary)):
            if share is not None:
                full = round(share / most * _BAR) if most else 0
                drawn = "█" * max(full, int(share > 0))
                lines.append(f"{label:>{wide}}  {name} {drawn:<{_BAR}} {format_ratio(share)}")
                label = ""
    return [*lines, "```"]


def _bar_shares(bar: Bar) -> list[float]:
    return [s for s in (bar.legacy, bar.canary) if s is not None]
