"""Health checks over real HTTP."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
from aiohttp import web

from canary.cloud.http.health import probe
from tests.embedded import Embed

NOW = 1_760_000_040.0


@asynccontextmanager
async def answering(answer: Callable[[], web.StreamResponse]) -> AsyncIterator[str]:
    """A server that gives one answer to everything."""

    async def handle(_: web.Request) -> web.StreamResponse:
        return answer()

    async with serving(handle) as url:
        yield url


@asynccontextmanager
async def serving(handle) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.05, handler_cancellation=True)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


async def test_a_service_that_is_well_is_ok_with_status_and_latency(embed: Embed) -> None:
    async with embed(http=True) as cloud:
        state = await cloud.run.service("ion-api-canary")
        report = await probe(state.uri, "/health", 5.0, NOW, service="ion-api-canary")
    assert (report.ok, report.status, report.at) == (True, 200, NOW)
    assert report.service == "ion-api-canary"
    assert report.url == f"{state.uri}/health"
    assert report.latency_ms is not None


@pytest.mark.parametrize("status", [301, 403, 404, 429, 500, 503])
async def test_any_status_but_2xx_is_not_ok(status: int) -> None:
    async with answering(lambda: web.Response(status=status, text="why")) as url:
        report = await probe(url, "/health", 5.0, NOW)
    assert (report.ok, report.status) == (False, status)
    assert str(status) in report.message


async def test_a_redirect_is_not_followed() -> None:
    async with answering(
        lambda: web.Response(status=302, headers={"location": "/elsewhere"})
    ) as url:
        assert (await probe(url, "/health", 5.0, NOW)).status == 302


async def test_no_answer_in_time_is_not_ok_and_has_no_latency() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # its backlog connects, nobody answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        report = await probe(url, "/health", 0.05, NOW)
    assert (report.ok, report.status, report.latency_ms) == (False, None, None)
    assert "0.05 s" in report.message


async def test_an_answer_of_a_megabyte_is_cut_off() -> None:
    async def pour(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1024):
            await response.write(b"x" * 1024)
        return response

    async with serving(pour) as url:
        report = await probe(url, "/health", 5.0, NOW)
    assert report.ok


async def test_nobody_listening_is_not_ok() -> None:
    report = await probe("http://127.0.0.1:9", "/health", 5.0, NOW)
    assert (report.ok, report.status) == (False, None)
    assert report.message


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "", "ion-api"])
async def test_what_may_not_be_asked_is_not_asked(url: str) -> None:
    report = await probe(url, "/health", 5.0, NOW)
    assert (report.ok, report.status) == (False, None)


async def test_a_body_brings_no_control_characters_along() -> None:
    async with answering(lambda: web.Response(status=500, text="\x1b[2Jboom\x07")) as url:
        report = await probe(url, "/health", 5.0, NOW)
    assert report.message.isprintable()
    assert "boom" in report.message


async def test_an_environment_that_cannot_be_used_is_a_side_that_was_not_reached(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    report = await probe("https://api.example.com", "/health", 1.0, NOW)
    assert (report.ok, report.reached) == (False, False)
    assert report.message.startswith("HTTPS_PROXY (socks5://127.0.0.1:1080) cannot be used")
