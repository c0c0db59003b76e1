"""Verification: health of both sides, requests through the router, what Cloud Run reports.

Used by the shell and by the console: whoever carried a change out verifies it afterwards. The
judgement is `rollout.verification`; here is only who is asked, and in which order. Nothing here
changes anything but one file, `outputs/compare_stageN.json`, and the journal's word on the change.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final

import msgspec

from canary.cloud.http.probe import ProbeOrder, ask_router
from canary.cloud.views import HealthReport, ServiceState
from canary.engine.session import Session
from canary.rollout.change.change import Change, SetTraffic, Side
from canary.rollout.errors import CanaryError, PlanError, Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.trials.comparison import Comparison, ProbeAnswer, SideNames, compare, side_names
from canary.rollout.trials.verification import (
    HealthAnswer,
    Reported,
    Verification,
    VerificationVerdict,
    judge_verification,
    output_name,
    verification_document,
    verification_line,
)
from canary.rollout.trials.verification import VerifyProgress as VerifyProgress
from canary.store.journal import Journal, NoteState
from canary.store.outputs import write_output

READ_LIMIT_S = 20.0

VERIFIED_KINDS: Final = frozenset({"promote", "step_back", "rollback_all", "revert"})
"""Changes of the split. Adopting writes only the record, and scaling moves nobody."""


NOTED: Final[dict[VerificationVerdict, NoteState]] = {
    "passed": "verified",
    "not_passed": "not_verified",
    "unverified": "unverified",
}


class VerifyOrder(msgspec.Struct, frozen=True):
    """What is to be verified. None stands for the plan's number, or for the stage record's share.

    `change` is the id of the change that it is for.
    """

    requests: int | None = None
    delay_ms: float | None = None
    intended_percent: int | None = None
    stage: int | None = None
    change: str = ""


OnProgress = Callable[[VerifyProgress], None]
Sleep = Callable[[float], Awaitable[None]]


def order_of(change: Change) -> VerifyOrder | None:
    """What verifies a change; None for one that does not move anybody."""
    if change.kind not in VERIFIED_KINDS:
        return None
    moves = [s for s in change.steps if isinstance(s, SetTraffic)]
    if not moves:
        return None
    return VerifyOrder(intended_percent=moves[-1].percent, stage=change.to_stage, change=change.id)


async def verify(
    session: Session,
    order: VerifyOrder,
    on_progress: OnProgress,
    *,
    sleep: Sleep = asyncio.sleep,
) -> Verification:
    """Verify now. What fails is a check of the result; nothing is raised for it.

    The session must be connected. Health is asked first, so that a cold start is over by then.
    """
    plan = session.plan
    total = order.requests if order.requests is not None else plan.verify.requests
    on_progress(VerifyProgress("health", total=total))
    # The observer knows from it where the services answer.
    await session.observer.read_run()
    reports = await session.probe()
    comparison: Comparison | None = None
    trouble = ""
    try:
        comparison = await compare_now(session, order, on_progress, sleep=sleep)
    except CanaryError as error:
        trouble = str(error)
    # Behind the requests: what is reported must still be so after them.
    state = await _read_router(session)
    intended, stage = _intended(plan, order, state)
    done = comparison.requests if comparison is not None else 0
    on_progress(VerifyProgress("done", done, total))
    return judge_verification(
        plan,
        session.clock.now(),
        intended,
        _reported(state),
        _health_answers(reports),
        comparison,
        stage=stage,
        change=order.change,
        trouble=trouble,
    )


async def compare_now(
    session: Session, order: VerifyOrder, on_progress: OnProgress, *, sleep: Sleep = asyncio.sleep
) -> Comparison:
    """Make the requests and put both sides beside each other.

    Raises PlanError when nobody knows where the router is, or its address may not be asked, and
    CloudError when Cloud Run does not say which revision is Canary's.
    """
    plan = session.plan
    candidate = ""
    if plan.target.shares_one_service:
        # Which revision is Canary's, and where the service is, is known to Cloud Run alone.
        await session.observer.read_run()
        state = await _read_router(session)
        if isinstance(state, CanaryError):
            raise state
        candidate = state.revision
    url = router_address(session).rstrip("/") + plan.verify.path
    names = side_names(plan, candidate)
    probe = _probe_order(plan, order, url)
    count = _Count(names, probe.requests, on_progress)
    answers = await ask_router(probe, count.add, sleep=sleep)
    return compare(plan, names, url, answers, session.clock.now())


def router_address(session: Session) -> str:
    """Where requests enter: the plan's address, else the embedded cloud's own router.

    With the router `revisions` it is the one service's own address. Raises PlanError when it is
    not known.
    """
    target = session.plan.target
    if target.router.url:
        return target.router.url
    if session.embedded is not None:
        return session.embedded.router_url
    if target.shares_one_service:
        known = session.observer.url_of(session.plan.router_service)
        if known:
            return known
    raise PlanError(
        "It is not known where requests enter: target.router.url is not set in the plan.",
        remedy="Set it to the address that callers use.",
    )


def write_verification(plan: Plan, base: Path, verification: Verification) -> Path:
    """Write `compare_stageN.json` into the outputs beside canary.toml (`base`); returns its path.

    Raises RecordError.
    """
    path = base / plan.record.outputs / output_name(verification.stage)
    write_output(path, verification_document(verification))
    return path


class _Count:
    """Counts answers as they come, for the progress line."""

    def __init__(self, names: SideNames, total: int, on_progress: OnProgress) -> None:
        self._names, self._on_progress = names, on_progress
        self._seen = VerifyProgress("requests", total=total)
        on_progress(self._seen)

    def add(self, answer: ProbeAnswer) -> None:
        seen = self._seen
        side = self._names.side_of(answer.name) if answer.status is not None else None
        self._seen = msgspec.structs.replace(
            seen,
            done=seen.done + 1,
            legacy=seen.legacy + (side == "legacy"),
            canary=seen.canary + (side == "canary"),
            failed=seen.failed + (answer.status is None),
        )
        self._on_progress(self._seen)


def _probe_order(plan: Plan, order: VerifyOrder, url: str) -> ProbeOrder:
    settings = plan.verify
    word = "revision" if plan.target.shares_one_service else "service"
    return ProbeOrder(
        url=url,
        requests=order.requests if order.requests is not None else settings.requests,
        delay_ms=order.delay_ms if order.delay_ms is not None else settings.delay_ms,
        timeout_s=settings.timeout_s,
        header=settings.side_header or f"x-canary-{word}",
        field=settings.side_field or word,
        confidence_field=settings.confidence_field,
    )


def note_verification(journal: Journal | None, verification: Verification) -> bool:
    """Keep in the journal what was found of a change, whoever's console is opened next.

    False for one that was asked for alone, or of a change made elsewhere. Raises RecordError.
    """
    if journal is None or not verification.change:
        return False
    line = verification_line(verification)
    return journal.remark(verification.change, NOTED[verification.verdict], line, verification.at)


async def _read_router(session: Session) -> ServiceState | CanaryError:
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            return await session.cloud.reader.service(session.plan.router_service)
    except TimeoutError:
        return Unavailable(f"Cloud Run did not answer in {READ_LIMIT_S:.0f} s.")
    except CanaryError as error:
        return error


def _intended(
    plan: Plan, order: VerifyOrder, state: ServiceState | CanaryError
) -> tuple[int | None, int | None]:
    """The intended share and its stage: as ordered, else as the stage record says."""
    if order.intended_percent is not None:
        stage = order.stage
        if stage is None:
            stage = plan.stage_of_percent(order.intended_percent)
        return order.intended_percent, stage
    if isinstance(state, CanaryError):
        return None, None
    if state.record is not None:
        return state.record.percent, state.record.stage
    stage = None if state.percent is None else plan.stage_of_percent(state.percent)
    return None, stage


def _reported(state: ServiceState | CanaryError) -> Reported:
    if isinstance(state, CanaryError):
        return Reported(None, trouble=str(state))
    if state.percent is None:
        return Reported(None, trouble="what is set on the router's service is no share")
    return Reported(state.percent, state.reconciling)


def _health_answers(reports: tuple[HealthReport, ...]) -> tuple[HealthAnswer, ...]:
    """Legacy's first, as `Session.probe` has them. Without an address nothing was asked."""
    sides: tuple[Side, Side] = ("legacy", "canary")
    return tuple(
        HealthAnswer(side, report.service, None if _unasked(report) else report.ok, report.message)
        for side, report in zip(sides, reports, strict=True)
    )


def _unasked(report: HealthReport) -> bool:
    return not report.url.startswith(("http://", "https://"))
