"""A report as one HTML file: no script, nothing loaded, readable in light, dark and on paper."""

from __future__ import annotations

from html import escape as escape_html
from typing import Final

from canary.rollout import words
from canary.rollout.report import Bars, Block, Paragraph, Report, Table

_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 64rem; margin: 2rem auto; padding: 0 1rem; }
table { border-collapse: collapse; margin: .5rem 0 1rem; }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; vertical-align: top; }
th, tr + tr td { border-top: 1px solid #8884; }
th { border-top: 0; font-weight: 600; }
td { font-variant-numeric: tabular-nums; }
.bars td { padding-bottom: 0; border: 0; }
meter { width: 18rem; height: .8rem; }
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
    return escape_html(words.plain(text, 1000), quote=True)


def _write(block: Block) -> str:
    if isinstance(block, Paragraph):
        return f"<p>{escape(block.text)}</p>"
    if isinstance(block, Table):
        head = "".join(f"<th>{escape(cell)}</th>" for cell in block.head)
        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>"
            for row in block.rows
        )
        shown_head = f"<tr>{head}</tr>" if any(block.head) else ""
        return f"<table>{shown_head}{rows}</table>"
    return _bars(block)


def _bars(block: Bars) -> str:
    if not block.bars:
        return f"<p>{escape(words.NO_DATA)}</p>"
    shares = [s for bar in block.bars for s in (bar.legacy, bar.canary) if s is not None]
    most = max(shares) or 1.0
    rows = []
    for bar in block.bars:
        label = bar.label
        for name, share in (("Legacy", bar.legacy), ("Canary", bar.canary)):
            if share is None:
                continue
            value = escape(words.ratio(share))
            meter = f'<meter min="0" max="{most:.6f}" value="{share:.6f}">{value}</meter>'
            rows.append(
                f"<tr><td>{escape(label)}</td><td>{name}</td><td>{meter}</td><td>{value}</td></tr>"
            )
            label = ""
    caption = f"<h3>{escape(block.title)}</h3>" if block.title else ""
    return f'{caption}<table class="bars">{"".join(rows)}</table>'
