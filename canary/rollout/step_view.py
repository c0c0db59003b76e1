"""The steps of a change as the screen shows them: what each does, and how far it is."""

from __future__ import annotations

from typing import Literal

import msgspec

StepState = Literal["to_do", "under_way", "done", "failed", "unknown"]


class StepView(msgspec.Struct, frozen=True):
    """One step. `text` is what it does, `said` the last word about it, "" for none.

    "unknown": it was sent, and how it ended could not be found out.
    """

    text: str
    state: StepState = "to_do"
    said: str = ""
