"""The source of the numbers that a plan names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canary.cloud.connection.clients import Connection
from canary.cloud.monitoring.queries import roles_of
from canary.cloud.monitoring.reader import MonitoringReader
from canary.rollout.plan.plan import Plan

if TYPE_CHECKING:
    from canary.cloud.prometheus.reader import PrometheusReader


def open_reader(connection: Connection, plan: Plan) -> MonitoringReader | PrometheusReader:
    """Read from Cloud Monitoring, or from the Prometheus of the plan's [metrics].

    Raises PlanError and HostProblem where the latter cannot be asked.
    """
    if plan.metrics.source != "prometheus":
        return MonitoringReader(connection, plan)
    from canary.cloud.prometheus.reader import ELSEWHERE, PrometheusReader

    second = None
    if plan.metrics.others == "monitoring":
        roles = [role for role in roles_of(plan) if role in ELSEWHERE]
        second = MonitoringReader(connection, plan, roles=roles)
    return PrometheusReader(connection, plan, second)
