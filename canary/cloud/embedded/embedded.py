"""The embedded cloud as seen from the console: starting or joining it, its lease, its controls.

It is a process of its own, reached over its protocols only. Several consoles share one; each holds
a lease (an open connection), and the cloud ends with its last.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec

from canary.cloud.connection.clock import ScaledClock
from canary.cloud.embedded.control import ControlError, Lease, open_lease, request_json
from canary.cloud.embedded.process import (
    LOG_FILE,
    SOURCE,
    STATE_FILE,
    Ready,
    Starting,
    begin_embedded,
)
from canary.rollout.errors import Rejected, Unavailable
from canary.rollout.plan.plan import Endpoints, Plan
from canary.rollout.text import sanitize

JOIN_WITHIN_S = 2.0
AHEAD_AT_MOST_S = 10.0
"""Real seconds that a dead cloud is taken to have gone on: its state is of seconds before its end,
but a console that was stopped for hours must not let days pass."""
END_LOOKS, END_LOOK_S = 80, 0.05


class _Status(msgspec.Struct, frozen=True):
    """GET /_cloud/clock."""

    now: float
    speed: float
    scenario: str = ""
    scenarios: tuple[str, ...] = ()


class _Scenario(msgspec.Struct, frozen=True):
    """One of GET /_cloud/scenarios."""

    name: str
    about: str


class EmbeddedCloud:
    """A running embedded cloud on which this process holds a lease until `close`.

    `endpoints` are for a Connection; `service_urls` name each service's own HTTP address and
    `router_url` the front that splits. `shared`: it was running already, for another console.
    """

    def __init__(self, ready: Ready, lease: Lease) -> None:
        self._ready = ready
        self._lease = lease
        self._status = _Status(ready.now, ready.speed)
        self._scenarios: dict[str, str] = {}
        self.clock = ScaledClock(ready.now, time.monotonic(), ready.speed)
        grpc = f"http://{ready.grpc}"
        rest = ready.rest or None
        self.endpoints = Endpoints(
            run=grpc,
            monitoring=grpc,
            bigquery=rest,
            logging=grpc,
            compute=rest,
            artifact_registry=rest,
        )
        self.router_url = ready.router
        self.control_url = ready.http
        self.service_urls: Mapping[str, str] = {**ready.services, **ready.tags}
        self.shared = ready.shared
        self.pid = ready.pid

    @property
    def scenarios(self) -> Mapping[str, str]:
        """The scenarios it can play, each with a sentence; empty until `refresh` was answered."""
        return self._scenarios

    @property
    def scenario(self) -> str:
        """Name of the scenario that was on when it was last asked; "" before."""
        return self._status.scenario

    async def refresh(self) -> None:
        """Ask for time, speed and scenarios, and set the clock by them. Raises Unavailable.

        One that died and was started again, by whomever, is held by a new lease from now on.
        """
        self._take(await self._call("GET", "/_cloud/clock"))
        if set(self._scenarios) != set(self._status.scenarios):
            self._take_scenarios(await self._call("GET", "/_cloud/scenarios"))
        if not self._lease.held:
            with contextlib.suppress(ControlError, OSError, TimeoutError):
                risen = await asyncio.wait_for(open_lease(self.control_url), JOIN_WITHIN_S)
                dead, self._lease = self._lease, risen
                await dead.close()

    async def set_scenario(self, name: str, params: Mapping[str, float] | None = None) -> None:
        """Begin a scenario (`healthy` ends any). Raises Rejected for one it does not know."""
        self._take(
            await self._call(
                "POST", "/_cloud/scenario", {"name": name, "params": dict(params or {})}
            )
        )

    async def set_clock(
        self, *, speed: float | None = None, advance_s: float | None = None
    ) -> None:
        """Let the cloud's clock run at another speed, or jump forwards. Raises Rejected."""
        body = {"speed": speed, "advance_s": advance_s}
        self._take(await self._call("POST", "/_cloud/clock", body))

    async def close(self) -> None:
        """Give the lease back; if it was the last, the cloud saves its state and ends."""
        await self._lease.close()

    async def wait_lost(self) -> None:
        """Return when the embedded cloud is gone (it was ended, or died)."""
        await self._lease.wait_lost()

    async def go_on_as(self, risen: EmbeddedCloud) -> None:
        """Hold the process that `risen` has joined; it listens where the dead one did."""
        dead, self._lease, self.pid = self._lease, risen._lease, risen.pid
        self.clock.follow(risen.clock.now(), risen.clock.speed)
        await dead.close()

    async def _call(self, method: str, path: str, body: object = None) -> bytes:
        try:
            status, answer = await asyncio.wait_for(
                request_json(self.control_url, method, path, body), JOIN_WITHIN_S
            )
        except (ControlError, OSError, TimeoutError) as exc:
            raise Unavailable(
                f"The embedded cloud does not answer: {sanitize(exc) or type(exc).__name__}.",
                remedy="A console starts it again by itself; its state is kept.",
                source=SOURCE,
            ) from exc
        if status >= 400:
            raise Rejected(f"The embedded cloud refused: {_reason(answer)}.", source=SOURCE)
        return answer

    def _take_scenarios(self, answer: bytes) -> None:
        try:
            found = msgspec.json.decode(answer, type=tuple[_Scenario, ...])
        except msgspec.MsgspecError as exc:
            raise Unavailable(
                f"The embedded cloud gave an answer that cannot be read: {exc}.", source=SOURCE
            ) from exc
        self._scenarios = {one.name: one.about for one in found}

    def _take(self, answer: bytes) -> None:
        try:
            self._status = msgspec.json.decode(answer, type=_Status)
        except msgspec.MsgspecError as exc:
            raise Unavailable(
                f"The embedded cloud gave an answer that cannot be read: {exc}.", source=SOURCE
            ) from exc
        self.clock.follow(self._status.now, self._status.speed)


