"""Requests through a router over real HTTP: who answered, what was not, how they are spaced."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from aiohttp import web

from canary.cloud.http.probe import MOST_IN_FLIGHT, ProbeOrder, ask_router
from canary.rollout.errors import PlanError
from canary.rollout.trials.comparison import ProbeAnswer
from tests.cloud.http.test_health import answering, serving
from tests.embedded import Embed


def order(url: str, **changes: Any) -> ProbeOrder:
    base = ProbeOrder(
        url=url,
        requests=4,
        delay_ms=0.0,
        timeout_s=5.0,
        header="x-canary-service",
        field="service",
        confidence_field="confidence",
    )
    return msgspec.structs.replace(base, **changes)


async def ask(probe: ProbeOrder) -> tuple[ProbeAnswer, ...]:
    return await ask_router(probe, lambda _: None)


async def test_the_embedded_clouds_router_says_who_answered(embed: Embed) -> None:
    async with embed(http=True, percent=100) as cloud:
        answers = await ask(order(f"{cloud.control_url}/chat"))
    assert {a.name for a in answers} == {"ion-api-canary"}
    scores = [a.confidence for a in answers if a.status == 200]
    assert scores
    assert all(score is not None and 0 < score <= 1 for score in scores)
    assert all(a.latency_ms is not None and a.latency_ms > 0 for a in answers)


async def test_the_body_says_it_where_no_header_does() -> None:
    body = {"service": "ion-api", "confidence": 0.5}
    async with answering(lambda: web.json_response(body)) as url:
        answers = await ask(order(url))
    assert {(a.name, a.confidence) for a in answers} == {("ion-api", 0.5)}


@pytest.mark.parametrize(
    "body",
    ["", "[]", '{"service": 7}', "not json", '{"confidence": 7, "service": null}', "[" * 9999],
)
async def test_a_body_that_says_nothing_names_nobody(body: str) -> None:
    async with answering(lambda: web.Response(text=body)) as url:
        (answer, *_) = await ask(order(url))
    assert (answer.name, answer.status, answer.confidence) == ("", 200, None)


async def test_a_refused_connection_is_no_answer_and_says_why() -> None:
    answers = await ask(order("http://127.0.0.1:9/"))
    assert all(a.status is None and a.latency_ms is None and a.error for a in answers)


async def test_no_answer_in_time_is_no_answer() -> None:
    async def stall(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    async with serving(stall) as url:
        (answer,) = await ask(order(url, requests=1, timeout_s=0.05))
    assert (answer.status, answer.error) == (None, "no answer within 0.05 s")


async def test_cookies_are_not_kept_so_nobody_is_pinned_to_a_side() -> None:
    seen: list[str] = []

    async def pin(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("cookie", ""))
        return web.Response(headers={"set-cookie": "side=canary"})

    async with serving(pin) as url:
        probe = order(url, delay_ms=1.0)
        await ask(probe)
        await ask_router(probe, lambda _: None)
    assert seen == [""] * 8


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    async with answering(lambda: web.Response(status=302, headers={"location": "/x"})) as url:
        assert {a.status for a in await ask(order(url))} == {302}


async def test_requests_begin_so_far_apart_whatever_the_answers_take() -> None:
    pauses: list[float] = []

    async def sleep(pause_s: float) -> None:
        pauses.append(pause_s)

    async with answering(lambda: web.Response()) as url:
        await ask_router(order(url, delay_ms=60_000.0), lambda _: None, sleep=sleep)
    # Each is due a minute after the one before, counted from the first, so that nothing drifts.
    assert [round(pause / 60) for pause in pauses] == [1, 2, 3]


async def test_no_more_than_so_many_wait_at_once() -> None:
    waiting, most, gate = 0, 0, asyncio.Event()

    async def hold(_: web.Request) -> web.StreamResponse:
        nonlocal waiting, most
        waiting += 1
        most = max(most, waiting)
        if waiting == MOST_IN_FLIGHT:
            gate.set()
        await gate.wait()
        waiting -= 1
        return web.Response()

    async with serving(hold) as url:
        answers = await ask(order(url, requests=MOST_IN_FLIGHT * 2))
    assert len(answers) == MOST_IN_FLIGHT * 2
    assert most <= MOST_IN_FLIGHT


async def test_each_answer_is_told_as_it_comes() -> None:
    told: list[ProbeAnswer] = []
    async with answering(lambda: web.Response()) as url:
        answers = await ask_router(order(url), told.append)
    assert sorted(map(repr, told)) == sorted(map(repr, answers))


@pytest.mark.parametrize("url", ["http://example.com/", "ftp://127.0.0.1/", "", "http://[::1"])
async def test_an_address_that_may_not_be_asked_is_refused(url: str) -> None:
    with pytest.raises(PlanError):
        await ask(order(url))
