"""What a command says of a change, and asks about it."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from canary.cli.change.unkept import MARK
from canary.cli.options import ChangeOptions
from canary.cli.output import complain, print_json, say
from canary.rollout.change.change import (
    Annotate,
    Change,
    Outcome,
    SetScale,
    SetTraffic,
    is_final_approval,
)
from canary.rollout.change.text import KIND_WORDS, format_step
from canary.rollout.errors import CanaryError, UsageError
from canary.rollout.permit.approval import describe_consequences, format_evidence
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.text import format_age, format_clock, format_iso_time, sanitize

if TYPE_CHECKING:
    from canary.engine.change.dry_run import DryRun
    from canary.engine.change.recovery import Finding
    from canary.rollout.trials.verification import Verification
    from canary.store.entries import Unreadable


EXITS: Final = {
    "done": 0,
    "failed": 3,
    "refused": 4,
    "not_begun": 4,
    "unknown": 5,
    "abandoned": 130,
}
"""Outcome → exit code."""


def describe_change(change: Change) -> str:
    """A change in a few words: "promote: canary 10 % → 25 %, stage 2 → 3".

    What is only written on a service says by itself what it is: "TODO: look at the logs".
    """
    parts = [format_step(step) for step in change.steps]
    if all(isinstance(step, Annotate) for step in change.steps):
        return ", ".join(parts)
    if change.to_stage is not None:
        parts.append(f"stage {change.from_stage} → {change.to_stage}")
    return f"{KIND_WORDS[change.kind].rstrip(':')}: {', '.join(parts)}"


def print_waiting(since: float, waits_for: str) -> None:
    """That the change waits for a Cloud Run that is away, or what else `waits_for` names."""
    then = "it answers" if waits_for == "Cloud Run" else "it can"
    said = f"waiting for {waits_for} since {format_clock(since)}; it goes out the moment {then}."
    complain(f"{said} Ctrl-C withdraws it.")


def print_pointless(change: Change, options: ChangeOptions) -> int:
    """That all of it is so already; returns the exit code."""
    wanted = change.steps[-1]
    if isinstance(wanted, SetScale):
        note = f"{sanitize(wanted.service)} is scaled so already: nothing to change."
    else:
        share = wanted.percent if isinstance(wanted, SetTraffic) else None
        note = f"Canary has {share} % already, and the record says so: nothing to change."
    if options.as_json:
        print_json({"kind": change.kind, "changed": False, "note": note, "outcome": None})
    else:
        say(note)
    return 0


def approval_lines(change: Change, plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """For the final approval: what becomes true, and on which evidence."""
    if not is_final_approval(change):
        return ()
    return (*describe_consequences(change, plan), *format_evidence(snapshot.gates))


def show_change(plan: Plan, change: Change, dry_run: DryRun, snapshot: Snapshot) -> None:
    """What is asked about: on standard error, so that --json stays clean."""
    lines = [
        f"{KIND_WORDS[change.kind].rstrip(':')}, {sanitize(change.rollout)}",
        *(f"  {line}" for line in (*dry_run.lines, *approval_lines(change, plan, snapshot))),
    ]
    window_age = snapshot.data_age_s
    if change.evidence.verdict and window_age is not None:
        lines.append(f"  on data {format_age(window_age)} old")
    if change.forced and change.evidence.gates_unmet:
        lines.append(f"  over these gates: {', '.join(change.evidence.gates_unmet)}")
    lines += [f"  the same by hand: {command}" for command in dry_run.gcloud]
    for line in lines:
        click.echo(line, err=True)


def demand_terminal_to_ask(*, unasked: bool) -> None:
    """Raise UsageError where confirmation is needed and nobody is there to give it."""
    if not (unasked or sys.stdin.isatty()):
        raise UsageError(
            "There is no terminal to ask for confirmation at.",
            remedy="Use --yes to change it unasked, or --dry-run to see what would change.",
        )


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """Let one Ctrl+C end a question that is asked in an event loop: the loop's own handler only
    cancels what runs in it, which it does not come to while a line is waited for.
    """
    before = signal.getsignal(signal.SIGINT)
    if before is None or before == signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def ask_to_confirm(name: str = "") -> None:
    """Raise UsageError unless it is confirmed: by typing `name`, where it is grave. Ctrl+C at the
    question is a no.
    """
    with _interruptible():
        if name:
            asked = f"Type {name} to confirm"
            typed = click.prompt(asked, default="", show_default=False, err=True)
            confirmed = typed.strip() == name
        else:
            confirmed = click.confirm("Do it?", default=False, err=True)
    if not confirmed:
        raise UsageError("Not confirmed: nothing was changed.")


def print_dry_run(
    change: Change, dry_run: DryRun, refusal: CanaryError | None, options: ChangeOptions
) -> int:
    """What would change, and what would refuse it now; returns the exit code."""
    if options.as_json:
        print_json({**change_document(change, dry_run, None), "refusal": refusal and str(refusal)})
    else:
        for line in (*dry_run.lines, *dry_run.gcloud):
            say(line)
        say("Nothing was changed: this was a dry run.")
        if refusal is not None:
            say(f"It would be refused now: {sanitize(refusal, 500)}")
    return 0 if refusal is None else refusal.exit_code


def print_outcome(change: Change, outcome: Outcome) -> None:
    """How it ended: what is so on standard output, what is wrong on standard error."""
    if outcome.state == "done":
        say(sanitize(outcome.message, 500))
        if any(isinstance(step, SetTraffic) for step in change.steps):
            say("The metrics show it in 2 to 4 minutes; `canary status` tells what they say.")
    else:
        complain(format_end(outcome), 2000)


def format_end(end: Outcome | Finding) -> str:
    """An outcome, or what was found, with what to do about it: "failed: no such revision."."""
    said = f"{sanitize(end.message, 1000)} {sanitize(end.remedy, 500)}".rstrip()
    return f"{end.state.replace('_', ' ')}: {said}"


def format_unreadable(row: Unreadable) -> str:
    """A row of the journal that cannot be read, as the lists show it."""
    name = row.id or f"row {row.sequence}"
    return f"{name}  unreadable: unknown outcome ({row.why}); `canary status` says what is set"


def unreadable_document(row: Unreadable) -> dict[str, Any]:
    """The same as --json has it."""
    return {
        "id": row.id,
        "kind": "unreadable",
        "what": f"row {row.sequence} of the journal cannot be read: {row.why}",
        "outcome": "unknown",
    }


def outcome_document(outcome: Outcome | None) -> dict[str, Any] | None:
    """An outcome as --json has it; None as long as there is none."""
    if outcome is None:
        return None
    return {**msgspec.to_builtins(outcome), "at": format_iso_time(outcome.at)}


def change_document(
    change: Change,
    dry_run: DryRun,
    outcome: Outcome | None,
    verification: Verification | None = None,
) -> dict[str, Any]:
    """The change with its outcome and verification, as --json has it; `outcome` None: dry run."""
    return {
        "id": change.id,
        "kind": change.kind,
        "rollout": sanitize(change.rollout),
        "from_stage": change.from_stage,
        "to_stage": change.to_stage,
        "changed": outcome is not None and outcome.state == "done",
        "in_journal": outcome is not None and not change.reason.startswith(MARK),
        "lines": list(dry_run.lines),
        "gcloud": list(dry_run.gcloud),
        "outcome": outcome_document(outcome),
        "verification": None if verification is None else _verified(verification),
    }


def _verified(verification: Verification) -> dict[str, Any]:
    from canary.rollout.trials.verification import verification_document

    return verification_document(verification)
