from collections.abc import Callable
from pathlib import Path

import pytest

from canary.rollout.change import Author, Change, Guard, Request, Standing
from canary.rollout.moves import step_back
from canary.rollout.plan import Plan
from canary.rollout.plan_file import load_plan

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
