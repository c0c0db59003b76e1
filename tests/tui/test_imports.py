"""What opening the screen does not load: the first frame comes before any of it."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROBE = """
import sys
import tui.app
later = ("tui.commands", "tui.actions.changes", "tui.pages.panels", "tui.pages.pages",
         "widgets.panels.plots", "widgets.panels.matrix", "canary.rollout.permit")
print(",".join(name for name in later if name in sys.modules))
import tui.palette
heavy = ("google", "grpc", "httpx", "aiohttp", "sqlite3", "tenacity", "tomli_w",
         "canary.cloud", "canary.store", "canary.engine.console.console", "canary.simulator",
         "tui.pages.pages", "statistics")
print(",".join(name for name in heavy if name in sys.modules))
"""


@pytest.fixture(scope="module")
def loaded() -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.split("\n")


def test_what_the_first_frame_does_not_show_is_read_after_it(loaded: list[str]) -> None:
    assert loaded[0] == ""


def test_the_screen_imports_no_engine_no_google_and_no_database(loaded: list[str]) -> None:
    assert loaded[1] == ""
