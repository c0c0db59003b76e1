"""Canary's share ↔ a Cloud Run Service message, for the routers that keep it on one. Pure.

The messages are raw protobufs of google.cloud.run.v2 (`Service`, `TrafficTarget`), taken as they
are, so that reading costs nothing but the attributes and no client is needed to test it.

========== ===================================================== =================
router     what "set to N %" does                                mask
========== ===================================================== =================
env        one environment variable of the template              template
revisions  `traffic[]` of one service, tags kept                 traffic
========== ===================================================== =================

The other two keep it elsewhere (`url_map`, `command`); a service tells nothing of it then.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from canary.rollout.errors import NotFound, Rejected
from canary.rollout.plan.plan import Router

LATEST = 1
REVISION = 2
"""google.cloud.run.v2.TrafficTargetAllocationType."""

_SOURCE = "Cloud Run"


class Target(msgspec.Struct, frozen=True):
    """One entry of `traffic[]`, with the revision it means (LATEST resolved) and its share."""

    revision: str
    percent: int
    tag: str
    latest: bool


def read_percent(router: Router, service: Any) -> int | None:
    """Canary's share (0…100) as the service has it set; None when that cannot be read."""
    if router.kind == "env":
        return _read_variable(router, service)
    if router.kind != "revisions":
        return None
    return _read_share(router, service, service.traffic)


def read_served_percent(router: Router, service: Any) -> int | None:
    """Canary's share that is really served; None where the router does not tell."""
    if router.kind != "revisions" or not service.traffic_statuses:
        return None
    return _read_share(router, service, service.traffic_statuses)


def candidate_revision(router: Router, service: Any) -> str | None:
    """Return the candidate revision's short name; None if its tag points nowhere.

    None with every router but `revisions`.

    A candidate that begins with the service's name and a dash is a revision's name, as all of
    Cloud Run's are; anything else is a tag.
    """
    if router.kind != "revisions":
        return None
    targets = read_targets(service, service.traffic)
    for target in targets:
        if target.tag == router.candidate:
            return target.revision or None
    name = router.candidate
    known = any(target.revision == name for target in targets)
    return name if known or name.startswith(f"{short_name(service.name)}-") else None


def set_percent(
    router: Router,
    service: Any,
    percent: int,
    revisions: Sequence[str] = (),
    remembered: str = "",
) -> tuple[str, ...]:
    """Change `service` so that Canary has `percent`; return the fields that were changed.

    `revisions` (names of ready ones, newest first) and `remembered` (the stable revision as it was
    noted when the share was last set) are only looked at when nobody but the candidate has a share
    and the rest must go to somebody (see `needs_revisions`).
    Raises NotFound when the candidate, or whom to give the rest to, is not known, and Rejected
    when the variable is bound to a secret.
    """
    if router.kind == "env":
        _write_variable(router, service, percent)
        return ("template",)
    _write_traffic(router, service, percent, revisions, remembered)
    return ("traffic",)


def needs_revisions(router: Router, service: Any, percent: int) -> bool:
    """Whether `set_percent` must be told the service's revisions."""
    return router.kind == "revisions" and percent < 100 and not stable_revision(router, service)


def stable_revision(router: Router, service: Any) -> str:
    """Return the revision beside the candidate that has the most traffic; "" if none has any."""
    candidate = candidate_revision(router, service)
    others = [
        t
        for t in read_targets(service, service.traffic)
        if t.revision != candidate and t.percent > 0
    ]
    return max(others, key=lambda t: t.percent).revision if others else ""


def read_targets(service: Any, traffic: Any) -> tuple[Target, ...]:
    """The entries of `traffic[]` or `traffic_statuses[]`, with LATEST resolved.

    An empty list is "all to the latest ready revision", as Cloud Run takes it.
    """
    newest = short_name(service.latest_ready_revision)
    targets = tuple(
        Target(
            revision=short_name(each.revision) or (newest if each.type_ != REVISION else ""),
            percent=each.percent,
            tag=each.tag,
            latest=each.type_ == LATEST,
        )
        for each in traffic
    )
    return targets or (Target(newest, 100, "", latest=True),)


def short_name(name: str) -> str:
    """The last part of a resource name: `projects/…/revisions/x` → `x`."""
    return name.rpartition("/")[2]


def _read_variable(router: Router, service: Any) -> int | None:
    values = {
        variable.value.strip()
        for container in service.template.containers
        for variable in container.env
        if variable.name == router.variable and variable.WhichOneof("values") == "value"
    }
    if len(values) != 1:  # not set; or two containers that disagree
        return None
    (text,) = values
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        return None
    percent = int(text)
    return percent if percent <= 100 else None


