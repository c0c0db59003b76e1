"""What Google's front answers in place of a service. Its texts: Cloud Run's and IAP's own pages."""

import pytest

from canary.cloud.http.front import find_barrier
from canary.cloud.http.health import probe
from canary.cloud.http.probe import ProbeOrder, ask_router
from canary.simulator.control.http_services import BARRIERS
from tests.cloud.http.test_health import NOW
from tests.embedded import Embed

HTML = {"content-type": "text/html; charset=UTF-8", "server": "Google Frontend"}
RUN_404 = b"""<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>404 Page not found</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: Page not found</h1>
<h2>The requested URL was not found on this server.</h2>
<h2></h2>
</body></html>"""
OLD_404 = (
    b"<!DOCTYPE html>\n<title>Error 404 (Not Found)!!1</title>\n<p><b>404.</b> <ins>That's an"
    b" error.</ins>\n<p>The requested URL <code>/health</code> was not found on this server."
)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, HTML, RUN_404),
        (404, HTML, OLD_404),
        (403, HTML, b"<h1>Error: Forbidden</h1>"),
        (401, {"www-authenticate": 'Bearer error="invalid_token"'}, b""),
        (302, {"location": "https://accounts.google.com/o/oauth2/v2/auth?x"}, b""),
        (401, {"x-goog-iap-generated-response": "true"}, b"Invalid IAP credentials: empty token"),
        (302, {"x-goog-iap-generated-response": "true", "location": "https://sso.corp"}, b""),
    ],
)
def test_what_did_not_come_from_the_service_is_known(status, headers, body):
    assert find_barrier(status, headers, body)


@pytest.mark.parametrize(
    ("status", "headers", "body"),
    [
        (404, {"content-type": "application/json", "server": "Google Frontend"}, b'{"detail":""}'),
        (404, HTML, b"<h1>Not Found</h1><p>/health is not mapped</p>"),
        (302, {"location": "/login"}, b""),
        (302, {"location": "https://accounts.google.com.evil.example/"}, b""),
        (500, HTML, RUN_404),
        (503, HTML, b"Service Unavailable"),
        (200, HTML, b"ok"),
    ],
)
def test_a_services_own_answer_is_its_own(status, headers, body):
    assert find_barrier(status, headers, body) == ""


@pytest.mark.parametrize("shape", sorted(BARRIERS))
async def test_a_service_that_lets_nobody_in_from_here_is_not_ill(embed: Embed, shape: str) -> None:
    async with embed(http=True) as cloud:
        cloud.break_method("http:*", shape=shape)
        state = await cloud.run.service("ion-api-canary")
        report = await probe(state.uri, "/health", 5.0, NOW)
        order = ProbeOrder(cloud.control_url, 3, 0.0, 5.0, "x-canary-service", "service", "c")
        answers = await ask_router(order, lambda _: None)
    assert (report.ok, report.reached) == (False, False)
    assert report.message.startswith("not reachable from here: ")
    assert [(a.is_barred, a.status) for a in answers] == [(True, None)] * 3


async def test_an_id_token_is_sent_along() -> None:
    from aiohttp import web

    from tests.cloud.http.test_health import serving

    async def guard(request: web.Request) -> web.StreamResponse:
        known = request.headers.get("authorization") == "Bearer abc"
        return web.Response(status=200 if known else 403)

    async with serving(guard) as url:
        assert (await probe(url, "/health", 5.0, NOW, token="abc")).ok
        assert not (await probe(url, "/health", 5.0, NOW)).reached
