"""What came of a drill, in plain figures: of its recording and the keys pressed. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from canary.rollout.errors import RecordError
from canary.rollout.recording.drills import ALLOWED, RIGHT_WORDS, Drill
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import ChangeView, Snapshot
from canary.rollout.text import format_count, format_duration, format_timestamp

ActKind = Literal["wish", "asked"]
KNOWING: Final = frozenset(
    {"roll_back_all", "roll_back_stage", "proven_worse", "rollback_not_possible", "drift"}
)
"""States in which the screen says that something has to be done."""


BLIND: Final = frozenset(
    {"acknowledge", "copy", "handover", "help", "palette", "promote", "quit", "suspend", "theme"}
    | {"approval", "checklist", "fleet", "monitoring", "retire", "retirement", "start_monitoring"}
    | {"alerts", "apply_alerts", "load_test", "next_panel", "previous_panel"}
)
"""Actions that neither look at what is wrong nor act on it: who wants one need not have noticed."""


COUNTED: Final = frozenset({"rollback_all", "step_back"})
"""Right answers that spare failed requests: those of other drills are not counted."""
MISSED: Final = frozenset({"refused", "failed", "not_begun", "abandoned"})
"""Ends of a change by which nothing was done."""


class Act(msgspec.Struct, frozen=True):
    """What a person did, at the cloud's time: a `wish` for an action by its name (key or palette),
    or a change that was `asked` about in the strip.
    """

    kind: ActKind
    what: str
    at: float


class Score(msgspec.Struct, frozen=True):
    """The figures of one drill. Times are cloud seconds after the onset; None: never.

    `noticed_s`: the first action that looks at what is wrong or acts on it, or a mark. `knew_s`:
    the first moment at which the screen said enough. `failed` are Canary's failed requests from the
    onset to the end of the act (or of the drill), `failed_at_best` those of an act at the moment it
    knew enough; None where nothing had to be done
    or it is not known. `needless`: changes that nothing asked for.
    """

    drill: str
    number: int
    seed: int
    began_at: float
    onset_at: float
    ended_at: float
    right: str
    was_right: bool
    noticed_s: float | None
    decided_s: float | None
    acted_s: float | None
    knew_s: float | None
    failed: int | None
    failed_at_best: int | None
    needless: tuple[str, ...]
    by: str = ""


def score_drill(
    drill: Drill,
    seed: int,
    recording: Recording,
    onset_at: float,
    acts: Sequence[Act],
    by: str = "",
) -> Score:
    """The score of a drill that is over."""
    last = recording.read(recording.find(recording.end), 7 * 86_400.0).frame.snapshot
    after = [act for act in acts if act.at >= onset_at]
    changes = sorted(
        (c for c in last.changes if c.asked_at >= recording.begin), key=lambda c: c.asked_at
    )
    allowed = ALLOWED[drill.right] | drill.tolerated | {"hold", "release", "note"}
    needless = tuple(c.title for c in changes if c.kind not in allowed or c.asked_at < onset_at)
    knew_at = next(_knew(recording, onset_at, drill.right == "nothing"), None)
    acted = next((c for c in changes if _is_right(c, drill, onset_at, knew_at)), None)
    did = acted or next((c for c in changes if c.asked_at >= onset_at and c.kind != "note"), None)
    served_at = None
    if acted is not None:
        served_at = acted.outcome.at if acted.outcome is not None else acted.asked_at
    wants_move = bool(ALLOWED[drill.right])
    noticed = next((a.at for a in after if a.kind == "asked" or a.what not in BLIND), None)
    was_right = acted is not None if wants_move else not needless
    if drill.right == "notice":
        was_right = was_right and noticed is not None
    counts = drill.right in COUNTED
    return Score(
        drill=drill.name,
        number=drill.number,
        seed=seed,
        began_at=recording.begin,
        onset_at=onset_at,
        ended_at=recording.end,
        right=RIGHT_WORDS[drill.right],
        was_right=was_right,
        noticed_s=_since(noticed, onset_at),
        decided_s=_since(next((a.at for a in after if a.kind == "asked"), None), onset_at),
        acted_s=_since(did.asked_at if did else None, onset_at),
        knew_s=_since(knew_at, onset_at),
        failed=_failed(last, onset_at, served_at) if counts else None,
        failed_at_best=_failed(last, onset_at, knew_at) if counts and knew_at else None,
        needless=needless,
        by=by,
    )


def _is_right(change: ChangeView, drill: Drill, onset_at: float, knew_at: float | None) -> bool:
    """Whether a change is what had to be done; what was refused or failed is not.

    One stage back was called for, and Canary is proven worse before the hour: roll back all, too.
    """
    if change.asked_at < onset_at or (change.outcome and change.outcome.state in MISSED):
        return False
    if change.kind in ALLOWED[drill.right]:
        return True
    proven = knew_at is not None and change.asked_at >= knew_at
    return drill.right == "step_back" and change.kind == "rollback_all" and proven


def _since(at: float | None, onset_at: float) -> float | None:
    return None if at is None else max(0.0, at - onset_at)


def _knew(recording: Recording, onset_at: float, by_state: bool) -> Iterator[float]:
    """When the screen said that something has to be done, after the onset; `by_state`: the state
    row alone, not the evidence.
    """
    for moment in recording.moments:
        if moment.at >= onset_at and moment.state in KNOWING:
            yield moment.at
            return
    if by_state:
        return
    for _, at, tree in recording.trees(onset_at, recording.end):
        metrics = (tree["snapshot"].get("evidence") or {}).get("metrics", [])
        if any(m["verdict"] in ("rollback", "worse_now") for m in metrics):
            yield at
            return


def _failed(last: Snapshot, since: float, until: float | None) -> int | None:
    """Canary's failed requests in the minutes that end from `since` to `until`; None: not known,
    as no sample reaches into them.
    """
    end = last.as_of if until is None else until
    inside = [s for s in last.canary.samples if s.end > since and s.start < end]
    told = [s.responses.failed for s in inside if s.responses is not None]
    return sum(told) if told else None


def format_score(score: Score, drill: Drill) -> str:
    """The figures and the lesson; ends with a line break."""
    lines = [
        f"Drill {score.number}, {score.drill} (seed {score.seed}): {drill.cause}",
        f"began   {format_timestamp(score.onset_at)}",
        f"right   {score.right}",
        f"you     {'did that' if score.was_right else 'did not'}"
        + (f"; needless: {', '.join(score.needless)}" if score.needless else ""),
        _knew_words(score, drill),
        f"noticed after {_after(score.noticed_s)}, decided after {_after(score.decided_s)},"
        f" acted after {_after(score.acted_s)}",
    ]
    if score.failed is None and drill.right in COUNTED:
        lines.append("failed requests since then: not known, Monitoring has no minute of it")
    if score.failed is not None:
        best = score.failed_at_best
        beside = "" if best is None else f"; at best {format_count(best)}"
        lines.append(f"failed requests since then: {format_count(score.failed)}{beside}")
    return "\n".join([*lines, "", drill.lesson]) + "\n"


def _knew_words(score: Score, drill: Drill) -> str:
    """When the screen knew enough; where nothing had to be done, when it called for an act."""
    if drill.right != "nothing":
        return f"screen knew enough after {_after(score.knew_s)}"
    if score.knew_s is None:
        return "screen called for nothing"
    return f"screen called for an act after {_after(score.knew_s)}, which helps nobody here"


def _after(seconds: float | None) -> str:
    return "never" if seconds is None else format_duration(seconds)


def read_scores(text: str) -> list[Score]:
    """The scores of a history, a line each; lines that are none are left out."""
    scores = []
    for line in text.splitlines():
        try:
            scores.append(msgspec.json.decode(line, type=Score))
        except (msgspec.DecodeError, ValueError):
            continue
    return scores


def demand_frames(recording: Recording, onset_at: float) -> None:
    """Raise RecordError where the drill ended before anything happened: there is no score."""
    if recording.end < onset_at:
        raise RecordError("The drill was left before anything happened: there is no score.")
