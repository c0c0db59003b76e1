"""What other hands do to services of the embedded cloud: deploys, and traffic set by name.

As gcloud and CI do it, through Cloud Run's own API; no stage record is looked at or written.
"""

from typing import Any

from tests.embedded import Embedded

TO_LATEST, TO_REVISION = 1, 2
SETTLED_S = 60.0


async def set_traffic(
    cloud: Embedded, *traffic: tuple[str, int, str], service: str = "ion-api"
) -> None:
    """`gcloud run services update-traffic`: (revision or "" for LATEST, percent, tag)."""
    message = await cloud.run.run.message(service)
    update = type(message)(name=message.name)
    for revision, percent, tag in traffic:
        kind = TO_REVISION if revision else TO_LATEST
        update.traffic.add(type_=kind, revision=revision, percent=percent, tag=tag)
    await cloud.run.run.update(update, ["traffic"], "by hand", validate_only=False)
    cloud.advance(SETTLED_S)


async def deploy(
    cloud: Embedded,
    *traffic: tuple[str, int, str],
    service: str = "ion-api",
    image: str = "ion-api:v3",
    **variables: str,
) -> str:
    """`gcloud run deploy [--no-traffic --tag T]`: a new revision; returns its name.

    `traffic` replaces the present one, where "NEW" stands for the new revision.
    """
    message = await cloud.run.run.message(service)
    update = type(message)(name=message.name)
    update.template.CopyFrom(message.template)
    update.template.revision = f"{service}-{len(await cloud.run.run.revisions(service)) + 1:05d}-ci"
    container = update.template.containers[0]
    container.image = image
    for variable in container.env:
        if variable.name in variables:
            variable.value = variables[variable.name]
    mask = ["template"]
    if traffic:
        mask.append("traffic")
    for revision, percent, tag in traffic:
        named = update.template.revision if revision == "NEW" else revision
        kind = TO_REVISION if named else TO_LATEST
        update.traffic.add(type_=kind, revision=named, percent=percent, tag=tag)
    await cloud.run.run.update(update, mask, "by hand", validate_only=False)
    cloud.advance(SETTLED_S)
    return str(update.template.revision)


async def message_of(cloud: Embedded, service: str = "ion-api") -> Any:
    return await cloud.run.run.message(service)
