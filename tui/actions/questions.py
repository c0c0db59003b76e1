"""The questions of the confirm strip: of a pending change and all others, words made from data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from canary.rollout.change.change import ANNOTATING, GOING_BACK, Change, is_final_approval
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.text import format_order, format_step, format_title
from canary.rollout.permit.approval import describe_consequences, format_evidence
from canary.rollout.permit.permit import find_reason_needed
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.differences import summarize
from canary.rollout.snapshot.impact import find_impact, format_so_far
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.text import (
    format_age,
    format_count,
    format_duration,
    format_timestamp,
    quote_command,
    sanitize,
)
from canary.rollout.trials.jobs import AlertsView, MonitoringView
from canary.rollout.trials.load_test import LoadTestSettings
from tui.actions.changes import Pending
from widgets.bars.proposal import Proposal

if TYPE_CHECKING:
    from widgets.pages.changes import Approval

APPROVED = "Canary becomes production, Legacy its backup: all that becomes true is listed above."
"""The page of the approval, opened with the question, says why its steps come in their order."""

LEAVE_CONSOLE: Final = "leave"
LEAVE_FOR_LIST: Final = "leave for the list"
LOAD_TEST: Final = "load_test"
START_MONITORING: Final = "start_monitoring"
STOP_MONITORING: Final = "stop_monitoring"
APPLY_ALERTS: Final = "apply_alerts"
ARM: Final = "arm"
LEAVE: Final = "leave a guard"
DISMISS: Final = "dismiss"
RESUME: Final = "resume"
ABANDON: Final = "abandon"
"""Ids of questions; the last two are followed by ":" and the id of the change. Those of changes
are hexadecimal."""


def ask(pending: Pending, plan: Plan, snapshot: Snapshot) -> Proposal:
    """The question of a pending change: what, from → to, on what, how fresh, which gates fail."""
    # Read here: no first frame asks, and the routers bring the cloud with them.
    from canary.cloud.router.router import NO_GUARD
    from canary.engine.change.dry_run import describe, shell_command

    change = pending.change
    gates = {g.id: g for g in snapshot.gates}
    unmet = change.evidence.gates_unmet if change.kind == "promote" else ()
    # Why several steps come in their order, and that nothing guards a program of the team's.
    unguarded = not plan.target.router.has_guard and change.to_stage is not None
    mark = snapshot.irreversible if change.kind in GOING_BACK else None
    undone = "" if mark is None else format_marked(mark)
    so_far = format_so_far(find_impact(snapshot, plan)) if change.kind in GOING_BACK else ""
    cost = so_far and f"{so_far}."
    other = summarize(snapshot.differences) if change.kind == "promote" else ""
    why = (undone, cost, other, format_order(change), NO_GUARD if unguarded else "")
    return Proposal(
        change_id=change.id,
        title=pending.title or format_title(change),
        facts=tuple(map(format_step, change.steps)),
        target="" if change.kind == "retire" else pending.guard.revision or pending.guard.service,
        data_age=_freshness(pending.data_age_s),
        unmet=tuple(gates[i].label for i in unmet if i in gates),
        command=" && ".join(describe(change, plan).gcloud),
        whole=shell_command(change),
        typed_name=pending.typed_name,
        takes_reason=change.kind not in ANNOTATING,
        needs_reason=_why_a_reason(change, snapshot),
        note=APPROVED if is_final_approval(change) else " ".join(filter(None, why)),
    )


def _why_a_reason(change: Change, snapshot: Snapshot) -> str:
    """Why it is asked only with a reason: what is promoted again was rolled back; "" otherwise."""
    said = find_reason_needed(snapshot) if change.kind == "promote" else ""
    return f"{said} Promoting it again takes a reason." if said else ""


def approval_of(change: Change, plan: Plan, snapshot: Snapshot) -> Approval | None:
    """What the page of the final approval shows; None for every other change."""
    if not is_final_approval(change):
        return None
    from widgets.pages.changes import Approval  # here: the first frame comes before the pages

    return Approval(
        change_id=change.id,
        becomes_true=describe_consequences(change, plan),
        steps=tuple(map(format_step, change.steps)),
        order=format_order(change),
        evidence=format_evidence(snapshot.gates),
    )


def _freshness(age_s: float | None) -> str:
    return "no data" if age_s is None else f"on data {format_age(age_s)} old"


def ask_to_leave(title: str) -> Proposal:
    """The question of leaving while a change is under way."""
    return Proposal(
        change_id=LEAVE_CONSOLE,
        title="Leave while a change is in flight?",
        facts=(
            sanitize(title, 80),
            "It is carried on without the console; look with canary log.",
        ),
    )


def ask_to_list(title: str) -> Proposal:
    """The same before the list of rollouts is shown."""
    return Proposal(
        change_id=LEAVE_FOR_LIST,
        title="Go to the list while a change is in flight?",
        facts=(
            sanitize(title, 80),
            "It is carried on without this console; the list shows how it ends.",
        ),
    )


LEAVE_LOAD_TEST = Proposal(
    change_id=LEAVE_CONSOLE,
    title="Leave while the load test runs?",
    facts=("It is ended with the console, and writes no result.",),
)


def ask_load_test(settings: LoadTestSettings, url: str, plan: Plan) -> Proposal:
    """The question before real load is made."""
    users, length = format_count(settings.users), format_duration(settings.duration_s)
    pause_s = (settings.profile.min_wait_s + settings.profile.max_wait_s) / 2
    about = f"up to about {settings.users / pause_s:.0f} requests/s" if pause_s > 0 else "requests"
    where = sanitize(url, 80) or "the router's address"
    local = " (the local cloud)" if plan.provider == "local" else ""
    return Proposal(
        change_id=LOAD_TEST,
        title="Load test",
        facts=(
            f"{users} users, {settings.spawn_rate:g} more a second",
            length,
            f"profile {sanitize(settings.profile_name, 30)}",
        ),
        target=f"{where}{local}",
        note=f"It makes real load, {about}, on whatever takes the traffic: Legacy and Canary.",
        command=(
            f"canary load-test --users {settings.users} --spawn-rate {settings.spawn_rate:g}"
            f" --duration {settings.duration_s / 60:g}m --profile {settings.profile_name}"
        ),
    )


def ask_monitoring(loop: MonitoringView | None, plan: Plan) -> Proposal:
    """The question before the loop is started."""
    replaced = ""
    if loop is not None and loop.running:
        since = f" since {format_timestamp(loop.since)}" if loop.since is not None else ""
        replaced = f"It replaces the loop that runs{since} (process {loop.pid})."
    return Proposal(
        change_id=START_MONITORING,
        title="Start the monitoring loop",
        facts=(
            "a snapshot every 30 m for the stage's soak; at the last stage every 60 m, without end",
            f"into {sanitize(plan.record.outputs, 60)}/",
        ),
        note=replaced or "A process of its own, which goes on when this console is left.",
        command="canary monitor --detach",
    )


def ask_to_stop(loop: MonitoringView) -> Proposal:
    """The question before the loop is stopped."""
    return Proposal(
        change_id=STOP_MONITORING,
        title="Stop the monitoring loop",
        facts=(f"process {loop.pid}", f"files so far: {format_count(loop.files)}"),
        command="canary monitor --stop",
    )


def ask_to_apply(view: AlertsView) -> Proposal:
    """The question before alert policies are written: how many of which kind."""
    kinds = ("create", "update", "delete")
    counted = {kind: sum(one.kind == kind for one in view.changes) for kind in kinds}
    facts = tuple(f"{kind} {format_count(number)}" for kind, number in counted.items() if number)
    return Proposal(
        change_id=APPLY_ALERTS,
        title="Write the alert policies",
        facts=facts,
        note="Policies of others are not touched, nor the channels of these.",
        command="canary alerts apply --yes",
    )


def ask_to_arm(plan: Plan, cancel_key: str) -> Proposal:
    """The question before automatic rollback is armed."""
    guard = plan.guard
    return Proposal(
        change_id=ARM,
        title="Arm automatic rollback",
        facts=(
            f"acts {format_duration(guard.countdown_s)} after the decision tree calls for it",
            f"{cancel_key} stops it",
        ),
        note=(
            f"Never on missing data, once a cause, {guard.max_per_day} times a day;"
            " while this console runs."
        ),
        command=f"canary guard --countdown {guard.countdown_s:g}s",
    )


def ask_to_leave_guard(suspend_key: str) -> Proposal:
    """The question before an armed console is suspended: who guards meanwhile."""
    return Proposal(
        change_id=LEAVE,
        title="Leave a guard behind",
        facts=("automatic rollback is armed here, and would sleep in the background",),
        note=(
            "y leaves a process behind that guards, then goes to the shell;"
            f" {suspend_key} once more disarms and goes."
        ),
        command="canary guard",
    )


def ask_to_dismiss(proven: str, reason: str) -> Proposal:
    """The question before a proof is let go of, for a reason that a person has typed."""
    return Proposal(
        change_id=DISMISS,
        title="Dismiss the proof",
        facts=(proven, f"because: {reason}"),
        note="The gate opens again and the comparison restarts; everybody here sees by whom.",
        command=quote_command(("canary", "evidence", "--dismiss", "--reason", reason)),
    )


def ask_to_resume(change: ChangeView) -> Proposal:
    """The question before an unfinished change is resumed."""
    return Proposal(
        change_id=f"{RESUME}:{change.id}",
        title="Resume it",
        facts=(sanitize(change.title, 80), f"by {sanitize(change.author, 40)}"),
        note="It is sent again only where the guard from before still holds: it never acts twice.",
        command=f"canary recover {change.id[:12]} --resume",
    )


def ask_to_abandon(change: ChangeView) -> Proposal:
    """The question before an unfinished change is abandoned."""
    return Proposal(
        change_id=f"{ABANDON}:{change.id}",
        title="Abandon it",
        facts=(sanitize(change.title, 80), f"by {sanitize(change.author, 40)}"),
        note="Nothing more is sent for it. What was sent is not undone: look at the split.",
        command=f"canary recover {change.id[:12]} --abandon",
    )
