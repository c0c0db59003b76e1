"""A split that the service's own code makes, by one environment variable of its template.

What is set is not what serves: a changed variable makes a new revision, and where `traffic[]` names
a revision (any `--no-traffic` or `--to-revisions` does that) the new one serves nobody. So the
share that serves is read from the revisions in `traffic_statuses`, and where traffic is pinned, or
the newest revision never became ready, a change is built on the revision that serves.

Rejected: sending the traffic to LATEST. It would ship the code that somebody holds back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec

from canary.cloud.router.router import gcloud_run
from canary.cloud.router.service_router import ServiceRouter
from canary.cloud.run.client import SOURCE
from canary.cloud.run.services import (
    LATEST,
    REVISION,
    Target,
    read_service,
    read_targets,
    short_name,
    template_of,
)
from canary.cloud.views import ServiceState
from canary.rollout.change.change import SetTraffic
from canary.rollout.errors import CanaryError, NotFound, Rejected
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_percent, sanitize


class Served(NamedTuple):
    """The share that serves; None with the reason why it cannot be told."""

    percent: int | None
    trouble: str = ""


class EnvRouter(ServiceRouter):
    """The share is a variable; each change of it makes a new revision."""

    async def read_split(self) -> ServiceState:
        """The router's service, with the share that its variable names and the one that serves."""
        message = await self.run.message(self.plan.router_service)
        state = await self.add_serving(read_service(self.plan, message), message)
        served = await self._read_served(message)
        return msgspec.structs.replace(
            state,
            percent=self.read_percent(message),
            served_percent=served.percent,
            split_trouble=served.trouble,
            pinned=find_pinned(message),
        )

    def read_percent(self, service: Any) -> int | None:
        """The variable as a share."""
        return read_variable(self.plan.target.router.variable, service)

    async def write_split(self, service: Any, step: SetTraffic) -> tuple[str, ...]:
        """Set the variable in the template that serves; pinned traffic goes along in the update."""
        variable, percent = self.plan.target.router.variable, step.percent
        pinned = find_pinned(service)
        held_back = not service.reconciling and not _is_newest_ready(service)
        if not pinned and not held_back:
            if self.read_percent(service) == percent:
                return ()
            write_variable(variable, service, percent)
            return ("template",)
        is_set = self.read_percent(service) == percent and not service.reconciling
        if is_set and (await self._read_served(service)).percent == percent:
            return ()
        base = max(_serving(service), key=lambda target: target.percent).revision
        if base:
            message = await self.run.revision(short_name(service.name), base)
            service.template.CopyFrom(template_of(service, message))
        write_variable(variable, service, percent)
        service.template.revision = name_revision(short_name(service.name), step)
        if not pinned:
            return ("template",)
        pin_traffic(service, service.template.revision)
        return ("template", "traffic")

    async def _read_served(self, service: Any) -> Served:
        """The variable of the revisions that have the traffic, weighted by what they have."""
        name, variable = short_name(service.name), self.plan.target.router.variable
        targets = _serving(service)
        if not targets:
            return Served(None, f"Cloud Run does not say what serves on {name}.")
        settled = not service.reconciling and service.observed_generation == service.generation
        newest = short_name(service.latest_created_revision) if settled else ""
        parts: list[tuple[int, int]] = []
        for target in targets:
            try:
                same = target.revision == newest
                holder = (
                    service.template if same else await self.run.revision(name, target.revision)
                )
            except CanaryError as error:
                said = f"What {target.revision} serves cannot be read: {error.message}"
                return Served(None, sanitize(said, 300))
            percent = _read_containers(variable, holder.containers)
            if percent is None:
                share = format_percent(target.percent)
                return Served(None, f"{target.revision} has {share} and no readable {variable}.")
            parts.append((target.percent, percent))
        return Served(weigh(parts))

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The service, its variable, and that a revision is made."""
        service, variable = sanitize(step.service), sanitize(plan.target.router.variable)
        return f"{service}, variable {variable} (a new revision of {service})"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, _stable: str) -> str:
        """gcloud's update of the variable; where traffic is pinned, that alone serves nobody.

        gcloud cannot build on a revision of before: by hand it is the newest one's code that comes.
        """
        setting = f"{plan.target.router.variable}={step.percent}"
        update = gcloud_run(plan, "update", step.service, f"--update-env-vars={setting}")
        if not step.guard.pinned:
            return update
        return f"{update} && {gcloud_run(plan, 'update-traffic', step.service, '--to-latest')}"


def _serving(service: Any) -> list[Target]:
    """What really has traffic now, LATEST resolved; empty when Cloud Run does not say."""
    if not service.traffic_statuses:
        return []
    return [t for t in read_targets(service, service.traffic_statuses) if t.percent > 0]


def _is_newest_ready(service: Any) -> bool:
    created, ready = service.latest_created_revision, service.latest_ready_revision
    return bool(not created or not ready or created == ready)


def find_pinned(service: Any) -> tuple[str, ...]:
    """The revisions that traffic is bound to by name, most traffic first; none when it follows
    the newest revision.
    """
    named = [t for t in read_targets(service, service.traffic) if t.percent > 0 and not t.latest]
    return tuple(t.revision for t in sorted(named, key=lambda t: -t.percent))


def weigh(parts: Sequence[tuple[int, int]]) -> int | None:
    """Canary's share by (a revision's percent, its variable); 0 and 100 only when they are exact.

    None without any traffic.
    """
    whole = sum(percent for percent, _ in parts)
    if whole <= 0:
        return None
    exact = sum(percent * share for percent, share in parts) / whole
    return round(exact) if exact in (0, 100) else min(99, max(1, round(exact)))


def name_revision(service: str, step: SetTraffic) -> str:
    """The name of the revision that a change makes: the same for the same change, never another's.

    Cloud Run's names begin with the service's and have at most 63 characters.
    """
    digest = hashlib.sha256(f"{step.record.change}:{step.guard.etag}".encode()).hexdigest()
    return f"{service}-c{step.percent}-{digest[:8]}"


def pin_traffic(service: Any, revision: str) -> None:
    """Give `revision` all of `traffic[]`; tags stay where they are, without traffic."""
    tagged = [t for t in read_targets(service, service.traffic) if t.tag]
    del service.traffic[:]
    service.traffic.add(type_=REVISION, revision=revision, percent=100)
    for target in tagged:
        if target.latest:
            service.traffic.add(type_=LATEST, percent=0, tag=target.tag)
        else:
            service.traffic.add(type_=REVISION, revision=target.revision, percent=0, tag=target.tag)


def read_variable(name: str, service: Any) -> int | None:
    """The variable of a service's template as a share (0…100): what is set.

    None: not set, no whole percent, or containers disagree.
    """
    return _read_containers(name, service.template.containers)


def _read_containers(name: str, containers: Any) -> int | None:
    values = {
        variable.value.strip()
        for container in containers
        for variable in container.env
        if variable.name == name and variable.WhichOneof("values") == "value"
    }
    if len(values) != 1:
        return None
    (text,) = values
    if not (text.isascii() and text.isdigit() and len(text) <= 3):
        return None
    percent = int(text)
    return percent if percent <= 100 else None


def write_variable(name: str, service: Any, percent: int) -> None:
    """Set the variable on every container that has it, else on the one that takes requests.

    Raises Rejected when it is bound to a secret, NotFound when there is no container.
    """
    # A name that is kept would be refused: "Revision named … already exists".
    service.template.revision = ""
    containers = service.template.containers
    holders = [v for c in containers for v in c.env if v.name == name]
    if any(v.WhichOneof("values") == "value_source" for v in holders):
        raise Rejected(
            f"{name} on {short_name(service.name)} comes from a secret and is not overwritten.",
            remedy="Make it a plain variable, or name another one in the plan.",
            source=SOURCE,
        )
    if not containers:
        said = f"{short_name(service.name)} has no container to set {name} on."
        raise NotFound(said, source=SOURCE)
    for variable in holders:
        variable.value = str(percent)
    if not holders:
        # The container that takes requests is the one with a port.
        serving = next((c for c in containers if c.ports), containers[0])
        serving.env.add(name=name, value=str(percent))
