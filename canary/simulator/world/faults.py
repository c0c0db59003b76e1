"""Faults on request: what goes wrong, in which method, how often."""

from __future__ import annotations

import fnmatch
from typing import Literal

import msgspec

Code = Literal[
    "",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]
"""Names of grpc.StatusCode; "" means that the call is answered (late, or in a bad shape)."""

HTTP_STATUS: dict[str, int] = {
    "INVALID_ARGUMENT": 400,
    "FAILED_PRECONDITION": 400,
    "UNAUTHENTICATED": 401,
    "PERMISSION_DENIED": 403,
    "NOT_FOUND": 404,
    "ABORTED": 409,
    "ALREADY_EXISTS": 409,
    "RESOURCE_EXHAUSTED": 429,
    "CANCELLED": 499,
    "INTERNAL": 500,
    "UNAVAILABLE": 503,
    "DEADLINE_EXCEEDED": 504,
}
"""google/rpc/code.proto's mapping; every other code is 500."""


class Fault(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing that goes wrong.

    `method` names calls by shell patterns, several joined by `|`: a bare gRPC method
    (`UpdateService`), a full path (`/google.cloud.run.v2.Services/*`) or an HTTP one
    (`http:<service><path>`, as `http:ion-api-canary/health` or `http:*/chat`); `*` is every call.
    `delay_s` is in real seconds, because a caller's deadline is. `times` null is "until taken
    away". `after_apply`: the call takes effect and then fails, so the answer is lost.
    `shape` names a defect of the answer that the method itself knows how to make
    (`nan`, `empty`, `unordered`, `cut`, …); a method that doesn't know it answers as usual.
    `truncated` is a defect of any gRPC answer: its bytes end too early.
    `late_s`: an operation that the call begins ends so many cloud seconds later; `fails`: it ends
    in failure. `deletes`: this service is gone, by somebody else, just before the call is answered.
    """

    method: str
    code: Code = ""
    message: str = ""
    delay_s: float = 0.0
    times: int | None = None
    after_apply: bool = False
    shape: str = ""
    late_s: float = 0.0
    fails: bool = False
    deletes: str = ""

    def __post_init__(self) -> None:
        """Refuse a fault that could never happen."""
        if self.delay_s < 0:
            raise ValueError(f"delay_s: expected 0 or more, not {self.delay_s}")
        if not 0 <= self.late_s < float("inf"):
            raise ValueError(f"late_s: expected 0 or more, not {self.late_s}")
        if self.times is not None and self.times < 1:
            raise ValueError(f"times: expected 1 or more, not {self.times}")

    def covers(self, method: str) -> bool:
        """Whether a call of this full path (or bare name) is meant."""
        bare = method.rpartition("/")[2]
        return any(
            fnmatch.fnmatchcase(method, pattern) or fnmatch.fnmatchcase(bare, pattern)
            for pattern in self.method.split("|")
        )


NO_FAULT = Fault(method="")


class FaultTable:
    """The faults that were asked for and are not used up, in the order they came."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What is still to come, with `times` counted down."""
        return tuple(self._faults)

    def add(self, fault: Fault) -> None:
        """Let a fault happen from the next call on."""
        self._faults.append(fault)

    def clear(self, method: str | None = None) -> int:
        """Take away the faults of a method pattern (as given to `add`), or all; return how many."""
        kept = [f for f in self._faults if method is not None and f.method != method]
        gone = len(self._faults) - len(kept)
        self._faults = kept
        return gone

    def take(self, method: str) -> Fault | None:
        """Return the first fault for a call that is being made now, and use it up once."""
        for index, fault in enumerate(self._faults):
            if not fault.covers(method):
                continue
            if fault.times == 1:
                del self._faults[index]
            elif fault.times is not None:
                self._faults[index] = msgspec.structs.replace(fault, times=fault.times - 1)
            return fault
        return None
