"""Requests through the router: where they enter, whose answers are whose, both sides compared."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import msgspec

from canary.cloud.http.probe import ProbeOrder, ask_router
from canary.rollout.errors import CanaryError, PlanError, Unavailable, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize
from canary.rollout.trials.comparison import Comparison, ProbeAnswer, SideNames, compare, side_names
from canary.rollout.trials.verification import VerifyProgress

if TYPE_CHECKING:
    from canary.cloud.views import ServiceState
    from canary.engine.session import Session

READ_LIMIT_S = 20.0

OnProgress = Callable[[VerifyProgress], None]
Sleep = Callable[[float], Awaitable[None]]


async def compare_now(
    session: Session,
    on_progress: OnProgress,
    *,
    requests: int | None = None,
    delay_ms: float | None = None,
    sleep: Sleep = asyncio.sleep,
) -> Comparison:
    """Make the requests (None: the plan's number and pause) and put both sides beside each other.

    Raises PlanError when nobody knows where the router is, or its address may not be asked, and
    CloudError when Cloud Run does not say which revision is Canary's.
    """
    plan = session.plan
    candidate = ""
    if plan.target.shares_one_service:
        # Which revision is Canary's, and where the service is, is known to Cloud Run alone.
        await session.observer.read_run()
        state = await read_router(session)
        if isinstance(state, CanaryError):
            raise state
        candidate = state.revision
    url = router_address(session).rstrip("/") + plan.verify.path
    names = side_names(plan, candidate)
    token, _ = await session.id_token(url, plan.router_service)
    probe = _probe_order(plan, url, requests, delay_ms, token)
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


async def read_router(session: Session) -> ServiceState | CanaryError:
    """The service that carries the split, or why Cloud Run does not say."""
    try:
        async with asyncio.timeout(READ_LIMIT_S):
            return await session.cloud.router.service(session.plan.router_service)
    except TimeoutError:
        return Unavailable(f"Cloud Run did not answer in {READ_LIMIT_S:.0f} s.")
    except CanaryError as error:
        return error


def _side_marks(plan: Plan) -> tuple[str, str]:
    """The header and the field of the JSON body in which an answer names its side."""
    word = "revision" if plan.target.shares_one_service else "service"
    return plan.verify.side_header or f"x-canary-{word}", plan.verify.side_field or word


def _probe_order(
    plan: Plan, url: str, requests: int | None, delay_ms: float | None, token: str
) -> ProbeOrder:
    settings = plan.verify
    header, field = _side_marks(plan)
    return ProbeOrder(
        url=url,
        requests=settings.requests if requests is None else requests,
        delay_ms=settings.delay_ms if delay_ms is None else delay_ms,
        timeout_s=settings.timeout_s,
        header=header,
        field=field,
        confidence_field=settings.confidence_field,
        token=token,
    )


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


# A load test's requests: their target is asked before it begins.


class LoadTarget(msgspec.Struct, frozen=True):
    """Where the load goes, and how an answer is known to be a side's.

    `canary` and `legacy` are names in `header` of the response, or in `field` of its JSON body:
    services, or with one service its revisions; then every other name is Legacy's.
    """

    url: str
    canary: tuple[str, ...]
    legacy: tuple[str, ...] = ()
    header: str = "x-canary-service"
    field: str = "service"
    others_are_legacy: bool = False
    stage: int | None = None
    percent: int | None = None


async def find_target(session: Session) -> LoadTarget:
    """Find the router's address and see that it answers. Raises CanaryError.

    The embedded cloud's own front, whatever the plan says: a demonstration must not put load on
    anybody. Else the plan's `target.router.url`, else what Cloud Run reports for the service that
    carries the split.
    """
    plan, service = session.plan, session.plan.router_service
    found = await read_router(session)
    state, error = (None, found) if isinstance(found, CanaryError) else (found, None)
    if session.embedded is not None:
        url = session.embedded.router_url
    else:
        url = plan.target.router.url or (state.uri if state is not None else "")
    if not url:
        if error is not None:
            raise error
        raise UsageError(
            f"Nobody says where requests enter: Cloud Run reports no address for {service}.",
            remedy="Set target.router.url in the plan.",
        )
    if state is not None and state.percent == 0:
        raise UsageError(
            "Canary takes 0 % of the traffic: a load test would not reach it.",
            remedy="Promote first.",
        )
    target = _name_sides(plan, url, state, error)
    await _see_that_it_answers(session, url)
    return target


def _name_sides(
    plan: Plan, url: str, state: ServiceState | None, error: CanaryError | None
) -> LoadTarget:
    stage = state.record.stage if state is not None and state.record is not None else None
    percent = state.percent if state is not None else None
    target, (header, field) = plan.target, _side_marks(plan)
    if not target.shares_one_service:
        return LoadTarget(
            url,
            (target.canary,),
            (target.legacy,),
            header=header,
            field=field,
            stage=stage,
            percent=percent,
        )
    # One service: both sides have its name, and only the revision tells them apart.
    if state is None or not state.revision:
        raise error or UsageError(f"{plan.router_service} has no candidate revision yet.")
    return LoadTarget(
        url,
        (state.revision,),
        header=header,
        field=field,
        others_are_legacy=True,
        stage=stage,
        percent=percent,
    )


async def _see_that_it_answers(session: Session, url: str) -> None:
    from canary.cloud.http.health import probe

    health = session.plan.target.health
    report = await probe(url, health.path, health.timeout_s, session.clock.now())
    if not report.reached:
        raise Unavailable(
            f"{sanitize(url, 100)}: {sanitize(report.message)}.",
            remedy="The load test was not begun: run it from where callers are let in.",
            source="the router",
        )
    if report.status is None:
        raise Unavailable(
            f"Nothing answers at {sanitize(url, 100)}: {sanitize(report.message)}.",
            remedy="The load test was not begun. Check target.router.url in the plan.",
            source="the router",
        )
