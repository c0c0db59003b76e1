"""The console: composes screen, keys and engine, and stays until it is left.

The first frame is drawn before the engine is even imported: it brings Google's packages with it.
The engine is built and started on a thread of its own and speaks through messages only.
"""

from __future__ import annotations

import gc
import os
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from textual import on
from textual.screen import Screen
from textual.timer import Timer

from canary.paint.last_seen import LastSeen
from canary.paint.rows import format_place, format_seen
from canary.rollout.change.change import Author
from canary.rollout.errors import CanaryError, ReadOnly, RecordError, Unavailable
from canary.rollout.plan.plan import Plan
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.snapshot.state_words import RolloutState
from canary.rollout.trials.jobs import JobsView
from themes import PALETTES, choose_theme
from tui.engine_port import (
    CloudTime,
    EngineFailed,
    EnginePort,
    EngineStarted,
    JobsWaiting,
    Mailbox,
    Past,
    SnapshotsWaiting,
)
from tui.keys import bind
from tui.pages.main import MainScreen
from tui.pages.summary import left_of_countdown, rings, terminal_title
from tui.pages.tips import TipBook, demo_tips
from tui.terminal.app import TerminalApp
from tui.terminal.hyperlinks import understands_hyperlinks
from widgets.bars.confirm_strip import ConfirmStrip

if TYPE_CHECKING:
    from canary.rollout.recording.player import Recording
    from tui.actions.changes import Situation
    from tui.actions.replay import ReplayMode
    from tui.commands import Commands

TICK_S = 1.0
REPLAY_TICK_S = 0.25
NO_SNAPSHOTS_S = 15.0
"""After so long without a snapshot the screen says that nothing new comes."""
STARTING_S = 4.0
"""So long the start may take: modules are read, processes come up, the first numbers arrive."""
LEFT_S = 45.0
"""So long after it was left the last of a console before has ended."""
GARBAGE_AFTER = 20_000
"""So many new objects until garbage is looked for. Python's own 700 took a fourth of the processor
at ×60: each snapshot's thousands of samples were walked through again and again for the few cycles
that Textual leaves, which are a matter of kilobytes."""


class SeenBook(Protocol):
    """Where what is shown is kept for the next console's first paint: `canary.paint.keeper`."""

    @property
    def last(self) -> LastSeen | None:
        """What the one before this console showed last; None for nothing."""

    def keep(self, snapshot: Snapshot, state: RolloutState) -> None:
        """Keep what is shown now; returns at once."""

    def close(self) -> None:
        """Nothing more comes."""


