"""Run `canary` with a profile of its loops.

`python -m benchmarks.profiled OUT WARM_S SPAN_S ARG …`, the arguments being canary's. After WARM_S
seconds each running loop (the screen's, the engine's) is profiled for SPAN_S, by the time its own
thread has on a processor: waiting counts as nothing. The profiles are OUT.NAME, NAME being the
thread's; OUT.done is written last.
"""

from __future__ import annotations

import asyncio
import cProfile
import sys
import threading
import time
from pathlib import Path

_Loops = list[tuple[asyncio.AbstractEventLoop, str]]


def main() -> int:
    """Run it; the exit code is canary's."""
    out, warm_s, span_s, *arguments = sys.argv[1:]
    loops: _Loops = []
    run_forever = asyncio.BaseEventLoop.run_forever

    def noted(self: asyncio.BaseEventLoop) -> None:
        loops.append((self, threading.current_thread().name))
        run_forever(self)

    asyncio.BaseEventLoop.run_forever = noted  # type: ignore[method-assign]
    watch = threading.Thread(
        target=profile, args=(loops, Path(out), float(warm_s), float(span_s)), daemon=True
    )
    watch.start()
    sys.argv = ["canary", *arguments]
    from canary.cli.main import main as run_canary

    return int(run_canary() or 0)


def profile(loops: _Loops, out: Path, warm_s: float, span_s: float) -> None:
    """Profile the loops that run after `warm_s`."""
    time.sleep(warm_s)
    running = [(loop, name, cProfile.Profile(time.thread_time)) for loop, name in loops]
    running = [each for each in running if each[0].is_running()]
    for loop, _, kept in running:
        loop.call_soon_threadsafe(kept.enable)
    time.sleep(span_s)
    for loop, _, kept in running:
        loop.call_soon_threadsafe(kept.disable)
    time.sleep(1.0)
    for _, name, kept in running:
        kept.dump_stats(f"{out}.{name}")
    out.with_name(f"{out.name}.done").touch()


if __name__ == "__main__":
    sys.exit(main())
