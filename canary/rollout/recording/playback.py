"""Playing a recording: where it is, how fast, what lies before and behind. Pure.

Time here is the cloud's. What passes between two ticks is handed in, in real seconds.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from datetime import UTC, datetime
from typing import Final

import msgspec

from canary.rollout.errors import UsageError
from canary.rollout.recording.parts import Moment
from canary.rollout.recording.player import REACH_S, Gap, Position, Recording, Shown
from canary.rollout.text import sanitize

SPEEDS: Final = (1, 10, 60, 300, 1200, 3600)
IDLE_S: Final = 5.0
"""Real seconds that a stretch in which nothing happens takes at most."""
GAP_TAKES_S: Final = 1.0
"""Real seconds that a time at which nobody was recording takes."""
DAY_S: Final = 86_400.0
_UNITS: Final = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": DAY_S}
_WORDS: Final = {"promote": "promote", "rollback": "roll"}


class TimelineView(msgspec.Struct, frozen=True):
    """The whole recording in one line. Times are the cloud's; all oldest first.

    `events` are when something happened that is in the event log, `marks` what a person marked.
    """

    begin: float
    end: float
    moments: tuple[Moment, ...] = ()
    gaps: tuple[Gap, ...] = ()
    events: tuple[float, ...] = ()
    marks: tuple[float, ...] = ()


class ReplayView(msgspec.Struct, frozen=True):
    """Where the replay is. `at`: the moment shown. `gap_until`: nobody was recording until then.

    `live` is what has become worse meanwhile; "" while nothing has. `data_age_s` is that of the
    numbers shown, None without any. `is_alone`: there is nothing live behind it. `what` is
    said in the place of "as seen then"; `place` is the mark of the local cloud, or of a drill.
    """

    at: float
    speed: int
    is_playing: bool
    gap_until: float | None = None
    live: str = ""
    data_age_s: float | None = None
    what: str = ""
    is_alone: bool = False
    place: str = ""


class Playback:
    """A place in a recording, moved by keys and by time. Raises RecordError where it is damaged.

    `timeline` is the whole recording in one line.
    """

    def __init__(
        self, recording: Recording, at: float | None = None, marks: tuple[float, ...] = ()
    ) -> None:
        self.recording = recording
        self.marks = marks
        self.is_playing = False
        self._speed = SPEEDS.index(60)
        self._events = recording.events
        self._learn()
        self.position = Position(0, 0)
        self.at = 0.0
        self.seek(recording.end if at is None else at)

    @property
    def speed(self) -> int:
        """Cloud seconds in a real one while it plays."""
        return SPEEDS[self._speed]

    def _learn(self) -> None:
        recording = self.recording
        self._places = self._find_places()
        self.timeline = TimelineView(
            recording.begin,
            recording.end,
            recording.moments,
            recording.gaps,
            tuple(e.at for e in self._events),
            self.marks,
        )

    def shown(self, reach_s: float = REACH_S) -> Shown:
        """The frame that was shown at the present moment."""
        return self.recording.read(self.position, reach_s)

    def seek(self, at: float) -> None:
        """Go to a moment; not before the first frame, nor behind the last."""
        at = min(max(at, self.recording.begin), self.recording.end)
        self.position, self.at = self.recording.find(at), at

    def step(self, by: int) -> None:
        """Go one frame on or back."""
        self.position = self.recording.step(self.position, by)
        self.at = self.recording.time_of(self.position)
        self.is_playing = False

    def change_speed(self, by: int) -> None:
        """One step faster or slower; at the ends nothing."""
        self._speed = min(max(self._speed + by, 0), len(SPEEDS) - 1)

    def mark(self) -> None:
        """Mark the present moment."""
        self.marks = tuple(sorted({*self.marks, self.at}))
        self._learn()

    def jump(self, by: int) -> bool:
        """Go to the next (1) or previous (-1) event, mark or change of state; False: none left."""
        places = self._places
        index = bisect_right(places, self.at + 1e-6) if by > 0 else bisect_left(places, self.at) - 1
        if not 0 <= index < len(places):
            return False
        self.seek(places[index])
        return True

    def advance(self, real_s: float) -> None:
        """Let time pass while it plays; it stops at the end."""
        if not self.is_playing:
            return
        self.seek(self.at + real_s * self._pace())
        if self.at >= self.recording.end:
            self.is_playing = False

    def go_to(self, wish: str) -> None:
        """Go where a person says: "14:03", "2026-11-25 14:03", "-2h", "+10m", "promote".

        Relative to the present moment; a time of day is the last one before the recording's end.
        Raises UsageError for what is none of these, or is not there.
        """
        wish = wish.strip()
        word = _WORDS.get(wish.lower())
        if word is None:
            self.seek(read_moment(wish, self.at, self.recording.end))
            return
        found = [e.at for e in self._events if word in e.text.lower()]
        if not found:
            raise UsageError(f"No {wish.lower()} is recorded.")
        self.seek(next((at for at in found if at > self.at + 1e-6), found[0]))

    def _find_places(self) -> list[float]:
        """Where something happened, ascending."""
        recording = self.recording
        states, last = [], None
        for moment in recording.moments:
            if moment.state != last:
                states.append(moment.at)
            last = moment.state
        events = (e.at for e in self._events)
        found = {*states, *self.marks, *events}
        return sorted(at for at in found if recording.begin <= at <= recording.end)

    def _pace(self) -> float:
        """Cloud seconds in a real one, here: idle stretches pass faster."""
        for gap in self.recording.gaps:
            if gap.since <= self.at < gap.until:
                return max(self.speed, (gap.until - gap.since) / GAP_TAKES_S)
        places = self._places
        index = bisect_right(places, self.at)
        before = places[index - 1] if index else self.recording.begin
        after = places[index] if index < len(places) else self.recording.end
        if self.speed < 60:  # who watches second by second wants to see each
            return self.speed
        return max(self.speed, (after - before) / IDLE_S)


def read_moment(text: str, now: float, end: float) -> float:
    """A moment as a person writes it, unix seconds: RFC 3339, "2026-11-25 14:03", "14:03", "-2h".

    A bare time of day (UTC) is the last one up to `end`; a length counts from `now`. Raises
    UsageError.
    """
    text = text.strip()
    length = re.fullmatch(r"([+-])\s*(\d+(?:\.\d+)?)\s*([smhd])", text)
    if length:
        seconds = float(length[2]) * _UNITS[length[3]]
        return now + seconds if length[1] == "+" else now - seconds
    clock = re.fullmatch(r"(\d{1,2}):(\d{2})(?::(\d{2}))?Z?", text)
    if clock and int(clock[1]) < 24 and int(clock[2]) < 60 and int(clock[3] or 0) < 60:
        of_day = int(clock[1]) * 3600 + int(clock[2]) * 60 + int(clock[3] or 0)
        at = end // DAY_S * DAY_S + of_day
        return at if at <= end else at - DAY_S
    try:
        found = datetime.fromisoformat(text)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        raise UsageError(
            f"{sanitize(text, 40)!r} is no moment.",
            remedy='Write "14:03", "2026-11-25 14:03", "-2h", "+10m", "promote" or "rollback".',
        ) from None
