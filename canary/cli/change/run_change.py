"""The one way of the shell to change anything: look, permit, ask, journal, carry out, outcome.

The same functions as the console's keypress goes through; only who waits is different: the command
carries the change out itself and ends with its outcome.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Final

import msgspec

from canary.cli.change.ending import Ending, outcome_after
from canary.cli.change.text import (
    EXITS,
    approval_lines,
    ask_to_confirm,
    demand_terminal_to_ask,
    print_dry_run,
    print_outcome,
    print_pointless,
    print_waiting,
    show_change,
)
from canary.cli.change.unkept import AFTERWARDS, demand_journal, mark_unkept
from canary.cli.opening import PlanSource, demand_cloud_run, find_plan, look, say_place
from canary.cli.options import ChangeOptions
from canary.cli.output import act, complain
from canary.engine.person import this_person
from canary.rollout.change.change import (
    GOING_BACK,
    Change,
    Outcome,
    Request,
    SetScale,
    SetTraffic,
    Standing,
    goes_on,
)
from canary.rollout.change.irreversible import format_marked
from canary.rollout.change.timing import date_change, why_expired
from canary.rollout.errors import CanaryError, GateNotMet, UsageError
from canary.rollout.permit.approval import evidence_of, name_to_type
from canary.rollout.permit.permit import authorize
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot

if TYPE_CHECKING:
    from canary.cloud.connection.clock import CloudClock
    from canary.engine.change.dry_run import DryRun
    from canary.engine.notify import Notifier
    from canary.engine.session import Session
    from canary.rollout.trials.verification import Verification
    from canary.store.journal import Journal

Build = Callable[[Plan, Standing, Request], Change]
log = logging.getLogger(__name__)

Prepare = Callable[["Session", Snapshot], Awaitable[Build]]

YES_WAITS: Final = "With --yes it waits, and goes out the moment Cloud Run answers. "
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
    if options.no_journal and not options.reason.strip():
        raise UsageError(
            "Without a journal nothing goes out without a reason.", remedy="Give --reason TEXT."
        )
    demand_terminal_to_ask(unasked=options.yes or options.dry_run)
    source = find_plan(options.config, acts=not options.dry_run)
    if not options.dry_run:
        act()
    ending = Ending(as_json=options.as_json)
    try:
        work = _run(source, build, prepare, options, ending, need_metrics=need_metrics)
        return asyncio.run(work)
    except (Exception, KeyboardInterrupt, asyncio.CancelledError) as error:
        code = ending.rescue(error)
        if code is None:
            raise
        return code


async def _run(
    source: PlanSource,
    build: Build | None,
    prepare: Prepare | None,
    options: ChangeOptions,
    ending: Ending,
    *,
    need_metrics: bool,
) -> int:
    from canary.engine.session import Session

    say_place(source.plan)
    opening = Session.open(source.plan, source.path, need_metrics=need_metrics)
    async with await opening as session:
        snapshot = await look(session)
        read_only = options.read_only or source.plan.console.read_only
        if snapshot.standing is None and options.yes and not (options.dry_run or read_only):
            from canary.cli.change.waiting import Withdrawn, wait_for_return

            author = this_person(source.plan)
            try:
                snapshot = await wait_for_return(session, snapshot, look, author, options.wait_s)
            except Withdrawn:
                complain("Withdrawn while Cloud Run was away: nothing was sent.")
                return EXITS["abandoned"]
        demand_cloud_run(snapshot, "" if options.yes or not options.wait_s else YES_WAITS)
        if prepare is not None:
            build = await prepare(session, snapshot)
        assert build is not None  # noqa: S101 - one of the two is given
        change = _build(source.plan, snapshot, build, options, session.clock.now())
        if is_pointless(change, snapshot):
            return print_pointless(change, options)
        return await _decide(source, session, snapshot, change, options, ending)


def _build(
    plan: Plan, snapshot: Snapshot, build: Build, options: ChangeOptions, now: float
) -> Change:
    assert snapshot.standing is not None  # noqa: S101 - demanded above
    request = Request(
        id=uuid.uuid4().hex,
        author=this_person(plan),
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
    ending: Ending,
) -> int:
    """Show, permit, ask, act. A dry run shows and says what would refuse it now."""
    from canary.engine.change.dry_run import describe

    dry_run = describe(change, source.plan)
    read_only = options.read_only or source.plan.console.read_only
    refusal = _refusal(change, snapshot, read_only, options.force)
    if options.dry_run:
        approval = approval_lines(change, source.plan, snapshot)
        dry_run = msgspec.structs.replace(dry_run, lines=(*dry_run.lines, *approval))
        if change.kind == "promote" and not read_only:
            _note_dry_run(session, change)
        return print_dry_run(change, dry_run, refusal, options)
    if refusal is not None:
        raise refusal
    if not options.no_journal:
        demand_journal(session, change, source)
    if snapshot.irreversible is not None and change.kind in GOING_BACK:
        complain(format_marked(snapshot.irreversible))
    if not options.yes:
        show_change(source.plan, change, dry_run, snapshot)
        percent, mark = snapshot.traffic.canary_percent, snapshot.irreversible
        served = snapshot.traffic.served_percent
        name = name_to_type(source.plan, change, percent, mark, served)
        change = confirm(source.plan, change, name, session.clock)
        if goes_on(change):
            await _look_again(session, change, options, read_only=read_only)
    from canary.engine.notify import telling

    async with telling(source.plan, session.directory, complain) as notifier:
        return await _act(source, session, change, dry_run, options, notifier, ending)


def confirm(plan: Plan, change: Change, name: str, clock: CloudClock) -> Change:
    """The change as of the moment in which a person at the terminal said yes.

    `name` is what has to be typed ("": yes is enough). Raises UsageError when it is not confirmed,
    and GateNotMet when the question has stood open for so long that its numbers are old.
    """
    ask_to_confirm(name)
    now = clock.now()
    if expired := why_expired(change, plan, now, clock.speed):
        raise GateNotMet(f"Nothing was changed. {expired}")
    return date_change(change, now)


async def _look_again(
    session: Session, change: Change, options: ChangeOptions, *, read_only: bool
) -> None:
    """Raise what forbids a promotion by the time it is confirmed: numbers that turned meanwhile, a
    hold, a freeze. Going back is not asked for again.
    """
    snapshot = await look(session)
    demand_cloud_run(snapshot)
    refusal = _refusal(change, snapshot, read_only, options.force)
    if refusal is not None:
        complain("Nothing was changed: it was looked at again, and may not be made any more.")
        raise refusal


def _note_dry_run(session: Session, change: Change) -> None:
    """Tick it on the next stage's checklist; that it cannot be noted takes nothing from it."""
    from canary.engine.jobs.checklist import open_checklists

    if change.to_stage is None:
        return
    try:
        with open_checklists(session) as lists:
            lists.note_dry_run(change.to_stage, change.author, change.created_at)
    except CanaryError as error:
        complain(str(error))


