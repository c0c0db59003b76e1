"""The wire messages are loaded without the clients."""

import subprocess
import sys

import pytest


def run(code):
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize(
    "module",
    ["google.cloud.run_v2.services.services", "google.api_core.gapic_v1", "google.auth"],
)
def test_serving_imports_no_client(module):
    code = f"import canary.simulator.api.grpc_server, sys; sys.exit({module!r} in sys.modules)"
    assert run(code).returncode == 0


@pytest.mark.parametrize("first", ["canary.simulator.wire.messages", "google.cloud.run_v2"])
def test_clients_and_server_share_their_messages_in_either_order(first):
    code = (
        f"import {first}\n"
        "import canary.simulator.wire.messages as messages\n"
        "from google.cloud import monitoring_v3, run_v2\n"
        "assert run_v2.Service.pb() is messages.Service\n"
        "assert monitoring_v3.TimeSeries.pb() is messages.TimeSeries\n"
        "run_v2.ServicesAsyncClient, monitoring_v3.MetricServiceAsyncClient\n"
    )
    answer = run(code)
    assert answer.returncode == 0, answer.stderr
