"""Which plans route alike: what a change was made for, and whose journal it may lie in. Pure.

Stages, limits and names for people may differ between two plans of one rollout; where the share is
set may not. An executor with another variable, candidate, URL map or annotation would set the wrong
thing and call it done.
"""

from __future__ import annotations

import hashlib

import msgspec

from canary.rollout.plan.plan import Plan


def routing_digest(plan: Plan) -> str:
    """16 hexadecimal digits that are the same for plans that route alike, and for no others."""
    router = plan.target.router
    parts: dict[str, tuple[str, ...]] = {
        "env": (router.variable,),
        "revisions": (router.candidate,),
        "url-map": (
            router.url_map or "",
            router.legacy_backend or "",
            router.canary_backend or "",
        ),
        "command": ("set", *router.set, "read", *router.read),
    }
    routed = (*plan.identity, plan.record.annotation, *parts[router.kind])
    return hashlib.sha256("\0".join(routed).encode()).hexdigest()[:16]


def routes_alike(routing: str | msgspec.UnsetType, plan: Plan) -> bool:
    """Whether a change of that digest is this plan's; unset is of a version that kept none."""
    return routing is msgspec.UNSET or routing == routing_digest(plan)
