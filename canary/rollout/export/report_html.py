"""A report as one HTML file: no script, nothing loaded, readable in light, dark and on paper.

The verdict stands out, in the colours of the console. On a phone a row of a wide table becomes a
card with the column's name before each value, so that nothing has to be scrolled sideways.
"""

from __future__ import annotations

import html
import re
from typing import Final

from canary.rollout.export.report import Bars, Block, Paragraph, Report, Table, Verdict
from canary.rollout.text import NO_DATA, format_ratio, sanitize

LIGHT: Final[dict[str, str]] = {
    "legacy": "#000087",
    "canary": "#8700af",
    "ok": "#008700",
    "alarm": "#af0000",
    "unknown": "#005f5f",
}
DARK: Final[dict[str, str]] = {
    "legacy": "#5f87af",
    "canary": "#ffa9ff",
    "ok": "#5fd787",
    "alarm": "#ff005f",
    "unknown": "#5fd7d7",
}
"""As the console's themes of these names have them."""

_GLYPHS: Final[dict[str, str]] = {
    "✓": "ok",
    "✗": "alarm",
    "◐": "watch",
    "?": "unknown",
    "◌": "dim",
    "–": "dim",
}
_THOUSANDS: Final = re.compile(r"(?<=\d) (?=\d{3}(?!\d))")
_CARDS_FROM: Final = 4
"""A table of so many columns is too wide for a phone."""


def _variables(colors: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colors.items())


_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #fff; --dim: #59636e; --line: #d1d9e0;
  --band: #f6f8fa; /*light*/ }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --paper: #0d1117; --dim: #9198a1; --line: #3d444d; --band: #161b22;
    /*dark*/ } }
* { box-sizing: border-box; }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.6rem; margin: 0 0 1rem; overflow-wrap: anywhere; }
h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; padding-bottom: .2rem;
  border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .3rem; }
p { margin: .4rem 0; overflow-wrap: anywhere; }
.verdict { border-left: .4rem solid var(--line); background: var(--band);
  padding: .6rem 1rem; margin: 0 0 1rem; }
.verdict .word { font-size: 1.4rem; font-weight: 700; margin: 0; }
.verdict.act { border-color: var(--alarm); }
.verdict.act .word { background: var(--alarm); color: var(--paper); display: inline-block;
  padding: 0 .5rem; }
.verdict.watch { border-color: #ffd700; }
.verdict.unknown { border-color: var(--unknown); }
.verdict.unknown .word { color: var(--unknown); font-style: italic; }
.ok { color: var(--ok); }
.alarm { color: var(--alarm); font-weight: 700; }
.watch > .glyph, td .watch { background: #ffd700; color: #080808; padding: 0 .2rem; }
.unknown .glyph, td .unknown { color: var(--unknown); font-style: italic; }
.dim { color: var(--dim); }
table { border-collapse: collapse; margin: .5rem 0 1rem; max-width: 100%; }
th, td { text-align: left; padding: .25rem 1rem .25rem .4rem; vertical-align: top;
  overflow-wrap: anywhere; font-variant-numeric: tabular-nums; }
th { font-weight: 600; color: var(--dim); background: var(--band); }
td { border-top: 1px solid var(--line); min-width: 5.5rem; }
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
.legacy span, .canary span, .verdict, .verdict .word, .watch > .glyph, td .watch {
  print-color-adjust: exact; -webkit-print-color-adjust: exact; }
@media (max-width: 40rem) {
  body { margin: 1rem auto; }
  .bar { width: 4.5rem; }
  .bars td { padding-right: .4rem; min-width: 0; }
  td:first-child { white-space: normal; }
  .cards thead { display: none; }
  .cards tr { display: block; border-top: 2px solid var(--line); padding: .3rem 0; }
  .cards td, .cards td:first-child { display: grid; grid-template-columns: 7.5rem 1fr; border: 0;
    padding: .1rem .4rem; min-width: 0; }
  .cards td::before { content: attr(data-label); color: var(--dim); }
  .cards td:not([data-label]) { display: block; font-weight: 600; }
  .cards td:empty { display: none; }
}
@media print {
  @page { margin: 14mm; }
  :root { --ink: #000; --paper: #fff; --dim: #444; --line: #bbb; --band: #f2f2f2; /*light*/ }
  body { font-size: 9.5pt; max-width: none; margin: 0; padding: 0; }
  h2, h3 { break-after: avoid; } tr, .verdict { break-inside: avoid; }
  thead { display: table-header-group; }
  table.cards { width: 100%; }
  th, td { padding: .15rem .5rem .15rem .2rem; min-width: 4rem; }
  .bars td { min-width: 0; }
  td:first-child { white-space: normal; }
  .bar { width: 9rem; }
}
""".replace("/*light*/", _variables(LIGHT)).replace("/*dark*/", _variables(DARK))


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
    """Text as text, in an element and in an attribute; a number is not broken at its thousands."""
    return html.escape(_THOUSANDS.sub("\u202f", sanitize(text, 1000)), quote=True)


def _block_html(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape_html(block.text)}</p>"
    if isinstance(block, Verdict):
        return _verdict_html(block)
    return _table_html(block) if isinstance(block, Table) else _bars_html(block)


def _verdict_html(block: Verdict) -> str:
    style = _GLYPHS.get(block.glyph, "dim") if block.tone == "good" else ""
    glyph = f'<span class="glyph {style}">{escape_html(block.glyph)}</span>'
    lines = "".join(f"<p>{escape_html(line)}</p>" for line in block.lines)
    return (
        f'<div class="verdict {block.tone}"><p class="word">{glyph} {escape_html(block.word)}</p>'
        f"{lines}</div>"
    )


def _table_html(block: Table) -> str:
    head = "".join(f"<th>{escape_html(cell)}</th>" for cell in block.head)
    rows = "".join(
        "<tr>" + "".join(_cell_html(c, h) for c, h in zip(row, block.head, strict=True)) + "</tr>"
        for row in block.rows
    )
    shown_head = f"<thead><tr>{head}</tr></thead>" if any(block.head) else ""
    cards = ' class="cards"' if len(block.head) >= _CARDS_FROM else ""
    return f"<table{cards}>{shown_head}<tbody>{rows}</tbody></table>"


def _cell_html(cell: str, label: str) -> str:
    """A cell; a glyph that it begins with has the colour that it has in the console."""
    named = f' data-label="{escape_html(label)}"' if label else ""
    glyph, space, rest = cell.partition(" ")
    if glyph not in _GLYPHS:
        return f"<td{named}>{escape_html(cell)}</td>"
    drawn = f'<span class="{_GLYPHS[glyph]}">{escape_html(glyph)}</span>'
    return f"<td{named}><span>{drawn}{space}{escape_html(rest)}</span></td>"


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
