"""The first paint itself: from what was typed to the bytes that show what was last seen.

Called before anything else is imported. Whatever is not as expected here is left to the command
line and the screen, which come right after: then nothing is painted.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from canary.paint import screen
from canary.paint.last_seen import find_directory, find_subject, read_last_seen
from canary.paint.pens import Pens, choose_pens
from canary.paint.rows import Scene, lay_out
from canary.paint.typed import Typed, read_typed
from canary.rollout.text import sanitize

MOST_SIZE: Final = (600, 250)
"""As tui.terminal.driver has it: a terminal that says it is larger lies."""

START_GARBAGE_AFTER: Final = 100_000
"""So many new objects until garbage is looked for while the console starts. What is read then
stays: to walk through it again and again was 2 % of the way to the first frame. `tui.app` ends it.
"""

DEMO: Final = Scene("ion-api → ion-api-canary", "canary-demo/us-central1", is_local=True)
"""The demo without a plan, as canary.cli.setup.console makes it."""


def paint_first(arguments: Sequence[str]) -> None:
    """Show what was last seen of the plan that was named, if this opens the console in a terminal.

    Who, where and that it is connecting, where nothing was seen. Nothing at all where there is no
    plan to be read, or no terminal that the console could draw on.
    """
    typed = read_typed(arguments)
    if typed is None or not screen.is_paintable():
        return
    gc.set_threshold(START_GARBAGE_AFTER, 10, 10)
    size = screen.find_size()
    text = compose(typed, os.environ, size, time.time())
    if text:
        screen.paint(text)


def compose(
    typed: Typed, environ: Mapping[str, str], size: tuple[int, int], now: float
) -> str | None:
    """The text of the paint for a terminal of `size`; None where there is nothing to say.

    `now`: this host's clock, unix seconds.
    """
    found = find_subject(typed.config, is_demo=typed.is_demo)
    if found is None:
        return None
    subject, body = found
    seen = None if typed.starts_over else read_last_seen(subject, find_directory())
    if seen is not None:
        scene, theme = Scene(seen.names, seen.where, seen.is_local, seen), seen.theme
    else:
        known = _read_plan(body, is_demo=typed.is_demo) if subject.path else (DEMO, "dark")
        if known is None:
            return None
        scene, theme = known
    return _encode(scene, size, choose_pens(theme, environ), now)


def _encode(scene: Scene, size: tuple[int, int], pens: Pens, now: float) -> str:
    """The ground over the whole screen, then the rows; the cursor is moved, never a line ended."""
    columns, lines = (min(each, most) for each, most in zip(size, MOST_SIZE, strict=True))
    ground = f"\x1b[0;{pens.ground}m" if pens.ground else "\x1b[m"
    pieces = [f"{ground}\x1b[2J"]
    for y, row in lay_out(scene, (columns, lines), now).items():
        pieces.append(f"\x1b[{y + 1}H")
        for text, role in row:
            codes = ";".join(filter(None, ("0", pens.ground, getattr(pens, role))))
            pieces.append(f"\x1b[{codes}m{text}")
    return "".join([*pieces, "\x1b[m"])


def _read_plan(body: bytes, *, is_demo: bool) -> tuple[Scene, str] | None:
    """Who and where, by the plan itself; None where it does not say so: then it is wrong, and the
    command line says how. Half of the time that a paint takes goes into this, so it is only done
    where nothing was seen.
    """
    import tomllib

    try:
        plan: Any = tomllib.loads(body.decode())
        target: Any = plan.get("target", {})
        shown = [target.get(name, "") for name in ("legacy", "canary", "project", "region")]
        theme = plan.get("console", {}).get("theme", "dark")
        is_local = is_demo or plan.get("provider", "local") == "local"
    except (ValueError, AttributeError, RecursionError):
        return None
    legacy, canary, project, region = (sanitize(each, 63) for each in shown)
    names = f"{legacy} → {canary}" if legacy and canary else "canary"
    where = f"{project}/{region}" if project and region else ""
    return Scene(names, where, is_local), theme if isinstance(theme, str) else "dark"
