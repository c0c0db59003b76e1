from collections.abc import Callable
from pathlib import Path

import pytest

from canary.rollout.change.change import Author, Change, Guard, Request, Standing
from canary.rollout.change.moves import step_back
from canary.rollout.plan.file import load_plan
from canary.rollout.plan.plan import Plan

ROOT = Path(__file__).resolve().parents[2]
MakeChange = Callable[..., Change]


@pytest.fixture(scope="session")
def plan() -> Plan:
    return load_plan(ROOT / "canary.toml")


@pytest.fixture
def make_change(plan: Plan) -> MakeChange:
    def make(change_id: str = "c1", reason: str = "") -> Change:
        standing = Standing(stage=2, percent=10, guard=Guard("ion-api", "e1", 10))
        request = Request(change_id, Author("oncall", "bastion"), 1000.0, reason)
        return step_back(plan, standing, request)

    return make
