"""The services as they stand when a new world begins: what somebody deployed before."""

from __future__ import annotations

from typing import Any

from canary.simulator.config import Config
from canary.simulator.wire import messages
from canary.simulator.world.services.resources import (
    bare_template,
    build_revision,
    finish_revision,
    mark_active,
    show_settled,
    stamp_etag,
)
from canary.simulator.world.services.state import RunState
from canary.simulator.world.world import World

DEPLOYED_BEFORE_S = 86_400.0
FIRST_GENERATION = 3


def deploy_first_services(world: World) -> RunState:
    """Return the state of Cloud Run at the first start, one ready revision for each side.

    Templates carry their revision's name, as those that gcloud deployed do: a client that sends
    one back changed must clear it. The stage record is on the service that holds the split.
    """
    config, state = world.config, RunState()
    names = list(config.services)
    if config.router.has_variable and config.router.service not in names:
        names.append(config.router.service)
    for name in names:
        _deploy(world, state, name)
    holder = config.legacy if config.router.shares_one_service else config.router.service
    if world.record and holder in state.services:
        state.services[holder].annotations[config.annotation] = world.record
    for service in state.services.values():
        stamp_etag(service)
    return state


def _deploy(world: World, state: RunState, name: str) -> None:
    config = world.config
    deployed_at = world.history_start - DEPLOYED_BEFORE_S
    service = messages.Service(
        name=f"projects/{config.project}/locations/{config.region}/services/{name}",
        generation=FIRST_GENERATION,
        creator=f"deployer@{config.project}.iam.gserviceaccount.com",
        last_modifier=f"deployer@{config.project}.iam.gserviceaccount.com",
        create_time=messages.timestamp(deployed_at),
        update_time=messages.timestamp(world.entered_at),
        ingress=1,  # INGRESS_TRAFFIC_ALL
        launch_stage="GA",
    )
    service.uid = f"uid-{name}"
    service.labels.update(config.labels)
    # One event decides the name of the first revision: the world's history is by that name.
    names = [event.revision for event in world.timeline.revisions(name)] or [f"{name}-00001-rtr"]
    least, most = world.timeline.scale_at(world.clock.now(), name)
    service.scaling.min_instance_count, service.scaling.max_instance_count = least, most
    state.services[name], state.revisions[name], state.templates[name] = service, {}, {}
    for revision_name in names:
        template = _template(config, name, revision_name)
        revision = build_revision(service, revision_name, template, deployed_at)
        finish_revision(revision, deployed_at)
        state.revisions[name][revision_name] = revision
        state.templates[name][revision_name] = bare_template(template)
        service.template.CopyFrom(template)
    service.latest_created_revision = f"{service.name}/revisions/{names[-1]}"
    _direct_traffic(config, service, names)
    show_settled(service, service, service.latest_created_revision, world.entered_at)
    for revision in state.revisions[name].values():
        mark_active(revision, True, deployed_at)


def _template(config: Config, name: str, revision_name: str) -> Any:
    canary = name == config.canary or revision_name.endswith("-can")
    template = messages.RevisionTemplate(
        revision=revision_name,
        max_instance_request_concurrency=80,
        service_account=f"{name}@{config.project}.iam.gserviceaccount.com",
    )
    template.timeout.seconds = 300
    registry = f"{config.region}-docker.pkg.dev/{config.project}/ion"
    container = template.containers.add(image=f"{registry}/ion-api:{'v2' if canary else 'v1'}")
    container.ports.add(name="http1", container_port=8080)
    container.resources.limits.update({"cpu": "1", "memory": "1Gi"})
    container.env.add(name="ION_MODEL", value="canary" if canary else "legacy")
    container.env.add(name="LOG_LEVEL", value="info")
    secret = container.env.add(name="DATABASE_URL").value_source.secret_key_ref
    secret.secret, secret.version = "ion-database", "7" if canary else "6"
    template.labels["commit-sha"] = "9f3c1d2" if canary else "4b7e0a9"
    if canary:
        container.env.add(name="RANKING_CACHE", value="on")
        container.startup_probe.http_get.path = "/health"
    if config.router.has_variable and name == config.router.service:
        container.env.add(name=config.router.variable, value=str(config.percent))
    return template


def _direct_traffic(config: Config, service: Any, names: list[str]) -> None:
    if config.router.has_variable or len(names) == 1:
        service.traffic.add(type_=messages.TO_LATEST, percent=100)
        return
    legacy, canary = names[0], names[-1]
    service.traffic.add(type_=messages.TO_REVISION, revision=legacy, percent=100 - config.percent)
    service.traffic.add(
        type_=messages.TO_REVISION,
        revision=canary,
        percent=config.percent,
        tag=config.router.canary_tag,
    )
