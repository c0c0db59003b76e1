"""Locust as a library: users, their requests, what is counted, and the lines on standard output.

Each line is a JSON object with `kind`: "started"; "progress" each second and "finished" at the end,
both with `elapsed_s`, `users`, `busy` (this machine was near its limit, so latencies are
overstated) and `sides` (legacy, canary, unattributed: figures so far). "finished" has `ended`:
"time" or "stopped".
SIGTERM stops it; so does the end of the process that started it.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import gevent
import msgspec
from gevent.event import Event
from locust import FastHttpUser, TaskSet, between
from locust.env import Environment

from canary.loadtest.load import Request, Settings, SideName, Tally, find_side

DONE, ORPHANED = 0, 4
LAST_ANSWERS_S = 5.0
"""How long the requests that are under way at the end may still be answered and counted."""


class Counts:
    """What was answered, by side."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.sides: dict[SideName, Tally] = {
            "legacy": Tally(),
            "canary": Tally(),
            "unattributed": Tally(),
        }

    def on_request(self, response_time: float, response: Any, **_: Any) -> None:
        """Locust's event for each request, answered or not."""
        status = getattr(response, "status_code", 0) or 0
        headers, body = getattr(response, "headers", None), getattr(response, "content", None)
        side = find_side(self._settings.sides, headers, body) if status else "unattributed"
        self.sides[side].add(status, response_time)


def run(settings: Settings) -> int:
    """Run to the end. 0: the time was up, or it was stopped; 4: nobody listens any more."""
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s", stream=sys.stderr)
    counts = Counts(settings)
    environment = Environment(
        user_classes=[_user_class(settings)], host=settings.url, stop_timeout=LAST_ANSWERS_S
    )
    environment.events.request.add_listener(counts.on_request)
    runner = environment.create_local_runner()
    stop = Event()
    gevent.signal_handler(signal.SIGTERM, stop.set)
    try:
        _say({"kind": "started", "pid": os.getpid()})
        ended, elapsed_s = _drive(settings, runner, counts, stop)
        # A person who stops it does not wait for the slowest answers.
        environment.stop_timeout = LAST_ANSWERS_S if ended == "time" else 0.0
        users, busy = runner.user_count, bool(runner.cpu_warning_emitted)
        runner.quit()
        _say({**_report("finished", elapsed_s, users, busy, counts), "ended": ended})
    except BrokenPipeError:
        runner.quit()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return ORPHANED
    return DONE


def _drive(settings: Settings, runner: Any, counts: Counts, stop: Event) -> tuple[str, float]:
    """Let the users work until the time is up; returns how it ended, and after how long."""
    parent = os.getppid()
    begun = time.monotonic()
    runner.start(settings.users, settings.spawn_rate)
    while True:
        left_s = settings.duration_s - (time.monotonic() - begun)
        stopped = stop.wait(timeout=max(0.0, min(settings.report_every_s, left_s)))
        elapsed_s = time.monotonic() - begun
        if stopped or os.getppid() != parent:
            return "stopped", elapsed_s
        if elapsed_s >= settings.duration_s:
            return "time", elapsed_s
        busy = bool(runner.cpu_warning_emitted)
        _say(_report("progress", elapsed_s, runner.user_count, busy, counts))


def _user_class(settings: Settings) -> type[FastHttpUser]:
    class RouterUser(FastHttpUser):
        """One user: a request of the profile, a pause, again."""

        tasks = _tasks(settings.requests)
        wait_time = between(settings.min_wait_s, settings.max_wait_s)
        network_timeout = settings.timeout_s
        connection_timeout = settings.timeout_s
        insecure = False  # Locust's default is not to check certificates
        max_retries = 0

    return RouterUser


def _tasks(requests: Sequence[Request]) -> list[TaskSet | Callable[..., Any]]:
    """Each task as often as it weighs: Locust draws one of the list."""
    return [task for request in requests for task in [_task(request)] * request.weight]


def _task(request: Request) -> Callable[[Any], None]:
    headers = {"content-type": "application/json"} if request.body else {}

    def ask(user: Any) -> None:
        # Not redirected: what answers elsewhere is not what is tested.
        user.client.request(
            request.method,
            request.path,
            data=request.body or None,
            headers=headers,
            allow_redirects=False,
        )

    return ask


def _report(kind: str, elapsed_s: float, users: int, busy: bool, counts: Counts) -> dict[str, Any]:
    return {
        "kind": kind,
        "elapsed_s": elapsed_s,
        "users": users,
        "busy": busy,
        "sides": {side: tally.figures() for side, tally in counts.sides.items()},
    }


def _say(document: dict[str, Any]) -> None:
    sys.stdout.write(msgspec.json.encode(document).decode() + "\n")
    sys.stdout.flush()