async def open_embedded(
    plan: Plan, state_dir: Path, *, fresh: bool = False, starting: Starting | None = None
) -> EmbeddedCloud:
    """Start the embedded cloud of a plan, or join the one that runs on the same state.

    `fresh` starts over, unless another console is using it (see `shared`). `starting`: it was begun
    already. Raises Unavailable when it does not come up, with what it said.
    """
    if starting is None:
        if fresh:
            await _end_unused(state_dir / STATE_FILE)
        elif cloud := await _join(state_dir / STATE_FILE):
            return cloud
        starting = begin_embedded(plan, state_dir, fresh=fresh)
    ready = await asyncio.to_thread(starting.wait)
    try:
        lease = await asyncio.wait_for(open_lease(ready.http), JOIN_WITHIN_S)
    except (ControlError, OSError, TimeoutError) as exc:
        raise Unavailable(
            f"The embedded cloud came up and is gone again: {sanitize(exc) or 'no answer'}.",
            remedy=f"See {state_dir / LOG_FILE}.",
            source=SOURCE,
        ) from exc
    opened = EmbeddedCloud(ready, lease)
    if ready.shared:
        # The line is from when it started: its clock has moved on.
        await opened.refresh()
    return opened


async def revive_embedded(cloud: EmbeddedCloud, plan: Plan, state_dir: Path) -> None:
    """Start an embedded cloud that has died once more from its state, or join who did so already.

    It listens where it did, so that every connection finds it again, and its clock does not go
    back behind what was seen. Raises Unavailable when it does not come up, or not there.
    """
    seen_at, speed = cloud.clock.now(), cloud.clock.speed
    risen = await _join(state_dir / STATE_FILE)
    if risen is None:
        starting = begin_embedded(plan, state_dir, again_at=speed)
        risen = await open_embedded(plan, state_dir, starting=starting)
    if risen.endpoints != cloud.endpoints or risen.router_url != cloud.router_url:
        await risen.close()
        raise Unavailable(
            "The embedded cloud runs again, but at another address: its port was taken.",
            remedy="Open the console again; its state is kept.",
            source=SOURCE,
        )
    behind_s = min(seen_at - risen.clock.now(), AHEAD_AT_MOST_S * speed)
    if behind_s > 0 and not risen.shared:
        with contextlib.suppress(Unavailable, Rejected):
            await risen.set_clock(advance_s=behind_s)
    await cloud.go_on_as(risen)


async def _end_unused(state_path: Path) -> None:
    """End a cloud that only waits whether its last console comes again; one in use is left."""
    endpoint = _endpoint_of(state_path)
    try:
        ready = msgspec.json.decode(endpoint.read_bytes(), type=Ready)
        _, answer = await asyncio.wait_for(
            request_json(ready.http, "POST", "/_cloud/end", {}), JOIN_WITHIN_S
        )
        ends = msgspec.json.decode(answer, type=dict[str, bool]).get("ends", False)
    except (OSError, TimeoutError, ControlError, msgspec.MsgspecError):
        return  # there is none
    for _ in range(END_LOOKS):
        if not ends or not endpoint.exists():
            return
        await asyncio.sleep(END_LOOK_S)


def _endpoint_of(state_path: Path) -> Path:
    """Where a cloud that runs on this state says how it is reached."""
    return state_path.with_name(state_path.name + ".endpoint.json")


async def _join(state_path: Path) -> EmbeddedCloud | None:
    """Join a cloud that says it runs on this state; None when there is none that answers.

    Spares the start of a process that would only print the same line.
    """
    endpoint = _endpoint_of(state_path)
    lease: Lease | None = None
    try:
        ready = msgspec.json.decode(endpoint.read_bytes(), type=Ready)
        lease = await asyncio.wait_for(open_lease(ready.http), JOIN_WITHIN_S)
        cloud = EmbeddedCloud(msgspec.structs.replace(ready, shared=True), lease)
        await cloud.refresh()
    except (OSError, TimeoutError, ControlError, msgspec.MsgspecError, Unavailable, Rejected):
        if lease is not None:
            await lease.close()
        return None
    return cloud


def _reason(answer: bytes) -> str:
    with contextlib.suppress(msgspec.MsgspecError):
        said = msgspec.json.decode(answer)
        if isinstance(said, dict) and "error" in said:
            return sanitize(said["error"], 400)
    return sanitize(answer.decode(errors="replace"))
