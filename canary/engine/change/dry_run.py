"""What a change would do, in words and as the gcloud commands that do the same. Pure.

Shown in the confirm strip and by --dry-run, and handed to the person when the program itself must
not act (a journal that cannot be written).
"""

from __future__ import annotations

import msgspec

from canary.cloud.router.choice import router_class
from canary.cloud.router.router import gcloud_run
from canary.rollout.change.change import (
    Annotate,
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    SetScale,
    SetTraffic,
    Step,
)
from canary.rollout.change.hold import decode_hold
from canary.rollout.change.irreversible import decode_irreversible
from canary.rollout.change.marks import decode_mark
from canary.rollout.change.text import format_order, format_planned
from canary.rollout.plan.plan import Plan
from canary.rollout.text import format_iso_time, quote_command


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
    # To be pasted into a shell: `quote_command` has made each part harmless before it quoted it.
    commands = [_command(step, plan, stable_revision) for step in steps]
    return DryRun(tuple(lines), tuple(commands))


def by_hand(change: Change, plan: Plan) -> str:
    """The commands as one line that a person can paste: each only if the one before succeeded."""
    return " && ".join(describe(change, plan).gcloud)


def shell_command(change: Change) -> str:
    """The command of the shell that shows all of a change and the commands by hand, uncut, and
    changes nothing; "" where there is none.
    """
    match change.kind:
        case "step_back":
            wanted = f"rollback --to {change.to_stage}" if change.to_stage else "rollback"
        case "rollback_all":
            wanted = "rollback --all"
        case "promote" | "adopt" | "revert":
            wanted = change.kind
        case _:
            return ""
    return f"canary {wanted} --dry-run"


def _annotating(step: Annotate) -> str:
    """The console's own command: gcloud has no flag for the annotations of a service."""
    if step.topic == "irreversible":
        mark = decode_irreversible(step.text)
        said = ["--clear"] if mark is None or mark.cleared else [mark.what]
        return quote_command(["canary", "mark-irreversible", *said])
    if step.topic == "marks":
        noted = decode_mark(step.text)
        return quote_command(["canary", "note", noted.text if noted is not None else ""])
    hold = decode_hold(step.text)
    if hold is None or hold.released:
        return "canary release"
    until = [] if hold.until is None else ["--until", format_iso_time(hold.until) or ""]
    return quote_command(["canary", "hold", *until, "--reason", hold.reason])


def _lines(step: Step, plan: Plan) -> tuple[str, ...]:
    place = router_class(plan).describe_place(step, plan) if isinstance(step, SetTraffic) else ""
    return format_planned(step, place)


def _command(
    step: SetScale | SetTraffic | Annotate | DeleteService | DeleteImages,
    plan: Plan,
    stable_revision: str,
) -> str:
    if isinstance(step, Annotate):
        return _annotating(step)
    if isinstance(step, SetScale):
        arguments = ["update", step.service, f"--min={step.after.min}", f"--max={step.after.max}"]
        return gcloud_run(plan, *arguments)
    if isinstance(step, DeleteService):
        return gcloud_run(plan, "delete", step.service)
    if isinstance(step, DeleteImages):
        delete = ["gcloud", "artifacts", "docker", "images", "delete"]
        return " && ".join(quote_command([*delete, one, "--delete-tags"]) for one in step.images)
    return router_class(plan).by_hand(step, plan, stable_revision)
