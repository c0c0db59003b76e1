"""Fixtures that more than one part's tests use."""

import contextlib
import gc
import os
import sys
from collections.abc import AsyncIterator
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.internal.conjecture import providers

from tests.embedded import Embed, Embedded, embed

# Before any test imports grpc: its C core would log to the terminal what a test provokes.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")

# These processes and the commands that they start keep what they compiled; else each compiles the
# project, and pytest rewrites every test, anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# A tenth of the suite's time went into looking through what Google's clients keep for ever.
gc.set_threshold(50_000, 20, 100)

# No claim of these tests is about the wall clock: a busy machine must not fail one. The suite draws
# the same examples each time, so that it is red for what was changed; the long run draws others.
CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("house", CALM, max_examples=30, derandomize=True, database=None)
settings.register_profile("long", CALM, max_examples=200)
settings.load_profile("house")


def pytest_xdist_auto_num_workers() -> int:
    """Two more than there are cores: a third of the time of a test is spent waiting."""
    return len(os.sched_getaffinity(0)) + 2


ROOT = Path(__file__).resolve().parent
QUICK = ("loadtest", "rollout", "simulator/world", "store", "themes", "widgets")
"""Where the unit tests are: `pytest -m quick` runs these, and no other."""


def pytest_configure(config: pytest.Config) -> None:
    """Let the long run look further.

    The suite draws none of the constants that Hypothesis finds in the modules that happen to be
    imported: that made what is drawn depend on what the same process had run before.
    """
    if config.getoption("--long"):
        settings.load_profile("long")
    else:
        providers.is_local_module_file = lambda _: False


@pytest.hookimpl(tryfirst=True)
def pytest_collection(session: pytest.Session) -> None:
    """Of the whole suite, each worker first imports its own part, and then collects all.

    Where nothing is compiled yet, each of them rewrites a part of the tests, not all of them.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args_source is not pytest.Config.ArgsSource.TESTPATHS:
        return
    first, every = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted(ROOT.rglob("test_*.py"))[first::every]:
        # one that cannot be imported is told of when it is collected
        with contextlib.suppress(Exception, pytest.skip.Exception):
            import_module(".".join(path.relative_to(ROOT.parent).with_suffix("").parts))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark as quick what stays in this process; leave what is marked long to the long run.

    The quick ones come last: what is shared out at the end is small, and no worker has to be waited
    for that began with a minute of the others.
    """
    folders = tuple(ROOT / folder for folder in QUICK)
    files = {item.path for item in items}
    quick = {f for f in files if any(f.is_relative_to(folder) for folder in folders)}
    for item in items:
        if item.path in quick:
            item.add_marker("quick")
    items.sort(key=lambda item: item.path in quick)
    if not config.getoption("--long"):
        left = [item for item in items if item.get_closest_marker("long")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if not item.get_closest_marker("long")]


def pytest_collection_finish() -> None:
    """What has been imported and collected stays: never look through it again."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Look through what the tests left here, and not ten times more when pytest does."""
    gc.collect()
    gc.collect()
    gc.freeze()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Whether all is looked at; how long the chaos test runs, and what it begins with."""
    parser.addoption(
        "--long", action="store_true", help="every seed, size and instant; see long.py"
    )
    parser.addoption("--runs", type=int, default=None, help="so many random chaos schedules")
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


@pytest.fixture(scope="session")
def is_long(pytestconfig: pytest.Config) -> bool:
    """Whether this is the long run, for a test that chooses by itself how far it looks."""
    return bool(pytestconfig.getoption("--long"))


@pytest.fixture
def state_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for the state of this test alone, also by $CANARY_STATE_DIR."""
    path = tmp_path / "state"
    path.mkdir(mode=0o700)
    monkeypatch.setenv("CANARY_STATE_DIR", str(path))
    return path
