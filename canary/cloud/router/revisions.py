"""A split between revisions of one service: its `traffic[]`, in which tags of others stay."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from canary.cloud.router.router import gcloud_run, share_out
from canary.cloud.router.service_router import ServiceRouter
from canary.cloud.run.client import SOURCE
from canary.cloud.run.services import (
    LATEST,
    REVISION,
    Target,
    find_candidate,
    read_service,
    read_targets,
    short_name,
)
from canary.cloud.run.serving import has_affinity, read_serving
from canary.cloud.run.sides import Past, find_sides, read_past, stable_key
from canary.cloud.views import ServiceState
from canary.rollout.change.change import SetTraffic
from canary.rollout.errors import NotFound
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

UNKNOWN_STABLE = "STABLE_REVISION"
UNKNOWN_CANDIDATE = "CANDIDATE_REVISION"
"""These stand in a command for a revision whose name is not known."""


class RevisionsRouter(ServiceRouter):
    """Both sides are revisions of one service, told apart by the candidate's name or tag."""

    async def read_split(self) -> ServiceState:
        """The one service, with the share that is set, the one that serves, and the candidate."""
        message = await self.run.message(self.plan.router_service)
        state = read_service(self.plan, message)
        candidate = self.plan.target.router.candidate
        statuses = message.traffic_statuses
        sides = find_sides(candidate, message, read_past(self.plan, message), statuses or None)
        own = await read_serving(self.run, message, sides.candidate)
        stable = await read_serving(self.run, message, sides.stable) if sides.stable else None
        return msgspec.structs.replace(
            state,
            serving=sides.candidate,
            serving_since=own.since,
            serving_created=own.created,
            deployed_mark=self.mark_of(own),
            deployed=own.deployed,
            stable_deployed=stable.deployed if stable is not None else None,
            affinity=await has_affinity(self.run, message, (sides.candidate, sides.stable)),
            percent=read_share(candidate, message, message.traffic),
            served_percent=read_served(candidate, message),
            revision=sides.candidate or state.revision,
            others=sides.others,
            stable=sides.stable,
        )

    def read_percent(self, service: Any) -> int | None:
        """What the candidate's entries sum to."""
        return read_share(self.plan.target.router.candidate, service, service.traffic)

    def note_split(self, service: Any) -> dict[str, str]:
        """Who is stable: at 100 % nothing else says whom the traffic is to go back to."""
        sides = find_sides(
            self.plan.target.router.candidate, service, read_past(self.plan, service)
        )
        return {stable_key(self.plan.record.annotation): sides.stable} if sides.stable else {}

    async def write_split(self, service: Any, step: SetTraffic) -> tuple[str, ...]:
        """Set `traffic[]` so that the two sides alone have traffic.

        The revisions are asked for only where whoever is to take the rest has none now.
        """
        candidate, percent = self.plan.target.router.candidate, step.percent
        past = read_past(self.plan, service)
        sides = find_sides(candidate, service, past)
        if self.read_percent(service) == percent and not sides.others:
            return ()
        stable = sides.stable
        if percent < 100 and not _has_traffic(service, stable):
            found = await self.run.revisions(short_name(service.name))
            names = [r.name for r in found if r.ready is not False]
            stable = choose_stable(service, sides.candidate, names, past)
        write_traffic(candidate, service, percent, stable=stable)
        return ("traffic",)

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The service and the candidate."""
        candidate = sanitize(step.guard.revision or plan.target.router.candidate)
        return f"{sanitize(step.service)}, revision {candidate}"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, stable: str) -> str:
        """gcloud's update of the traffic.

        With the candidate alone gcloud scales those that now serve the rest in proportion; that
        fails when nothing else serves, so from 100 % down (or from the unknown) the stable one is
        named.
        """
        others_serve = step.before_percent is not None and step.before_percent < 100
        alone = step.percent == 100 or (others_serve and not stable)
        rest = stable or UNKNOWN_STABLE
        candidate = step.guard.revision or UNKNOWN_CANDIDATE
        if not step.guard.revision and alone:
            split = f"--to-tags={plan.target.router.candidate}={step.percent}"
        elif alone:
            split = f"--to-revisions={candidate}={step.percent}"
        elif step.percent == 0:
            split = f"--to-revisions={rest}=100"
        else:
            split = f"--to-revisions={candidate}={step.percent},{rest}={100 - step.percent}"
        return gcloud_run(plan, "update-traffic", step.service, split)


def find_stable(candidate: str, service: Any) -> str:
    """The revision beside the candidate that has the most traffic; "" if none has any."""
    own = find_candidate(candidate, service)
    targets = read_targets(service, service.traffic)
    others = [t for t in targets if t.revision != own and t.percent > 0]
    return max(others, key=lambda t: t.percent).revision if others else ""


def read_share(candidate: str, service: Any, traffic: Any) -> int | None:
    """What the candidate has of `traffic[]` or `traffic_statuses[]`; None when it cannot be read.

    That is: an unknown candidate, or entries that do not sum to 100.
    """
    own = find_candidate(candidate, service)
    targets = read_targets(service, traffic)
    if own is None or sum(t.percent for t in targets) != 100:
        return None
    return sum(t.percent for t in targets if t.revision == own)


def read_served(candidate: str, service: Any) -> int | None:
    """The candidate's share that is really served; None as of `read_share`, or not said yet."""
    served = service.traffic_statuses
    return read_share(candidate, service, served) if served else None


