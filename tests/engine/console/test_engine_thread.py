"""The engine's log: bounded, and its owner's alone however often it is begun anew."""

from __future__ import annotations

import logging
import os
import stat
from pathlib import Path

import pytest

from canary.engine.console import engine_thread
from canary.engine.console.engine_thread import LOG_FILE, EngineLog


def test_it_is_its_owners_alone_also_when_it_is_begun_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine_thread, "MOST_BYTES", 400)
    before = os.umask(0)
    try:
        log = EngineLog(tmp_path)
        log.open()
        for number in range(20):
            logging.getLogger("canary.engine").warning("the cloud failed %d", number)
        log.close()
    finally:
        os.umask(before)
    files = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    assert files == {LOG_FILE: 0o600, f"{LOG_FILE}.1": 0o600}
    assert all(p.stat().st_size <= 400 for p in tmp_path.iterdir())
