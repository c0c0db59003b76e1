"""The past on the same screen: what was recorded is shown, and nothing can be changed.

Live goes on underneath. What becomes worse there rings and is said in the replay's row; Esc shows
it. While the past is shown no action that changes anything is to be had, and the engine is out of
reach.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Protocol

from canary.rollout.errors import CanaryError, UsageError
from canary.rollout.plan.plan import Plan
from canary.rollout.recording.playback import Playback, ReplayView
from canary.rollout.recording.player import REACH_S, Shown
from canary.rollout.snapshot.snapshot import Snapshot
from canary.rollout.trials.jobs import NOTHING_RUN, JobsView
from tui.engine_port import Past
from tui.keys import ACTIONS
from tui.pages.main import MainScreen
from tui.pages.summary import left_of_countdown, rings, state_title, terminal_title
from widgets.bars.header import data_age_s

WHY_NOT: Final = "This is a replay: nothing here changes anything."
LIVE_AGAIN: Final = f"{WHY_NOT} Esc is live again."
ALONE: Final = "This is a recording, and there is nothing live here. q leaves."
ALLOWED: Final = frozenset(
    {"readiness", "recovery", "verification", "checklist", "monitoring", "approval"}
    | {"help", "palette", "copy", "suspend", "quit"}
    | {a.name for a in ACTIONS if a.group == "look"}
) - {"refresh", "replay"}
"""What only looks; all else is refused while the past is shown."""

GO_TO: Final = "goto"
"""The purpose of the prompt."""
MINUTE_S, HOUR_S = 60.0, 3_600.0
FOLLOWS_S: Final = 300.0
"""A frame that is no later than so follows upon the one before: scales of plots stay steady."""


class ReplayHost(Protocol):
    """What the replay needs of the application."""

    def ring(self) -> None:
        """Ring the bell, unless the plan says not to."""

    def show_title(self, text: str) -> None:
        """Set the terminal's title."""

    def show_live(self, snapshot: Snapshot | None, jobs: JobsView) -> None:
        """Draw the present again; None: nothing has come yet."""

    def watch_replay(self, *, playing: bool) -> None:
        """Begin or cease to call `tick` a few times a second."""


