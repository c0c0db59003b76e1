"""Every state of the screen at every size and theme: python -m tests.gallery DIRECTORY.

Writes a text frame for each state and size, and with --svg a picture for each theme, too.
`--states a,b`, `--sizes 80x24,120x40` and `--themes dark,light` choose. With --shuffled it shows a
frame for one second, asks for word, cause, next and actor, and then says them: a test of oneself.
"""

# ruff: noqa: T201
from __future__ import annotations

import argparse
import asyncio
import random
import re
import sys
import time
from collections.abc import AsyncIterator, Iterable
from pathlib import Path

import msgspec

from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import format_state
from tests.tui import states
from tests.tui.scripted import Stage, staged
from themes import PALETTES

SIZES = ((40, 10), (60, 15), (80, 24), (100, 30), (120, 40), (160, 48), (200, 60))
Size = tuple[int, int]


async def frames(
    names: Iterable[str], sizes: Iterable[Size], theme: str = "dark"
) -> AsyncIterator[tuple[str, Size, Stage]]:
    """Yield each state at each size, drawn; one console for each state."""
    first, *others = sizes
    console = msgspec.structs.replace(states.PLAN.console, theme=theme)
    plan = msgspec.structs.replace(states.PLAN, console=console)
    for name in names:
        shown = states.shown(name)
        async with staged(first, shown.snapshot, plan=plan) as stage:
            if shown.jobs is not None:
                await stage.tell(shown.jobs)
            if shown.keys:
                await stage.press(*shown.keys)
            for size in (first, *others):
                if size != first:
                    await stage.pilot.resize_terminal(*size)
                    await stage.settle()
                yield name, size, stage


def without_web_fonts(svg: str) -> str:
    """A picture fetches nothing."""
    return re.sub(r"@font-face \{.*?\}", "", svg, flags=re.DOTALL)


async def write(out: Path, names: list[str], sizes: list[Size], themes: list[str]) -> int:
    """Write text frames, and pictures where `themes` are given. Returns how many files."""
    count = 0
    for theme in themes or ["dark"]:
        async for name, (width, height), stage in frames(names, sizes, theme):
            stem = f"{name}-{width}x{height}"
            if theme == (themes or ["dark"])[0]:
                keep(out / f"{stem}.txt", stage.frame() + "\n")
                count += 1
            if themes:
                svg = stage.app.export_screenshot(title=f"canary: {name}, {theme}")
                keep(out / f"{stem}-{theme}.svg", without_web_fonts(svg))
                count += 1
    return count


def keep(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


async def draw(names: list[str], sizes: list[Size]) -> list[tuple[str, str]]:
    """Return the text frames by the names of their states."""
    return [(name, stage.frame()) async for name, _, stage in frames(names, sizes)]


def quiz(drawn: list[tuple[str, str]]) -> None:
    """Show a frame for one second, let the person say what it said, and say it."""
    random.shuffle(drawn)
    for name, frame in drawn:
        print(f"\x1b[2J\x1b[H{frame}", flush=True)
        time.sleep(1.0)
        input("\x1b[2J\x1b[Hword, cause, next, who acts? (Enter) ")
        state = find_state(states.shown(name).snapshot, states.PLAN)
        print(f"{name}: {format_state(state)}")
        input("(Enter for the next) ")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.gallery", description=__doc__)
    parser.add_argument("out", nargs="?", type=Path, help="where the files go")
    parser.add_argument("--states", default=",".join(states.names()))
    parser.add_argument("--sizes", default=",".join(f"{w}x{h}" for w, h in SIZES))
    parser.add_argument("--themes", default=",".join(PALETTES))
    parser.add_argument("--svg", action="store_true", help="pictures, for each theme")
    parser.add_argument("--shuffled", action="store_true")
    asked = parser.parse_args()
    sizes = [(int(w), int(h)) for w, _, h in (s.partition("x") for s in asked.sizes.split(","))]
    names = asked.states.split(",")
    if asked.shuffled:
        quiz(asyncio.run(draw(names, sizes)))
    elif asked.out is None:
        sys.exit("Say where the files are to go.")
    else:
        themes = asked.themes.split(",") if asked.svg else []
        print(f"{asyncio.run(write(asked.out, names, sizes, themes))} files in {asked.out}")


if __name__ == "__main__":
    main()
