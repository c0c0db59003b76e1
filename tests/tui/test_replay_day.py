"""A day of the embedded cloud, recorded as a console records it: a moment replayed is cell for cell
the frame that was shown then.
"""

from __future__ import annotations

from pathlib import Path
from random import Random

from canary.rollout.recording.frames import Frame
from canary.rollout.recording.player import Recording
from canary.store.paths import recording_path
from canary.store.recording import RecordingFile
from tests.embedded import DEFAULT_PLAN, embed
from tests.engine.recorded import Recorded
from tests.tui.scripted import staged
from tests.tui.test_replay import SIZES, Kept, body, go_to
from tui.engine_port import Past

MOMENTS, ALL_MOMENTS = 8, 67
"""So many at each size; in the long run nearly all, which takes half a minute."""
QUIET, ALL_QUIET = 40, 20
"""So many minutes pass between two frames while nothing happens; in the long run these."""


async def record_day(directory: Path, quiet: int) -> list[Frame]:
    """Twenty-four hours: a promotion, errors, everybody off Canary, Monitoring away, on again."""
    async with embed() as cloud:
        it = Recorded(cloud, directory)
        await it.begin()
        await it.after(480, quiet)
        await it.move("note", "n-1", "", "release 4.2")
        await it.move("promote", "c-1", "gates were met")
        await it.after(300, quiet)
        cloud.set_scenario("error-spike")
        await it.after(14, 2)
        await it.move("rollback_all", "c-2", "errors")
        cloud.set_scenario("monitoring-outage")
        await it.after(26, 2)
        cloud.set_scenario("healthy")
        await it.after(240, quiet)
        await it.move("promote", "c-3", "mended")
        await it.after(380, quiet)
        it.close()
        return it.frames


async def test_random_moments_of_a_day_are_what_was_shown_then(
    tmp_path: Path, is_long: bool
) -> None:
    frames = await record_day(tmp_path, ALL_QUIET if is_long else QUIET)
    with RecordingFile(recording_path(tmp_path), read_only=True) as file:
        for size in SIZES:
            await look(size, frames, file, ALL_MOMENTS if is_long else MOMENTS)


async def look(
    size: tuple[int, int], frames: list[Frame], file: RecordingFile, moments: int
) -> None:
    """Compare so many moments at a size."""
    shown = [frame.snapshot for frame in frames]
    # Two looks in the same second are one moment: the later one is what is shown of it.
    last = {snapshot.as_of: n for n, snapshot in enumerate(shown)}
    chosen = Random(size[0]).sample(sorted(last.values()), moments)
    past = Past(lambda: Recording(Kept(file)))
    then: dict[int, list[str]] = {}
    async with staged(size, shown[0], plan=DEFAULT_PLAN, past=past) as stage:
        await stage.emit(shown[0])
        header = stage.app.main.header.size.height
        for n in sorted(chosen):
            # A plot keeps its scale while it fits, whatever was shown before: that is not recorded.
            for panel in stage.app.main.panels.values():
                panel.forget_scales()
            await stage.emit(shown[n])
            then[n] = body(stage, header)
        await stage.press("T")
        for n in chosen:
            await go_to(stage, shown[n])
            assert body(stage, header) == then[n], (size, n)
