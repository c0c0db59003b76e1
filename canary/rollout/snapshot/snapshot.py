"""The Snapshot: one moment of the rollout, both sides. The only truth that is shown.

Built by `engine.observe` from what the cloud said, never changed afterwards, handed downwards to
the screen and the shell alike. None means "not known"; it is never drawn as zero or green.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from canary.rollout.change.change import Guard, Outcome, Portion, Standing, StepView
from canary.rollout.change.history_entries import HistoryEntry, history_entry_of
from canary.rollout.change.hold import Hold
from canary.rollout.change.irreversible import Irreversible
from canary.rollout.change.marks import Mark
from canary.rollout.change.stage_record import StageRecord
from canary.rollout.change.text import MOVE_WORDS
from canary.rollout.decision.gates import Gate
from canary.rollout.decision.guard import GuardView
from canary.rollout.decision.readiness import Readiness
from canary.rollout.decision.tree import Alert, DataState, Decision
from canary.rollout.evidence.view import Advice, EvidenceView
from canary.rollout.failures.view import FailuresView
from canary.rollout.measure.burn import Burn
from canary.rollout.measure.samples import Sample, Window
from canary.rollout.plan.freeze import Frozen
from canary.rollout.plan.plan import ScalePreset
from canary.rollout.snapshot.differences import Differences
from canary.rollout.text import format_clock, format_percent, format_timestamp, sanitize

SourceState = Literal["ok", "failing", "never"]


class SideView(msgspec.Struct, frozen=True):
    """One side now: the tree's window, the criteria window, and all samples for the plots.

    `samples` are oldest first, with gaps where nothing was reported. `data` judges `window`.
    """

    service: str
    window: Window
    criteria_window: Window
    data: DataState
    data_age_s: float | None = None
    revision: str = ""
    scale: ScalePreset | None = None
    ready: bool | None = None
    samples: tuple[Sample, ...] = ()


class StageView(msgspec.Struct, frozen=True):
    """Where the rollout stands. `index` 0: all traffic is on Legacy; None: not known.

    `soaked_hours` None when nobody knows when the stage was entered. `lost_s` are the seconds since
    then in which another share was set. `redeployed` is Canary's revision where another serves than
    the stage was entered with: `entered_at` is when that came.
    """

    index: int | None
    name: str
    percent: int | None
    entered_at: float | None = None
    soak_hours: float | None = None
    soaked_hours: float | None = None
    lost_s: float = 0.0
    redeployed: str = ""


class Drift(msgspec.Struct, frozen=True):
    """The split differs from the record: somebody changed it elsewhere. Or the record from the
    plan, which was edited since: then `plan_has` says what that has there ("25 % at stage 2").
    """

    recorded_percent: int
    actual_percent: int
    by: str = ""
    at: float | None = None
    plan_has: str = ""

    @property
    def is_plans(self) -> bool:
        """Whether nothing but the plan has changed."""
        return self.recorded_percent == self.actual_percent


class TrafficView(msgspec.Struct, frozen=True):
    """The split as Cloud Run has it. `canary_percent` None: not known.

    `canary_percent` is what is set, `served_percent` what is really served; None where the router
    does not tell, or where `split_trouble` says why it cannot be told. `pinned` are revisions that
    traffic is bound to by name, so that a share that is set serves nobody; `others` has traffic and
    is neither side. `affinity`: session affinity keeps clients on a side, past the split.
    `ready` False: the last change could not be put into effect, so what is served may still be
    the split from before; None where the router does not tell. `history` is the last moves of
    the split, newest first.
    """

    canary_percent: int | None
    record: StageRecord | None = None
    record_error: str = ""
    drift: Drift | None = None
    reconciling: bool = False
    served_percent: int | None = None
    guard: Guard | None = None
    last_modifier: str = ""
    updated_at: float | None = None
    history: tuple[HistoryEntry, ...] = ()
    ready: bool | None = None
    split_trouble: str = ""
    pinned: tuple[str, ...] = ()
    others: tuple[Portion, ...] = ()
    affinity: bool = False

    @property
    def in_doubt(self) -> bool:
        """Whether what is set may not be what is served."""
        unclear = self.ready is False or bool(self.split_trouble)
        return not self.reconciling and (unclear or self.is_unserved)

    @property
    def is_unserved(self) -> bool:
        """Whether another share serves than is set, and nothing is on its way to mend it."""
        served = self.served_percent
        known = served is not None and self.canary_percent is not None
        return known and served != self.canary_percent and not self.reconciling

    @property
    def is_all_on_legacy(self) -> bool:
        """Whether Legacy alone has traffic, as far as is known: set so, and served so."""
        served = self.served_percent in (None, 0)
        return self.canary_percent == 0 and served and not self.others and not self.in_doubt


class SourceView(msgspec.Struct, frozen=True):
    """How one outside service answers. `since` is when it began to fail, cloud time. `login`: it
    was not asked, or refused, for want of a login that is accepted; a person must log in.
    """

    name: str
    state: SourceState
    message: str = ""
    since: float | None = None
    answered_at: float | None = None
    login: bool = False


class ChangeView(msgspec.Struct, frozen=True):
    """A change in the journal: in flight while `outcome` is None. `step`: what is being done.

    `waiting_since` is when it began to wait, cloud time, for what `waits_for` says: a Cloud Run
    that is away, or a new login. While it
    `is_withdrawable`, nothing of it is on its way. `is_automatic`: automatic rollback asked for it.
    `steps` only where there are several.
    """

    id: str
    kind: str
    title: str
    author: str
    asked_at: float
    step: str = ""
    outcome: Outcome | None = None
    acknowledged: bool = False
    waiting_since: float | None = None
    is_withdrawable: bool = False
    is_automatic: bool = False
    steps: tuple[StepView, ...] = ()
    waits_for: str = "Cloud Run"


class Event(msgspec.Struct, frozen=True):
    """One line of the event log. `severity`: info, good, warning, critical."""

    at: float
    severity: Literal["info", "good", "warning", "critical"]
    text: str
    by: str = ""


# Who else is here: other consoles on this rollout, and who did what last. Pure.
#
# On this host it is known who looks, from the journal's directory. Across hosts only changes are:
# what is in flight and who did what last ride on the service with each change. Looking is never
# announced there, because looking never writes to the cloud.


SessionKind = Literal["console", "guard", "rollback"]
"""A console, `canary guard`, or a rollback from a shell that waits for Cloud Run."""
SESSION_WORDS: dict[SessionKind, str] = {
    "console": "console",
    "guard": "canary guard",
    "rollback": "a rollback that waits for Cloud Run",
}


class OperatorSession(msgspec.Struct, frozen=True):
    """One program that is open on this rollout, on this host.

    `since` is this host's wall clock, unix seconds; `terminal` and `client` (where an SSH session
    comes from) are empty when not known. `armed`: automatic rollback acts from there;
    while it counts down, `due_at` is when it acts (as `since`) and `cause` why. `beat` is when it
    last looked, and `due_beat` when it acts, on the host's steady clock (None once it was read: a
    wall clock that is set meanwhile moves no countdown); `silent_since`, as `since`,
    when it ceased to: stopped, or frozen.
    """

    pid: int
    user: str
    host: str
    since: float
    kind: SessionKind = "console"
    terminal: str = ""
    client: str = ""
    read_only: bool = False
    armed: bool = False
    due_at: float | None = None
    cause: str = ""
    beat: float | None = None
    due_beat: float | None = None
    silent_since: float | None = None

    @property
    def guards(self) -> bool:
        """Whether automatic rollback acts from there: armed, and somebody looks."""
        return self.armed and self.silent_since is None


class Presence(msgspec.Struct, frozen=True):
    """Others on this host, oldest first; and what others' changes say of themselves.

    `last` is the newest move of the split by anybody; `in_flight` is that move while the service
    has not settled on it, when it is not from this host's journal.
    """

    others: tuple[OperatorSession, ...] = ()
    last: HistoryEntry | None = None
    in_flight: HistoryEntry | None = None


def find_presence(
    others: tuple[OperatorSession, ...],
    record: StageRecord | None,
    history: tuple[HistoryEntry, ...],
    *,
    reconciling: bool,
    ours: frozenset[str],
) -> Presence:
    """Who is here. `ours` are the ids of the changes in this host's journal."""
    last = history_entry_of(record) if record is not None and record.move else None
    if last is None and history:
        last = history[0]
    foreign = last is not None and last.change not in ours
    return Presence(others, last, last if reconciling and foreign else None)


