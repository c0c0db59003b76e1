"""Where a load test's requests enter, and whose answers are whose: asked before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.engine.jobs.load_test import LoadTarget
from canary.rollout.errors import CanaryError, Unavailable, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.text import sanitize
from canary.rollout.trials.load_test import LoadTestSettings

if TYPE_CHECKING:
    from canary.cloud.views import ServiceState
    from canary.engine.session import Session


def choose_settings(
    plan: Plan,
    *,
    users: int | None = None,
    spawn_rate: float | None = None,
    duration_s: float | None = None,
    profile: str | None = None,
) -> LoadTestSettings:
    """The plan's load test, with what was chosen otherwise. Raises UsageError: no such profile."""
    test = plan.load_test
    name = test.profile if profile is None else profile
    found = test.find_profile(name)
    if found is None:
        raise UsageError(
            f'There is no profile "{sanitize(name, 40)}".',
            remedy=f"Known: {', '.join(test.profile_names)}; more in [load_test.profiles].",
        )
    return LoadTestSettings(
        profile_name=name,
        profile=found,
        users=test.users if users is None else users,
        spawn_rate=test.spawn_rate if spawn_rate is None else spawn_rate,
        duration_s=test.duration_minutes * 60.0 if duration_s is None else duration_s,
        timeout_s=test.timeout_s,
    )


async def find_target(session: Session) -> LoadTarget:
    """Find the router's address and see that it answers. Raises CanaryError.

    The embedded cloud's own front, whatever the plan says: a demonstration must not put load on
    anybody. Else the plan's `target.router.url`, else what Cloud Run reports for the service that
    carries the split.
    """
    plan, service = session.plan, session.plan.router_service
    state, error = await _read_service(session, service)
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
    target, told = plan.target, plan.verify
    if not target.shares_one_service:
        return LoadTarget(
            url,
            (target.canary,),
            (target.legacy,),
            header=told.side_header or "x-canary-service",
            field=told.side_field or "service",
            stage=stage,
            percent=percent,
        )
    # One service: both sides have its name, and only the revision tells them apart.
    if state is None or not state.revision:
        raise error or UsageError(f"{plan.router_service} has no candidate revision yet.")
    return LoadTarget(
        url,
        (state.revision,),
        header=told.side_header or "x-canary-revision",
        field=told.side_field or "revision",
        others_are_legacy=True,
        stage=stage,
        percent=percent,
    )


async def _read_service(
    session: Session, service: str
) -> tuple[ServiceState | None, CanaryError | None]:
    """The service that carries the split; a load test goes on without, where it can."""
    try:
        return await session.cloud.reader.service(service), None
    except CanaryError as error:
        return None, error


async def _see_that_it_answers(session: Session, url: str) -> None:
    from canary.cloud.http.health import probe

    health = session.plan.target.health
    report = await probe(url, health.path, health.timeout_s, session.clock.now())
    if report.status is None:
        raise Unavailable(
            f"Nothing answers at {sanitize(url, 100)}: {sanitize(report.message)}.",
            remedy="The load test was not begun. Check target.router.url in the plan.",
            source="the router",
        )
