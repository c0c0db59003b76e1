"""The one place in which a plan's router is chosen."""

from __future__ import annotations

from canary.cloud.connection.clients import Connection
from canary.cloud.registry import ImageRegistry
from canary.cloud.router.router import Router
from canary.cloud.run.client import CHANGE_TIMEOUT_S, READ_TIMEOUT_S, RunClient
from canary.rollout.plan.plan import Endpoints, Plan


def router_class(plan: Plan) -> type[Router]:
    """The implementation for a plan's router; enough for what is pure."""
    match plan.target.router.kind:
        case "revisions":
            from canary.cloud.router.revisions import RevisionsRouter

            return RevisionsRouter
        case "env":
            from canary.cloud.router.env import EnvRouter

            return EnvRouter
        case "url-map":
            from canary.cloud.router.url_map import UrlMapRouter

            return UrlMapRouter
        case "command":
            from canary.cloud.router.command import CommandRouter

            return CommandRouter


def open_router(
    plan: Plan,
    connection: Connection,
    endpoints: Endpoints | None = None,
    *,
    read_timeout_s: float = READ_TIMEOUT_S,
    change_timeout_s: float = CHANGE_TIMEOUT_S,
) -> Router:
    """The plan's router over a Connection; nothing is asked yet. `endpoints` None: the plan's.

    Raises PlanError when the plan runs locally and does not say where its URL map is.
    """
    run = RunClient(
        connection, plan, read_timeout_s=read_timeout_s, change_timeout_s=change_timeout_s
    )
    at = endpoints or plan.target.endpoints
    return router_class(plan)(plan, run, ImageRegistry(plan, at), at)
