"""The timeline as Markdown, CSV and JSON Lines: the same columns in each. Pure."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Final, Literal

from canary.rollout.recording.timeline_changes import Row
from canary.rollout.text import format_iso_time

TimelineFormat = Literal["md", "csv", "jsonl"]
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r")


def format_timeline(rows: Sequence[Row], form: TimelineFormat) -> str:
    """The rows in their order; ends with a line break. Times are RFC 3339, UTC."""
    return {"md": _to_markdown, "csv": _to_csv, "jsonl": _to_lines}[form](rows)


def _to_markdown(rows: Sequence[Row]) -> str:
    lines = ["| Time (UTC) | Event | Who | Data |", "|---|---|---|---|"]
    for row in rows:
        data = f"{row.data} [link]({row.link})".strip() if row.link else row.data
        cells = (format_iso_time(row.at), row.event, row.who, data)
        lines.append("| " + " | ".join(map(_cell, cells)) + " |")
    if not rows:
        lines.append("| | nothing happened | | |")
    return "\n".join(lines) + "\n"


def _cell(text: str | None) -> str:
    """Nothing in a cell may end it or begin another element."""
    said = (text or "").replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")
    return said.replace("<", "&lt;")


def _to_csv(rows: Sequence[Row]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("time", "event", "who", "data", "link", "kind", "stage"))
    for row in rows:
        stage = "" if row.stage is None else str(row.stage)
        texts = (row.event, row.who, row.data, row.link, row.kind, stage)
        writer.writerow((format_iso_time(row.at), *map(_plain, texts)))
    return out.getvalue()


def _plain(text: str) -> str:
    """A spreadsheet takes what begins so for a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def _to_lines(rows: Sequence[Row]) -> str:
    documents = (
        {
            "time": format_iso_time(row.at),
            "event": row.event,
            "who": row.who,
            "data": row.data,
            "link": row.link,
            "kind": row.kind,
            "stage": row.stage,
        }
        for row in rows
    )
    return "".join(f"{json.dumps(document, ensure_ascii=False)}\n" for document in documents)
