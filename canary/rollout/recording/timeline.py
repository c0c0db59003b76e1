"""What happened, a row each: made of a recording by comparing each frame with the one before. Pure.

Changes with who and why and what they rested on, transitions of the state, proofs, gates,
verification, tests, notes, drift, holds, automatic rollback, trouble of sources, and when nobody
was recording.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Final

import msgspec

from canary.rollout.change.hold import Hold, format_hold
from canary.rollout.change.marks import Mark, format_mark, name_author
from canary.rollout.errors import RecordError
from canary.rollout.recording.player import Position, Recording
from canary.rollout.recording.timeline_changes import (
    Row,
    changes_between,
    moves_of_others,
    numbers_of,
)
from canary.rollout.recording.tree import Tree, from_tree
from canary.rollout.snapshot.state import find_state
from canary.rollout.snapshot.state_words import WORDS
from canary.rollout.text import (
    format_count,
    format_duration,
    format_limit,
    format_percent,
    format_timestamp,
    format_value,
    sanitize,
)

_METRICS: Final = {"errors": "errors", "slow": "slow requests", "score": "confidence"}
_BOUNCE_S: Final = 120.0
"""A state that lasts no longer is told only if it asks for an act."""
_TOLD_ALWAYS: Final = frozenset(
    {"roll_back_all", "roll_back_stage", "rollback_not_possible", "unknown_outcome", "failed"}
)


def read_timeline(
    recording: Recording, since: float, until: float, stage: int | None = None
) -> list[Row]:
    """The rows from `since` to `until` (cloud time), oldest first; of one `stage`, if given."""
    rows = [*_compare(recording, since, until), *_states(recording, since, until)]
    rows += [
        Row(
            gap.since,
            "gap",
            f"nobody was recording until {format_timestamp(gap.until)}",
            data=format_duration(gap.until - gap.since),
        )
        for gap in recording.gaps
        if since <= gap.since <= until
    ]
    rows.sort(key=lambda row: row.at)
    filled = list(_with_stages(rows))
    return filled if stage is None else [row for row in filled if row.stage == stage]


def _with_stages(rows: list[Row]) -> Iterator[Row]:
    """A row that knows no stage has that of the one before."""
    stage: int | None = next((row.stage for row in rows if row.stage is not None), None)
    for row in rows:
        stage = row.stage if row.stage is not None else stage
        yield row if row.stage is not None else msgspec.structs.replace(row, stage=stage)


# -- the state ---------------------------------------------------------------------------------


def _states(recording: Recording, since: float, until: float) -> Iterator[Row]:
    """`state: HEALTHY → ROLL BACK ALL`, with its cause; what came and went at once is left out."""
    found: list[tuple[float, str]] = []
    for moment in recording.moments:
        if not found or found[-1][1] != moment.state:
            found.append((moment.at, moment.state))
    steady: list[tuple[float, str]] = []
    for index, (at, state) in enumerate(found):
        lasts = (found[index + 1][0] if index + 1 < len(found) else recording.end) - at
        lasts_or_acts = lasts >= _BOUNCE_S or state in _TOLD_ALWAYS
        if lasts_or_acts and (not steady or steady[-1][1] != state):
            steady.append((at, state))
    words: dict[str, str] = {str(key): word for key, word in WORDS.items()}
    for (_, before), (at, state) in itertools.pairwise(steady):
        if since <= at <= until:
            event = f"state: {words.get(before, before)} → {words.get(state, state)}"
            yield _explained(recording, at, event)


def _explained(recording: Recording, at: float, event: str) -> Row:
    try:
        frame = recording.read(recording.find(at), 0.0).frame
    except RecordError:
        return Row(at, "state", event)
    state = find_state(frame.snapshot, frame.plan)
    cause = f" ({sanitize(state.cause, 160)})" if state.cause else ""
    index = frame.snapshot.stage.index
    return Row(at, "state", event + cause, data=numbers_of(frame.snapshot), stage=index)


# -- everything else: each frame beside the one before -------------------------------------------


def _compare(recording: Recording, since: float, until: float) -> Iterator[Row]:
    before: Tree = None
    seen: Tree = None
    for position, at, tree in recording.trees(since, until):
        shown = tree["snapshot"]
        if before is not None and before is not tree:
            was = before["snapshot"]
            stage = shown["stage"].get("index")
            for row in _differences(recording, position, at, was, shown):
                yield msgspec.structs.replace(row, stage=stage)
            for row in _jobs(at, before.get("jobs", {}), tree.get("jobs", {})):
                yield msgspec.structs.replace(row, stage=stage)
        shown = tree["snapshot"]
        if shown["traffic"].get("canary_percent") is not None:
            if seen is not None and seen is not shown:
                for row in _on_services(recording, at, seen, shown):
                    yield msgspec.structs.replace(row, stage=shown["stage"].get("index"))
            seen = shown
        before = tree


def _differences(
    recording: Recording, position: Position, at: float, was: Tree, now: Tree
) -> Iterator[Row]:
    if was.get("changes") != now.get("changes"):
        yield from changes_between(recording, position, was, now)
    if was.get("gates") != now.get("gates"):
        yield from _gates(at, was, now)
    if was.get("evidence") != now.get("evidence"):
        yield from _evidence(at, was, now)
    if was.get("sources") != now.get("sources"):
        yield from _sources(at, was, now)
    if was.get("guard") != now.get("guard"):
        yield from _guard(at, was, now)


def _on_services(recording: Recording, at: float, was: Tree, now: Tree) -> Iterator[Row]:
    """What stands on the services, each time that they were seen beside the time before: where
    Cloud Run was away meanwhile, nothing on them has ended.
    """
    if was["traffic"] != now["traffic"]:
        yield from moves_of_others(recording, was, now)
    if was.get("marks") != now.get("marks"):
        yield from _notes(recording.begin, was, now)
    yield from _elsewhere(at, was, now)


def _gates(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    if was["stage"].get("index") != now["stage"].get("index"):
        return  # other gates, not gates that opened
    before = {g["id"]: g["state"] for g in was.get("gates", [])}
    changed = [g for g in now.get("gates", []) if before.get(g["id"], g["state"]) != g["state"]]
    opened = [g for g in changed if g["state"] == "met"]
    closed = [g for g in changed if g["state"] != "met" and before[g["id"]] == "met"]
    for word, gates in (("opened", opened), ("closed", closed)):
        if gates:
            names = ", ".join(sanitize(g["label"], 60) for g in gates)
            kind = "gate" if len(gates) == 1 else "gates"
            yield Row(
                at,
                "gate",
                f"{kind} {word}: {names}",
                data="; ".join(dict.fromkeys(filter(None, map(_gate, gates)))),
            )


def _gate(gate: Tree) -> str:
    observed, limit = gate.get("observed"), gate.get("limit")
    if not isinstance(observed, float) or isinstance(observed, bool):
        return sanitize(gate.get("evidence", ""), 120)
    if gate["comparison"] == "=":
        return ""
    name = gate["id"]
    wants = "" if gate["state"] == "met" else "but needs "
    said = f"{format_value(name, observed)} {wants}{gate['comparison']} {format_limit(name, limit)}"
    return f"{sanitize(gate['label'], 60)} {said}"


def _evidence(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    before = {m["metric"]: m["verdict"] for m in (was.get("evidence") or {}).get("metrics", [])}
    for metric in (now.get("evidence") or {}).get("metrics", []):
        word, last = metric["verdict"], before.get(metric["metric"])
        if word == last or last is None:
            continue
        name = _METRICS.get(metric["metric"], metric["metric"])
        counts = f"{format_count(metric.get('canary_count'))} requests of canary"
        if word == "rollback":
            yield Row(at, "proof", f"proven: {name} of canary are worse", data=counts)
        elif word == "worse_now":
            yield Row(at, "proof", f"worse now: {name} of canary", data=counts)
        elif word == "pass":
            yield Row(at, "proof", f"proven: {name} of canary no worse", data=counts)
        elif last == "rollback":
            yield Row(at, "proof", f"the proof against {name} of canary no longer stands")


def _sources(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    before = {s["name"]: s["state"] for s in was.get("sources", [])}
    for source in now.get("sources", []):
        state, last = source["state"], before.get(source["name"])
        name = sanitize(source["name"], 60)
        if state == "failing" and last != "failing":
            message = sanitize(source.get("message", ""), 200)
            yield Row(at, "source", f"source lost: {name}", data=message)
        elif state == "ok" and last == "failing":
            yield Row(at, "source", f"source back: {name}")


def _guard(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    before: dict[str, Any] = was.get("guard") or {}
    after: dict[str, Any] = now.get("guard") or {}
    by = sanitize(after.get("by", ""), 80)
    if bool(before.get("armed")) != bool(after.get("armed")):
        word = "armed" if after.get("armed") else "disarmed"
        yield Row(at, "guard", f"automatic rollback {word}", by)
    counted, counts = before.get("left_s") is not None, after.get("left_s") is not None
    if counts and not counted:
        cause = sanitize(after.get("cause", ""), 160)
        yield Row(at, "guard", f"automatic rollback counts: {cause}", by)
    elif counted and not counts:
        held = sanitize(after.get("held", ""), 160)
        yield Row(at, "guard", "automatic rollback stopped counting", data=held)


def _elsewhere(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    before, after = was["traffic"].get("drift"), now["traffic"].get("drift")
    if after and not before:
        recorded = format_percent(after["recorded_percent"])
        actual = format_percent(after["actual_percent"])
        by = sanitize(after.get("by", ""), 80)
        yield Row(at, "drift", f"drift: {recorded} recorded, {actual} set", by)
    elif before and not after:
        yield Row(at, "drift", "drift ended")
    if was["canary"].get("revision") and now["canary"].get("revision") != was["canary"]["revision"]:
        new = sanitize(now["canary"].get("revision", "none"), 80)
        yield Row(at, "revision", f"Canary's revision is {new}", data=was["canary"]["revision"])
    if was.get("hold") != now.get("hold"):
        yield _hold(at, now.get("hold"))


def _notes(begin: float, was: Tree, now: Tree) -> Iterator[Row]:
    """What a person wrote down, at the moment that was marked, which may be before it was seen."""
    known = {m.get("change") or m["at"] for m in was.get("marks", [])}
    for tree in now.get("marks", []):
        mark = from_tree(tree, Mark)
        if (mark.change or mark.at) not in known and mark.at >= begin:
            yield Row(mark.at, "note", format_mark(mark), name_author(mark))


def _hold(at: float, tree: Tree) -> Row:
    if not tree:
        return Row(at, "hold", "the hold is over")
    hold = from_tree(tree, Hold)
    return Row(at, "hold", sanitize(format_hold(hold, at), 200), sanitize(hold.by, 80))


def _jobs(at: float, was: Tree, now: Tree) -> Iterator[Row]:
    for name, word, result in (
        ("verification", "verified", "result"),
        ("load_test", "load test", "summary"),
        ("ab_test", "A/B test", "analysis"),
    ):
        before = (was.get(name) or {}).get(result)
        after = (now.get(name) or {}).get(result)
        if after and after != before:
            ended = after.get("verdict") or after.get("status") or "done"
            yield Row(at, "trial", f"{word}: {sanitize(str(ended), 60)}")
