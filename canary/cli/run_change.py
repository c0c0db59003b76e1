"""The one way of the shell to change anything: look, permit, ask, journal, carry out, outcome.

The same functions as the console's keypress goes through; only who waits is different: the command
carries the change out itself and ends with its outcome.
"""

from __future__ import annotations

import asyncio
import getpass
import socket
import sys
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final

import click
import msgspec

from canary.cli.options import ChangeOptions
from canary.cli.output import say, say_json
from canary.cli.plan_source import PlanSource, find_plan
from canary.rollout.approval import is_final_approval, say_becomes_true, say_evidence
from canary.rollout.change import Author, Change, Outcome, Request, SetScale, SetTraffic, Standing
from canary.rollout.confirmation import evidence_of, name_to_type
from canary.rollout.errors import CanaryError, UsageError
from canary.rollout.permit import authorize
from canary.rollout.plan import Plan
from canary.rollout.snapshot import Snapshot
from canary.rollout.words import age, clock, iso_time, plain

if TYPE_CHECKING:
    from canary.engine.dry_run import DryRun
    from canary.engine.notify import Notifier
    from canary.engine.session import Session
    from canary.rollout.verification import Verification

Build = Callable[[Plan, Standing, Request], Change]
Prepare = Callable[["Session", Snapshot], Awaitable[Build]]

EXITS: Final = {
    "done": 0,
    "failed": 3,
    "refused": 4,
    "not_begun": 4,
    "unknown": 5,
    "abandoned": 130,
}
"""Outcome → exit code."""
NOT_VERIFIED: Final = 1
"""The change is done, and a verification says that it did not have its effect."""


def run_change(
    build: Build | None,
    options: ChangeOptions,
    *,
    need_metrics: bool,
    prepare: Prepare | None = None,
) -> int:
    """Build the change from what is now and carry it out; returns the exit code.

    `need_metrics` False spares a rollback the wait for numbers that it does not ask for. `prepare`
    is for a change that more must be looked up for: it returns what builds it.
    """
    if options.force and not options.reason.strip():
        raise UsageError("Gates are overridden only with a reason.", remedy="Give --reason TEXT.")
    if not (options.yes or options.dry_run or sys.stdin.isatty()):
        raise UsageError(
            "There is no terminal to ask for confirmation at.",
            remedy="Use --yes to change it unasked, or --dry-run to see what would change.",
        )
    source = find_plan(options.config)
    return asyncio.run(_run(source, build, prepare, options, need_metrics=need_metrics))


async def _run(
    source: PlanSource,
    build: Build | None,
    prepare: Prepare | None,
    options: ChangeOptions,
    *,
    need_metrics: bool,
) -> int:
    from canary.cli.look import demand_cloud_run, look
    from canary.engine.session import Session

    opening = Session.open(
        source.plan, source.path, read_only=options.read_only, need_metrics=need_metrics
    )
    async with await opening as session:
        snapshot = await look(session)
        if snapshot.standing is None and options.yes and not options.dry_run:
            from canary.cli.away import GivenUp, wait_for_return

            author = Author(_user(), socket.gethostname())
            try:
                snapshot = await wait_for_return(session, snapshot, look, author, options.wait_s)
            except GivenUp:
                _say_trouble("Taken back while Cloud Run was away: nothing was sent.")
                return EXITS["abandoned"]
        demand_cloud_run(snapshot)
        if prepare is not None:
            build = await prepare(session, snapshot)
        assert build is not None  # noqa: S101 - one of the two is given
        change = _build(source.plan, snapshot, build, options, session.clock.now())
        if is_pointless(change, snapshot):
            return _say_pointless(change, options)
        return await _decide(source, session, snapshot, change, options)


def _build(
    plan: Plan, snapshot: Snapshot, build: Build, options: ChangeOptions, now: float
) -> Change:
    assert snapshot.standing is not None  # noqa: S101 - demanded above
    request = Request(
        id=uuid.uuid4().hex,
        author=Author(_user(), socket.gethostname()),
        now=now,
        reason=options.reason.strip(),
        forced=options.force,
        evidence=evidence_of(snapshot, now),
        dry_run_shown=not options.yes,
    )
    return build(plan, snapshot.standing, request)