async def _act(
    source: PlanSource,
    session: Session,
    change: Change,
    dry_run: DryRun,
    options: ChangeOptions,
    notifier: Notifier,
    ending: Ending,
) -> int:
    """Carry it out, say how it ended, verify it."""
    try:
        change, outcome = await _carry_out(source, session, change, options, notifier)
    except CanaryError:
        raise
    except Exception as error:  # noqa: BLE001 - it may have been sent: that is not told by 70
        outcome = outcome_after(error, session, change, session.clock.now())
    ending.came_to(change, dry_run, outcome)
    if not options.as_json:
        # Before the verification: what has become of the change is not kept waiting for it.
        print_outcome(change, outcome)
    if outcome.state == "done" and source.plan.verify.after_change and not options.no_verify:
        verification = await _verify(source, session, change, options)
        refuted = verification is not None and verification.verdict == "not_passed"
        # Not verifiable (no router address, nobody answered) is said aloud, but the change is done:
        # a script that asks for a rollback must not take a missing address for one that failed.
        ending.verified(verification, NOT_VERIFIED if refuted else None)
        if options.as_json and verification is not None and verification.verdict != "passed":
            from canary.rollout.trials.verification import verification_line

            complain(verification_line(verification))  # --json: the document alone is too quiet
    ending.print_document()
    return ending.code


async def _verify(
    source: PlanSource, session: Session, change: Change, options: ChangeOptions
) -> Verification | None:
    """The verification of a change that is done; None where there is nothing to verify.

    One that fails itself is said, and takes nothing from the change, which keeps its exit code.
    """
    from canary.cli.change.verify import print_verification, verify_change

    try:
        verification = await verify_change(source, session, change)
    except CanaryError as error:
        complain(f"Not verified: {error}")
        return None
    except Exception as error:
        log.exception("verification")
        complain(f"Not verified: a mistake in this program ({type(error).__name__}).")
        return None
    if verification is not None and not options.as_json:
        print_verification(verification)
    return verification


async def _carry_out(
    source: PlanSource,
    session: Session,
    change: Change,
    options: ChangeOptions,
    notifier: Notifier,
) -> tuple[Change, Outcome]:
    """Carry it out by the journal of this host; where that cannot be, and only if it was asked for,
    without one. The change as it went out, and its outcome.
    """
    from canary.engine.change.notes import NotKept
    from canary.store.journal import Journal

    try:
        demand_journal(session, change, source)
        assert session.journal is not None  # noqa: S101 - demanded above
        done = await _carry_out_by(session.journal, source, session, change, options, notifier)
    except NotKept as error:
        if not options.no_journal:
            raise
        change = mark_unkept(change, error)
        with Journal(None) as journal:
            done = await _carry_out_by(journal, source, session, change, options, notifier)
        complain(AFTERWARDS)
    return change, done


async def _carry_out_by(
    journal: Journal,
    source: PlanSource,
    session: Session,
    change: Change,
    options: ChangeOptions,
    notifier: Notifier,
) -> Outcome:
    from canary.engine.change.executor import CloudClients
    from canary.engine.change.in_process import carry_out_here
    from canary.store.stage_file import stage_file_path

    return await carry_out_here(
        change,
        CloudClients.of(session.cloud),
        journal,
        plan=source.plan,
        stage_file=stage_file_path(source.path, source.plan.record.file),
        notifier=notifier,
        on_wait=print_waiting,
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
    traffic = snapshot.traffic
    if len(change.steps) > 1 or traffic.reconciling or traffic.in_doubt or traffic.others:
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
