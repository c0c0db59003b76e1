"""`python -m canary.cli.executor`: the process that carries changes out; the console starts it."""

from __future__ import annotations

import sys

from canary.engine.change.executor_process import run_executor

if __name__ == "__main__":
    sys.exit(run_executor())
