"""A bastion host for the runbook: a plan of its own, the shell, and a calendar that can be turned.

The embedded cloud is started by the first command, as it is for anybody; a lease keeps it up in
between, and its clock is put forward where a team would wait for a day.
"""

from __future__ import annotations

import http.client
import json
import shlex
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.cli.commands import Ended, run_process


class RolloutHost:
    """Runs `canary …` in `directory` and turns the cloud's calendar."""

    def __init__(self, directory: Path, **local: float) -> None:
        self.directory = directory
        self._state = directory / "state"
        self._lease: http.client.HTTPConnection | None = None
        self._control = ""
        assert self.canary("init --yes").code == 0
        self._set(**local)

    def _set(self, **values: float) -> None:
        """Change numbers of the [local] table, and let verification ask faster than a person."""
        path = self.directory / "canary.toml"
        head, local = path.read_text().split("[local]\n")
        lines = local.splitlines()
        for name, value in values.items():
            lines = [f"{name} = {value}" if x.startswith(f"{name} =") else x for x in lines]
        head = head.replace("delay_ms = 50.0", "delay_ms = 5.0")
        head = head.replace("duration_minutes = 60.0", "duration_minutes = 10.0")
        path.write_text(head + "[local]\n" + "\n".join(lines) + "\n")

    def canary(self, words: str) -> Ended:
        """One command, as typed."""
        return run_process(shlex.split(words), self.directory, self._state)

    def document(self, words: str) -> Any:
        """What a command says with --json."""
        return self.canary(f"{words} --json").document

    def keep_cloud(self) -> None:
        """Hold a lease, so that the cloud lives on between the commands."""
        (found,) = self._state.rglob("*.endpoint.json")
        self._control = json.loads(found.read_text())["http"]
        self._lease = http.client.HTTPConnection(urlsplit(self._control).netloc)
        self._lease.request("GET", "/_cloud/lease")
        self._lease.getresponse()

    def let_go(self) -> None:
        """Give the lease back."""
        if self._lease is not None:
            self._lease.close()

    def wait_hours(self, hours: float) -> None:
        """What a team does by going home."""
        self._post("clock", {"advance_s": hours * 3600})

    def play(self, scenario: str) -> None:
        """Something happens to Canary."""
        self._post("scenario", {"name": scenario})

    def output(self, pattern: str) -> Any:
        """The newest of the files under outputs/."""
        newest = max(self.directory.glob(f"outputs/{pattern}"), key=lambda p: p.stat().st_mtime)
        return json.loads(newest.read_text())

    def _post(self, path: str, body: dict[str, Any]) -> None:
        request = urllib.request.Request(  # noqa: S310 - loopback
            f"{self._control}/_cloud/{path}",
            json.dumps(body).encode(),
            {"Content-Type": "application/json"},
        )
        urllib.request.urlopen(request, timeout=10).close()  # noqa: S310

    def wait_until(self, words: str, code: int) -> Ended:
        """Repeat a look until it exits with `code`; bounded, and no pause: each look takes time."""
        end = time.monotonic() + 30
        ended = self.canary(words)
        while ended.code != code and time.monotonic() < end:
            ended = self.canary(words)
        return ended
