"""What the load test's process is told: one JSON object as its only argument."""

from __future__ import annotations

import msgspec


class Request(msgspec.Struct, frozen=True):
    """One kind of request; `body` is sent as JSON as it stands, "" sends none."""

    path: str
    method: str = "GET"
    body: str = ""
    weight: int = 1


class Sides(msgspec.Struct, frozen=True):
    """How an answer is known to be a side's.

    The name is in the response's `header`, else in the field `field` of its JSON body. `canary`
    and `legacy` are the names; with `others_are_legacy` any other name is Legacy's (revisions of
    one service, where only the candidate is known by name).
    """

    canary: tuple[str, ...]
    legacy: tuple[str, ...] = ()
    header: str = "x-canary-service"
    field: str = "service"
    others_are_legacy: bool = False


class Settings(msgspec.Struct, frozen=True):
    """The load: all times in seconds of this machine."""

    url: str
    users: int
    spawn_rate: float
    duration_s: float
    requests: tuple[Request, ...]
    sides: Sides
    min_wait_s: float = 1.0
    max_wait_s: float = 3.0
    timeout_s: float = 60.0
    report_every_s: float = 1.0


def parse_settings(text: str) -> Settings:
    """Decode the argument. Raises ValueError (msgspec's own errors are)."""
    return msgspec.json.decode(text.encode(), type=Settings)
