"""`python -m canary.cli.monitoring`: the monitoring loop apart from whoever started it."""

from __future__ import annotations

import sys

from canary.engine.jobs.monitoring_process import run_detached

if __name__ == "__main__":
    sys.exit(run_detached())
