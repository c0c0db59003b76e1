"""One thing that `canary doctor` has looked at."""

from __future__ import annotations

from typing import Literal

import msgspec

State = Literal["ok", "wrong", "unknown"]


class Finding(msgspec.Struct, frozen=True):
    """What was looked at, and how it is. `needed` False: the rollout works without it."""

    what: str
    state: State
    said: str
    remedy: str = ""
    needed: bool = True