class CanaryApp(TerminalApp, inherit_bindings=False):
    """One rollout in one terminal.

    `build_engine` is called once, on a thread, after the first frame. `monotonic` is in seconds.
    `distrust`: in a few words, why others decide over the plan, which is then read-only.
    `after_start` is called when the rush of the start is over. `tips`: the demo's first lines.
    `came_from_list`: Esc goes back to the list of rollouts.
    `seen`: what was shown last, until there is a snapshot; and where this one's are kept.
    `on_act` hears of each action that is wanted and each question, with the cloud's time: a drill
    keeps them.
    Raises PlanError at construction when the plan rebinds keys in a way that cannot be.
    """

    CSS_PATH = Path(__file__).with_name("canary.tcss")
    TITLE = "canary"

    def __init__(
        self,
        plan: Plan,
        build_engine: Callable[[], EnginePort],
        *,
        read_only: bool = False,
        distrust: str = "",
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
        after_start: Callable[[], None] = lambda: None,
        past: Past | None = None,
        on_act: Callable[[str, str, float], None] = lambda *_: None,
        tips: TipBook | None = None,
        came_from_list: bool = False,
        seen: SeenBook | None = None,
    ) -> None:
        keymap = bind(plan)
        super().__init__(*choose_theme(plan.console.theme, os.environ))
        self.plan = plan
        self.read_only = read_only or plan.console.read_only
        self.came_from_list = came_from_list
        self.main = MainScreen(plan, keymap, read_only=self.read_only, distrust=distrust)
        self.main.escape_leads_to = "list" if came_from_list else ""
        self._past = past
        self._on_act = on_act
        self._replay: ReplayMode | None = None
        self._replaying: Timer | None = None
        self._build_engine = build_engine
        self._wall = wall
        self._after_start = after_start
        self._tips = tips
        self._seen = seen
        self._engine: EnginePort | None = None
        self._snapshots = Mailbox[Snapshot](lambda: self.post_message(SnapshotsWaiting()))
        self._procedures = Mailbox[JobsView](lambda: self.post_message(JobsWaiting()))
        self._clock = CloudTime(monotonic)

    # -- start and end ---------------------------------------------------------------------------

    def get_default_screen(self) -> Screen[Any]:
        """The main screen is the only one underneath."""
        return self.main

    def on_mount(self) -> None:
        """Let the ages tick, and the pages know whether the terminal takes hyperlinks."""
        self.main.bind_data("hyperlinks", understands_hyperlinks(os.environ))
        if self._seen is not None and self._seen.last is not None:
            self.main.bind_data("last_seen", format_seen(self._seen.last, self._wall()))
            self.main.bind_data("last_place", format_place(self._seen.last))
        self.set_interval(TICK_S, self.tick)
        self._show_tip()

    async def on_ready(self) -> None:
        """The first frame is out: now the engine, and what no first frame shows."""
        if self._past is not None and self._past.is_alone:
            await self._furnish()
            self._make_replay(self._past).begin(self._past.at)
            return
        threading.Thread(target=self._start_engine, name="engine-start", daemon=True).start()
        await self._furnish()
        if self._past is not None:
            self._make_replay(self._past)
        self.set_timer(STARTING_S, self._after_start)

    @cached_property
    def commands(self) -> Commands:
        """What the keys do, and what they show: read after the first frame, or by an early key."""
        from tui.actions.context import Context
        from tui.commands import Commands

        self.main.furnish()
        return Commands(Context(self, self.main))

    async def _furnish(self) -> None:
        """Put what no first frame shows where it belongs, and let the keys find what they do.

        It is mounted as a whole: of the levels one by one, each was laid out and drawn.
        """
        self.main.why_not = self.commands.why_not
        with self.batch_update():
            await self.main.mount_rest()
        self.main.refresh(layout=True)

    def _start_engine(self) -> None:
        try:
            engine = self._engine = self._build_engine()
            engine.start(self._snapshots.put, self._report, self._procedures.put)
        except CanaryError as error:
            self._report(str(error))
        except Exception as error:  # noqa: BLE001 – the thread's boundary: the app reports and ends
            self.end_by(error)
        else:
            self.post_message(EngineStarted())

    def _report(self, text: str) -> None:
        self.post_message(EngineFailed(text))

    async def on_unmount(self) -> None:
        """Let the engine end."""
        if self._seen is not None:
            self._seen.close()
        if self._engine is not None:
            self._engine.stop()

    # -- the engine's words ----------------------------------------------------------------------

    @on(SnapshotsWaiting)
    def take_snapshot(self) -> None:
        """Draw the newest snapshot."""
        snapshot = self._snapshots.take()
        if snapshot is not None:
            self.show(snapshot)

    def show(self, snapshot: Snapshot, *, anew: bool = False) -> None:
        """Hand a snapshot to the screen; ring once when the verdict got worse. `anew`: it has
        arrived before, and is drawn again.
        """
        before = self.main.snapshot
        if not anew:
            self._clock.set(snapshot)
        if self._replay is not None and self._replay.is_active:
            self._replay.hear(snapshot)
            return
        self.commands.recheck(snapshot)
        with self.batch_update():
            self.main.now = self._clock.now()
            self.main.snapshot = snapshot
            self.main.left_s = self._left_s()
            self.main.talk.error = ""
        self.show_title(terminal_title(snapshot, self.plan))
        state = self.main.state_row.state
        if self._seen is not None and state is not None:
            self._seen.keep(snapshot, state)
        if before is not None and not anew and rings(before, snapshot):
            self.ring()

    @on(JobsWaiting)
    def take_procedure(self) -> None:
        """Draw what runs, how far it is, and how it ended."""
        procedure = self._procedures.take()
        if procedure is not None and self._replay is not None and self._replay.is_active:
            self._replay.hear_jobs(procedure)
        elif procedure is not None:
            with self.batch_update():
                self.main.procedure = procedure

    @on(EngineFailed)
    def say_error(self, message: EngineFailed) -> None:
        """Say what the engine could not do."""
        if self._replay is not None and self._replay.is_active:
            self._replay.hear_trouble(message.text)
            return
        self.main.talk.error = message.text

    @on(EngineStarted)
    def show_keys(self) -> None:
        """The engine runs; the first numbers are on their way."""
        self.main.show_keys()

    def tick(self) -> None:
        """Let the ages grow; not in the second in which a snapshot has done so."""
        waited_s = self._clock.waited_s()
        if self._replay is not None and self._replay.is_active:
            if waited_s > NO_SNAPSHOTS_S:
                self._replay.hear_trouble(f"nothing new for {waited_s:.0f} s")
            return
        if self.main.snapshot is None or waited_s < TICK_S * 0.9:
            return
        self.main.now = self._clock.now()
        self.main.left_s = self._left_s()
        if waited_s > NO_SNAPSHOTS_S:
            self.main.talk.error = (
                f"Nothing new from the engine for {waited_s:.0f} s: what is shown is from then."
            )

    def _left_s(self) -> float | None:
        """What is left of automatic rollback's countdown, here or elsewhere on this host."""
        snapshot = self.main.snapshot
        if snapshot is None:
            return None
        return left_of_countdown(snapshot, self._clock.waited_s(), self._wall())

    # -- keys ------------------------------------------------------------------------------------

    @on(MainScreen.Pressed)
    def press_key(self, message: MainScreen.Pressed) -> None:
        """A key of the main screen."""
        self.commands.press(message.key)

    @on(MainScreen.Prompted)
    def answer_prompt(self, message: MainScreen.Prompted) -> None:
        """Something was typed."""
        self.commands.answer_prompt(message.purpose, message.text)

    @on(ConfirmStrip.Accepted)
    def accept(self, message: ConfirmStrip.Accepted) -> None:
        """The open question was answered with yes."""
        self.commands.accept(message.proposal, message.reason)

    @on(ConfirmStrip.Left)
    def let_go(self, message: ConfirmStrip.Left) -> None:
        """The open question was left."""
        self.commands.let_go(message.reason)

    # -- the past: see tui.actions.replay.ReplayHost ---------------------------------------------

    def _make_replay(self, past: Past) -> ReplayMode:
        from tui.actions.replay import ReplayMode  # no first frame shows it

        self._replay = self.commands.replay = ReplayMode(self, self.main, past)
        return self._replay

    def ring(self) -> None:
        """Ring the bell, unless the plan says not to."""
        if self.plan.console.bell:
            self.bell()

    def show_live(self, snapshot: Snapshot | None, jobs: JobsView) -> None:
        """Draw the present again."""
        self.main.procedure = jobs
        if snapshot is not None:
            self.show(snapshot, anew=True)

    def watch_replay(self, *, playing: bool) -> None:
        """Let the replay go on a few times a second, or no more."""
        if playing and self._replaying is None:
            self._replaying = self.set_interval(REPLAY_TICK_S, self._play_on)
        elif not playing and self._replaying is not None:
            self._replaying.stop()
            self._replaying = None

    def _play_on(self) -> None:
        if self._replay is not None:
            self._replay.tick(REPLAY_TICK_S)

    # -- for the actions: see tui.actions.context.Host -------------------------------------------

    @property
    def theme_names(self) -> tuple[str, ...]:
        """The themes of the house, in the order of the key."""
        return tuple(PALETTES)

    @property
    def theme_name(self) -> str:
        """The present theme."""
        return self.theme

    def set_theme(self, name: str) -> None:
        """Change the colours to the theme of that name."""
        self.theme = name

    def engine_of(self) -> EnginePort:
        """The engine. Raises Unavailable while there is none."""
        if (past := self.why_past()) is not None:
            raise ReadOnly(past)
        if self._engine is None:
            raise Unavailable("The engine has not started yet.", remedy="Wait a moment.")
        return self._engine

    def open_past(self) -> Recording:
        """What was recorded. Raises RecordError where there is nothing."""
        if self._past is None:
            raise RecordError("Nothing is recorded here.")
        return self._past.open()

    def note_wish(self, name: str) -> None:
        """The person wants an action, by its key or from the palette."""
        self._on_act("wish", name, self._clock.now())

    def note_asked(self, what: str) -> None:
        """The strip was opened on something."""
        self._on_act("asked", what, self._clock.now())

    def why_past(self) -> str | None:
        """Why nothing can be changed: the past is shown; None where the present is."""
        return self.commands.why_nothing_changes("")

    def situation(self) -> Situation:
        """What a wish is judged by now."""
        from tui.actions.changes import Situation  # with `commands`

        author = self._engine.author if self._engine is not None else Author("", "")
        return Situation(self.plan, self.main.snapshot, self.read_only, self._clock.now(), author)

    def scenarios(self) -> Mapping[str, str]:
        """The scenarios of the local cloud, each with a sentence; empty elsewhere."""
        return self._engine.scenarios() if self._engine is not None else {}

    def show_screen(self, screen: Screen[None]) -> None:
        """Lay a screen over the main one until it is dismissed."""
        self.push_screen(screen)

    def dismiss_tip(self) -> None:
        """Put the demo's tip away, and show the next."""
        if self._tips is not None and self.main.talk.tip:
            self._tips.dismiss()
            self._show_tip()

    def _show_tip(self) -> None:
        if self._tips is not None:
            left = demo_tips(self.main.keymap)[self._tips.dismissed :]
            self.main.talk.tip = left[0] if left else ""

    def open_palette(self) -> None:
        """Find a command by its name."""
        from tui.palette import Palette  # no first frame shows it

        self.push_screen(Palette(self.commands))

    def begin(self, work: Coroutine[None, None, None], name: str) -> None:
        """Run something that takes a while beside the screen's loop; an error ends the console."""
        self.run_worker(work, name=name, exit_on_error=True)