async def _decide(
    source: PlanSource,
    session: Session,
    snapshot: Snapshot,
    change: Change,
    options: ChangeOptions,
) -> int:
    """Show, permit, ask, act. A dry run shows and says what would refuse it now."""
    from canary.engine.dry_run import describe

    dry_run = describe(change, source.plan)
    read_only = options.read_only or source.plan.console.read_only
    refusal = _refusal(change, snapshot, read_only, options.force)
    if options.dry_run:
        told = _approval(change, source.plan, snapshot)
        dry_run = msgspec.structs.replace(dry_run, lines=(*dry_run.lines, *told))
        if change.kind == "promote" and not read_only:
            _note_dry_run(session, change)
        return _say_dry_run(change, dry_run, refusal, options)
    if refusal is not None:
        raise refusal
    if not options.yes:
        _show(source.plan, change, dry_run, snapshot)
        _ask(source.plan, change, snapshot)
    from canary.engine.notify import telling

    async with telling(source.plan, session.directory, _say_trouble) as notifier:
        return await _act(source, session, change, dry_run, options, notifier)


def _note_dry_run(session: Session, change: Change) -> None:
    """Tick it on the next stage's checklist; that it cannot be noted takes nothing from it."""
    from canary.engine.checklist import Checklists

    place = (session.plan, session.plan_path, session.directory, session.journal)
    if change.to_stage is None:
        return
    try:
        lists = Checklists(*place)
        try:
            lists.note_dry_run(change.to_stage, change.author, change.created_at)
        finally:
            lists.close()
    except CanaryError as error:
        _say_trouble(str(error))


async def _act(
    source: PlanSource,
    session: Session,
    change: Change,
    dry_run: DryRun,
    options: ChangeOptions,
    notifier: Notifier,
) -> int:
    """Carry it out, say how it ended, verify it."""
    outcome = await _carry_out(source, session, change, options, notifier)
    if not options.as_json:
        # Before the verification: what has become of the change is not kept waiting for it.
        _say_outcome(change, outcome)
    verification = None
    if outcome.state == "done" and source.plan.verify.after_change and not options.no_verify:
        verification = await _verify(source, session, change, options)
    if options.as_json:
        say_json(_document(change, dry_run, outcome, verification))
    if verification is not None and verification.verdict == "not_passed":
        return NOT_VERIFIED
    # Not verifiable (no router address, nobody answered) is said aloud, but the change is done: a
    # script that asks for a rollback must not take a missing address for a rollback that failed.
    return EXITS[outcome.state]


async def _verify(
    source: PlanSource, session: Session, change: Change, options: ChangeOptions
) -> Verification | None:
    """The verification of a change that is done; None where there is nothing to verify."""
    from canary.cli.verify import verify_change
    from canary.cli.verify_report import say_verification

    verification = await verify_change(source, session, change)
    if verification is not None and not options.as_json:
        say_verification(verification)
    return verification


def _say_waiting(since: float) -> None:
    said = f"waiting for Cloud Run since {clock(since)}; it goes out the moment it answers."
    click.echo(f"canary: {said} Ctrl-C withdraws it.", err=True)


def _say_trouble(sentence: str) -> None:
    click.echo(f"canary: {plain(sentence, 300)}", err=True)


async def _carry_out(
    source: PlanSource,
    session: Session,
    change: Change,
    options: ChangeOptions,
    notifier: Notifier,
) -> Outcome:
    from canary.engine.errand import carry_out_here
    from canary.engine.hands import Hands
    from canary.record.stage_file import stage_file_path
    from canary.rollout.errors import RecordError

    if session.journal is None:
        raise session.journal_error or RecordError("The journal is not open.")
    hands = Hands(session.writer(), session.run_reader, session.clock, session.embedded)
    stage_file = stage_file_path(source.path, source.plan.record.file)
    return await carry_out_here(
        change,
        hands,
        session.journal,
        plan=source.plan,
        stage_file=stage_file,
        notifier=notifier,
        on_wait=_say_waiting,
        wait_s=options.wait_s,
    )


def _refusal(
    change: Change, snapshot: Snapshot, read_only: bool, force: bool
) -> CanaryError | None:
    try:
        authorize(change, snapshot, read_only=read_only, force=force)
    except CanaryError as error:
        return error
    return None


