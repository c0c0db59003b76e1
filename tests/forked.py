"""The `canary` command, the embedded cloud and the executor, as processes of their own, without
importing everything each time.

One process for each test process has imported what commands use, and forks for each (another does
so for clouds and executors): that child has its own directory, environment, streams, umask and end,
as one that was started. What it does not show is what happens while Python starts and modules are
read: tests of that start Python.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import select
import signal
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
from typing import IO, Any, Final, Literal, cast

from canary.cloud.embedded.process import Starting
from canary.engine.console.executor_supervisor import LOG_FILE
from canary.host.children import child_environment, safe_directory
from canary.host.logs import open_log

ROOT: Final = Path(__file__).parents[1]
Kind = Literal["commands", "background"]
LONGEST: Final = 1 << 20
LIMIT_S: Final = 90.0
EXECUTOR: Final = (
    "cli.background",
    "engine.change.executor_process",
    "engine.change.executor",
    "engine.clients",
    "engine.notify",
    "cloud.router.choice",
    "cloud.router.env",
)
_ONE_AT_A_TIME = threading.Lock()


def run_forked(
    arguments: Sequence[str], cwd: Path, env: Mapping[str, str]
) -> subprocess.CompletedProcess[bytes]:
    """Run a command, without a terminal, to its end; one at a time."""
    told = {
        "run": "command",
        "arguments": list(arguments),
        "cwd": str(cwd),
        "env": dict(env),
        "umask": _umask(),
    }
    with _ONE_AT_A_TIME, tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        channel = _forker("commands")
        socket.send_fds(channel, [json.dumps(told).encode()], [out.fileno(), err.fileno()])
        code = int(channel.recv(64))
        said = []
        for file in (out, err):
            file.seek(0)
            said.append(file.read())
    return subprocess.CompletedProcess(told["arguments"], code, *said)


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


class ForkedCommand:
    """A command that goes on meanwhile: what of a `Popen` is asked for."""

    def __init__(
        self, status: int, stdout: IO[str] | None = None, stderr: IO[str] | None = None
    ) -> None:
        self._status = os.fdopen(status, "rb", 0)
        self.pid = int(self._status.readline())
        self.stdout = stdout
        self.stderr = stderr
        self.returncode: int | None = None

    def send_signal(self, number: int) -> None:
        if not self._ends_within(0):
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    def poll(self) -> int | None:
        """How it ended; None while it runs."""
        return self.wait(0) if self._ends_within(0) else None

    def wait(self, timeout: float = LIMIT_S) -> int:
        """The exit code, once it has ended; the test fails if that takes longer than so many s."""
        assert self._ends_within(timeout), f"it has not ended within {timeout} s"
        if self.returncode is None:
            with self._status:
                self.returncode = int(self._status.readline())
        return self.returncode

    def communicate(self, timeout: float) -> tuple[str, str]:
        """All that it says until it ends, through pipes: no more than they hold."""
        self.wait(timeout)
        assert self.stdout is not None
        assert self.stderr is not None
        with self.stdout, self.stderr:
            return self.stdout.read(), self.stderr.read()

    def _ends_within(self, seconds: float) -> bool:
        """Whether it has ended, waiting for so many seconds."""
        return self.returncode is not None or bool(
            select.select([self._status], [], [], seconds)[0]
        )


def begin_command(
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    streams: tuple[int, int, int],
    run: Literal["command", "cloud"] = "command",
) -> ForkedCommand:
    """Run a command, or an embedded cloud, in a session of its own beside the test; the streams
    stay the caller's.
    """
    told = {
        "run": run,
        "arguments": list(arguments),
        "cwd": str(cwd),
        "env": dict(env),
        "umask": _umask(),
        "goes_on": True,
    }
    status, says = os.pipe()
    with _ONE_AT_A_TIME:
        channel = _forker("commands" if run == "command" else "background")
        socket.send_fds(channel, [json.dumps(told).encode()], [*streams, says])
        channel.recv(64)
    os.close(says)
    return ForkedCommand(status)


def begin_piped(
    arguments: Sequence[str],
    cwd: Path,
    env: Mapping[str, str],
    run: Literal["command", "cloud"] = "command",
) -> ForkedCommand:
    """The same without a terminal: what it says can be read as it comes, from pipes."""
    (out, says), (err, warns) = os.pipe(), os.pipe()
    with Path(os.devnull).open() as nothing:
        command = begin_command(arguments, cwd, env, (nothing.fileno(), says, warns), run)
    os.close(says)
    os.close(warns)
    command.stdout = os.fdopen(out, encoding="utf-8")
    command.stderr = os.fdopen(err, encoding="utf-8")
    return command


class ForkedCloud:
    """What `Starting` asks of a process; who forked it has it reaped."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)

    def wait(self) -> None:
        """Nothing is left of it."""


