"""The report of a stage for the record: blocks of plain text, written as Markdown or as HTML.

`report_content` and `report_statistics` fill it. Every text in it is data: both writers escape all
of it, so nothing from outside can become markup.
"""

from __future__ import annotations

import html
import re
from typing import Final

import msgspec

from canary.rollout.change.history_entries import HistoryEntry
from canary.rollout.decision.gates import Gate
from canary.rollout.evidence.view import EvidenceView
from canary.rollout.measure.samples import Sample
from canary.rollout.snapshot.snapshot import ChangeView, Event
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
    for a visit that is over: they are asked only of the present.
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

    @property
    def until(self) -> float:
        """Where the report ends: the visit's end, else when it was written."""
        return self.span.ended_at if self.span.ended_at is not None else self.written_at


class Paragraph(msgspec.Struct, frozen=True, tag=True):
    """A sentence or a few."""

    text: str


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


Block = Paragraph | Table | Bars


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


# A report as one HTML file: no script, nothing loaded, readable in light, dark and on paper.

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --dim: #59636e; --line: #d1d9e0;
  --band: #f6f8fa; --legacy: #8c959f; --canary: #b35900; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --dim: #9198a1; --line: #3d444d; --band: #161b22;
    --legacy: #818b98; --canary: #f0a030; } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-bottom: .2rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
table { border-collapse: collapse; margin: .5rem 0 1rem; max-width: 100%; }
th, td { text-align: left; padding: .25rem 1rem .25rem .4rem; vertical-align: top;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: var(--dim); background: var(--band); white-space: nowrap; }
td { border-top: 1px solid var(--line); min-width: 4.5rem; }
td:first-child { white-space: nowrap; overflow-wrap: break-word; }
tbody:first-child tr:first-child td { border-top: 0; }
table.bars { line-height: 1.1; font-size: .85rem; }
.bars td { border: 0; padding-top: .05rem; padding-bottom: .05rem; white-space: nowrap; }
.bars tr.first td { border-top: 1px solid var(--line); padding-top: .2rem; }
.bars td:last-child { text-align: right; }
.bar { width: 22rem; }
.bar span { display: block; height: .7rem; margin-top: .1rem; min-width: 1px; }
.legacy span { background: var(--legacy); }
.canary span { background: var(--canary); }
.legacy span, .canary span { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
@media (max-width: 40rem) { .bar { width: 8rem; } th { white-space: normal; }
  td:first-child { white-space: normal; } }
@media print {
  :root { --ink: #000; --paper: #fff; --dim: #444; --line: #bbb; --band: #f2f2f2;
    --legacy: #8c959f; --canary: #b35900; }
  body { font-size: 10pt; max-width: none; margin: 0; padding: 0; }
  h2, h3 { break-after: avoid; } tr { break-inside: avoid; } thead { display: table-header-group; }
}
"""


def to_html(report: Report) -> str:
    """The document. The policy in its head forbids whatever a slip in escaping could let in."""
    title = escape_html(report.title)
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8">',
        '<meta http-equiv="Content-Security-Policy"'
        " content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        '<meta name="viewport" content="width=device-width">',
        f"<title>{title}</title><style>{_STYLE}</style></head><body>",
        f"<h1>{title}</h1>",
    ]
    for section in report.sections:
        parts.append(f"<section><h2>{escape_html(section.title)}</h2>")
        parts += [_block_html(block) for block in section.blocks]
        parts.append("</section>")
    return "\n".join([*parts, "</body></html>"]) + "\n"


def escape_html(text: str) -> str:
    """Text as text, in an element and in an attribute."""
    return html.escape(sanitize(text, 1000), quote=True)


def _block_html(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape_html(block.text)}</p>"
    if isinstance(block, Table):
        head = "".join(f"<th>{escape_html(cell)}</th>" for cell in block.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape_html(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        shown_head = f"<thead><tr>{head}</tr></thead>" if any(block.head) else ""
        return f"<table>{shown_head}<tbody>{rows}</tbody></table>"
    return _bars_html(block)


def _bars_html(block: Bars) -> str:
    if not block.bars:
        return f"<p>{escape_html(NO_DATA)}</p>"
    shares = [s for bar in block.bars for s in (bar.legacy, bar.canary) if s is not None]
    most = max(shares) or 1.0
    rows = []
    for bar in block.bars:
        label, place = bar.label, ' class="first"'
        for name, share in (("Legacy", bar.legacy), ("Canary", bar.canary)):
            if share is None:
                continue
            # Only numbers of ours go into the style: the policy allows it to be written inline.
            drawn = f'<span style="width:{100 * share / most:.1f}%"></span>' if share else ""
            rows.append(
                f"<tr{place}><td>{escape_html(label)}</td><td>{name}</td>"
                f'<td class="bar {name.lower()}">{drawn}</td>'
                f"<td>{escape_html(format_ratio(share))}</td></tr>"
            )
            label, place = "", ""
    caption = f"<h3>{escape_html(block.title)}</h3>" if block.title else ""
    return f'{caption}<table class="bars">{"".join(rows)}</table>'
