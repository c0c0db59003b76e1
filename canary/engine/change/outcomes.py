"""How a change ended, in words: what happened, what is true now, what to do. Pure."""

from __future__ import annotations

from canary.cloud.views import ServiceState
from canary.rollout.change.change import (
    Annotate,
    Change,
    DeleteImages,
    DeleteService,
    KeepRecord,
    Outcome,
    OutcomeState,
    SetScale,
    SetTraffic,
    Step,
    is_final_approval,
)
from canary.rollout.change.history_entries import history_entry_of
from canary.rollout.change.text import format_achieved, format_scale, format_wanted
from canary.rollout.errors import (
    CanaryError,
    Conflict,
    Denied,
    GateNotMet,
    OperationFailed,
    OutcomeUnknown,
    ReadOnly,
    UsageError,
    may_wait,
)
from canary.rollout.snapshot.snapshot import format_history_entry
from canary.rollout.text import format_clock, format_percent, sanitize


def describe_done(change: Change, remarks: tuple[str, ...], at: float) -> Outcome:
    """Every step is settled. `remarks` are sentences about what went on beside it."""
    said = [format_achieved(step, change) for step in change.steps]
    return Outcome(
        state="done",
        message=" ".join((*said, *remarks)),
        at=at,
        percent=next((s.percent for s in change.steps if isinstance(s, SetTraffic)), None),
    )


def describe_failed(
    change: Change,
    index: int,
    error: CanaryError,
    now: ServiceState | None,
    at: float,
    *,
    taken: bool,
) -> Outcome:
    """Step `index` ended with `error`; those behind it were not begun.

    `now` is the step's service as read afterwards, None when it could not be read. `taken`: the
    cloud took the step, or may have; else it is certain that the step has changed nothing.
    """
    step = change.steps[index]
    effect = _effect(step, error, first=index == 0, taken=taken)
    others = _said_of_others(change, index)
    parts = (
        sanitize(error.message, 600),
        *_rival(step, error, change, now),
        *effect,
        *others,
        _true_now(step, now, error),
    )
    waits = not taken and may_wait(error)
    remedy = "Ask again once Cloud Run answers; it is not sent by itself."
    expired = isinstance(error, Denied) and error.login_expired
    said = remedy if waits and not expired else sanitize(error.remedy, 600)
    return Outcome(
        state=_state_of(error),
        message=" ".join(parts),
        at=at,
        percent=now.percent if now is not None and isinstance(step, SetTraffic) else None,
        remedy=" ".join(part for part in (said, _way_on(change, index)) if part),
    )


def describe_not_begun(change: Change, index: int, why: str, at: float) -> Outcome:
    """Step `index` and those behind it were not begun, and will not be."""
    others = _said_of_others(change, index)
    return Outcome(
        state="failed" if index else "not_begun",
        message=" ".join((why, *(others or ("Nothing was changed.",)))),
        at=at,
        remedy="Look at what is set now, and ask again if it is still wanted.",
    )


def describe_rival(state: ServiceState) -> str:
    """Who made the change that is there now: by the record where it is what is set, else as Cloud
    Run tells: "bob@bastion-3 promoted 10 % → 25 % at 14:03:22Z".
    """
    record = state.record
    if record is not None and record.move and record.percent == state.percent:
        return format_history_entry(history_entry_of(record))
    by = sanitize(state.last_modifier, 100) or "somebody"
    at = "" if state.updated_at is None else f" at {format_clock(state.updated_at)}"
    shown = "" if state.percent is None else f", Canary has {format_percent(state.percent)} now"
    return f"{by} changed it{at}{shown}"


def _rival(
    step: Step, error: CanaryError, change: Change, now: ServiceState | None
) -> tuple[str, ...]:
    """For a conflict that does not say it itself: who was faster."""
    if not isinstance(error, Conflict) or not isinstance(step, SetTraffic) or now is None:
        return ()
    ours = now.record is not None and now.record.change == change.id
    said = describe_rival(now)
    return () if ours or said in error.message else (f"Instead: {said}.",)


def _way_on(change: Change, index: int) -> str:
    """How a change of several steps that ended at step `index` goes on; "" when nothing is done."""
    if index == 0:
        return ""
    step = change.steps[index]
    if isinstance(step, SetScale) and is_final_approval(change):
        return (
            "Canary is production already. What is missing is the scale alone: `canary promote`"
            " again does it, and no more. Going back: `canary rollback`."
        )
    return "What was scaled harms nothing; asked again, only what is missing is done."


def _state_of(error: CanaryError) -> OutcomeState:
    if isinstance(error, OutcomeUnknown):
        return "unknown"
    if isinstance(error, Conflict | GateNotMet | ReadOnly | UsageError):
        return "refused"
    return "failed"


def _effect(step: Step, error: CanaryError, *, first: bool, taken: bool) -> tuple[str, ...]:
    """What the failed step itself has changed, as far as that goes without saying otherwise."""
    if not taken:
        said = "Nothing was changed." if first else "This step has changed nothing."
        return () if said in error.remedy else (said,)
    if isinstance(error, OperationFailed) and isinstance(step, SetTraffic):
        known = step.before_percent != step.percent
        was = f" ({format_percent(step.before_percent)})" if known else ""
        return (f"What serves may still be the split from before{was}.",)
    return ()


def _said_of_others(change: Change, index: int) -> tuple[str, ...]:
    """The steps before the failed one are done and stay, those behind it were not begun."""
    before = tuple(format_achieved(step, change) for step in change.steps[:index])
    done = (f"Done before, and it stays: {' '.join(before)}",) if before else ()
    behind = tuple(format_wanted(step) for step in change.steps[index + 1 :])
    return (*done, f"Not begun: {'; '.join(behind)}.") if behind else done


def _true_now(step: Step, now: ServiceState | None, error: CanaryError) -> str:
    if isinstance(step, DeleteImages):
        return "`gcloud artifacts docker images list` shows which are still there."
    if isinstance(step, KeepRecord) and now is not None:
        kept = now.record == step.record
        return f"{sanitize(step.service)} {'has' if kept else 'does not have'} the record now."
    if isinstance(step, DeleteService) and now is not None:
        return f"{sanitize(step.service)} is still there."
    if now is None:
        return "What is set now is not known: Cloud Run does not answer."
    if isinstance(step, Annotate):
        kept = now.writer_of(step.topic) == step.change
        return f"{sanitize(step.service)} {'shows' if kept else 'does not show'} it now."
    if isinstance(step, SetScale):
        return f"{sanitize(step.service)} is set to {format_scale(now.scale)} instances now."
    shown = "an unreadable share" if now.percent is None else format_percent(now.percent)
    by = f", last changed by {sanitize(now.last_modifier, 100)}" if now.last_modifier else ""
    reason = sanitize(now.ready_reason)
    why = "" if reason[:100] in error.message else f": {reason}"
    trouble = f"; not ready{why}" if now.ready is False else ""
    settling = "; still settling" if now.reconciling else ""
    differs = now.served_percent is not None and now.served_percent != now.percent
    served = f"; {format_percent(now.served_percent)} is served" if differs else ""
    return f"Canary is set to {shown} now{by}{served}{trouble}{settling}."
