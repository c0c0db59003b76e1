"""What a change would do, in words and as the gcloud commands that do the same. Pure.

Shown in the confirm strip and by --dry-run, and handed to the person when the program itself must
not act (a journal that cannot be written).
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence

import msgspec

from canary.rollout.change.change import (
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    SetScale,
    SetTraffic,
    Step,
)
from canary.rollout.permit.approval import format_order
from canary.rollout.plan.plan import Plan, ScalePreset
from canary.rollout.text import format_percent, format_timestamp, keep_printable, sanitize

UNKNOWN_STABLE = "STABLE_REVISION"
UNKNOWN_CANDIDATE = "CANDIDATE_REVISION"
"""These stand in a command for a revision whose name is not known."""

NO_GUARD = "no guard against a change made elsewhere meanwhile"
"""What a program of the team's is without; said wherever it is to be run."""


class DryRun(msgspec.Struct, frozen=True):
    """`lines`: one for each thing that changes, from → to, in the order of the steps; behind them,
    for several steps, why they are in that order.

    `gcloud`: shell commands, quoted, in the order they are to be typed; where gcloud has none for
    it, what does the same. They set the traffic and the scale; the stage record is an annotation
    (or a description) that they leave alone, so that a split set by hand shows up as drift, to be
    adopted.
    """

    lines: tuple[str, ...]
    gcloud: tuple[str, ...]


def describe(change: Change, plan: Plan, stable_revision: str = "") -> DryRun:
    """What `change` would do under `plan`.

    `stable_revision` is the revision that takes the rest where the router splits between
    revisions; empty: not known, and the command says STABLE_REVISION where it needs the name.
    """
    lines = [line for step in change.steps for line in _lines(step, plan)]
    lines += [line for line in (format_order(change),) if line]
    # gcloud has no flag for the annotation that keeps the record.
    steps = (step for step in change.steps if not isinstance(step, KeepRecord))
    # To be pasted into a shell: quoted, and without what the terminal would act on.
    commands = [keep_printable(_command(step, plan, stable_revision)) for step in steps]
    return DryRun(tuple(lines), tuple(commands))


def by_hand(change: Change, plan: Plan) -> str:
    """The commands as one line that a person can paste: each only if the one before succeeded."""
    return " && ".join(describe(change, plan).gcloud)


def _lines(step: Step, plan: Plan) -> tuple[str, ...]:
    if isinstance(step, SetScale):
        before, after = _instances(step.before), _instances(step.after)
        return (f"{sanitize(step.service)} instances: {before} → {after}",)
    if isinstance(step, KeepRecord):
        return (f"stage record: kept on {sanitize(step.service)} from now on",)
    if isinstance(step, DeleteService):
        return (f"{sanitize(step.service)}: deleted, with all its revisions",)
    if isinstance(step, DeleteImages):
        return tuple(f"image deleted: {sanitize(image, 300)}" for image in step.images)
    record = step.record
    soak = f", since {format_timestamp(record.entered_at)}"
    was = "unknown" if record.previous_stage is None else str(record.previous_stage)
    lines = (
        f"Canary's share: {format_percent(step.before_percent)} → {step.percent} %"
        f" on {_where(step, plan)}",
        f"stage: {was} → {record.stage}{soak}",
    )
    if record.enabled:
        return lines
    return (*lines, f"canary mode: ended, production is {sanitize(record.production_service)}")


def _where(step: SetTraffic, plan: Plan) -> str:
    service = sanitize(step.service)
    router = plan.target.router
    match router.kind:
        case "env":
            variable = sanitize(router.variable)
            return f"{service}, variable {variable} (a new revision of {service})"
        case "url-map":
            return f"URL map {sanitize(router.url_map)}, weights of its default route"
        case "command":
            program = sanitize(router.set[0], 80)
            return f"what {program} sets ({NO_GUARD}); the record on {service}"
        case _:
            return f"{service}, revision {sanitize(step.guard.revision or router.candidate)}"


def _instances(scale: ScalePreset | None) -> str:
    return "unknown" if scale is None else f"{scale.min} to {scale.max}"


def _command(
    step: SetScale | SetTraffic | DeleteService | DeleteImages, plan: Plan, stable_revision: str
) -> str:
    if isinstance(step, SetScale):
        arguments = ["update", step.service, f"--min={step.after.min}", f"--max={step.after.max}"]
        return _gcloud(plan, arguments)
    if isinstance(step, DeleteService):
        return _gcloud(plan, ["delete", step.service])
    if isinstance(step, DeleteImages):
        delete = ["gcloud", "artifacts", "docker", "images", "delete"]
        return " && ".join(shlex.join([*delete, one, "--delete-tags"]) for one in step.images)
    router = plan.target.router
    match router.kind:
        case "url-map":
            return _curl(step, plan)
        case "command":
            return shlex.join(router.set_arguments(step.percent))
        case "env":
            setting = f"{router.variable}={step.percent}"
            return _gcloud(plan, ["update", step.service, f"--update-env-vars={setting}"])
        case _:
            split = _split(step, plan, stable_revision)
            return _gcloud(plan, ["update-traffic", step.service, split])


def _gcloud(plan: Plan, arguments: Sequence[str]) -> str:
    where = [f"--region={plan.target.region}", f"--project={plan.target.project}"]
    return shlex.join(["gcloud", "run", "services", *arguments, *where])


def _curl(step: SetTraffic, plan: Plan) -> str:
    """gcloud has no command for the weights but to export, edit and import the whole map."""
    router, project = plan.target.router, plan.target.project
    shares = ((router.legacy_backend, 100 - step.percent), (router.canary_backend, step.percent))
    weighted = [
        {
            "backendService": f"projects/{project}/global/backendServices/{backend}",
            "weight": share * 10,
        }
        for backend, share in shares
    ]
    body = {
        "fingerprint": step.guard.etag or "FINGERPRINT",
        "defaultRouteAction": {"weightedBackendServices": weighted},
    }
    url = f"https://compute.googleapis.com/compute/v1/projects/{project}/global/urlMaps"
    authorization = '"Authorization: Bearer $(gcloud auth print-access-token)"'
    data = shlex.quote(msgspec.json.encode(body).decode())
    target = shlex.quote(f"{url}/{router.url_map}")
    kind = shlex.quote("Content-Type: application/json")
    return f"curl -X PATCH -H {authorization} -H {kind} -d {data} {target}"


def _split(step: SetTraffic, plan: Plan, stable_revision: str) -> str:
    """The flag that sets the split between revisions.

    With the candidate alone gcloud scales those that now serve the rest in proportion; that fails
    when nothing else serves, so from 100 % down (or from the unknown) the stable one is named.
    """
    others_serve = step.before_percent is not None and step.before_percent < 100
    alone = step.percent == 100 or (others_serve and not stable_revision)
    stable = stable_revision or UNKNOWN_STABLE
    if not step.guard.revision and alone:
        return f"--to-tags={plan.target.router.candidate}={step.percent}"
    candidate = step.guard.revision or UNKNOWN_CANDIDATE
    if alone:
        return f"--to-revisions={candidate}={step.percent}"
    if step.percent == 0:
        return f"--to-revisions={stable}=100"
    return f"--to-revisions={candidate}={step.percent},{stable}={100 - step.percent}"
