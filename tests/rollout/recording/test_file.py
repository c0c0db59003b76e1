"""One file to take along: whole, without what is private, and harmless whoever wrote it."""

from __future__ import annotations

import zlib
from random import Random
from typing import Any

import msgspec
import pytest

from canary.rollout.errors import RecordError
from canary.rollout.plan.tables import Notify
from canary.rollout.recording.file import MAGIC, Bundle, Part, read_bundle, write_bundle
from canary.rollout.recording.parts import Value, open_segment, press
from canary.rollout.recording.player import Recording
from canary.rollout.snapshot.snapshot import OperatorSession, Presence
from tests.rollout.build import PLAN
from tests.rollout.recording.shown import day, record

WEEK_S = 7 * 86_400.0
OTHERS = Presence((OperatorSession(4711, "bob", "bastion", 1.0, client="10.0.0.7"),))


def exported(**changes: Any) -> bytes:
    frames = [f._replace(snapshot=msgspec.structs.replace(f.snapshot, **changes)) for f in day(120)]
    return write_bundle(record(frames), "a → b", 0.0, 1e11)


FILE = exported()
BUNDLE = msgspec.msgpack.decode(FILE.partition(b"\n")[2], type=Bundle)


def test_it_gives_back_every_frame() -> None:
    recording = Recording(read_bundle(FILE, "x"))
    for frame in day(120):
        assert recording.read(recording.find(frame.snapshot.as_of), WEEK_S).frame == frame


def test_a_span_holds_what_was_shown_in_it() -> None:
    frames = day(300)
    file = record([f._replace(seen_at=5.0 * n) for n, f in enumerate(frames)])
    since, until = frames[150].snapshot.as_of, frames[200].snapshot.as_of
    data = write_bundle(file, "a → b", since, until)
    recording = Recording(read_bundle(data, "x"))
    assert recording.begin <= since < until <= recording.end
    assert recording.end - recording.begin < 120 * 60
    shown = recording.read(recording.find(until), 0.0).frame.snapshot
    assert shown.canary.criteria_window == frames[200].snapshot.canary.criteria_window


def test_who_else_was_there_and_the_webhook_stay_at_home() -> None:
    secret = "https://hooks.example.com/T0SECRET"
    plan = msgspec.structs.replace(PLAN, notify=Notify(webhook=secret))
    frames = [
        f._replace(plan=plan, snapshot=msgspec.structs.replace(f.snapshot, presence=presence))
        for f, presence in zip(day(40), [Presence(), OTHERS] * 20, strict=True)
    ]
    source = read_bundle(write_bundle(record(frames), "a → b", 0.0, 1e11), "x")
    bodies = [source.segment_body(i.number) for i in source.infos()]
    everything = b"".join(map(zlib.decompress, bodies)) + FILE
    assert b"10.0.0.7" not in everything
    assert b"T0SECRET" not in everything
    assert b"T0SECRET" not in b"".join(body for _, body in source.values("plan"))


def file_of(bundle: Bundle) -> bytes:
    return MAGIC + b"1\n" + msgspec.msgpack.encode(bundle)


def with_plan(tree: Any) -> bytes:
    values = [v for v in BUNDLE.values if v.kind != "plan"]
    plan = Value(1, "plan", msgspec.msgpack.encode(tree))
    return file_of(msgspec.structs.replace(BUNDLE, values=(*values, plan)))


def with_body(body: bytes) -> bytes:
    part = BUNDLE.segments[0]
    return file_of(msgspec.structs.replace(BUNDLE, segments=(Part(part.info, body),)))


def with_key(**changed: Any) -> bytes:
    """The first segment's first frame, with other parts of its snapshot."""
    key = open_segment(BUNDLE.segments[0].body).key
    key = {**key, "snapshot": {**key["snapshot"], **changed}}
    part = BUNDLE.segments[0]
    info = msgspec.structs.replace(part.info, frames=1)
    frames = [(info.last_at, info.last_seen, None)]
    body = press([key, frames])
    return file_of(msgspec.structs.replace(BUNDLE, segments=(Part(info, body),)))


def with_soak(**changed: Any) -> bytes:
    stage = open_segment(BUNDLE.segments[0].body).key["snapshot"]["stage"]
    return with_key(stage={**stage, **changed})


def nested(depth: int) -> Any:
    tree: Any = []
    for _ in range(depth):
        tree = [tree]
    return tree


HOSTILE = {
    "empty": b"",
    "another file": b"SQLite format 3\0" + bytes(100),
    "a later format": MAGIC + b"2\n" + FILE.partition(b"\n")[2],
    "an endless first line": MAGIC + b"1" * 100_000,
    "cut": FILE[: len(FILE) // 2],
    "no map": MAGIC + b"1\n" + msgspec.msgpack.encode([1, 2, 3]),
    "no plan": file_of(msgspec.structs.replace(BUNDLE, values=())),
    "a plan without stages": with_plan({"target": {}, "stages": []}),
    "a plan that is none": with_plan(7),
    "nothing in it": file_of(msgspec.structs.replace(BUNDLE, segments=())),
    "a bomb": with_body(zlib.compress(bytes(80_000_000), 9)),
    "a body of nothing": with_body(b""),
    "a deep tree": with_body(press([{"snapshot": nested(400)}, [(1.0, 1.0, None)]])),
    "an endless tree": with_body(zlib.compress(b"\x91" * 500_000)),
    "frames of another kind": with_body(press([{}, [("noon", 1.0, None)]])),
    "a ratio of no requests": with_key(
        evidence={"metrics": [{"name": "x", "legacy_ratio": 1, "legacy_count": 0}]}
    ),
    "an endless soak": with_soak(soaked_hours=float("inf"), soak_hours=24.0),
    "a soak of no number": with_soak(soaked_hours=float("nan"), soak_hours=24.0),
    "a stage since for ever": with_soak(entered_at=1e300),
    "a frame that is empty": with_body(press([{}, [(1.0, 1.0, None)]])),
}


def look_at_all(data: bytes) -> None:
    source = read_bundle(data, "a file")
    source.plan()
    recording = Recording(source)
    for info in recording.infos:
        recording.read(recording.find(info.last_at))


@pytest.mark.parametrize("name", HOSTILE)
def test_what_was_made_to_break_it_is_one_sentence(name: str) -> None:
    with pytest.raises(RecordError) as told:
        look_at_all(HOSTILE[name])
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 600


def test_a_flipped_byte_is_a_sentence_or_another_number(is_long: bool) -> None:
    rng, refused = Random(11), 0
    for _ in range(500 if is_long else 40):
        broken = bytearray(FILE)
        for _ in range(rng.randrange(1, 4)):
            broken[rng.randrange(20, len(broken))] = rng.randrange(256)
        try:
            look_at_all(bytes(broken))
        except RecordError:
            refused += 1
    assert refused > 0
