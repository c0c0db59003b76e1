"""`python -m canary.cli.background NAME`: the processes that outlive whoever starts them."""

from __future__ import annotations

import sys


def main(name: str) -> int:
    """Be the `executor` of changes, the `monitoring` loop, or the `guard` that a console leaves.

    The order is on standard input.
    """
    if name == "executor":
        from canary.engine.change.executor_process import run_executor

        return run_executor()
    if name == "guard":
        from canary.engine.guard.left_behind import run_left_guard

        return run_left_guard()
    from canary.engine.jobs.monitoring_process import run_detached

    return run_detached()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
