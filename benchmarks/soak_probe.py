"""`python -m benchmarks.soak_probe SOCKET ARGUMENTS…`: the real `canary`, and a thread beside it
that says how large the process is whenever somebody connects to SOCKET.

Nothing of the product knows of it. What is said is a `Sample` as one line of JSON; garbage is
collected first, so that what is told is what is held. Where Python's garbage collector has been
told to leave objects alone (`gc.freeze`), they count as held: nobody will ever look at them again.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import os
import socket
import statistics
import sys
import threading
import time
from collections import Counter, deque
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec

KEPT_TIMES = 100
"""The snapshot time that is told is the median of the last so many."""

BY_TYPE = "SOAK_BY_TYPE"
"""An environment variable: if set, what `gc.freeze` has put aside is brought back to be told by
type. That hides what would stay there for ever: for finding out, not for measuring."""


class Sample(msgspec.Struct, frozen=True):
    """How large one process is. `uss_mb` is what would be free if it ended; `blocks` are all that
    Python has allocated (no arena's slack is in it), `objects` those that its collector knows.
    `snapshots` were judged since the start; those of new samples in `snapshot_ms` of processor
    (median of the last).
    """

    rss_mb: float
    uss_mb: float
    fds: int
    threads: int
    blocks: int = 0
    objects: int = 0
    tasks: int = 0
    snapshots: int = 0
    snapshot_ms: float = 0.0
    types: dict[str, int] = {}
    open_files: dict[str, int] = {}
    thread_names: dict[str, int] = {}


def look_at(pid: int | str) -> Sample:
    """Any process of this host, from outside. Raises OSError when it is gone."""
    rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
    kb = {line.split(":")[0]: int(line.split()[1]) for line in rolled.splitlines()[1:]}
    return Sample(
        rss_mb=kb["Rss"] / 1024,
        uss_mb=(kb["Private_Clean"] + kb["Private_Dirty"]) / 1024,
        fds=sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()),
        threads=sum(1 for _ in Path(f"/proc/{pid}/task").iterdir()),
    )


class Probe:
    """Counts what is judged, and answers at a socket."""

    def __init__(self, path: str) -> None:
        self._times: deque[float] = deque(maxlen=KEPT_TIMES)
        self._snapshots = 0
        self._seen: list[int] = []
        self._server = socket.socket(socket.AF_UNIX)
        self._server.bind(path)
        self._server.listen()
        threading.Thread(target=self._serve, name="probe", daemon=True).start()

    def follow(self, module: ModuleType) -> None:
        """Time every snapshot that the observer of this module makes of samples that are new: the
        others take next to nothing.
        """
        judge = module.Observer.judge

        def timed(observer: Any, *given: Any) -> Any:
            begun = time.thread_time()
            try:
                return judge(observer, *given)
            finally:
                took_s, feed = time.thread_time() - begun, observer._metrics
                seen = [] if feed is None else [id(samples) for samples in feed.samples]
                if seen != self._seen:
                    self._seen = seen
                    self._times.append(took_s)
                self._snapshots += 1

        module.Observer.judge = timed

    def _serve(self) -> None:
        while True:
            client, _ = self._server.accept()
            with client, contextlib.suppress(OSError):
                client.sendall(msgspec.json.encode(self._sample_soon()) + b"\n")

    def _sample_soon(self) -> Sample:
        while True:
            # Other threads go on: what is counted may change under the counting.
            with contextlib.suppress(RuntimeError):
                return self._sample()

    def _sample(self) -> Sample:
        gc.collect()
        with contextlib.suppress(OSError, AttributeError):
            ctypes.CDLL("libc.so.6").malloc_trim(0)
        return msgspec.structs.replace(
            look_at("self"),
            blocks=sys.getallocatedblocks(),
            snapshots=self._snapshots,
            snapshot_ms=_median(list(self._times)) * 1000,
            open_files=_open_files(),
            thread_names=dict(Counter(thread.name for thread in threading.enumerate())),
            **_held(),
        )


def _median(times: list[float]) -> float:
    return statistics.median(times) if times else 0.0


def _held() -> dict[str, Any]:
    """The objects that the collector knows, those it leaves alone counted too; by type those that
    it does not; the tasks that wait.

    All in one go of C: a tuple that another thread is just making must not be held meanwhile, or it
    fails there.
    """
    if os.environ.get(BY_TYPE):
        gc.unfreeze()
    gc.disable()
    types = Counter(map(type, chain.from_iterable(map(gc.get_objects, range(3)))))
    gc.enable()
    named: Counter[str] = Counter()
    for kind, count in types.items():
        named[f"{kind.__module__}.{kind.__qualname__}"] += count
    # Every loop's, whichever thread runs it; the name is another from Python 3.12 on.
    known = getattr(asyncio.tasks, "_scheduled_tasks", None)
    known = known if known is not None else getattr(asyncio.tasks, "_all_tasks", ())
    return {
        "objects": types.total() + gc.get_freeze_count(),
        "types": dict(named),
        "tasks": sum(not task.done() for task in list(known)),
    }


def _open_files() -> dict[str, int]:
    found: Counter[str] = Counter()
    for handle in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):
            target = str(handle.readlink())
            found[target.split(":[")[0] if ":[" in target else target] += 1
    return dict(found)


def main() -> None:
    """Be `canary`."""
    path = sys.argv[1]
    sys.argv = ["canary", *sys.argv[2:]]
    probe = Probe(path)
    # Read at once: it is timed from its first snapshot on. (A person's console reads it later.)
    from canary.engine.observe import observer

    probe.follow(observer)
    from canary.cli.main import main as canary

    canary()


if __name__ == "__main__":
    main()