def find_countdown(others: tuple[OperatorSession, ...]) -> OperatorSession | None:
    """Whose automatic rollback acts next, of those that count down; None: none does."""
    counting = [s for s in others if s.due_at is not None and s.silent_since is None]
    return min(counting, key=lambda s: s.due_at or 0.0, default=None)


def format_operator_session(session: OperatorSession) -> str:
    """Who is there, from where: "bob on pts/3 from 10.0.0.7 since 14:03:22Z (console)"."""
    where = f" on {sanitize(session.terminal, 40)}" if session.terminal else ""
    whence = f" from {sanitize(session.client, 60)}" if session.client else ""
    kind = SESSION_WORDS[session.kind]
    armed = ", automatic rollback armed" if session.armed else ""
    marks = ", read-only" if session.read_only else armed
    if session.silent_since is not None:
        marks += f", not answering since {format_clock(session.silent_since)}"
    who = sanitize(session.user, 60) or "somebody"
    since = f"since {format_clock(session.since)}"
    return f"{who}{where}{whence} {since} ({kind}, process {session.pid}{marks})"


def format_history_entry(entry: HistoryEntry, *, is_dated: bool = False) -> str:
    """Who did what, when: "bob@bastion-3 promoted 10 % → 25 % at 14:03:22Z: why"; `is_dated`: with
    the day, for who reads it later.
    """
    by = f"{entry.by}@{entry.host}" if entry.host else entry.by
    move = MOVE_WORDS.get(entry.move, "set the split")
    before = "" if entry.from_percent is None else f"{format_percent(entry.from_percent)} → "
    why = f": {sanitize(entry.why, 120)}" if entry.why else ""
    split = f"{before}{format_percent(entry.percent)}"
    at = format_timestamp(entry.at) if is_dated else format_clock(entry.at)
    return f"{sanitize(by, 100) or 'somebody'} {move} {split} at {at}{why}"


