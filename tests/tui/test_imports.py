"""What opening the screen does not load: the first frame comes before any of it."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
import tui.app
import tui.palette
heavy = ("google", "grpc", "httpx", "aiohttp", "sqlite3", "tenacity", "tomli_w",
         "canary.cloud", "canary.store", "canary.engine.console.console", "canary.simulator",
         "tui.pages.pages", "statistics")
print(",".join(name for name in heavy if name in sys.modules))
"""


def test_the_screen_imports_no_engine_no_google_and_no_database() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == ""