def write_traffic(
    candidate: str,
    service: Any,
    percent: int,
    revisions: Sequence[str] = (),
    remembered: str = "",
    *,
    stable: str = "",
) -> None:
    """Change `traffic[]` so that the candidate has `percent` and `stable` alone the rest.

    Without `stable` it is the revision with the most traffic beside the candidate; where there is
    none, `revisions` (names of ready ones, newest first) and `remembered` (as it was noted) tell.
    Tags stay, without traffic where they are of a third one. Raises NotFound when the candidate,
    or whom to give the rest to, is not known.
    """
    own = find_candidate(candidate, service)
    if own is None:
        raise NotFound(
            f"No entry of {short_name(service.name)}'s traffic has the tag {candidate!r}.",
            remedy="Deploy the candidate with that tag, or name its revision in the plan.",
            source=SOURCE,
        )
    targets = list(read_targets(service, service.traffic))
    heir = stable or find_stable(candidate, service)
    if percent < 100 and not heir:
        # A tag with 0 % may be anybody's preview: never a reason to send everybody there.
        heir = choose_stable(service, own, revisions, Past(stable=remembered))
    targets = [t if t.revision in (own, heir) else _emptied(t) for t in targets]
    if percent < 100 and all(t.percent == 0 for t in targets if t.revision == heir):
        at = next((i for i, t in enumerate(targets) if t.revision == heir), None)
        if at is None:
            targets.append(Target(heir, 1, "", latest=False))
        else:
            targets[at] = msgspec.structs.replace(targets[at], percent=1)
    if all(t.revision != own for t in targets):
        targets.append(Target(own, 0, "", latest=False))
    shares = split_shares(targets, own, percent)
    del service.traffic[:]
    for target, share in zip(targets, shares, strict=True):
        if share or target.tag:
            _add_target(service, target, share, own)


def _emptied(target: Target) -> Target:
    return msgspec.structs.replace(target, percent=0)


def split_shares(targets: Sequence[Target], candidate: str, percent: int) -> tuple[int, ...]:
    """The new share of each target: `percent` to the candidate's, the rest as it was split.

    The candidate's share goes to its first entry; the others keep their proportions. Sums to 100
    when the candidate has an entry and, below 100 %, another has a share.
    """
    weights = [0 if t.revision == candidate else t.percent for t in targets]
    shares = list(share_out(100 - percent, weights))
    own = next((i for i, t in enumerate(targets) if t.revision == candidate), None)
    if own is not None:
        shares[own] = percent
    return tuple(shares)


def _add_target(service: Any, target: Target, share: int, candidate: str) -> None:
    # LATEST would move to whatever is deployed next: the candidate is pinned by its name. The
    # others stay as they are, except where LATEST is the candidate (it was pinned above).
    if target.latest and target.revision != candidate:
        service.traffic.add(type_=LATEST, percent=share, tag=target.tag)
    else:
        service.traffic.add(type_=REVISION, revision=target.revision, percent=share, tag=target.tag)


def _has_traffic(service: Any, revision: str) -> bool:
    targets = read_targets(service, service.traffic)
    return any(t.revision == revision and t.percent > 0 for t in targets)


def choose_stable(service: Any, candidate: str, revisions: Sequence[str], past: Past) -> str:
    """The noted one if it is still there; else what has traffic and never was Canary's, or the
    newest revision before the candidate that never was.

    `revisions` are the ready ones, newest first. Raises NotFound when there is none.
    """
    if past.stable in revisions and past.stable != candidate:
        return past.stable
    ours = {candidate, *past.canaries}
    others = [t for t in read_targets(service, service.traffic) if t.revision not in ours]
    serving = max(others, key=lambda t: t.percent, default=None)
    if serving is not None and serving.percent > 0:
        return serving.revision
    if candidate in revisions:
        older = [r for r in revisions[revisions.index(candidate) + 1 :] if r not in ours]
        if older:
            return older[0]
    raise NotFound(
        f"Nobody but {candidate} has traffic on {short_name(service.name)}, and no ready revision"
        " from before it is left to take the rest.",
        remedy="Deploy one, or set the traffic in Cloud Run by hand.",
        source=SOURCE,
    )
