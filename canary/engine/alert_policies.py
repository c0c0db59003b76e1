"""Comparing a rollout's alert policies with its plan, and setting them right one by one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from canary.rollout.alert_policies import Action, plan_actions, wanted_policies
from canary.rollout.errors import CanaryError

if TYPE_CHECKING:
    from canary.engine.session import Session


class Applied(msgspec.Struct, frozen=True):
    """What was done, in order; `error` ended it, None when nothing did."""

    done: tuple[Action, ...] = ()
    error: CanaryError | None = None


async def compare_policies(session: Session) -> tuple[Action, ...]:
    """What would set the policies right, the kept ones included. Raises CanaryError."""
    from canary.cloud.alert_policies import AlertPolicies

    plan, revision = session.plan, ""
    if plan.target.router.kind == "revisions":
        revision = (await session.run_reader.service(plan.router_service)).revision
    found = await AlertPolicies(session.connection, plan).read_all()
    return plan_actions(wanted_policies(plan, revision), found)


async def apply_actions(session: Session, actions: Sequence[Action]) -> Applied:
    """Carry them out one after another; the first that fails ends it."""
    from canary.cloud.alert_policies import AlertPolicies

    policies = AlertPolicies(session.connection, session.plan)
    done: list[Action] = []
    for action in actions:
        try:
            await policies.apply(action)
        except CanaryError as error:
            return Applied(tuple(done), error)
        done.append(action)
    return Applied(tuple(done))