def run(
    plan: Plan,
    build_engine: Callable[[], EnginePort],
    *,
    read_only: bool = False,
    distrust: str = "",
    past: Past | None = None,
    tips: TipBook | None = None,
    came_from_list: bool = False,
    seen: SeenBook | None = None,
) -> int:
    """Open the console and stay until it is left. Returns the process's exit code.

    0 left by the person; 1 crashed (the traceback is on stderr, without locals); 128 + n ended by
    signal n. `build_engine` is called on a thread, after the first frame. Raises PlanError before
    anything is drawn when the plan's keys cannot be.
    """
    # Not less than the first paint has set for the start.
    gc.set_threshold(max(GARBAGE_AFTER, gc.get_threshold()[0]), 10, 10)
    is_first = next(_runs) == 0
    app = CanaryApp(
        plan,
        build_engine,
        read_only=read_only,
        distrust=distrust,
        after_start=lambda: _leave_alone(app, is_first=is_first),
        past=past,
        tips=tips,
        came_from_list=came_from_list,
        seen=seen,
    )
    try:
        app.run(mouse=plan.console.mouse)
    finally:
        # What was left alone goes with this console: whoever left it for the list opens others.
        gc.unfreeze()
    return app.return_code or 0


_runs = count()
"""How many consoles were opened in this process."""


def _leave_alone(app: CanaryApp, *, is_first: bool) -> None:
    """What was read at the start stays: no need to walk through it again and again.

    Once more a while later where there was a console before: its threads may still be closing what
    they had open, on a busy host, and a week of samples with it.
    """
    gc.set_threshold(GARBAGE_AFTER, 10, 10)
    if not is_first:
        gc.collect()
        app.set_timer(LEFT_S, _leave_alone_again)
    gc.freeze()


def _leave_alone_again() -> None:
    gc.unfreeze()
    gc.collect()
    gc.freeze()
