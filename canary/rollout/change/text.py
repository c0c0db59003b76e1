"""A change and its steps in words: every form of it, for screen, shell and others alike. Pure.

A step is said as a fact ("canary 10 % → 25 %"), as a wish ("Canary to 25 %"), as it was achieved
("Canary has 25 % (was 10 %)") and as it is planned (a line for each thing that changes); a kind as
what is asked for, as what was done, and as a heading.
"""

from __future__ import annotations

from typing import Final

from canary.rollout.change.change import (
    Annotate,
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    Kind,
    SetScale,
    SetTraffic,
    Step,
    is_final_approval,
    split_of,
)
from canary.rollout.change.hold import decode_hold, format_extent, format_hold
from canary.rollout.change.irreversible import MOST_TEXT, decode_irreversible
from canary.rollout.change.marks import decode_mark, format_mark
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.text import format_percent, format_timestamp, sanitize

KIND_WORDS: Final[dict[Kind, str]] = {
    "promote": "promote",
    "step_back": "roll back one stage",
    "rollback_all": "roll back all",
    "adopt": "adopt",
    "revert": "revert",
    "scale": "scale",
    "retire": "retire:",
    "hold": "hold",
    "release": "release",
    "mark_irreversible": "mark irreversible:",
    "clear_irreversible": "clear",
    "note": "write",
}
"""What is asked for, as a command; the steps follow."""

MOVE_WORDS: Final = {
    "promote": "promoted",
    "step_back": "rolled back one stage",
    "rollback_all": "rolled back all",
    "adopt": "adopted",
    "revert": "reverted",
}
"""What was done, behind the name of who did it."""

PROGRAM_RUNS: Final = "A program that sets"
"""How the sentence begins that another's program may be running (router `command`)."""

ACT_WORDS: Final = {"step_back": "one stage back", "rollback_all": "roll back all"}
"""What automatic rollback does."""


def format_title(change: Change) -> str:
    """What a change does, as a heading."""
    if change.kind == "promote" and is_final_approval(change):
        return f"Final approval, into stage {change.to_stage}"
    if change.kind == "scale":
        return f"Scale {sanitize(change.steps[0].service)}"
    if change.kind == "retire":
        # The record is kept on Canary before: the service of the first step is not the one.
        gone = (step.service for step in change.steps if isinstance(step, DeleteService))
        return f"Delete {sanitize(next(gone, 'Legacy'))}"
    return _TITLES[change.kind].format(stage=change.to_stage)


_TITLES: Final[dict[Kind, str]] = {
    "promote": "Promote to stage {stage}",
    "step_back": "Roll back to stage {stage}",
    "rollback_all": "Roll back all",
    "adopt": "Adopt the present split as stage {stage}",
    "revert": "Revert the split to stage {stage}",
    "hold": "Hold the rollout",
    "release": "Release the hold",
    "mark_irreversible": "Mark a step irreversible",
    "clear_irreversible": "Clear the irreversible mark",
    "note": "Write a note",
}


def format_scale(scale: ScalePreset | None) -> str:
    """ "1 to 10", or "unknown"."""
    return "unknown" if scale is None else f"{scale.min} to {scale.max}"


def format_range(scale: ScalePreset | None) -> str:
    """ "1–10", or "?": where there is little room."""
    return "?" if scale is None else f"{scale.min}–{scale.max}"


def format_images(step: DeleteImages) -> str:
    """ "3 images", or "1 image"."""
    count = len(step.images)
    return "1 image" if count == 1 else f"{count} images"


def format_annotation(step: Annotate, *, brief: bool = False) -> str:
    """What an annotation says: "held by bob@bastion-2 until …", or that the hold is released.

    `brief` as for `format_step`.
    """
    if step.topic == "irreversible":
        return _format_mark(step, brief=brief)
    if step.topic == "marks":
        mark = decode_mark(step.text)
        return format_mark(mark) if mark is not None else "mark"
    hold = decode_hold(step.text)
    if hold is None or hold.released:
        return "the hold" if brief else "hold released"
    return format_extent(hold, hold.at) if brief else format_hold(hold, hold.at)


def _format_mark(step: Annotate, *, brief: bool) -> str:
    mark = decode_irreversible(step.text)
    if mark is None or mark.cleared:
        return "the mark" if brief else "no longer marked irreversible"
    what = sanitize(mark.what, MOST_TEXT)
    return what if brief else f"marked irreversible: {what}"


