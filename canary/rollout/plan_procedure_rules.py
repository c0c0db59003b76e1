"""What the table [verify] must obey. Part of `plan_rules`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from canary.rollout.plan_mistakes import Found, Mistake, check_name, check_range

if TYPE_CHECKING:
    from canary.rollout.plan import Plan

_PATH: Final = re.compile(r"/[!-~]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")

MOST_REQUESTS: Final = 10_000
"""A verification asks real users' servers; more than this is a load test."""


def find_procedure_mistakes(plan: Plan) -> Found:
    """Every rule that the table breaks."""
    verify = plan.verify
    yield from check_range("verify.requests", verify.requests, 1, MOST_REQUESTS)
    yield from check_range("verify.delay_ms", verify.delay_ms, 0, 60_000)
    yield from check_range("verify.timeout_s", verify.timeout_s, 0.1, 300)
    yield from check_name("verify.path", verify.path, _PATH, 'a path, as "/health"')
    if verify.side_header is not None:
        yield from check_name(
            "verify.side_header", verify.side_header, _HEADER, "the name of a header"
        )
    for name in ("side_field", "confidence_field"):
        if getattr(verify, name) == "":
            yield Mistake(f"verify.{name}", "is empty", "the name of a field of a JSON body")
