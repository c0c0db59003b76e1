"""What every unary answer is looked at for: that it can be read at all, and what time it is there.

grpc.aio hands out None, and no error, for an answer whose bytes end too early: a change whose
answer is cut short would look like a defect of this program instead of an unknown outcome.
Google's front end dates every answer (`date`, in whole seconds), which is the one thing that tells
how this host's clock stands.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

Hear = Callable[[float, float], None]
"""Takes the date of an answer that came just now, unix seconds, and how long it took, seconds."""


def make_interceptor(hear: Hear | None) -> Any:
    """Return a grpc.aio interceptor for unary calls.

    With it, an answer that cannot be read raises AioRpcError with INTERNAL, as gRPC's other
    languages do.
    """
    import grpc
    import grpc.aio

    class Answers(grpc.aio.UnaryUnaryClientInterceptor):  # type: ignore[type-arg]
        """Looks at answers; changes none."""

        async def intercept_unary_unary(
            self, continuation: Any, client_call_details: Any, request: Any
        ) -> Any:
            asked_at = time.monotonic()
            call = await continuation(client_call_details, request)
            response = await call
            metadata = await call.initial_metadata()
            if response is None:
                raise grpc.aio.AioRpcError(
                    grpc.StatusCode.INTERNAL,
                    metadata,
                    await call.trailing_metadata(),
                    details="The answer was cut short: it cannot be read.",
                    debug_error_string="",
                )
            if hear is not None and (date := read_date(metadata.get("date"))) is not None:
                hear(date, time.monotonic() - asked_at)
            return call

    return Answers()


def read_date(text: object) -> float | None:
    """Unix seconds of an HTTP date; None for anything else."""
    try:
        return parsedate_to_datetime(str(text)).timestamp() if text else None
    except (ValueError, OverflowError):
        return None