def format_step(step: Step, *, brief: bool = False) -> str:
    """What one step changes, as short as it is whole; `brief`: where its kind is said before it."""
    service = sanitize(step.service)
    if isinstance(step, Annotate):
        return format_annotation(step, brief=brief)
    if isinstance(step, SetTraffic):
        split = f"{format_percent(step.before_percent)} → {format_percent(step.percent)}"
        return split if brief else f"canary {split}"
    if isinstance(step, KeepRecord):
        return f"record to {service}" if brief else f"record kept on {service}"
    if isinstance(step, DeleteService):
        return f"delete {service}" if brief else f"{service} deleted"
    if isinstance(step, DeleteImages):
        images = format_images(step)
        return (
            f"and {len(step.images)} of its images" if brief else f"{images} of {service} deleted"
        )
    scale = f"{service} {format_range(step.before)} → {format_range(step.after)}"
    return scale if brief else f"{scale} instances"


def format_wanted(step: Step) -> str:
    """A step that is still to be made: "Canary to 25 %"."""
    if isinstance(step, SetScale):
        return f"{sanitize(step.service)} to {format_scale(step.after)} instances"
    if isinstance(step, KeepRecord):
        return f"the stage record to {sanitize(step.service)}"
    if isinstance(step, DeleteService):
        return f"deleting {sanitize(step.service)}"
    if isinstance(step, DeleteImages):
        return f"deleting {format_images(step)} of {sanitize(step.service)}"
    if isinstance(step, Annotate):
        return f"the note on {sanitize(step.service)}: {format_annotation(step)}"
    return f"Canary to {step.percent} %"


def format_achieved(step: Step, change: Change) -> str:
    """What is so now that a step of `change` is done, one sentence."""
    if isinstance(step, SetScale):
        was = f" (was {format_scale(step.before)})" if step.before is not None else ""
        part = _part(step, change)
        return f"{sanitize(step.service)} runs {format_scale(step.after)} instances{was}{part}."
    if isinstance(step, KeepRecord):
        return f"{sanitize(step.service)} keeps the stage record."
    if isinstance(step, DeleteService):
        return f"{sanitize(step.service)} is deleted, with its revisions."
    if isinstance(step, DeleteImages):
        return f"{format_images(step)} of {sanitize(step.service)}: deleted."
    if isinstance(step, Annotate):
        said = format_annotation(step)
        return f"{said[0].upper()}{said[1:]}."
    was = "" if step.before_percent is None else f" (was {step.before_percent} %)"
    where = "" if change.to_stage is None else f", stage {change.to_stage}"
    if step.percent == 0:
        return f"All traffic is on Legacy: Canary has 0 %{was}{where}."
    ended = "" if step.record.enabled else ": it is production, the canary mode has ended"
    return f"Canary has {step.percent} %{was}{where}{ended}."


def _part(step: SetScale, change: Change) -> str:
    """What a scale is there for among the steps of its change."""
    split = split_of(change)
    if split is None:
        return ""
    if change.steps.index(step) > change.steps.index(split):
        return ", the backup"
    return ", scaled first to take the traffic"


def format_planned(step: Step, place: str) -> tuple[str, ...]:
    """What a step would change, a line for each thing, from → to; `place`: where a split is set."""
    if isinstance(step, SetScale):
        before, after = format_scale(step.before), format_scale(step.after)
        return (f"{sanitize(step.service)} instances: {before} → {after}",)
    if isinstance(step, KeepRecord):
        return (f"stage record: kept on {sanitize(step.service)} from now on",)
    if isinstance(step, DeleteService):
        return (f"{sanitize(step.service)}: deleted, with all its revisions",)
    if isinstance(step, DeleteImages):
        return tuple(f"image deleted: {sanitize(image, 300)}" for image in step.images)
    if isinstance(step, Annotate):
        return (f"annotation on {sanitize(step.service)}: {format_annotation(step)}",)
    record = step.record
    soak = f", since {format_timestamp(record.entered_at)}"
    was = "unknown" if record.previous_stage is None else str(record.previous_stage)
    lines = (
        f"Canary's share: {format_percent(step.before_percent)} → {step.percent} % on {place}",
        f"stage: {was} → {record.stage}{soak}",
    )
    if record.enabled:
        return lines
    return (*lines, f"canary mode: ended, production is {sanitize(record.production_service)}")


def format_order(change: Change) -> str:
    """Why the steps come in this order, one sentence; "" where there is no order to explain."""
    split = split_of(change)
    if split is None or len(change.steps) == 1:
        return ""
    if is_final_approval(change):
        return (
            "In this order: Canary gets its instances before everything comes to it; Legacy keeps"
            " its own until nothing does, so that it could take everything back."
        )
    first = change.steps[0]
    if isinstance(first, SetScale):
        return (
            f"In this order: {sanitize(first.service, 60)} is in backup size, and could not "
            "take the"
            " requests that come back to it."
        )
    return ""
