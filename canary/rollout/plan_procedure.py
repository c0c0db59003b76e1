"""The plan's table of what follows a change: the verification.

Part of `plan`, in a file of its own. Units are in the names.
"""

from __future__ import annotations

import msgspec


class Verify(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a change of the split is verified: requests through the router, told apart by side.

    `after_change`: by itself after every promotion and rollback. `path` is asked with GET, so it
    must be one that changes nothing. Which side answered is told by `side_header`, else by the
    field `side_field` of a JSON body; None stands for `x-canary-service` and `service`, or for
    `x-canary-revision` and `revision` where the router splits between revisions.
    """

    after_change: bool = True
    requests: int = 100
    delay_ms: float = 50.0
    path: str = "/api/v2/recommend/personalized"
    timeout_s: float = 10.0
    side_header: str | None = None
    side_field: str | None = None
    confidence_field: str = "confidence"
