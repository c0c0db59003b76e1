"""What Cloud Run's answers mean once Legacy has been deleted. Pure.

The record that rode on Legacy was written on Canary before (`KeepRecord`), so that Canary stands in
for the router then; and that Legacy is not found is as it should be, and no failure.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from canary.cloud.views import ServiceState
from canary.rollout.errors import CanaryError, NotFound
from canary.rollout.plan import Plan

Answers = Mapping[str, ServiceState | CanaryError]


def find_retired(plan: Plan, answers: Answers) -> ServiceState | None:
    """The router's state when Legacy is gone and the record says that it may be; else None.

    Where Legacy carried the split, that is Canary's state, with the record's share: there is nobody
    else to take it.
    """
    target = plan.target
    if not isinstance(answers.get(target.legacy), NotFound):
        return None
    carried = plan.router_service == target.legacy
    state = answers.get(target.canary if carried else plan.router_service)
    if not isinstance(state, ServiceState) or state.record is None:
        return None
    record = state.record
    if record.enabled or record.production_service != target.canary:
        return None
    return msgspec.structs.replace(state, percent=record.percent) if carried else state
