"""Copying out of a terminal, and saying which way it went.

OSC 52 reaches the clipboard of the person's own machine through SSH, but no terminal confirms it,
and some ignore it. tmux confirms, so inside tmux it is asked as well. Where neither can be trusted
the text goes to a file.
"""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from canary.host.children import find_own_program, safe_directory, tmux_environment
from canary.host.owners import make_directories

OSC52_LIMIT: Final = 74_994
"""The longest base64 that xterm and tmux are sure to take."""
_NO_OSC52: Final = ("linux", "dumb", "vt100", "vt220", "screen", "ansi", "")
_TMUX_WAIT_S: Final = 2.0


async def copy(text: str, write: Callable[[str], object], environ: Mapping[str, str]) -> str:
    """Copy `text`; `write` sends to the terminal. Returns one sentence that says where it is."""
    encoded = base64.b64encode(text.encode()).decode()
    in_tmux = bool(environ.get("TMUX"))
    sent = len(encoded) <= OSC52_LIMIT and understands_osc52(environ)
    if sent:
        write(f"\x1b]52;c;{encoded}\x07")
    if in_tmux and await _load_into_tmux(text, environ):
        return "Copied to tmux's buffer, and through it to the clipboard where the terminal allows."
    if sent:
        return "Copied by OSC 52, if your terminal allows it."
    try:
        path = save(text, environ)
    except (OSError, RuntimeError) as exc:  # the latter: there is no home
        why = exc.strerror if isinstance(exc, OSError) else exc
        return f"Could not copy: no OSC 52, no tmux, and no file ({why})."
    return f"Written to {path}: this terminal has no clipboard."


def understands_osc52(environ: Mapping[str, str]) -> bool:
    """Whether the terminal is of a kind that may take OSC 52."""
    term = environ.get("TERM", "")
    if environ.get("TMUX"):
        return True
    return term.split("-")[0] not in _NO_OSC52


async def _load_into_tmux(text: str, environ: Mapping[str, str]) -> bool:
    """Hand the text to tmux; False when tmux is not there, refuses or does not answer in time."""
    program = find_own_program("tmux")
    if program is None:
        return False
    try:
        process = await asyncio.create_subprocess_exec(
            program,
            "load-buffer",
            "-w",
            "-",
            cwd=safe_directory(),
            env=tmux_environment(environ),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        await asyncio.wait_for(process.communicate(text.encode()), _TMUX_WAIT_S)
    except (OSError, TimeoutError):
        return False
    return process.returncode == 0


def save(text: str, environ: Mapping[str, str]) -> Path:
    """Write the text to a file that only its owner may read, and say which."""
    named = Path(environ.get("XDG_STATE_HOME") or "")
    # A relative one would be wherever one stands (the XDG specification: to be ignored).
    state = named if named.is_absolute() else Path.home() / ".local" / "state"
    folder = state / "canary-console"
    make_directories(folder)
    path = folder / "summary.txt"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(path, flags, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    return path
