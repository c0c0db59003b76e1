"""A report as Markdown (GitHub's flavour, for its tables). All text is escaped."""

from __future__ import annotations

import re
from typing import Final

from canary.rollout.export.report import Bar, Bars, Block, Paragraph, Report, Table
from canary.rollout.text import NO_DATA, format_ratio, sanitize

_BAR: Final = 24
_SPECIAL = re.compile(r"([\\`*_\[\]<>#|~&$@]|:(?=//)|(?<=www)\.)", re.IGNORECASE)


def to_markdown(report: Report) -> str:
    """The document, ending in a line break."""
    lines = [f"# {escape(report.title)}", ""]
    for section in report.sections:
        lines += [f"## {escape(section.title)}", ""]
        for block in section.blocks:
            lines += [*_write(block), ""]
    return "\n".join(lines).rstrip() + "\n"


def escape(text: str) -> str:
    """Text as text: nothing in it is markup, a link, an autolink or a cell's end."""
    return _SPECIAL.sub(r"\\\1", sanitize(text, 1000))


def _write(block: Block) -> list[str]:
    if isinstance(block, Paragraph):
        return [escape(block.text)]
    if isinstance(block, Table):
        return [
            _row(block.head),
            _row(("---",) * len(block.head), is_rule=True),
            *map(_row, block.rows),
        ]
    return _bars(block)


def _row(cells: tuple[str, ...], *, is_rule: bool = False) -> str:
    return "| " + " | ".join(c if is_rule else escape(c) for c in cells) + " |"


def _bars(block: Bars) -> list[str]:
    """A fenced block: labels are numbers of ours, and the longest share fills the width."""
    if not block.bars:
        return [escape(NO_DATA)]
    most = max(share for bar in block.bars for share in _shares(bar))
    wide = max(len(bar.label) for bar in block.bars)
    lines = [f"**{escape(block.title)}**", ""] if block.title else []
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


def _shares(bar: Bar) -> list[float]:
    return [s for s in (bar.legacy, bar.canary) if s is not None]
