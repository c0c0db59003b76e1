"""Every REST API of the embedded cloud, on the router's port beside the services' own paths."""

from __future__ import annotations

from aiohttp import web

from canary.simulator.bigquery_api import BigQueryApi
from canary.simulator.grpc_server import Apis
from canary.simulator.images import Images
from canary.simulator.knative_api import KnativeApi
from canary.simulator.registry_api import RegistryApi
from canary.simulator.rest import Rest
from canary.simulator.url_map_api import UrlMapApi
from canary.simulator.url_maps import UrlMaps
from canary.simulator.world import World


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
