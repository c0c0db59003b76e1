"""The APIs over one world: what gRPC, and whatever other protocol, hands calls to."""

from __future__ import annotations

from dataclasses import dataclass

from canary.simulator.api.monitoring.alert_policies import AlertPolicyApi
from canary.simulator.api.monitoring.api import MonitoringApi
from canary.simulator.api.run.api import RunApi
from canary.simulator.world.services.initial import deploy_first_services
from canary.simulator.world.services.services import ServiceChanges
from canary.simulator.world.services.settlement import Settlement
from canary.simulator.world.services.state import OperationsApi, RunState
from canary.simulator.world.world import World


@dataclass(frozen=True, slots=True)
class Apis:
    """The APIs over one world: what gRPC (and whatever other protocol) hands calls to."""

    state: RunState
    changes: ServiceChanges
    run: RunApi
    operations: OperationsApi
    monitoring: MonitoringApi
    alerts: AlertPolicyApi


def open_apis(world: World) -> Apis:
    """Return the APIs of a world, its services as saved or, in a new one, freshly deployed."""
    state = RunState.load(world.saved)
    if state is None:
        state = deploy_first_services(world)
        state.save(world.saved)
        world.save()
    changes = ServiceChanges(world, state)
    operations = OperationsApi(world, state)
    world.on_settle(Settlement(world, state, changes).settle)
    run = RunApi(world, state, changes, operations)
    return Apis(state, changes, run, operations, MonitoringApi(world), AlertPolicyApi(world))