def _write_variable(router: Router, service: Any, percent: int) -> None:
    # A name that is kept would be refused: "Revision named … already exists".
    service.template.revision = ""
    containers = service.template.containers
    holders = [v for c in containers for v in c.env if v.name == router.variable]
    if any(v.WhichOneof("values") == "value_source" for v in holders):
        raise Rejected(
            f"{router.variable} on {short_name(service.name)} comes from a secret and is not"
            " overwritten.",
            remedy="Make it a plain variable, or name another one in the plan.",
            source=_SOURCE,
        )
    if not containers:
        raise NotFound(
            f"{short_name(service.name)} has no container to set {router.variable} on.",
            source=_SOURCE,
        )
    for variable in holders:
        variable.value = str(percent)
    if not holders:
        # The container that takes requests is the one with a port.
        serving = next((c for c in containers if c.ports), containers[0])
        serving.env.add(name=router.variable, value=str(percent))


def _read_share(router: Router, service: Any, traffic: Any) -> int | None:
    candidate = candidate_revision(router, service)
    if candidate is None:
        return None
    targets = read_targets(service, traffic)
    if sum(t.percent for t in targets) != 100:
        return None
    return sum(t.percent for t in targets if t.revision == candidate)


def _write_traffic(
    router: Router, service: Any, percent: int, revisions: Sequence[str], remembered: str
) -> None:
    candidate = candidate_revision(router, service)
    if candidate is None:
        raise NotFound(
            f"No entry of {short_name(service.name)}'s traffic has the tag {router.candidate!r}.",
            remedy="Deploy the candidate with that tag, or name its revision in the plan.",
            source=_SOURCE,
        )
    targets = list(read_targets(service, service.traffic))
    if needs_revisions(router, service, percent):
        # A tag with 0 % may be anybody's preview: never a reason to send everybody there.
        stable = _choose_stable(service, candidate, revisions, remembered)
        heir = next((i for i, t in enumerate(targets) if t.revision == stable), None)
        if heir is None:
            targets.append(Target(stable, 1, "", latest=False))
        else:
            targets[heir] = msgspec.structs.replace(targets[heir], percent=1)
    if all(t.revision != candidate for t in targets):
        targets.append(Target(candidate, 0, "", latest=False))
    shares = split_shares(targets, candidate, percent)
    del service.traffic[:]
    for target, share in zip(targets, shares, strict=True):
        if share or target.tag:
            _add_target(service, target, share, candidate)


def split_shares(targets: Sequence[Target], candidate: str, percent: int) -> tuple[int, ...]:
    """Return the new share of each target: `percent` to the candidate's, the rest as it was split.

    The candidate's share goes to its first entry; the others keep their proportions (largest
    remainder). Sums to 100 when the candidate has an entry and, below 100 %, another has a share.
    """
    shares = [0] * len(targets)
    own = [i for i, t in enumerate(targets) if t.revision == candidate]
    others = [i for i, t in enumerate(targets) if t.revision != candidate and t.percent > 0]
    if own:
        shares[own[0]] = percent
    if not others:
        return tuple(shares)
    rest = 100 - percent
    weight = sum(targets[i].percent for i in others)
    for i in others:
        shares[i] = rest * targets[i].percent // weight
    missing = rest - sum(shares[i] for i in others)
    by_remainder = sorted(others, key=lambda i: (-(rest * targets[i].percent % weight), i))
    for i in by_remainder[:missing]:
        shares[i] += 1
    return tuple(shares)


def _add_target(service: Any, target: Target, share: int, candidate: str) -> None:
    # LATEST would move to whatever is deployed next: the candidate is pinned by its name. The
    # others stay as they are, except where LATEST is the candidate (it was pinned above).
    if target.latest and target.revision != candidate:
        service.traffic.add(type_=LATEST, percent=share, tag=target.tag)
    else:
        service.traffic.add(type_=REVISION, revision=target.revision, percent=share, tag=target.tag)


def _choose_stable(service: Any, candidate: str, revisions: Sequence[str], remembered: str) -> str:
    """The remembered one if it is still there; else the newest before the candidate."""
    if remembered in revisions and remembered != candidate:
        return remembered
    if candidate in revisions:
        older = revisions[revisions.index(candidate) + 1 :]
        if older:
            return older[0]
    raise NotFound(
        f"Nobody but {candidate} has traffic on {short_name(service.name)}, and no ready revision"
        " from before it is left to take the rest.",
        remedy="Deploy one, or set the traffic in Cloud Run by hand.",
        source=_SOURCE,
    )
