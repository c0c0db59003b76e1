"""Cloud Logging's wire messages, loaded when the first stream is opened: nobody else needs them."""

from __future__ import annotations

import functools
from typing import Any

import msgspec

from canary.simulator.messages import load_types


class LogMessages(msgspec.Struct, frozen=True):
    """The raw protobuf classes that the tail speaks."""

    request: Any
    response: Any
    entry: Any
    rate_limit: int
    not_consumed: int


@functools.cache
def log_messages() -> LogMessages:
    """Return the classes; the first call imports them."""
    logging = load_types("google.cloud.logging_v2", "logging")
    log_entry = load_types("google.cloud.logging_v2", "log_entry")
    reasons = logging.TailLogEntriesResponse.SuppressionInfo.Reason
    return LogMessages(
        request=logging.TailLogEntriesRequest.pb(),
        response=logging.TailLogEntriesResponse.pb(),
        entry=log_entry.LogEntry.pb(),
        rate_limit=int(reasons.RATE_LIMIT),
        not_consumed=int(reasons.NOT_CONSUMED),
    )
