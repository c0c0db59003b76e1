"""The stage record in a free text that people may write in, too: one line, `ANNOTATION={…}`.

A URL map has no annotations; its `description` is the one field in which the record can ride in the
same guarded PATCH as the weights. Pure.
"""

from __future__ import annotations

import msgspec

from canary.rollout.errors import Malformed, Rejected
from canary.rollout.progress import StageRecord, decode_record, encode_record
from canary.rollout.words import plain

LONGEST_TEXT = 2048
"""Characters that a description may have."""


def read_record(text: str, annotation: str) -> tuple[StageRecord | None, str]:
    """The record in `text` and "", or None and why it cannot be read; None and "" without one."""
    line = next((each for each in text.splitlines() if each.startswith(f"{annotation}=")), None)
    if line is None:
        return None, ""
    try:
        return decode_record(line.partition("=")[2]), ""
    except Malformed as error:
        return None, plain(error.message, 300)


def write_record(text: str, annotation: str, record: StageRecord) -> str:
    """`text` with the record as its last line; what people wrote in it stays.

    A reason that is too long for the space that is left is cut, and ends in "…".
    Raises Rejected when there is no space for the record even so.
    """
    kept = [line for line in text.splitlines() if not line.startswith(f"{annotation}=")]
    reason = record.reason
    while True:
        line = f"{annotation}={encode_record(record)}"
        written = "\n".join((*kept, line))
        excess = len(written) - LONGEST_TEXT
        if excess <= 0:
            return written
        if not reason:
            raise Rejected(
                f"The description of the URL map leaves no space for the stage record:"
                f" {len(written)} characters of at most {LONGEST_TEXT}.",
                remedy="Shorten the description of the URL map.",
                source="Compute Engine",
            )
        reason = reason[: max(0, len(reason) - excess - 1)]
        record = msgspec.structs.replace(record, reason=f"{reason}…" if reason else "")