class Snapshot(msgspec.Struct, frozen=True):
    """One moment: what is set, what is measured, what the tree says, what the gates say.

    `as_of` is the cloud's clock, `window_s` the length of the tree's window. `standing` is what a
    change is built from; None when Cloud Run has not answered, and then nothing can be changed.
    `evidence` compares Canary with Legacy beside the tree, `advice` is what a proven regression
    adds to the tree's decision; neither ever changes it, and None makes nothing green.
    `readiness` says whether all traffic can leave Canary now (None: not known yet, or Legacy
    is retired), `presence` who else is here, `guard` what automatic rollback does (None: there is
    none in this program). `speed` is 1 on the real cloud. `changes` and `events` are newest first,
    and bounded. `failures` is what fails, by route (None: not known). `retired`: Legacy was deleted
    for good, so that there is nothing to go back to.
    `hold` is a person's while it holds, `freeze` the plan's: both block promotion and nothing else.
    `irreversible` is a step of Canary's that no rollback undoes; None: none is marked.
    `verdict_since` is when the tree's verdict became what it is (None: not known, or it judges
    nothing).
    `differences` is what Canary runs beside what Legacy runs; None: not known. `marks` are what
    persons have marked and noted, newest first. `burn` is how fast the service burns its error
    budget; None: the plan has no objective.
    """

    rollout: str
    provider: str
    project: str
    region: str
    as_of: float
    window_s: float
    stage: StageView
    traffic: TrafficView
    legacy: SideView
    canary: SideView
    decision: Decision
    gates: tuple[Gate, ...] = ()
    alerts: tuple[Alert, ...] = ()
    sources: tuple[SourceView, ...] = ()
    changes: tuple[ChangeView, ...] = ()
    events: tuple[Event, ...] = ()
    standing: Standing | None = None
    speed: float = 1.0
    ingest_delay_s: float | None = None
    scenario: str = ""
    backfilled: bool = False
    evidence: EvidenceView | None = None
    advice: Advice | None = None
    readiness: Readiness | None = None
    presence: Presence = Presence()
    guard: GuardView | None = None
    missing_rights: tuple[str, ...] = ()
    retired: bool = False
    failures: FailuresView | None = None
    hold: Hold | None = None
    freeze: Frozen | None = None
    irreversible: Irreversible | None = None
    verdict_since: float | None = None
    differences: Differences | None = None
    marks: tuple[Mark, ...] = ()
    burn: Burn | None = None

    @property
    def data_age_s(self) -> float | None:
        """Age of what the verdict rests on: Canary's newest sample; None when there is none.

        Legacy's where Canary has no share. Not the newest of both: a Canary that fell silent would
        look fresh beside a Legacy that did not.
        """
        side = self.legacy if self.traffic.is_all_on_legacy else self.canary
        return side.data_age_s


# Which changes are not finished: their end is not known, or they wait. Pure.


def find_unfinished(changes: Iterable[ChangeView]) -> tuple[ChangeView, ...]:
    """Those whose end is not known, then those in flight; each newest first, as they are given."""
    known = tuple(changes)
    unknown = (c for c in known if c.outcome is not None and c.outcome.state == "unknown")
    return (*unknown, *(c for c in known if c.outcome is None))


def find_waiting(changes: Iterable[ChangeView]) -> ChangeView | None:
    """The newest that waits for Cloud Run, and of which nothing is on its way; None: there is none.

    A change that nobody has begun yet is not waiting: it is begun within a second.
    """
    return next((c for c in changes if _waits(c)), None)


def _waits(change: ChangeView) -> bool:
    waits = change.waiting_since is not None and change.is_withdrawable
    return waits and change.outcome is None
