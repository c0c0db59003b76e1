"""A split that the service's own code makes, by one environment variable of its template."""

from __future__ import annotations

from typing import Any

import msgspec

from canary.cloud.router.router import gcloud_run
from canary.cloud.router.service_router import ServiceRouter
from canary.cloud.run.client import SOURCE
from canary.cloud.run.services import read_service, short_name
from canary.cloud.views import ServiceState
from canary.rollout.change.change import SetTraffic
from canary.rollout.errors import NotFound, Rejected
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize


class EnvRouter(ServiceRouter):
    """The share is a variable; each change of it makes a new revision."""

    async def read_split(self) -> ServiceState:
        """The router's service, with the share that its variable names."""
        message = await self.run.message(self.plan.router_service)
        state = read_service(self.plan, message)
        return msgspec.structs.replace(state, percent=self.read_percent(message))

    def read_percent(self, service: Any) -> int | None:
        """The variable as a share."""
        return read_variable(self.plan.target.router.variable, service)

    async def write_percent(self, service: Any, percent: int) -> str:
        """Set the variable in the template."""
        write_variable(self.plan.target.router.variable, service, percent)
        return "template"

    @staticmethod
    def describe_place(step: SetTraffic, plan: Plan) -> str:
        """The service, its variable, and that a revision is made."""
        service, variable = sanitize(step.service), sanitize(plan.target.router.variable)
        return f"{service}, variable {variable} (a new revision of {service})"

    @staticmethod
    def by_hand(step: SetTraffic, plan: Plan, _stable: str) -> str:
        """gcloud's update of the variable."""
        setting = f"{plan.target.router.variable}={step.percent}"
        return gcloud_run(plan, "update", step.service, f"--update-env-vars={setting}")


def read_variable(name: str, service: Any) -> int | None:
    """The variable as a share (0…100); None: not set, no whole percent, or containers disagree."""
    values = {
        variable.value.strip()
        for container in service.template.containers
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
