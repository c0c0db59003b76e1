"""The revision of a service that serves: which, since when, and whether it keeps its clients."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from canary.cloud.run.client import RunClient
from canary.cloud.run.services import read_targets, short_name
from canary.rollout.errors import CanaryError
from canary.rollout.snapshot.differences import Deployed

_ROUTES = "RoutesReady"


class Serving(msgspec.Struct, frozen=True):
    """`revision` has the most traffic, "" when that is not told.

    `since` is when traffic came to it, `created` when it was made; None: not known. `affinity`: it
    keeps each client with what it has (session affinity). `annotations` are the revision's and
    `deployed` what it runs.
    """

    revision: str
    since: float | None
    affinity: bool
    created: float | None = None
    annotations: Mapping[str, str] = {}
    deployed: Deployed | None = None


async def read_serving(run: RunClient, message: Any, revision: str = "") -> Serving:
    """Of a raw Service; `revision` instead of the one with the most traffic.

    What a revision runs never changes, so it is asked for once. One that cannot be read is told by
    the template alone.
    """
    name = short_name(message.name)
    chosen = revision or _main(message)
    affinity = bool(message.template.session_affinity)
    if not chosen:
        return Serving("", None, affinity)
    try:
        found = await run.revision(name, chosen)
    except CanaryError:
        return Serving(chosen, None, affinity)
    created = found.create_time.seconds + found.create_time.nanos / 1e9
    since = max(created, _routed_at(message))
    affinity = bool(found.session_affinity)
    came = since if since > 0 else None
    deployed = run.deployed(message, found)
    return Serving(chosen, came, affinity, created or None, dict(found.annotations), deployed)


async def has_affinity(run: RunClient, message: Any, revisions: Iterable[str]) -> bool:
    """Whether any of these revisions of a service keeps its clients."""
    found = [await read_serving(run, message, revision) for revision in revisions if revision]
    return any(one.affinity for one in found)


def _main(message: Any) -> str:
    serving = [t for t in read_targets(message, message.traffic_statuses) if t.percent > 0]
    best = max(serving, key=lambda target: target.percent, default=None)
    return best.revision if best is not None else ""


def _routed_at(message: Any) -> float:
    """When the service's traffic was last directed anew; 0 where that is not told.

    In the recorded life of a service (k8s-config-connector, runservicebasic) `RoutesReady` keeps
    its time while a change is under way, and gets that of the moment at which it serves.
    """
    found = next((c for c in message.conditions if c.type_ == _ROUTES), None)
    stamp = None if found is None else found.last_transition_time
    return 0.0 if stamp is None else float(stamp.seconds + stamp.nanos / 1e9)
