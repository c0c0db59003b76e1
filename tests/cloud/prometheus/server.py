"""A real Prometheus over what the embedded cloud's services expose.

Debian's package, which `.ci/run` installs. Its past is written with promtool from the very text
that a scraper gets, so that nobody waits for minutes to pass; it scrapes nothing.
"""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from canary.simulator.api.openmetrics import HEAD, Counters, minutes_of
from canary.simulator.world.world import World

PATIENCE_S = 30.0
needs_prometheus = pytest.mark.skipif(
    shutil.which("prometheus") is None or shutil.which("promtool") is None,
    reason="needs prometheus and promtool (Debian: apt-get install prometheus)",
)


def expose(world: World, start: int, end: int, step_s: int = 60) -> str:
    """What a scraper would have kept of (start, end]: every minute's counters, in one text."""
    counters, lines = Counters(), list[str]()
    for at in range(start + step_s, end + 1, step_s):
        counters.add(at, minutes_of(world, at))
        lines += counters.lines()
    # Samples of one series stand together, as the format asks.
    lines.sort(key=lambda line: line.rsplit(" ", 2)[0])
    return "\n".join([*HEAD, *lines, "# EOF", ""])


@contextlib.contextmanager
def prometheus(
    directory: Path, text: str, config: str = "", flags: Sequence[str] = ()
) -> Iterator[str]:
    """A server whose past is `text`; yields its address."""
    data = directory / "data"
    (directory / "past.txt").write_text(text)
    (directory / "prometheus.yml").write_text(config or "scrape_configs: []\n")
    if text:
        subprocess.run(
            ["promtool", "tsdb", "create-blocks-from", "openmetrics",
             str(directory / "past.txt"), str(data)],
            check=True, capture_output=True,
        )  # fmt: skip
    port = _free_port()
    process = subprocess.Popen(
        ["prometheus", f"--config.file={directory / 'prometheus.yml'}",
         f"--storage.tsdb.path={data}", f"--web.listen-address=127.0.0.1:{port}",
         "--log.level=error", *flags],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_until_ready(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(PATIENCE_S)


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


def _wait_until_ready(url: str, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        assert process.poll() is None, "prometheus ended"
        with contextlib.suppress(httpx.HTTPError):
            if httpx.get(f"{url}/-/ready", timeout=1.0, trust_env=False).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("prometheus did not become ready")
