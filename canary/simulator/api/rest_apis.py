"""Every REST API of the embedded cloud, on the router's port beside the services' own paths."""

from __future__ import annotations

from aiohttp import web

from canary.simulator.api.bigquery import BigQueryApi
from canary.simulator.api.grpc_server import Apis
from canary.simulator.api.registry import RegistryApi
from canary.simulator.api.rest import Rest
from canary.simulator.api.run.knative import KnativeApi
from canary.simulator.api.url_maps import UrlMapApi
from canary.simulator.world.images import Images
from canary.simulator.world.url_maps import UrlMaps
from canary.simulator.world.world import World


def rest_routes(world: World, apis: Apis) -> list[web.RouteDef]:
    """Return the routes of all REST APIs over one world."""
    rest = Rest(world)
    # What was deployed first; a registry that was saved once knows better.
    deployed = [
        container.image
        for revisions in apis.state.revisions.values()
        for revision in revisions.values()
        for container in revision.containers
    ]
    return [
        *KnativeApi(world, apis).routes(rest),
        *RegistryApi(world, Images(world, deployed)).routes(rest),
        *BigQueryApi(world).routes(rest),
        *UrlMapApi(world, UrlMaps(world)).routes(rest),
    ]
