"""The plan's table of word to others: [notify]. Part of `plan`. Units are in the names."""

from __future__ import annotations

import msgspec


class Notify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A webhook that is told of changes, their outcomes, and verdicts that turn for the worse.

    The address is `webhook`, or what the environment variable `webhook_variable` holds: it is a
    secret with most services. Both None: nobody is told. The same thing is told at most once in
    `repeat_minutes` (of this host's clock); `timeout_s` is how long an answer is waited for.
    """

    webhook: str | None = None
    webhook_variable: str | None = None
    repeat_minutes: float = 15.0
    timeout_s: float = 5.0

    @property
    def is_on(self) -> bool:
        """Whether anybody is to be told."""
        return self.webhook is not None or self.webhook_variable is not None