def begin_forked(config: Mapping[str, Any], log_path: Path) -> Starting:
    """Stands in for `canary.cloud.embedded.process.begin_process`."""
    line, said = os.pipe()
    told = {
        "run": "cloud",
        "arguments": [json.dumps(config)],
        "cwd": str(safe_directory()),
        "env": child_environment(),
        "umask": 0o077,
    }
    log = os.open(log_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with _ONE_AT_A_TIME:
        channel = _forker("background")
        socket.send_fds(channel, [json.dumps(told).encode()], [said, log])
        pid = int(channel.recv(64))
    os.close(said)
    os.close(log)
    return Starting(
        cast("subprocess.Popen[bytes]", ForkedCloud(pid, os.fdopen(line, "rb"))), log_path
    )


class ForkedExecutor:
    """What `ExecutorSupervisor` asks of a process; who forked it has it reaped."""

    def __init__(self, pid: int, stdin: IO[bytes], stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdin = stdin
        self.stdout = stdout

    def poll(self) -> int | None:
        """None while it runs; how it ended is not known."""
        try:
            os.kill(self.pid, 0)
        except ProcessLookupError:
            return 0
        return None


def begin_forked_executor(_: Sequence[str], directory: Path) -> subprocess.Popen[bytes]:
    """Stands in for `canary.engine.console.executor_supervisor.begin_process`."""
    heard, order = os.pipe()
    line, said = os.pipe()
    told = {
        "run": "executor",
        "arguments": [],
        "cwd": str(directory),
        "env": child_environment(),
        "umask": 0o077,
    }
    log = open_log(directory / LOG_FILE)
    with _ONE_AT_A_TIME:
        channel = _forker("background")
        socket.send_fds(channel, [json.dumps(told).encode()], [heard, said, log])
        pid = int(channel.recv(64))
    for fd in (heard, said, log):
        os.close(fd)
    pipes = os.fdopen(order, "wb", buffering=0), os.fdopen(line, "rb", buffering=0)
    return cast("subprocess.Popen[bytes]", ForkedExecutor(pid, *pipes))


def begin_forking() -> None:
    """Have clouds and executors forked at once from now on: a test may end in less than it takes
    to import all for the first.
    """
    with _ONE_AT_A_TIME:
        _forker("background")


@cache
def _forker(kind: Kind) -> socket.socket:
    """The way to the process that forks; it ends when this one does."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.forked", str(theirs.fileno()), kind],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        pass_fds=[theirs.fileno()],
    )
    theirs.close()
    ours.settimeout(LIMIT_S)
    ours.recv(64)  # it has imported all

    def end() -> None:
        ours.close()
        process.wait()

    atexit.register(end)
    return ours


def serve(channel: socket.socket, kind: Kind) -> str:
    """Fork for each order, and say how a command ended, or what the pid of another is; returns in
    each child alone, with what is to be run.
    """
    if kind == "background":
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for them
    while True:
        order, fds, _, _ = socket.recv_fds(channel, LONGEST, 4)
        if not order:
            sys.exit()
        told = json.loads(order)
        goes_on = told.get("goes_on", False)
        child = os.fork()
        if not child:
            channel.close()
            if kind == "background":
                os.setsid()
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            if goes_on:
                watch(fds)
            become(told, fds)
            return str(told["run"])
        for fd in fds:
            os.close(fd)
        answer = child
        if kind == "commands" and not goes_on:
            answer = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        with contextlib.suppress(OSError):
            channel.send(str(answer).encode())


def watch(fds: list[int]) -> None:
    """Tell through the last of them the pid of a child of this process, and how that ended; returns
    in the child alone.
    """
    status = fds.pop()
    child = os.fork()
    if not child:
        os.close(status)
        os.setsid()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return
    for fd in fds:
        os.close(fd)
    os.write(status, b"%d\n" % child)
    os.write(status, b"%d\n" % os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    os._exit(0)


def become(told: dict[str, Any], fds: list[int]) -> None:
    """Be the process that was asked for."""
    os.chdir(told["cwd"])
    os.umask(told["umask"])
    os.environ.clear()
    os.environ.update(told["env"])
    time.tzset()
    for number, fd in enumerate(fds, start=3 - len(fds)):
        os.dup2(fd, number)
        os.close(fd)
    named, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    encoding = named or "utf-8"
    sys.stdin = open(0, encoding=encoding, closefd=False)  # noqa: SIM115 - a descriptor
    sys.stdout = open(1, "w", encoding=encoding, errors=errors or None, closefd=False)  # noqa: SIM115
    sys.stderr = open(  # noqa: SIM115
        2, "w", buffering=1, encoding=encoding, errors="backslashreplace", closefd=False
    )
    sys.argv = [str(ROOT / "canary/cli/main.py"), *told["arguments"]]


def prepare(kind: Kind) -> None:
    """Import what most commands do; the screen is left out, which ends a process otherwise. Between
    two tries of a read, or of a webhook, these commands do not pause.
    """
    from canary.cloud.connection.client_modules import load_api

    if kind == "background":
        import_module("canary.simulator.control.lifecycle")
        for module in EXECUTOR:
            import_module(f"canary.{module}")
        for api in ("services", "revisions"):
            load_api(api)
        gc.freeze()
        return
    from canary.cli.commands import COMMANDS
    from canary.cloud.connection import calls
    from canary.cloud.http import webhook

    for module, _ in COMMANDS.values():
        import_module(f"canary.cli.{module}")
    for module in ("httpx", "canary.engine.session", "canary.cloud.router.choice"):
        import_module(module)
    load_api("services")
    load_api("metrics")
    calls.FIRST_WAIT_S = webhook.AGAIN_AFTER_S = 0.0
    gc.freeze()


def run(kind: Kind, fd: int) -> int:
    """Fork until nobody asks any more; in a child, be what was asked for."""
    prepare(kind)
    channel = socket.socket(fileno=fd)
    channel.send(b"ready")
    told = serve(channel, kind)
    if told == "executor":
        return import_module("canary.cli.background").main("executor")  # type: ignore[no-any-return]
    if told == "cloud":
        return import_module("canary.simulator.__main__").main(sys.argv[1:])  # type: ignore[no-any-return]
    return import_module("canary.cli.main").main()  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(run(cast("Kind", sys.argv[2]), int(sys.argv[1])))
