"""How Google's clients are imported: the published ones, without what is never run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(
    "module",
    [
        "connection.clients",
        "connection.clock",
        "connection.endpoints",
        "connection.errors",
        "connection.calls",
        "embedded.embedded",
        "http.health",
        "monitoring.reader",
        "router.choice",
        "router.command",
        "router.url_map",
        "router.revisions",
        "run.client",
        "views",
    ],
)
def test_importing_an_adapter_imports_neither_google_nor_httpx(module: str) -> None:
    heavy = run(
        f"import canary.cloud.{module}, sys;"
        "print([m for m in ('google', 'grpc', 'httpx', 'tenacity', 'aiohttp') if m in sys.modules])"
    )
    assert heavy.strip() == "[]"


def test_the_clients_come_without_their_siblings_and_aiohttp() -> None:
    loaded = run(
        "from canary.cloud.connection.client_modules import load_api;"
        "load_api('services'); load_api('metrics');"
        "import sys;"
        "heavy = ('aiohttp', 'google.cloud.run_v2.services.jobs');"
        "print([m for m in heavy if m in sys.modules])"
    )
    assert loaded.strip() == "[]"


def test_the_clients_are_the_published_ones_for_whoever_imports_the_package_later() -> None:
    same = run(
        "from canary.cloud.connection.client_modules import load_api;"
        "r, m = load_api('services'), load_api('metrics');"
        "from google.cloud import run_v2, monitoring_v3;"
        "import aiohttp;"
        "print(run_v2.ServicesAsyncClient is r.client,"
        " run_v2.JobsClient.__name__,"
        " run_v2.types.Service is r.types.Service,"
        " monitoring_v3.MetricServiceAsyncClient is m.client)"
    )
    assert same.split() == ["True", "JobsClient", "True", "True"]


def test_a_package_that_was_imported_before_is_used_as_it_is() -> None:
    same = run(
        "from google.cloud import run_v2;"
        "from canary.cloud.connection.client_modules import load_api;"
        "print(load_api('services').client is run_v2.ServicesAsyncClient)"
    )
    assert same.strip() == "True"
