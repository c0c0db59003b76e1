"""REST calls: faults first, then the answer as JSON, or a refusal as Google's APIs word it.

Each call is known by the path its method has in gRPC, `/google.cloud.run.v2.Services/GetService`
for one, so the fault table and the scenarios name calls one way, whatever protocol they come by.
"""

from __future__ import annotations

import asyncio
import inspect
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from aiohttp import web

from canary.simulator.wire.calls import ApiError, RestError
from canary.simulator.world.faults import HTTP_STATUS, NO_FAULT, Fault
from canary.simulator.world.world import World

OPERATIONS = "/google.longrunning.Operations/"

_ACCOUNT = re.compile(r"[^@\s]{1,64}@[^@\s]{1,200}\.[a-z.]{2,60}")

_REASONS = {
    400: "invalid",
    401: "authError",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    412: "conditionNotMet",
    429: "rateLimitExceeded",
    503: "backendError",
}
"""The word of the older error format for a status; every other is internalError."""


@dataclass(frozen=True, slots=True)
class Call:
    """One REST call on its way to its answer."""

    http: web.Request
    fault: Fault = NO_FAULT
    """What the fault table wants of the answer, or of what the call begins."""

    def part(self, name: str) -> str:
        """Return a part of the path."""
        return str(self.http.match_info[name])

    def query(self, name: str, default: str = "") -> str:
        """Return a query parameter."""
        return str(self.http.query.get(name, default))

    def account(self, default: str) -> str:
        """Return who calls: the access token, when that is the name of an account.

        Nothing else here could tell; a token that is a secret is not looked at further.
        """
        token = self.http.headers.get("authorization", "").removeprefix("Bearer ").strip()
        return token if _ACCOUNT.fullmatch(token) else default

    async def body(self) -> dict[str, Any]:
        """Return the JSON object that was sent; {} for none. RestError when it is not one."""
        raw = await self.http.read()
        if not raw:
            return {}
        try:
            return msgspec.json.decode(raw, type=dict[str, Any])
        except msgspec.MsgspecError as exc:
            raise RestError(
                400, "parseError", f"Invalid JSON payload received. {exc}", "INVALID_ARGUMENT"
            ) from exc


Answer = Callable[[Call], Any | Awaitable[Any]]


class Rest:
    """Makes aiohttp handlers of answers."""

    def __init__(self, world: World) -> None:
        self._world = world

    def handler(
        self, method: str, answer: Answer, *, changes: bool = False
    ) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
        """Return a handler for a gRPC path; `changes`: who may only look is refused."""

        async def handle(request: web.Request) -> web.StreamResponse:
            world = self._world
            world.settle()
            fault = world.fault_for(method)
            if fault is not None and not fault.after_apply:
                failed = await _suffer(fault)
                if failed is not None:
                    return failed
            if changes and world.scenario.current(world.clock.now()).changes_denied:
                return error(403, "forbidden", "The caller may look, but not change this.")
            given = await _given(answer, Call(request, fault or NO_FAULT))
            if fault is not None and fault.after_apply:
                return await _suffer(fault) or given
            return _cut(given) if fault is not None and fault.shape == "cut" else given

        return handle


async def _given(answer: Answer, call: Call) -> web.Response:
    try:
        given = answer(call)
        if inspect.isawaitable(given):
            given = await given
    except ApiError as refusal:
        status = HTTP_STATUS.get(refusal.code.name, 501 if "UNIMPL" in refusal.code.name else 500)
        return error(status, "", refusal.message, refusal.code.name)
    except RestError as refusal:
        return error(refusal.status, refusal.reason, refusal.message, refusal.code)
    return respond(given)


def respond(value: object, status: int = 200) -> web.Response:
    """Return a JSON answer."""
    body = msgspec.json.encode(value)
    return web.Response(status=status, body=body, content_type="application/json")


def error(status: int, reason: str, message: str, code: str = "") -> web.Response:
    """Return an error with the fields of both formats: `errors[].reason` and `status`."""
    told = {"message": message, "domain": "global", "reason": reason or _reason(status)}
    body: dict[str, object] = {"code": status, "message": message, "errors": [told]}
    if code or status in _CODES:
        body["status"] = code or _CODES[status]
    return respond({"error": body}, status)


_CODES = {status: code for code, status in reversed(HTTP_STATUS.items())}


def _reason(status: int) -> str:
    return _REASONS.get(status, "internalError")


async def _suffer(fault: Fault) -> web.Response | None:
    if fault.delay_s:
        await asyncio.sleep(fault.delay_s)
    if not fault.code:
        return None
    status = HTTP_STATUS.get(fault.code, 500)
    message = fault.message or f"The fault table says {fault.code}."
    reason = "accessDenied" if status == 403 else ""
    return error(status, reason, message, fault.code)


def _cut(given: web.Response) -> web.Response:
    """Return half of an answer, as a connection that broke in a proxy leaves it."""
    whole = given.body if isinstance(given.body, bytes) else b""
    return web.Response(
        status=given.status, body=whole[: len(whole) // 2], content_type="application/json"
    )
