"""What `canary doctor` finds of the login and of the rights that a rollout takes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Final

import msgspec

from canary.cli.setup.doctor_host import Finding
from canary.rollout.errors import (
    LOGIN_SOURCE,
    CanaryError,
    CloudError,
    Denied,
    HostProblem,
    Unavailable,
)
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize

if TYPE_CHECKING:
    from canary.engine.session import Session


class Purpose(msgspec.Struct, frozen=True):
    """What rights are for. `needed`: no rollout without it."""

    verb: str
    rights: tuple[str, ...]
    roles: str
    needed: bool


PURPOSES: Final = (
    Purpose(
        "look",
        ("run.services.get", "run.revisions.get", "run.revisions.list"),
        "roles/run.viewer (and roles/monitoring.viewer on the project, for the numbers)",
        needed=True,
    ),
    Purpose(
        "change",
        ("run.services.update",),
        "roles/run.developer, and roles/iam.serviceAccountUser on its service account",
        needed=True,
    ),
    Purpose("delete", ("run.services.delete",), "roles/run.developer", needed=False),
)

ACT_AS: Final = Finding(
    "right to act as the services' identity",
    "unknown",
    "iam.serviceAccounts.actAs is not checked: Cloud Run cannot be asked for it",
    "It takes roles/iam.serviceAccountUser on the service account that the services run as.",
    needed=False,
)
"""A new revision needs it. It is a right on the service account: TestIamPermissions of a service
answers for the service's own rights only, and asking IAM would need an API of its own enabled."""

URL_MAP: Final = Finding(
    "right to change the URL map",
    "unknown",
    "compute.urlMaps.update is not checked: Compute Engine cannot be asked for it",
    "It takes roles/compute.loadBalancerAdmin on the project.",
    needed=False,
)

LOG_WITHIN_S: Final = 3.0
"""Real seconds within which a refusal of the tail comes."""

_LOGIN_WORDS: Final = ("No usable credentials", "Your login has expired", LOGIN_SOURCE)


async def look_at_login(plan: Plan, session: Session) -> Finding | None:
    """Why nothing at all can be asked: no login that works, or this host as it is set up; None when
    that is not so. It asks for rights, which takes no right of its own.
    """
    try:
        await session.cloud.router.run.permissions(plan.router_service, PURPOSES[0].rights)
    except HostProblem as error:
        return Finding("this host", "wrong", error.message, error.remedy)
    except (Denied, Unavailable) as error:
        if is_login_trouble(error):
            return Finding("login", "wrong", error.message, error.remedy)
    except CanaryError:
        pass
    return None


def is_login_trouble(error: CloudError) -> bool:
    """Whether a refusal is of the login, so that no role would help."""
    expired = isinstance(error, Denied) and error.login_expired
    named = error.source == LOGIN_SOURCE or error.message.startswith(_LOGIN_WORDS)
    return expired or named


async def look_at_rights(plan: Plan, session: Session) -> AsyncIterator[Finding]:
    """Ask TestIamPermissions for each service of the plan; it needs no right of its own."""
    target = plan.target
    services = {plan.router_service, target.legacy}
    if not target.shares_one_service:
        services.add(target.canary)
    for service in sorted(services):
        for purpose in PURPOSES:
            yield await _look_at_right(session, service, purpose)
    yield ACT_AS
    if target.router.kind == "url-map":
        yield URL_MAP


async def look_at_log_right(plan: Plan, session: Session) -> Finding:
    """Whether the request log may be tailed: without it the evidence is minutes late."""
    from canary.cloud.logging.entries import RIGHT, ROLE, demand_log_right

    what = "right to read the request log"
    if not plan.evidence.tail:
        return Finding(what, "ok", "not asked: the plan leaves the log alone", needed=False)
    instead = "Without it the evidence uses Cloud Monitoring's minutes."
    try:
        await demand_log_right(session.cloud.connection, plan, LOG_WITHIN_S)
    except Denied as error:
        remedy = f"Grant {ROLE} ({RIGHT}). {instead}"
        return Finding(what, "wrong", error.message, remedy, needed=False)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, f"It takes {RIGHT}. {instead}", needed=False)
    return Finding(what, "ok", RIGHT, needed=False)


async def look_at_policies_right(plan: Plan, session: Session) -> Finding:
    """Whether alert policies may be compared; whether they may be written nobody can be asked."""
    from canary.cloud.monitoring.alert_policies import AlertPolicies

    what = "right to the alert policies"
    try:
        found = await AlertPolicies(session.cloud.connection, plan).read_all()
    except Denied as error:
        remedy = "Grant roles/monitoring.viewer; to write them roles/monitoring.alertPolicyEditor."
        return Finding(what, "wrong", error.message, remedy, needed=False)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, error.remedy, needed=False)
    said = (
        f"{len(found)} of this rollout; writing them takes roles/monitoring.alertPolicyEditor"
        " (not checked)"
    )
    return Finding(what, "ok", said, needed=False)


async def look_at_images_right(plan: Plan, session: Session) -> Finding:
    """Whether Legacy's image can be looked at; only its deletion, on day 31, needs that."""
    from canary.cloud.registry import parse_image

    what = "right to Legacy's images"
    try:
        image = (await session.cloud.router.service(plan.target.legacy)).image
        name = parse_image(image)
        if name is None:
            said = f"{sanitize(image, 120) or 'none'}: not in Artifact Registry, and never deleted"
            return Finding(what, "ok", said, needed=False)
        await session.cloud.router.registry.resolve(name)
    except Denied as error:
        remedy = (
            "Grant roles/artifactregistry.reader on the repository; to delete them"
            " roles/artifactregistry.repoAdmin."
        )
        return Finding(what, "wrong", error.message, remedy, needed=False)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, error.remedy, needed=False)
    said = (
        f"{sanitize(image, 120)}; deleting it takes roles/artifactregistry.repoAdmin (not checked)"
    )
    return Finding(what, "ok", said, needed=False)


async def _look_at_right(session: Session, service: str, purpose: Purpose) -> Finding:
    what = f"right to {purpose.verb} {service}"
    try:
        held = await session.cloud.router.run.permissions(service, purpose.rights)
    except CanaryError as error:
        return Finding(what, "unknown", error.message, error.remedy, purpose.needed)
    missing = [right for right in purpose.rights if right not in held]
    if not missing:
        return Finding(what, "ok", ", ".join(purpose.rights), needed=purpose.needed)
    said = f"missing: {', '.join(missing)}"
    if purpose.verb == "change":
        said += "; the console is read-only"
    return Finding(what, "wrong", said, f"Grant {purpose.roles}.", purpose.needed)
