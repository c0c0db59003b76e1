"""Copying says which way it went."""

from __future__ import annotations

import base64
import os
import stat
from pathlib import Path

import pytest

from tui.terminal import clipboard


@pytest.mark.parametrize(
    ("environ", "yes"),
    [
        ({"TERM": "xterm-256color"}, True),
        ({"TERM": "alacritty"}, True),
        ({"TERM": "linux"}, False),
        ({"TERM": "dumb"}, False),
        ({"TERM": "screen"}, False),
        ({"TERM": "screen-256color", "TMUX": "socket,1,0"}, True),
        ({}, False),
    ],
)
def test_osc_52_is_only_sent_where_it_may_be_taken(environ: dict[str, str], yes: bool) -> None:
    assert clipboard.understands_osc52(environ) is yes


async def test_a_capable_terminal_gets_osc_52() -> None:
    written: list[str] = []
    said = await clipboard.copy("hällo", written.append, {"TERM": "xterm"})
    encoded = base64.b64encode("hällo".encode()).decode()
    assert written == [f"\x1b]52;c;{encoded}\x07"]
    assert said == "Copied by OSC 52, if your terminal allows it."


async def test_a_terminal_without_a_clipboard_gets_a_private_file(tmp_path: Path) -> None:
    written: list[str] = []
    said = await clipboard.copy(
        "text", written.append, {"TERM": "linux", "XDG_STATE_HOME": str(tmp_path)}
    )
    path = tmp_path / "canary-console" / "summary.txt"
    assert written == []
    assert path.read_text() == "text"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in said


async def test_what_is_too_long_for_osc_52_is_not_cut(tmp_path: Path) -> None:
    long = "x" * 100_000
    await clipboard.copy(long, print, {"TERM": "xterm", "XDG_STATE_HOME": str(tmp_path)})
    assert (tmp_path / "canary-console" / "summary.txt").read_text() == long


async def test_tmux_which_tells_its_server_all_that_it_knows_knows_no_secret(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After `su` or `sudo -E` in somebody's tmux the server is his."""
    program, said = tmp_path / "tmux", tmp_path / "said"
    program.write_text(f"#!/bin/sh\ncat > {said}; env >> {said}\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv("WEBHOOK", "a-secret")
    told = {**os.environ, "TERM": "screen", "TMUX": "socket,1,0"}
    assert "tmux" in await clipboard.copy("text ", list[str]().append, told)
    assert said.read_text().startswith("text ")
    assert "TMUX=socket,1,0" in said.read_text()
    assert "a-secret" not in said.read_text()