class ReplayMode:
    """The replay on one main screen. `is_alone`: there is no live rollout behind it."""

    def __init__(
        self,
        host: ReplayHost,
        screen: MainScreen,
        past: Past,
    ) -> None:
        self._host, self._screen, self._plan = host, screen, screen.plan
        self._past = past
        self.is_alone = past.is_alone
        self._playback: Playback | None = None
        self._live: Snapshot | None = None
        self._jobs = NOTHING_RUN
        self._worse = ""
        self._keys: dict[str, Callable[[Playback], object]] = {
            "space": self._toggle,
            " ": self._toggle,
            ",": lambda p: p.step(-1),
            ".": lambda p: p.step(1),
            "[": lambda p: self._jump(p, -1),
            "]": lambda p: self._jump(p, 1),
            "left": lambda p: p.seek(p.at - MINUTE_S),
            "right": lambda p: p.seek(p.at + MINUTE_S),
            "ctrl+left": lambda p: p.seek(p.at - HOUR_S),
            "ctrl+right": lambda p: p.seek(p.at + HOUR_S),
            "-": lambda p: p.change_speed(-1),
            "+": lambda p: p.change_speed(1),
            "=": lambda p: p.change_speed(1),
            "m": lambda p: p.mark(),
            "home": lambda p: p.seek(float("-inf")),
        }

    @property
    def is_active(self) -> bool:
        """Whether the past is shown."""
        return self._playback is not None

    # -- begin and end --------------------------------------------------------------------------

    def enter(self, at: float | None = None) -> None:
        """Show what was seen at `at` (None: the last that is recorded). Raises RecordError."""
        playback = Playback(self._past.open(), at, self._past.marks)
        self._screen.mount_replay()
        self._playback = playback
        self._live, self._jobs = self._screen.snapshot, self._screen.procedure
        self._worse = ""
        self._screen.add_class("-replay")
        self._draw()

    def begin(self, at: float | None) -> None:
        """Enter where there is nothing else; what keeps it from that is said."""
        try:
            self.enter(at)
        except CanaryError as error:
            self._screen.talk.error = str(error)

    def why_not(self, name: str) -> str | None:
        """Why an action ("": any that changes something) cannot be now; None when it can."""
        if self._playback is None or name in ALLOWED:
            return None
        return WHY_NOT if self.is_alone else LIVE_AGAIN

    def leave(self) -> None:
        """Show the present again."""
        if self.is_alone:
            self._say(ALONE)
            return
        self._host.watch_replay(playing=False)
        playback, self._playback = self._playback, None
        if playback is not None:
            playback.recording.close()
        self._screen.remove_class("-replay")
        self._screen.bind_data("replay", None)
        self._set_plan(self._plan)
        self._host.show_live(self._live, self._jobs)

    def _say(self, note: str) -> None:
        self._screen.talk.note = note

    # -- what comes in ---------------------------------------------------------------------------

    def press(self, key: str) -> bool:
        """Take a key of the replay; False when it is none."""
        playback = self._playback
        if playback is None:
            return False
        if key == "end" and self.is_alone:
            self.seek(float("inf"))
        elif key in ("escape", "end"):
            self.leave()
        elif key == "J":
            self._screen.open_prompt(GO_TO, "go to: 14:03, -2h, +10m, promote, rollback")
        elif key in self._keys:
            self._say("")
            self._do(self._keys[key])
        else:
            return False
        return True

    def go_to(self, wish: str) -> None:
        """Go where a person typed."""
        self._do(lambda playback: playback.go_to(wish))

    def seek(self, at: float) -> None:
        """Go to a moment, cloud time."""
        self._do(lambda playback: playback.seek(at))

    def hear(self, snapshot: Snapshot) -> None:
        """Live goes on: say what has become worse, and ring for it."""
        before, self._live = self._live, snapshot
        if before is not None and rings(before, snapshot):
            self._worse = state_title(snapshot, self._plan)
            self._host.ring()
            self._draw_bar()
        self._host.show_title(f"REPLAY · live: {terminal_title(snapshot, self._plan)}")

    def hear_jobs(self, jobs: JobsView) -> None:
        """Keep what runs, for when the present is shown again."""
        self._jobs = jobs

    def hear_trouble(self, text: str) -> None:
        """Live has trouble: it is said in the replay's row."""
        self._worse = text
        self._draw_bar()

    def tick(self, real_s: float) -> None:
        """Let the replay go on for so many real seconds."""
        self._do(lambda playback: playback.advance(real_s))

    def look_again(self) -> None:
        """The plots reach further back now, perhaps: read what they need."""
        if self._playback is not None:
            self._do(lambda _: None)

    # -- drawing ---------------------------------------------------------------------------------

    def _do(self, act: Callable[[Playback], object]) -> None:
        playback = self._playback
        if playback is None:
            return
        try:
            before = playback.at
            act(playback)
            if not before <= playback.at <= before + FOLLOWS_S:
                for panel in self._screen.panels.values():
                    panel.forget_scales()
            self._draw()
        except CanaryError as error:
            playback.is_playing = False
            self._host.watch_replay(playing=False)
            self._say(str(error))

    def _toggle(self, playback: Playback) -> None:
        playback.is_playing = not playback.is_playing
        self._host.watch_replay(playing=playback.is_playing)

    def _jump(self, playback: Playback, by: int) -> None:
        if not playback.jump(by):
            raise UsageError(f"Nothing {'more' if by > 0 else 'earlier'} is recorded.")

    def _draw(self) -> None:
        playback, screen = self._playback, self._screen
        if playback is None:
            return
        shown = playback.shown(max(REACH_S, screen.reach_s))
        frame = shown.frame
        if not playback.is_playing:
            self._host.watch_replay(playing=False)
        self._set_plan(frame.plan)
        with screen.app.batch_update():
            screen.now = playback.at
            if screen.snapshot is not frame.snapshot:
                screen.snapshot = frame.snapshot
            screen.procedure = frame.jobs
            screen.left_s = self._left_s(shown, playback.at)
            screen.talk.error = ""
            screen.bind_data("timeline", playback.timeline)
            self._draw_bar(shown)

    def _draw_bar(self, shown: Shown | None = None) -> None:
        playback = self._playback
        if playback is None:
            return
        snapshot = self._screen.snapshot if shown is None else shown.frame.snapshot
        gap = (
            shown.gap_until
            if shown is not None and playback.at > shown.frame.snapshot.as_of
            else None
        )
        view = ReplayView(
            playback.at,
            playback.speed,
            playback.is_playing,
            gap,
            self._worse,
            data_age_s(snapshot, playback.at) if snapshot is not None else None,
            self._past.what,
            self.is_alone,
            _place_of(snapshot, self._screen.plan),
        )
        self._screen.bind_data("replay", view)

    def _left_s(self, shown: Shown, at: float) -> float | None:
        snapshot = shown.frame.snapshot
        waited_s = max(0.0, at - snapshot.as_of) / snapshot.speed if snapshot.speed else 0.0
        return left_of_countdown(snapshot, waited_s, shown.frame.seen_at + waited_s)

    def _set_plan(self, plan: Plan) -> None:
        if self._screen.plan != plan:
            self._screen.plan = plan
            self._screen.bind_data("plan", plan)


def _place_of(snapshot: Snapshot | None, plan: Plan) -> str:
    """The local cloud says so at all times, in the past too."""
    if snapshot is None or snapshot.provider != "local":
        return ""
    return "LOCAL CLOUD DRILL" if plan.local.drill else "LOCAL CLOUD"
