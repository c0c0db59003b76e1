"""`canary drill`: something happens on an embedded cloud; the person finds it, and acts or not.

All of a drill is kept in a directory of its own: its journal, its cloud, its record. No webhook is
told, nothing is committed, and the screen says DRILL from begin to end.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click
import msgspec

from canary.cli.options import Number, WholeNumber, chosen_config, config_option, json_option
from canary.cli.output import complain, print_json, print_table, say
from canary.cli.recordings import open_recording, read_recording
from canary.cli.setup.console import demand_terminal, find_demo_plan, with_local
from canary.rollout.errors import CanaryError, RecordError, UsageError
from canary.rollout.text import format_clock, format_duration, format_timestamp, sanitize

if TYPE_CHECKING:
    from canary.engine.console.console import ConsoleEngine
    from canary.rollout.plan.plan import Plan
    from canary.rollout.recording.drill_score import Act, Score
    from canary.rollout.recording.drills import Drill

SPEED: Final = 10.0
PROJECT: Final = "drill-only"
LOOK_S: Final = 0.5


class Director:
    """Lets things happen in a drill, on a thread of its own; `acts` are what the person did.

    `began_at` is the cloud's time when the drill began; None until the cloud is there.
    """

    def __init__(self, plan: Plan, drill: Drill, seed: int) -> None:
        self._plan, self._drill = plan, drill
        speed = plan.local.speed
        self._onset_s, self._length_s = drill.onset_s(seed, speed), drill.length_s(speed)
        self.began_at: float | None = None
        self.acts: list[Act] = []
        self.end: Callable[[], None] = lambda: None
        self._is_up = threading.Event()
        self._thread = threading.Thread(target=self._run, name="drill", daemon=True)

    @property
    def onset_at(self) -> float:
        """The cloud's time at which it happens; infinite before the begin."""
        return float("inf") if self.began_at is None else self.began_at + self._onset_s

    def start(self) -> None:
        """Bring the cloud up. Raises nothing: the console says what fails."""
        self._thread.start()
        self._is_up.wait(20.0)

    def note(self, kind: str, what: str, at: float) -> None:
        """The person wants an action, or opened a question."""
        from canary.rollout.recording.drill_score import Act

        self.acts.append(msgspec.convert({"kind": kind, "what": what, "at": at}, Act))

    def _run(self) -> None:
        try:
            asyncio.run(self._direct())
        except CanaryError as error:
            complain(error)
        finally:
            self._is_up.set()

    async def _direct(self) -> None:
        from canary.cloud.embedded.embedded import open_embedded
        from canary.store.paths import state_dir

        cloud = await open_embedded(self._plan, state_dir(self._plan))
        try:
            self.began_at = cloud.clock.now()
            self._is_up.set()
            for step in self._drill.steps:
                await self._wait_until(cloud.clock.now, self.onset_at + step.after_s)
                await cloud.set_scenario(step.scenario, step.params)
            await self._wait_until(cloud.clock.now, self.onset_at + self._length_s)
        finally:
            await cloud.close()
        self.end()

    async def _wait_until(self, now: Callable[[], float], at: float) -> None:
        while now() < at:  # noqa: ASYNC110 - the clock is another process's
            await asyncio.sleep(LOOK_S)


@click.command()
@click.argument("name", required=False)
@click.option("--seed", type=WholeNumber(0), help="Another moment; the same again.")
@click.option("--speed", type=Number(1, 600), default=SPEED, help="Cloud seconds in one.")
@click.option("--replay", "as_replay", is_flag=True, help="The last one, with its cause marked.")
@click.option("--history", is_flag=True, help="The scores of this host.")
@click.option("--list", "as_list", is_flag=True, help="The names of all drills.")
@json_option
@config_option
def drill(
    name: str | None,
    seed: int | None,
    speed: float,
    as_replay: bool,
    history: bool,
    as_list: bool,
    as_json: bool,
    config: str | None,
) -> int:
    """Practise: something happens on an embedded cloud, and nobody says what.

    NAME is one of the list, its number, or "random" (the default). The console opens; leave it with
    q when you are done, or it ends by itself. Then come the figures, what it was, and the lesson.
    Nothing real is touched: no cloud, no webhook, no git.
    """
    from canary.rollout.recording.drills import DRILLS, find_drill
    from canary.store.paths import drills_dir, forget_old_drills

    directory = drills_dir()
    if history:
        return _show_history(directory / "history.jsonl", as_json)
    if as_replay:
        return _replay_last(directory)
    if as_list:
        print_table([(str(d.number), d.name) for d in DRILLS])
        return 0
    demand_terminal()
    chosen_seed = secrets.randbelow(10_000) if seed is None else seed
    chosen = find_drill(name or "random", chosen_seed)
    if chosen is None:
        names = ", ".join(d.name for d in DRILLS)
        raise UsageError(f'There is no drill "{sanitize(name, 40)}".', remedy=f"Drills: {names}.")
    plan = drill_plan(find_demo_plan(chosen_config(config)).plan, chosen, speed, chosen_seed)
    place = directory / time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    place.mkdir(mode=0o700)
    forget_old_drills(directory)
    os.environ["CANARY_STATE_DIR"] = str(place)
    director = Director(plan, chosen, chosen_seed)
    _hold(plan, place, director)
    return _conclude(plan, chosen, chosen_seed, place, director, as_json)


