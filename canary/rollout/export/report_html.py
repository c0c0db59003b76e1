"""A report as one HTML file: no script, nothing loaded, readable in light, dark and on paper."""

from __future__ import annotations

from html import escape as escape_html
from typing import Final

from canary.rollout.export.report import Bars, Block, Paragraph, Report, Table
from canary.rollout.text import NO_DATA, format_ratio, sanitize

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
    title = escape(report.title)
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
        parts.append(f"<section><h2>{escape(section.title)}</h2>")
        parts += [_write(block) for block in section.blocks]
        parts.append("</section>")
    return "\n".join([*parts, "</body></html>"]) + "\n"


def escape(text: str) -> str:
    """Text as text, in an element and in an attribute."""
    return escape_html(sanitize(text, 1000), quote=True)


def _write(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Table):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        shown_head = f"<thead><tr>{head}</tr></thead>" if any(block.head) else ""
        return f"<table>{shown_head}<tbody>{rows}</tbody></table>"
    return _bars(block)


def _bars(block: Bars) -> str:
    if not block.bars:
        return f"<p>{escape(NO_DATA)}</p>"
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
                f"<tr{place}><td>{escape(label)}</td><td>{name}</td>"
                f'<td class="bar {name.lower()}">{drawn}</td>'
                f"<td>{escape(format_ratio(share))}</td></tr>"
            )
            label, place = "", ""
    caption = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    return f'{caption}<table class="bars">{"".join(rows)}</table>'
