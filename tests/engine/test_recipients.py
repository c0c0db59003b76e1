"""Several are told, each in its own form; one that is away holds up nobody."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiohttp import web

from canary.engine.delivery import PAGERDUTY
from canary.engine.notify import Notifier, open_notifier
from canary.host.trust import read_trust
from canary.rollout.export.notification import Notification
from canary.rollout.plan.tables import Notify
from canary.store.paths import sent_notifications_path
from canary.store.sent_notifications import SentNotifications
from tests.cloud.webhook_server import listening
from tests.rollout.build import PLAN

WORDS = Notification("", "ion-api: promoted", "info", (("log", "https://console.example/x"),))


class Grafana:
    """The annotations that a Grafana was sent, with what was shown at its door."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, Any]] = []
        self.url = ""

    async def take(self, request: web.Request) -> web.Response:
        self.taken.append((request.headers["authorization"], await request.json()))
        return web.json_response({"id": 1})


@contextlib.asynccontextmanager
async def grafana() -> AsyncIterator[Grafana]:
    server, app = Grafana(), web.Application()
    app.router.add_post("/base/api/annotations", server.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    server.url = f"http://{host}:{port}/base"
    try:
        yield server
    finally:
        await runner.cleanup()


def notifier(directory: Path, said: list[str], first: Notify, *others: Notify) -> Notifier:
    settings = msgspec.structs.replace(first, others=others)
    return open_notifier(msgspec.structs.replace(PLAN, notify=settings), directory, said.append)


async def test_each_is_told_in_its_own_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY", "routing-key")
    monkeypatch.setenv("TOKEN", "glsa_token")
    async with listening() as slack, listening() as pagerduty, grafana() as annotations:
        told = notifier(
            tmp_path,
            [],
            Notify(webhook=slack.url),
            Notify(kind="pagerduty", webhook=pagerduty.url, secret_variable="KEY"),
            Notify(kind="grafana", webhook=annotations.url, secret_variable="TOKEN"),
        )
        told.tell(WORDS)
        await told.drain()
        told.close()
    assert slack.texts == ["ion-api: promoted"]
    [event] = pagerduty.bodies
    assert event["routing_key"] == "routing-key"
    assert event["payload"]["summary"] == "ion-api: promoted"
    assert event["links"] == [{"href": "https://console.example/x", "text": "log"}]
    assert "event_action" not in event  # that is what would page
    [(authorization, body)] = annotations.taken
    assert authorization == "Bearer glsa_token"
    assert body["tags"] == ["canary", "info"]
    assert body["time"] > 1_000_000_000_000


async def test_one_that_refuses_keeps_no_other_from_being_told(tmp_path: Path) -> None:
    said: list[str] = []
    async with listening() as first, listening() as second:
        first.status = 503
        told = notifier(tmp_path, said, Notify(webhook=first.url), Notify(webhook=second.url))
        told.tell(WORDS)
        await told.drain()
        told.close()
        assert second.texts == ["ion-api: promoted"]
        assert said
    with SentNotifications(sent_notifications_path(tmp_path), read_only=True) as waiting:
        backlog = waiting.backlog()
        assert backlog is not None
        assert backlog.count == 1
    with SentNotifications(sent_notifications_path(tmp_path, 1), read_only=True) as told_all:
        assert told_all.backlog() is None


async def test_a_secret_goes_to_no_host_that_is_not_trusted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN", "glsa_token")
    said: list[str] = []
    assert "grafana.example" not in read_trust().hosts
    settings = Notify(kind="grafana", webhook="https://grafana.example", secret_variable="TOKEN")
    told = notifier(tmp_path, said, settings)
    told.tell(WORDS)
    await told.drain()
    told.close()
    assert any("have not trusted it" in each for each in said)
    assert not any("glsa_token" in each for each in said)


def test_pagerduty_needs_no_address_of_its_own() -> None:
    settings = Notify(kind="pagerduty", secret_variable="KEY")
    assert settings.is_on
    assert settings.is_at_home
    assert PAGERDUTY.startswith("https://events.pagerduty.com/v2/change/")


async def test_a_missing_secret_is_said_by_its_name(tmp_path: Path) -> None:
    said: list[str] = []
    async with listening() as server:
        settings = Notify(kind="pagerduty", webhook=server.url, secret_variable="NO_SUCH_KEY")
        told = notifier(tmp_path, said, settings)
        told.tell(WORDS)
        await told.drain()
        told.close()
        assert server.bodies == []
    assert any("NO_SUCH_KEY" in each for each in said)