def drill_plan(plan: Plan, drill: Drill, speed: float, seed: int) -> Plan:
    """The plan of a drill: the team's stages and limits, on an embedded cloud that says DRILL.

    Whatever the plan runs on, nothing of it is reached: no endpoint, no webhook, no git.
    """
    from canary.rollout.plan.plan import Console, Record, Router
    from canary.rollout.plan.tables import Notify, RecordingSettings

    rate = drill.rate_per_s(plan.local.requests_per_s, speed)
    local = with_local(plan, speed=speed, seed=seed, scenario="healthy", requests_per_s=rate)
    console = msgspec.structs.replace(Console(), theme=plan.console.theme, keys=plan.console.keys)
    return msgspec.structs.replace(
        local,
        target=msgspec.structs.replace(local.target, project=PROJECT, router=Router()),
        local=msgspec.structs.replace(
            local.local, drill=True, stage=min(2, len(plan.stages)), soaked_hours=20.0
        ),
        notify=Notify(),
        record=Record(),
        recording=RecordingSettings(),
        console=console,
    )


def _hold(plan: Plan, place: Path, director: Director) -> None:
    from tui.app import CanaryApp

    def build_engine() -> ConsoleEngine:
        director.start()
        from canary.engine.console.console import ConsoleEngine

        return ConsoleEngine(plan, place / "canary.toml")

    app = CanaryApp(plan, build_engine, on_act=director.note)
    director.end = lambda: app.call_from_thread(app.leave_with, 0)
    app.run(mouse=plan.console.mouse)


def _conclude(
    plan: Plan, drill: Drill, seed: int, place: Path, director: Director, as_json: bool
) -> int:
    """Say and keep what came of it, with its recording to be taken along."""
    from canary.engine.person import this_person
    from canary.rollout.recording.drill_score import demand_frames, format_score, score_drill
    from canary.rollout.recording.file import write_bundle
    from canary.store.outputs import write_bytes
    from canary.store.paths import state_dir

    _wait_recorded(state_dir(plan))
    recording = open_recording(plan)
    demand_frames(recording, director.onset_at)
    by = str(this_person(plan))
    score = score_drill(drill, seed, recording, director.onset_at, director.acts, by)
    _keep(place.parent / "history.jsonl", score)
    file = place / "drill.recording"
    write_bytes(file, write_bundle(recording.source, plan.name, recording.begin, recording.end))
    if as_json:
        print_json(msgspec.to_builtins(score))
        return 0
    for line in format_score(score, drill).rstrip("\n").split("\n"):
        say(line)
    say()
    say("Its replay, with the cause marked: canary drill --replay")
    say(f"To take it along: {file} (canary replay FILE)")
    return 0


def _replay_last(directory: Path) -> int:
    """Open the recording of the last drill where it began, and say what it was."""
    from canary.rollout.errors import Unavailable
    from canary.rollout.recording.drill_score import read_scores
    from canary.rollout.recording.drills import find_drill
    from tui.app import run
    from tui.engine_port import Past

    demand_terminal()
    files = sorted(directory.glob("*/drill.recording"))
    scores = read_scores(_read_history(directory / "history.jsonl"))
    if not files or not scores:
        raise RecordError("No drill was held on this host yet.", remedy="canary drill")
    recording, plan = read_recording(str(files[-1]))
    onset_at = scores[-1].onset_at
    held = find_drill(scores[-1].drill, 0)
    cause = held.cause if held is not None else scores[-1].drill
    what = f"drill {scores[-1].number}: {cause} since {format_clock(onset_at)}"

    def no_engine() -> ConsoleEngine:
        raise Unavailable("This is a recording: there is nothing live behind it.")

    past = Past(lambda: recording, is_alone=True, at=onset_at, what=what, marks=(onset_at,))
    return run(plan, no_engine, read_only=True, past=past)


def _read_history(path: Path) -> str:
    return path.read_text(errors="replace") if path.exists() else ""


def _wait_recorded(directory: Path) -> None:
    """Until the console's recorder has written its last, a few seconds at most."""
    from canary.store.recording import recording_lock

    lock = recording_lock(directory)
    for _ in range(20):
        if lock.acquire():
            lock.release()
            return
        time.sleep(0.2)


def _keep(path: Path, score: Score) -> None:
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(msgspec.json.encode(score) + b"\n")
    except OSError as error:
        raise RecordError(f"The score cannot be kept: {error.strerror or error}.") from error


def _show_history(path: Path, as_json: bool) -> int:
    from canary.rollout.recording.drill_score import read_scores

    scores = read_scores(_read_history(path))
    if as_json:
        print_json(msgspec.to_builtins(scores))
        return 0
    if not scores:
        say("No drill was held on this host yet: canary drill")
        return 0
    heads = ("when", "who", "drill", "right", "noticed", "acted", "failed", "at best", "needless")
    print_table([heads, *map(_row, scores)])
    return 0


def _row(score: Score) -> tuple[str, ...]:
    def after(seconds: float | None) -> str:
        return "never" if seconds is None else format_duration(seconds)

    def count(value: int | None) -> str:
        return "–" if value is None else str(value)

    return (
        format_timestamp(score.began_at),
        sanitize(score.by, 40),
        f"{score.number} {sanitize(score.drill, 20)}",
        "yes" if score.was_right else "no",
        after(score.noticed_s),
        after(score.acted_s),
        count(score.failed),
        count(score.failed_at_best),
        str(len(score.needless)),
    )
