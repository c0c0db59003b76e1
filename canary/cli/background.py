"""`python -m canary.cli.background NAME`: the processes that outlive whoever starts them."""

from __future__ import annotations

import sys


def main(name: str) -> int:
    """Be the `executor` of changes or the `monitoring` loop; the order is on standard input."""
    if name == "executor":
        from canary.engine.change.executor_process import run_executor

        return run_executor()
    from canary.engine.jobs.monitoring_process import run_detached

    return run_detached()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
