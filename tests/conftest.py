"""Fixtures that more than one part's tests use."""

import gc
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.embedded import Embed, Embedded, embed

# Before any test imports grpc: its C core would log to the terminal what a test provokes.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# The commands that tests start keep what they compiled; else each compiles the project anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# A tenth of the suite's time went into looking through what Google's clients keep for ever.
gc.set_threshold(50_000, 20, 100)

# No claim of these tests is about the wall clock: a busy machine must not fail one.
settings.register_profile("house", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("house")


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: a fourth of the time of a test is spent waiting."""
    return len(os.sched_getaffinity(0)) + 1


ROOT = Path(__file__).resolve().parent
QUICK = ("loadtest", "rollout", "simulator/world", "store", "themes", "widgets")
"""Where the unit tests are: `pytest -m quick` runs these, and no other."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark as quick what stays in this process: no cloud, no terminal."""
    folders = tuple(ROOT / folder for folder in QUICK)
    for item in items:
        if any(item.path.is_relative_to(folder) for folder in folders):
            item.add_marker("quick")


def pytest_addoption(parser: pytest.Parser) -> None:
    """How long the chaos test runs, and what it begins with."""
    parser.addoption("--runs", type=int, default=40, help="schedules of the chaos test")
    parser.addoption("--chaos-seed", type=int, default=None, help="repeat the run of this seed")
    parser.addoption("--chaos-shrink", action="store_true", help="look for the shortest failure")


@pytest.fixture
async def embedded() -> AsyncIterator[Embedded]:
    """A fresh embedded cloud for the default plan: in memory, healthy, its clock standing still."""
    async with embed() as cloud:
        yield cloud


@pytest.fixture(name="embed")
def embed_fixture() -> Embed:
    """`async with embed(plan, http=True, speed=60.0, …) as cloud`: an embedded cloud as needed."""
    return embed


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for the state of this test alone, also by $CANARY_STATE_DIR."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("CANARY_STATE_DIR", str(path))
    return path
