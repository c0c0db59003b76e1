"""Where requests go, and what makes some of Canary's fail: a cause that a person can find.

Every request has a path with a query, a client's address and a user agent, as real ones have: what
is read of them is the caller's affair.
"""

from __future__ import annotations

from random import Random
from typing import Final

import msgspec


class Cause(msgspec.Struct, frozen=True):
    """Why requests of a side fail that would not have failed before.

    `status` is their answer, `path` ("" : any) and `instance` (0: any) where they are met, and
    `latency_ms` how long they take (None: as others). `lines` is what the application writes.
    """

    status: int
    method: str = ""
    path: str = ""
    instance: int = 0
    latency_ms: float | None = None
    lines: tuple[tuple[str, str], ...] = ()


class Address(msgspec.Struct, frozen=True):
    """One kind of request; `{n}` in the path is another number each time. `weight`: how often."""

    method: str
    path: str
    weight: float


ADDRESSES: Final = (
    Address("POST", "/chat", 45),
    Address("POST", "/api/v2/recommend/personalized?user={n}&session=s-{n}", 25),
    Address("GET", "/users/{n}/orders?email=user{n}%40example.com", 12),
    Address("GET", "/img/logo.png", 10),
    Address("GET", "/api/v2/items/{n}", 8),
)
_WEIGHTS: Final = [one.weight for one in ADDRESSES]

INSTANCES: Final = 4
"""Of a side of which one instance fails; the failing one is the last."""

REMOTE_IP: Final = "203.0.113.77"
"""A documentation address (RFC 5737): no caller's."""

USER_AGENT: Final = "ExampleBrowser/1.0 (embedded)"

USUAL: Final = (("ERROR", "upstream connect error or disconnect/reset before headers"),)
"""What is written for a request that fails without any cause of its own."""

ROUTE_FAILS: Final = Cause(
    500,
    "POST",
    "/api/v2/recommend/personalized?user={n}&session=s-{n}",
    lines=(
        ("WARNING", "profile cache: schema 7 expected, found 6"),
        (
            "ERROR",
            "Traceback (most recent call last):\n"
            '  File "/app/recommend/views.py", line 88, in personalized\n'
            "    tier = profile['tier']\n"
            "           ~~~~~~~^^^^^^^^\n"
            "KeyError: 'tier'",
        ),
    ),
)
INSTANCE_FAILS: Final = Cause(
    500,
    instance=INSTANCES,
    lines=(
        ("ERROR", "OSError: [Errno 28] No space left on device: '/tmp/model-shard-3'"),
        ("ERROR", "model shard 3 is not loaded; this instance cannot answer"),
    ),
)
DEPENDENCY_TIMES_OUT: Final = Cause(
    504,
    "POST",
    "/chat",
    latency_ms=10_000.0,
    lines=(
        ("WARNING", "vector-store: attempt 3 of 3 took longer than 3.0 s"),
        ("ERROR", "vector-store.internal:6333: deadline of 10 s exceeded"),
    ),
)
NEW_EXCEPTION: Final = Cause(
    500,
    "GET",
    "/users/{n}/orders?email=user{n}%40example.com",
    lines=(
        (
            "ERROR",
            "Exception in thread main\n"
            "java.lang.IllegalStateException: currency is missing in order\n"
            "\tat com.example.orders.Formatter.format(Formatter.java:41)\n"
            "\tat com.example.orders.Handler.list(Handler.java:112)",
        ),
    ),
)


class Aim(msgspec.Struct, frozen=True):
    """Where one request went: method, path with its query, the instance's number, the trace."""

    method: str
    path: str
    trace: str
    instance: int = 0


def draw_aim(rng: Random, cause: Cause | None) -> Aim:
    """Where a request went; `cause`: what made it fail, None for every other."""
    number, trace = rng.randrange(1, 100_000), f"{rng.getrandbits(128):032x}"
    if cause is not None and cause.path:
        method, path = cause.method, cause.path
    else:
        address = rng.choices(ADDRESSES, _WEIGHTS)[0]
        method, path = address.method, address.path
    return Aim(method, path.replace("{n}", str(number)), trace, cause.instance if cause else 0)