def is_pointless(change: Change, snapshot: Snapshot) -> bool:
    """Whether all that the change wants is true already; nothing is sent then."""
    if len(change.steps) > 1 or snapshot.traffic.reconciling or snapshot.traffic.in_doubt:
        return False
    (wanted,) = change.steps
    if isinstance(wanted, SetScale):
        return wanted.before == wanted.after
    if not isinstance(wanted, SetTraffic):
        return False
    record = snapshot.traffic.record
    same = record is not None and (record.stage, record.percent) == (
        change.to_stage,
        wanted.percent,
    )
    return same and snapshot.traffic.canary_percent == wanted.percent


def _say_pointless(change: Change, options: ChangeOptions) -> int:
    wanted = change.steps[-1]
    if isinstance(wanted, SetScale):
        note = f"{plain(wanted.service)} is scaled so already: nothing to change."
    else:
        share = wanted.percent if isinstance(wanted, SetTraffic) else None
        note = f"Canary has {share} % already, and the record says so: nothing to change."
    if options.as_json:
        say_json({"kind": change.kind, "changed": False, "note": note, "outcome": None})
    else:
        say(note)
    return 0


def _approval(change: Change, plan: Plan, snapshot: Snapshot) -> tuple[str, ...]:
    """For the final approval: what becomes true, and on which evidence."""
    if not is_final_approval(change):
        return ()
    return (*say_becomes_true(change, plan), *say_evidence(snapshot.gates))


def _show(plan: Plan, change: Change, dry_run: DryRun, snapshot: Snapshot) -> None:
    """What is asked about: on standard error, so that --json stays clean."""
    lines = [
        f"{change.kind.replace('_', ' ')}, {plain(change.rollout)}",
        *(f"  {line}" for line in (*dry_run.lines, *_approval(change, plan, snapshot))),
    ]
    window_age = snapshot.data_age_s
    if change.evidence.verdict and window_age is not None:
        lines.append(f"  on data {age(window_age)} old")
    if change.forced and change.evidence.gates_unmet:
        lines.append(f"  over these gates: {', '.join(change.evidence.gates_unmet)}")
    lines += [f"  the same by hand: {command}" for command in dry_run.gcloud]
    for line in lines:
        click.echo(line, err=True)


def _ask(plan: Plan, change: Change, snapshot: Snapshot) -> None:
    """Raise UsageError unless it is confirmed: by the name of the service where it is grave."""
    name = name_to_type(plan, change, snapshot.traffic.canary_percent)
    if name:
        typed = click.prompt(f"Type {name} to confirm", default="", show_default=False, err=True)
        confirmed = typed.strip() == name
    else:
        confirmed = click.confirm("Do it?", default=False, err=True)
    if not confirmed:
        raise UsageError("Not confirmed: nothing was changed.")


def _say_dry_run(
    change: Change, dry_run: DryRun, refusal: CanaryError | None, options: ChangeOptions
) -> int:
    if options.as_json:
        say_json({**_document(change, dry_run, None), "refusal": refusal and str(refusal)})
    else:
        for line in (*dry_run.lines, *dry_run.gcloud):
            say(line)
        say("Nothing was changed: this was a dry run.")
        if refusal is not None:
            say(f"It would be refused now: {plain(refusal, 500)}")
    return 0 if refusal is None else refusal.exit_code


def _say_outcome(change: Change, outcome: Outcome) -> None:
    if outcome.state == "done":
        say(plain(outcome.message, 500))
        if any(isinstance(step, SetTraffic) for step in change.steps):
            say("The metrics show it in 2 to 4 minutes; `canary status` tells what they say.")
    else:
        said = f"{plain(outcome.message, 1000)} {plain(outcome.remedy, 500)}".rstrip()
        click.echo(f"canary: {outcome.state.replace('_', ' ')}: {said}", err=True)


def _document(
    change: Change,
    dry_run: DryRun,
    outcome: Outcome | None,
    verification: Verification | None = None,
) -> dict[str, Any]:
    return {
        "id": change.id,
        "kind": change.kind,
        "rollout": plain(change.rollout),
        "from_stage": change.from_stage,
        "to_stage": change.to_stage,
        "changed": outcome is not None and outcome.state == "done",
        "lines": list(dry_run.lines),
        "gcloud": list(dry_run.gcloud),
        "outcome": None
        if outcome is None
        else {**msgspec.to_builtins(outcome), "at": iso_time(outcome.at)},
        "verification": None if verification is None else _verified(verification),
    }


def _verified(verification: Verification) -> dict[str, Any]:
    from canary.rollout.verification_document import verification_document

    return verification_document(verification)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "unknown"
