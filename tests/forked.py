"""The `canary` command as a process of its own, without importing everything each time.

One process for each test process has imported what commands use, and forks for each: that child has
its own directory, environment, streams, umask and end, as one that was started. What it does not
show is what happens while Python starts and modules are read: tests of that start Python.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[1]
LONGEST: Final = 1 << 20
LIMIT_S: Final = 90.0
_ONE_AT_A_TIME = threading.Lock()


def run_forked(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, without a terminal, to its end; one at a time."""
    umask = os.umask(0)
    os.umask(umask)
    told = {"arguments": list(arguments), "cwd": str(cwd), "env": dict(env), "umask": umask}
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        channel = _forker()
        socket.send_fds(channel, [json.dumps(told).encode()], [out.fileno(), err.fileno()])
        code = int(channel.recv(64))
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(told["arguments"], code, *said)


@cache
def _forker() -> socket.socket:
    """The way to the process that forks; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forked", str(theirs.fileno())],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    ours.settimeout(LIMIT_S)

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(channel: socket.socket) -> None:
    """Fork for each order, and say how it ended; returns in each child, and when no more comes."""
    while True:
        order, fds, _, _ = socket.recv_fds(channel, LONGEST, 2)
        if not order:
            sys.exit()
        child = os.fork()
        if not child:
            channel.close()
            become(json.loads(order), fds)
            return
        for fd in fds:
            os.close(fd)
        _, status = os.waitpid(child, 0)
        with contextlib.suppress(OSError):
            channel.send(str(os.waitstatus_to_exitcode(status)).encode())


def become(told: dict[str, Any], fds: list[int]) -> None:
    """Be the process that was asked for."""
    os.chdir(told["cwd"])
    os.umask(told["umask"])
    os.environ.clear()
    os.environ.update(told["env"])
    time.tzset()
    for number, fd in enumerate(fds, start=1):
        os.dup2(fd, number)
        os.close(fd)
    named, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    encoding = named or "utf-8"
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout = open(1, "w", encoding=encoding, errors=errors or None, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding=encoding, errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.argv = [str(ROOT / "canary/cli/main.py"), *told["arguments"]]


def prepare() -> None:
    """Import what most commands do; the screen is left out, which ends a process otherwise."""
    from canary.cli.commands import COMMANDS
    from canary.cloud.connection.client_modules import load_api

    for module, _ in COMMANDS.values():
        import_module(f"canary.cli.{module}")
    for module in ("httpx", "canary.engine.session", "canary.cloud.router.choice"):
        import_module(module)
    load_api("services")
    load_api("metrics")
    gc.freeze()


if __name__ == "__main__":
    from canary.cli.main import main

    prepare()
    serve(socket.socket(fileno=int(sys.argv[1])))
    sys.exit(main())
