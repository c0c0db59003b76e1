"""A webhook on loopback: a real HTTP server that keeps what it is sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web


class Webhook:
    """What came in, and how it answers. `status` 0: it never does."""

    def __init__(self) -> None:
        self.bodies: list[Any] = []
        self.status = 200
        self.text = "ok"
        self.url = ""
        self.arrived = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.bodies.append(await request.json())
        self.arrived.set()
        if self.status == 0:
            await asyncio.sleep(3600)
        return web.Response(status=self.status, text=self.text, headers={"location": "/other"})

    @property
    def texts(self) -> list[str]:
        return [body["text"] for body in self.bodies]


@contextlib.asynccontextmanager
async def listening() -> AsyncIterator[Webhook]:
    webhook = Webhook()
    app = web.Application()
    app.router.add_post("/services/T0/s3cret", webhook.take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    webhook.url = f"http://{host}:{port}/services/T0/s3cret"
    try:
        yield webhook
    finally:
        await runner.cleanup()
