"""Whoever takes a port of this machine is neither asked nor told anything: no certificate proves
who answers on plain http, the kernel says whose socket it is.
"""

import os
import socket
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from click.testing import CliRunner

from canary.cli.setup.trust import trust
from canary.cloud.connection.clients import Connection
from canary.cloud.connection.clock import ScaledClock
from canary.cloud.connection.http import open_http
from canary.cloud.embedded.control import ControlError, request_json
from canary.cloud.http.health import probe
from canary.cloud.http.webhook import post_webhook
from canary.cloud.prometheus.client import PrometheusClient
from canary.engine.jobs.load_test import LoadTestRun, choose_settings
from canary.engine.jobs.router_requests import LoadTarget
from canary.host.listeners import find_stranger, say_stranger
from canary.rollout.errors import HostProblem, ToolFailed, Unavailable
from canary.rollout.plan.plan import Endpoints
from tests.embedded import DEFAULT_PLAN
from tests.hostile.other import needs_root

PERSON_UID = 54_321
"""Somebody who could log in here; `nobody` is taken for a service."""


@contextmanager
def listening(uid: int, address: str = "127.0.0.1", port: int = 0) -> Iterator[socket.socket]:
    """A socket of another user that waits for whoever comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    os.seteuid(uid)
    try:
        opened = socket.socket(family)
    finally:
        os.seteuid(0)
    with opened:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        opened.bind((address, port))
        opened.listen()
        opened.setblocking(False)
        yield opened


def port_of(opened: socket.socket) -> int:
    return int(opened.getsockname()[1])


@pytest.fixture
def taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A port of loopback that another person of this host has taken."""
    monkeypatch.setenv("CANARY_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("SECRET", "not-for-others")
    with listening(PERSON_UID) as opened:
        yield opened


async def ask_run(url: str) -> None:
    await Connection(Endpoints(run=url)).api("services")


async def ask_logs(url: str) -> None:
    await Connection(Endpoints(run="http://127.0.0.1:1", logging=url)).api("logs")


async def ask_prometheus(url: str) -> None:
    metrics = msgspec.structs.replace(
        DEFAULT_PLAN.metrics, source="prometheus", url=url, auth="bearer", secret_env="SECRET"
    )
    client = PrometheusClient(msgspec.structs.replace(DEFAULT_PLAN, metrics=metrics))
    await client.query_range("up", 0, 60, 60, "reading")


async def ask_over_http(url: str) -> None:
    async with open_http(url) as client:
        await client.get(url)


async def tell(url: str) -> None:
    await post_webhook(f"{url}/hook", {}, 1.0)


async def ask_health(url: str) -> None:
    report = await probe(url, "/health", 1.0, 0.0)
    assert not report.ok
    raise Unavailable(report.message)


async def ask_embedded(url: str) -> None:
    await request_json(url, "GET", "/_cloud/clock")


async def load(url: str) -> None:
    target = LoadTarget(url, ("ion-api-canary",), ("ion-api",), stage=4, percent=50)
    settings = choose_settings(DEFAULT_PLAN, users=1)
    clock = ScaledClock(0.0, 0.0, 1.0)
    await LoadTestRun(DEFAULT_PLAN, target, settings, clock).run(lambda _: None)


ASKED = (load, ask_run, ask_logs, ask_prometheus, ask_over_http, tell, ask_health, ask_embedded)


@needs_root
@pytest.mark.parametrize("ask", ASKED)
async def test_nothing_is_asked_or_told_where_somebody_else_listens(
    taken: socket.socket, ask: Callable[[str], Awaitable[None]]
):
    url = f"http://127.0.0.1:{port_of(taken)}"
    raised = (HostProblem, Unavailable, ToolFailed, ControlError, httpx.ConnectError)
    with pytest.raises(raised, match=r"another user's \(user 54321\)"):
        await ask(url)
    with pytest.raises(BlockingIOError):
        taken.accept()  # nobody has come: no secret, no text, no question


@needs_root
def test_a_port_that_was_trusted_may_be_anybodys(taken: socket.socket, tmp_path: Path):
    port = port_of(taken)
    CliRunner().invoke(trust, ["port", str(port)])
    assert f"port  {port}" in CliRunner().invoke(trust, ["list"]).output
    assert say_stranger("127.0.0.1", port) == ("", "")
    CliRunner().invoke(trust, ["remove", str(port)])
    assert "ports" not in (tmp_path / "config" / "trust.toml").read_text()
    assert "canary trust port" in say_stranger("127.0.0.1", port)[1]


@needs_root
@pytest.mark.parametrize("uid", [0, 110, 61_184, 65_534])
def test_roots_and_services_accounts_are_believed(uid: int):
    with listening(uid) as opened:
        assert find_stranger("127.0.0.1", port_of(opened)) == ""


@needs_root
def test_what_sudos_caller_forwards_is_his(monkeypatch: pytest.MonkeyPatch):
    with listening(PERSON_UID) as opened:
        assert find_stranger("127.0.0.1", port_of(opened)) == "user 54321"
        monkeypatch.setenv("SUDO_UID", str(PERSON_UID))
        assert find_stranger("127.0.0.1", port_of(opened)) == ""


@needs_root
def test_only_where_a_connection_would_arrive_it_counts():
    """Somebody beside it hinders nothing; what a name could mean is looked at whole."""
    with ExitStack() as stack:
        own = stack.enter_context(listening(0))
        port = port_of(own)
        stack.enter_context(listening(PERSON_UID, "::1", port))
        assert find_stranger("127.0.0.1", port) == ""
        assert find_stranger("::1", port) == "user 54321"
        assert find_stranger("localhost", port) == "user 54321"
    with listening(0) as own, listening(PERSON_UID, "::", port_of(own)):
        assert find_stranger("127.0.0.1", port_of(own)) == ""
    with listening(PERSON_UID, "0.0.0.0") as other:  # noqa: S104 - an attacker's
        assert find_stranger("127.0.0.1", port_of(other)) == "user 54321"
    with listening(PERSON_UID, "::") as other:
        assert find_stranger("::1", port_of(other)) == "user 54321"
    assert find_stranger("127.0.0.1", 1) == ""


def test_where_the_kernel_does_not_answer_everybody_is_believed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("canary.host.listeners._SOCK_DIAG", 31)
    assert find_stranger("127.0.0.1", 1) == ""
