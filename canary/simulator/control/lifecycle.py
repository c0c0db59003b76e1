"""The process: from the configuration to the readiness line, and to the end with the last lease."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sqlite3
import sys
from collections.abc import Awaitable
from pathlib import Path
from typing import Any

import msgspec

from canary.simulator.config import Config, ConfigError
from canary.simulator.control.ownership import Leases, Ownership, OwnershipError, Ready
from canary.simulator.endpoints import (
    LOOPBACK,
    Endpoints,
    Listener,
    PortTakenError,
    bind,
    free_again,
)
from canary.simulator.world.saved import StateError, remove_state
from canary.simulator.world.traffic.scenarios import check_scenario
from canary.simulator.world.world import World

DONE, FAILED = 0, 3

TICK_S = 0.5
SAVE_EVERY_TICKS = 4
TRIM_EVERY_TICKS = 60
STOP_WITHIN_S = 3.0

AHEAD_S = 80 * 3600.0
"""The longest soak and what lies before it."""
AHEAD_PIECE_S = 600.0

_log = logging.getLogger("canary.simulator")


def run(config: Config) -> int:
    """Run the embedded cloud until it ends; return the exit code.

    0: it ended as it should, or another process owns the state and its line was printed.
    3: it could not start; stderr says why. ConfigError for a scenario that there is not.
    """
    try:
        check_scenario(config.scenario, config.scenario_params)
    except ValueError as exc:
        raise ConfigError(f"configuration: {exc}") from exc
    os.umask(0o077)  # whatever it makes, a state with all above it, is its owner's
    logging.basicConfig(level=logging.WARNING, format="canary.simulator: %(message)s")
    logging.raiseExceptions = False  # a console that is gone must not turn a log line into a loop
    if config.leases:
        # Ctrl-C or a closed terminal of the console that happened to start the cloud must not
        # take it from the others: the leases say when to end. Ignored from the first moment on.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
    ownership = Ownership(Path(config.state_path)) if config.state_path else None
    try:
        shared = ownership.acquire() if ownership else None
        if shared is not None:
            _print(shared)
            return DONE
        return _own(config, ownership)
    except (OwnershipError, PortTakenError, StateError, OSError, sqlite3.Error) as exc:
        _log.error("%s", exc)
        return FAILED
    except KeyboardInterrupt:  # in the foreground, before the loop heeds it
        return DONE
    finally:
        if ownership is not None:
            ownership.release()


def _own(config: Config, ownership: Ownership | None) -> int:
    if config.fresh and config.state_path:
        remove_state(Path(config.state_path))
    left = ownership.left if ownership else None
    if left is not None:
        config = _where_it_was(config, left)
    endpoints, listeners = bind(config, {} if left is None else {**left.services, **left.tags})
    try:
        world = World(config)
        try:
            with asyncio.Runner() as runner:
                runner.run(Process(world, ownership, endpoints, listeners).serve())
        finally:
            world.close()
    finally:
        for listener in listeners:
            listener.sock.close()
    return DONE


def _where_it_was(config: Config, left: Ready) -> Config:
    """Listen where a killed process did, if that is free: whoever was connected to it goes on."""
    http_port = config.http_port or free_again(left.http)
    grpc_port = config.grpc_port or free_again(left.grpc)
    if grpc_port == http_port:  # the line is no cloud's
        return config
    return msgspec.structs.replace(config, grpc_port=grpc_port, http_port=http_port)


class Process:
    """One embedded cloud that is up: servers, ticks, signals, leases."""

    def __init__(
        self,
        world: World,
        ownership: Ownership | None,
        endpoints: Endpoints,
        listeners: list[Listener],
    ) -> None:
        self._world = world
        self._ownership = ownership
        self._listeners = listeners
        self._ended = asyncio.Event()
        config = world.config
        self._leases = Leases(
            self._ended.set, first_s=config.first_lease_s, grace_s=config.lease_grace_s
        )
        self._parent = os.getppid()
        self._follow_parent = not config.leases
        world.endpoints = endpoints

    async def serve(self) -> None:
        """Come up, say so, serve, and go down in order."""
        self._heed_signals()
        # gRPC first and the line before aiohttp's import (0.2 s): callers of HTTP wait in the
        # sockets' backlog meanwhile, callers of gRPC need not.
        from canary.simulator.api.apis import open_apis
        from canary.simulator.api.grpc_server import start_grpc

        apis = open_apis(self._world)
        try:
            server, port = await start_grpc(self._world, apis)
        except RuntimeError as exc:
            raise PortTakenError(f"grpc_port {self._world.config.grpc_port}: {exc}") from exc
        runners: list[Any] = []
        try:
            if not self._announce(port):
                return
            from canary.simulator.control.http_server import start_http

            runners = await start_http(self._world, self._leases, self._listeners, apis)
            if self._world.config.leases:
                self._leases.start()
            ahead = asyncio.create_task(self._compute_ahead())
            try:
                await self._tick_until_ended()
            finally:
                ahead.cancel()
        finally:
            await self._stop(server, runners)

    def _announce(self, grpc_port: int) -> bool:
        """Write the readiness line; False when the starter is gone and nobody would hear it."""
        endpoints, clock = self._world.endpoints, self._world.clock
        ready = Ready(
            pid=os.getpid(),
            grpc=f"{LOOPBACK}:{grpc_port}",
            http=endpoints.router,
            rest=endpoints.router,
            router=endpoints.router,
            services=endpoints.services,
            tags=endpoints.tags,
            speed=clock.speed,
            now=clock.now(),
        )
        if self._ownership is not None:
            self._ownership.announce(ready)
        return _print(ready)

    def _heed_signals(self) -> None:
        """End on SIGTERM always; on SIGINT and SIGHUP when run in the foreground."""
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(signal.SIGTERM, self._ended.set)
        if self._world.config.leases:
            return
        loop.add_signal_handler(signal.SIGINT, self._ended.set)
        if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # nohup: asked to stay
            self._follow_parent = False
        else:
            loop.add_signal_handler(signal.SIGHUP, self._ended.set)

    async def _tick_until_ended(self) -> None:
        ticks = 0
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), TICK_S)
            ticks += 1
            if self._follow_parent and os.getppid() != self._parent:
                return
            try:
                self._tick(ticks)
            except Exception:  # noqa: BLE001
                # The worker's boundary: a full disk or a slip in a settler must not take the
                # cloud down; once in a while is enough to say so.
                if ticks % TRIM_EVERY_TICKS < SAVE_EVERY_TICKS:
                    _log.exception("a tick failed")

    async def _compute_ahead(self) -> None:
        """Compute the history, newest first, while the starter is still importing its clients.

        A day of minutes takes about 0.4 s, which the first question would wait for; in pieces of
        a few milliseconds nobody waits.
        """
        world = self._world
        service = world.config.services[0]
        end = world.clock.now()
        oldest = max(world.history_start, end - AHEAD_S)
        while end > oldest:
            world.minutes(service, None, end - AHEAD_PIECE_S, end)
            end -= AHEAD_PIECE_S
            await asyncio.sleep(0)

    def _tick(self, ticks: int) -> None:
        self._world.settle()
        if ticks % TRIM_EVERY_TICKS == 0:
            self._world.trim()
        if ticks % SAVE_EVERY_TICKS == 0:
            self._world.save()

    async def _stop(self, server: Any, runners: list[Any]) -> None:
        """Go down: first nobody is sent here any more, last the sockets close."""
        if self._ownership is not None:
            self._ownership.withdraw()
        self._leases.stop()
        for runner in runners:
            await _within(runner.cleanup(), "HTTP")
        await _within(server.stop(0.2), "gRPC")


async def _within(stopping: Awaitable[Any], what: str) -> None:
    try:
        await asyncio.wait_for(stopping, STOP_WITHIN_S)
    except TimeoutError:
        _log.warning("%s did not stop within %g s", what, STOP_WITHIN_S)


def _print(ready: Ready) -> bool:
    try:
        sys.stdout.write(ready.line())
        sys.stdout.flush()
    except BrokenPipeError:
        # Else the interpreter fails once more when it flushes stdout at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return False
    return True
